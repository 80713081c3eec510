/* Reads the probe's words; what is wrong with one ends the image. */
#include "guests/probe/word.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/image.h"
#include "runtime/string.h"

void word_read(const char *key, char *value, const char *otherwise)
{
	int error = boot_word(boot.cmdline, key, value, WORD_MAX);

	if (error == -E2BIG)
		image_error("%s= is longer than %u bytes", key, WORD_MAX - 1);
	if (error != 0)
		string_copy(value, WORD_MAX, otherwise);
}

unsigned int word_number(const char *key, unsigned int otherwise)
{
	char text[WORD_MAX];
	uint64_t value;

	word_read(key, text, "");
	if (text[0] == '\0')
		return otherwise;
	if (string_to_u64(text, false, &value) != 0 || value > UINT32_MAX)
		image_error("%s=%s: not a number", key, text);
	return (unsigned int)value;
}

bool word_lists(const char *parts, const char *part)
{
	return strstr(parts, part) != NULL;
}
