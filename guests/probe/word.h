/* The words of a probe's command line: values with defaults, numbers, lists of parts. What they
   mean is told by the ones who ask. */
#ifndef PROBE_WORD_H
#define PROBE_WORD_H

#include "runtime/compiler.h"

#define WORD_MAX 640

/* The value of a word, or what stands for it when it is not there, into WORD_MAX bytes. */
void word_read(const char *key, char *value, const char *otherwise);

/* The same as a number below 2^32. */
unsigned int word_number(const char *key, unsigned int otherwise);

/* "list,table": is `part` among them? */
bool word_lists(const char *parts, const char *part);

#endif
