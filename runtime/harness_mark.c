/* Marks the lines of a report. It stops what prints lines that look like the harness'; what reads this
   file's memory is not stopped. */
#include "runtime/harness_mark.h"

#include "runtime/boot.h"
#include "runtime/print.h"
#include "runtime/string.h"

#define FNV_BASIS UINT32_C(0x811c9dc5)
#define FNV_PRIME UINT32_C(0x01000193)

static char key[33];
static uint32_t lines; /* marked so far */

void harness_mark_init(void)
{
	char *word = boot.cmdline;

	if (boot_word(boot.cmdline, "key", key, sizeof(key)) != 0)
		return;
	/* The word is not left lying about. */
	while ((word = strchr(word, 'k')) != NULL && strncmp(word, "key=", 4) != 0)
		word++;
	if (word != NULL)
		memset(word + 4, '-', strcspn(word + 4, " "));
}

static uint32_t add_bytes(uint32_t hash, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (; size > 0; size--)
		hash = (hash ^ *byte++) * FNV_PRIME;
	return hash;
}

static uint32_t mark_of(const char *line)
{
	uint32_t hash = add_bytes(FNV_BASIS, key, strlen(key));

	hash = add_bytes(hash, &lines, sizeof(lines));
	return add_bytes(hash, line, strlen(line));
}

void harness_line(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (key[0] == '\0') {
		print("%s\n", line);
		return;
	}
	print("%s ~%08x\n", line, mark_of(line));
	lines++;
}
