/* A 32-bit Multiboot image that ends in every way a run can end, to test the runner with.
   It stands alone on purpose: it must not share a mistake with the runtime. */
#include <stdint.h>

#define COM1 0x3f8
#define NAKED_HEADERS __attribute__((section(".multiboot"), used, aligned(8)))

/* Multiboot 1: pages aligned, memory information wanted. */
static const uint32_t header1[] NAKED_HEADERS = { 0x1badb002, 3, -(0x1badb002u + 3) };
/* Multiboot 2: i386, the end tag only. */
static const uint32_t header2[] NAKED_HEADERS = { 0xe85250d6, 0, 24, -(0xe85250d6u + 24), 0, 8 };

__asm__(".pushsection .text.start\n"
	".global _start\n"
	"_start: mov $stack_top, %esp\n"
	"push %ebx\n"
	"push %eax\n"
	"call ending_main\n"
	"1: cli; hlt; jmp 1b\n"
	".popsection\n"
	".pushsection .bss\n"
	".skip 16384\n"
	"stack_top:\n"
	".popsection\n");

static void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		outb(COM1, *text);
	}
}

static char get(void)
{
	while (!(inb(COM1 + 5) & 1))
		;
	return inb(COM1);
}

/* Does `word` stand in line at a word's start? */
static int has(const char *line, const char *word)
{
	for (int i = 0; line[i]; i++) {
		int n = 0;

		if (i && line[i - 1] != ' ')
			continue;
		while (word[n] && line[i + n] == word[n])
			n++;
		if (!word[n] && (!line[i + n] || line[i + n] == ' '))
			return 1;
	}
	return 0;
}

static const char *command_line(uint32_t magic, const uint32_t *info)
{
	if (magic == 0x2badb002)
		return (info[0] & 4) ? (const char *)info[4] : "";
	for (const uint32_t *tag = info + 2; tag[0]; tag += (tag[1] + 7) / 8 * 2)
		if (tag[0] == 1)
			return (const char *)(tag + 2);
	return "";
}

static void leave(const char *line, uint8_t status)
{
	if (has(line, "end=qemu"))
		outb(0xf4, status);
	if (has(line, "end=bochs"))
		outb(0x8900, 'D');
	__asm__ volatile("1: cli; hlt; jmp 1b");
}

/* Answers each line typed until it is "quit". */
static void answer(void)
{
	char line[80];
	int n = 0;

	put("ready> ");
	for (;;) {
		char c = get();

		if (c != '\r' && c != '\n' && n < 78) {
			line[n++] = c;
			continue;
		}
		line[n] = 0;
		n = 0;
		put("\r\n");
		if (has(line, "quit"))
			return;
		put("you said: ");
		put(line);
		put("\r\nready> ");
	}
}

void ending_main(uint32_t magic, const uint32_t *info)
{
	const char *line = command_line(magic, info);

	outb(COM1 + 3, 0x83);
	outb(COM1, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x03);
	put("endings: ");
	put(line);
	put("\r\n");
	if (has(line, "do=answer"))
		answer();
	if (has(line, "do=triple"))
		__asm__ volatile("lidt %0; int3" : : "m"(*(const uint64_t[1]){ 0 }));
	if (has(line, "do=hang"))
		for (;;)
			;
	if (has(line, "do=reset"))
		outb(0x64, 0xfe);
	if (has(line, "do=silent"))
		leave(line, 0x10);
	if (has(line, "do=panic")) {
		put("*** PANIC: on purpose\r\nbacktrace: 0x100000 0x100020\r\n*** END panic\r\n");
		leave(line, 0x11);
	}
	if (has(line, "do=fail")) {
		put("*** END failed: 3\r\n");
		leave(line, 0x11);
	}
	if (has(line, "do=contradict")) {
		put("*** END passed\r\n");
		leave(line, 0x11);
	}
	if (has(line, "do=cut")) {
		put("*** END pas");
		leave(line, 0x10);
	}
	put("*** END passed\r\n");
	if (has(line, "do=more"))
		put("and more\r\n");
	leave(line, 0x10);
}
