/* How an image refuses to start. The order in which it comes up is start.c's. */
#include "runtime/image.h"

#include "runtime/power.h"
#include "runtime/print.h"

void image_error(const char *format, ...)
{
	va_list args;

	print("%s: error: ", image_name);
	va_start(args, format);
	vprint(format, args);
	va_end(args);
	print("\n");
	power_end(1);
}
