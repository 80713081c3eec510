/* The order in which the runtime comes up on the boot CPU, before the image's own image_main(). */
#include "runtime/acpi.h"
#include "runtime/apic.h"
#include "runtime/boot.h"
#include "runtime/console.h"
#include "runtime/errno.h"
#include "runtime/exercise.h"
#include "runtime/image.h"
#include "runtime/page_alloc.h"
#include "runtime/paging.h"
#include "runtime/panic.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/screen.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

void start(uint32_t magic, uint64_t info) __noreturn;

/* serial=PORT[,BAUD]: the port in hexadecimal with 0x, the speed in bits per second. */
static int choose_console(void)
{
	uint64_t port = CONSOLE_PORT, baud = CONSOLE_BAUD;
	char word[32];
	char *comma;

	if (boot_word(boot.cmdline, "serial", word, sizeof(word)) != 0)
		return 0;
	comma = strchr(word, ',');
	if (comma != NULL)
		*comma++ = '\0';
	if (string_to_u64(word, false, &port) || port > UINT16_MAX - 7 ||
		(comma != NULL && (string_to_u64(comma, false, &baud) || baud == 0 || baud > CONSOLE_BAUD)))
		return -EINVAL;
	return console_init((uint16_t)port, (uint32_t)baud);
}

static void check_words(void)
{
	static const char *const common[] = { "end", "serial", NULL };
	const char *known[32], *bad;
	unsigned int count = 0, i;

	for (i = 0; common[i] != NULL; i++)
		known[count++] = common[i];
	for (i = 0; image_words[i] != NULL; i++) {
		assert(count + 1 < ARRAY_SIZE(known));
		known[count++] = image_words[i];
	}
	known[count] = NULL;
	if (boot_check_words(boot.cmdline, known, &bad) != 0)
		image_error("unknown word on the command line: %.*s", (int)strcspn(bad, " "), bad);
}

void start(uint32_t magic, uint64_t info)
{
	int boot_error, console_error;

	smp_init_boot_cpu();
	trap_init();
	trap_init_cpu();
	console_init(CONSOLE_PORT, CONSOLE_BAUD);
	boot_error = boot_parse(magic, info);
	console_error = choose_console();
	if (boot_error == -EINVAL)
		image_error("not started by a Multiboot loader (EAX is %#x)", magic);
	if (boot_error == -E2BIG)
		image_error("the boot loader's information is too large: at most %u modules, %u memory ranges, "
			    "command lines of %u bytes", BOOT_MAX_MODULES, BOOT_MAX_RANGES, BOOT_CMDLINE_MAX - 1);
	if (console_error == -EINVAL)
		image_error("serial= must be PORT[,BAUD], e.g. serial=0x2f8,115200");
	check_words();
	page_alloc_init();
	paging_init();
	page_alloc_init_high();
	acpi_init();
	screen_init();
	paging_unmap(0, PAGE_SIZE); /* a null pointer is a fault from here on */
	apic_init();
	apic_init_cpu();
	exercise_list();
	image_main();
	panic("image_main() returned");
}
