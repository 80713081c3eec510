/* Outcomes as text. */
#include "runtime/outcome.h"

#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/trap.h"

static void format_fault(outcome word, char *text, size_t size)
{
	const char *name = trap_name(outcome_vector(word));
	unsigned int error = (unsigned int)outcome_value(word);

	if (*name == '#')
		name++;
	if (*name == '\0')
		snprintf(text, size, "FAULT(vector %u, %#x)", outcome_vector(word), error);
	else if (error != 0)
		snprintf(text, size, "FAULT(%s, %#x)", name, error);
	else
		snprintf(text, size, "FAULT(%s)", name);
}

void outcome_format(outcome word, char *text, size_t size)
{
	static const char *const names[] = {
		[OUTCOME_OK] = "OK",
		[OUTCOME_FAIL_INVALID] = "FAIL_INVALID",
		[OUTCOME_FAIL_VALID] = "FAIL_VALID(%lu)",
		[OUTCOME_EXIT] = "EXIT(%lu)",
		[OUTCOME_ENTRY_FAIL] = "ENTRY_FAIL(%lu)",
		[OUTCOME_VMEXIT_INVALID] = "VMEXIT_INVALID",
		[OUTCOME_SHUTDOWN] = "SHUTDOWN",
		[OUTCOME_ABORT] = "ABORT(%lu)",
		[OUTCOME_RESET] = "RESET",
		[OUTCOME_MISMATCH] = "a wrong value at line %lu",
		[OUTCOME_ERROR] = "an error of the test at line %lu",
	};
	unsigned int kind = outcome_kind(word);
	const char *name = kind < ARRAY_SIZE(names) ? names[kind] : NULL;
	const char *argument;

	if (kind == OUTCOME_FAULT) {
		format_fault(word, text, size);
		return;
	}
	if (name == NULL) {
		snprintf(text, size, "unknown outcome %#lx", word);
		return;
	}
	argument = strstr(name, "%lu");
	if (argument == NULL)
		snprintf(text, size, "%s", name);
	else
		snprintf(text, size, "%.*s%lu%s", (int)(argument - name), name, outcome_value(word),
			argument + 3);
}
