/* The memory and string functions of string.h, written for clarity: the compiler and `rep` make the
   large copies fast. Formatting is print.c's. */
#include "runtime/string.h"

#include "runtime/errno.h"

void *memcpy(void *dst, const void *src, size_t bytes)
{
	void *d = dst;
	size_t words = bytes / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	bytes %= 8;
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(bytes) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t bytes)
{
	char *d = dst;
	const char *s = src;

	if (d <= s || d >= s + bytes)
		return memcpy(dst, src, bytes);
	while (bytes-- > 0)
		d[bytes] = s[bytes];
	return dst;
}

void *memset(void *dst, int byte, size_t bytes)
{
	void *d = dst;
	size_t words = bytes / 8;
	uint64_t pattern = (uint8_t)byte * UINT64_C(0x0101010101010101);

	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
	bytes %= 8;
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(bytes) : "a"(pattern) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const uint8_t *x = a, *y = b;

	for (; bytes > 0; bytes--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t length = 0;

	while (s[length] != '\0')
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
	for (; max > 0; max--, a++, b++)
		if (*a != *b || *a == '\0')
			return (uint8_t)*a - (uint8_t)*b;
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

size_t strcspn(const char *s, const char *reject)
{
	size_t length = 0;

	while (s[length] != '\0' && strchr(reject, s[length]) == NULL)
		length++;
	return length;
}

char *strstr(const char *haystack, const char *needle)
{
	size_t length = strlen(needle);

	for (; strncmp(haystack, needle, length) != 0; haystack++)
		if (*haystack == '\0')
			return NULL;
	return (char *)(uintptr_t)haystack;
}

int string_copy(char *dst, size_t size, const char *src)
{
	size_t length = strlen(src);
	size_t copied = MIN(length, size - 1);

	memcpy(dst, src, copied);
	dst[copied] = '\0';
	return copied == length ? 0 : -E2BIG;
}

bool string_matches(const char *pattern, const char *text)
{
	for (; *pattern != '\0'; pattern++, text++) {
		if (*pattern == '*') {
			for (;; text++) {
				if (string_matches(pattern + 1, text))
					return true;
				if (*text == '\0')
					return false;
			}
		}
		if (*text == '\0' || (*pattern != '?' && *pattern != *text))
			return false;
	}
	return *text == '\0';
}

bool string_matches_one(const char *patterns, const char *text)
{
	char pattern[64];
	size_t length;

	for (;; patterns += length + 1) {
		length = strcspn(patterns, ",");
		string_copy(pattern, MIN(length + 1, sizeof(pattern)), patterns);
		if (string_matches(pattern, text))
			return true;
		if (patterns[length] == '\0')
			return false;
	}
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* The shift that a suffix stands for, or 64 for none known. */
static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	}
	return 64;
}

int string_to_u64(const char *text, bool allow_suffix, uint64_t *value)
{
	int base = 10;
	uint64_t v = 0;
	unsigned int shift;

	if (text[0] == '0' && text[1] == 'x') {
		base = 16;
		text += 2;
	}
	if (digit_value(*text) >= base)
		return -EINVAL;
	for (; digit_value(*text) < base; text++)
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
			__builtin_add_overflow(v, (uint64_t)digit_value(*text), &v))
			return -EINVAL;
	if (*text != '\0' && allow_suffix) {
		shift = suffix_shift(*text++);
		if (shift == 64 || v > ~UINT64_C(0) >> shift)
			return -EINVAL;
		v <<= shift;
	}
	if (*text != '\0')
		return -EINVAL;
	*value = v;
	return 0;
}
