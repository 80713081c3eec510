/* The probe: a guest that executes what a virtual machine must get right and says what happened.
   Run natively and as a guest its two logs are compared by tools/probe.py; it judges nothing
   itself. */
#include "guests/probe/context.h"
#include "guests/probe/engine.h"
#include "guests/probe/legacy.h"
#include "guests/probe/machine.h"
#include "guests/probe/random.h"
#include "guests/probe/table.h"
#include "runtime/errno.h"
#include "runtime/image.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/boot.h"

#define WORD_MAX 640

const char image_name[] = "probe";
const char *const image_words[] = { "part", "forms", "modes", "seed", "first", "programs",
	"prefixes", "suffixes", "show", "ticks", NULL };

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
	static const char *const known[] = { "list", "table", "moved", "random" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (is_wanted(parts, known[i]))
			return;
	image_error("part=%s: list, table, moved, random, or several with commas", parts);
}

static unsigned int read_number(const char *key, unsigned int otherwise)
{
	char text[WORD_MAX];
	uint64_t value;

	read_word(key, text, "");
	if (text[0] == '\0')
		return otherwise;
	if (string_to_u64(text, false, &value) != 0 || value > UINT32_MAX)
		image_error("%s=%s: not a number", key, text);
	return (unsigned int)value;
}

/* seed= first= programs=, and for one program prefixes, suffixes=LAST, show=START,LAST. */
static struct random_request read_request(void)
{
	struct random_request request = { .seed = read_number("seed", 1),
		.first = read_number("first", 0),
		.count = read_number("programs", 1000) };
	char text[WORD_MAX], *comma;
	uint64_t start, last;

	request.prefixes = boot_word(boot.cmdline, "prefixes", text, sizeof(text)) == 0;
	request.suffixes = boot_word(boot.cmdline, "suffixes", text, sizeof(text)) == 0;
	request.last = read_number("suffixes", 0);
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

static void run_random(const struct machine *good)
{
	struct random_request request = read_request();

	print("probe: %u programs\n", random_run(&request, good));
}

void image_main(void)
{
	char parts[WORD_MAX], pattern[WORD_MAX], modes[WORD_MAX], ticks[8];
	struct machine good;
	unsigned int records = 0;

	read_word("part", parts, "table");
	read_word("forms", pattern, "*");
	read_word("modes", modes, "*");
	check_parts(parts);
	table_select_modes(modes);
	if (engine_init() != 0)
		image_error("too little memory");
	context_init();
	legacy_init();
	machine_read(&good);
	if (is_wanted(parts, "list"))
		table_list(pattern);
	if (boot_word(boot.cmdline, "ticks", ticks, sizeof(ticks)) == 0)
		table_count_ticks();
	if (is_wanted(parts, "table"))
		records += table_run(pattern, &good);
	if (is_wanted(parts, "random"))
		run_random(&good);
	if (is_wanted(parts, "moved")) {
		context_move();
		machine_read(&good);
		records += table_run_moved(pattern, &good);
	}
	if (records != 0)
		print("probe: %u records\n", records);
	power_end(0);
}
