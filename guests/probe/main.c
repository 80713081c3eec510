/* The probe: a guest that executes what a virtual machine must get right and says what happened. Run
   natively and as a guest its two logs are compared by tools/probe.py; it judges nothing itself. */
#include "guests/probe/context.h"
#include "guests/probe/engine.h"
#include "guests/probe/machine.h"
#include "guests/probe/table.h"
#include "runtime/errno.h"
#include "runtime/image.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/boot.h"

#define WORD_MAX 256

const char image_name[] = "probe";
const char *const image_words[] = { "part", "forms", NULL };

/* The value of a word, or what stands for it when it is not there. */
static void read_word(const char *key, char *value, const char *otherwise)
{
	int error = boot_word(boot.cmdline, key, value, WORD_MAX);

	if (error == -E2BIG)
		image_error("%s= is longer than %u bytes", key, WORD_MAX - 1);
	if (error != 0)
		string_copy(value, WORD_MAX, otherwise);
}

/* part=list,table: is `part` among them? */
static bool is_wanted(const char *parts, const char *part)
{
	const char *found = strstr(parts, part);

	return found != NULL;
}

static void check_parts(const char *parts)
{
	static const char *const known[] = { "list", "table" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (is_wanted(parts, known[i]))
			return;
	image_error("part=%s: list, table, or several with commas", parts);
}

void image_main(void)
{
	char parts[WORD_MAX], pattern[WORD_MAX];
	struct machine good;

	read_word("part", parts, "table");
	read_word("forms", pattern, "*");
	check_parts(parts);
	if (engine_init() != 0)
		image_error("too little memory");
	context_init();
	machine_read(&good);
	if (is_wanted(parts, "list"))
		table_list(pattern);
	if (is_wanted(parts, "table"))
		print("probe: %u records\n", table_run(pattern, &good));
	power_end(0);
}
