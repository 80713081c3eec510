/* The runtime's own tests, an image that tests what every other image stands on. Its tests are in the
   files beside it, one per part of the runtime. */
#include "runtime/harness.h"
#include "runtime/image.h"
#include "runtime/power.h"

const char image_name[] = "selftest";
const char *const image_words[] = { HARNESS_WORDS, NULL };

void image_main(void)
{
	static const struct suite suite = { .name = "runtime" };

	power_end(harness_run(&suite));
}
