/* The memory and string functions that C programs expect (ISO C, "String handling"), and a few
   for words on a command line. No locale, no allocation. */
#ifndef RUNTIME_STRING_H
#define RUNTIME_STRING_H

#include "runtime/compiler.h"

void *memcpy(void *dst, const void *src, size_t bytes);
void *memmove(void *dst, const void *src, size_t bytes);
void *memset(void *dst, int byte, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);
size_t strcspn(const char *s, const char *reject);
char *strstr(const char *haystack, const char *needle);

/* Copies src into dst of size bytes (size > 0) and always ends it with a NUL.
   Returns 0, or -E2BIG when src was cut. */
int string_copy(char *dst, size_t size, const char *src);

/* True when text matches pattern, in which * stands for any run of characters and ? for one. */
bool string_matches(const char *pattern, const char *text);

/* The same with several patterns, with commas between them, each cut at 63 bytes. */
bool string_matches_one(const char *patterns, const char *text);

/* Parses the whole of text as an unsigned number: decimal, or hexadecimal after 0x; with
   allow_suffix, one of K M G multiplies by 2^10, 2^20, 2^30.
   Returns 0 and sets *value, or -EINVAL (not a number, or more than 64 bits). */
int string_to_u64(const char *text, bool allow_suffix, uint64_t *value);

#endif
