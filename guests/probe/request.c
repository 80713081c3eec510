/* What the words of the command line ask of random programs. Running them is random.c's. */
#include "guests/probe/random.h"
#include "guests/probe/word.h"
#include "runtime/boot.h"
#include "runtime/image.h"
#include "runtime/string.h"

struct random_request random_read_request(void)
{
	struct random_request request = { .seed = word_number("seed", 1),
		.first = word_number("first", 0),
		.count = word_number("programs", 1000) };
	char text[WORD_MAX], *comma;
	uint64_t start, last;

	request.prefixes = boot_word(boot.cmdline, "prefixes", text, sizeof(text)) == 0;
	request.suffixes = boot_word(boot.cmdline, "suffixes", text, sizeof(text)) == 0;
	request.last = word_number("suffixes", 0);
	request.show = boot_word(boot.cmdline, "show", text, sizeof(text)) == 0;
	if (!request.show)
		return request;
	comma = strchr(text, ',');
	if (comma == NULL)
		image_error("show=START,LAST");
	*comma = '\0';
	if (string_to_u64(text, false, &start) != 0 || string_to_u64(comma + 1, false, &last) != 0)
		image_error("show=START,LAST");
	request.start = (unsigned int)start;
	request.last = (unsigned int)last;
	return request;
}
