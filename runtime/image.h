/* What each image provides to the runtime, and how it refuses to start. */
#ifndef RUNTIME_IMAGE_H
#define RUNTIME_IMAGE_H

#include "runtime/compiler.h"

/* The image's name, for messages: "trapeze", "tinyos", ... */
extern const char image_name[];

/* The words its command line may have besides end= and serial= (NULL-terminated); any other is an
   error that ends the image. */
extern const char *const image_words[];

/* The image's own main function, called on the boot CPU with the runtime up and interrupts off.
   It does not return: it ends by power_end(). */
void image_main(void);

/* Prints "NAME: error: MESSAGE" and ends the image as failed. */
void image_error(const char *format, ...) __printf(1, 2) __noreturn;

#endif
