/* The order of the monitor's probes, and what they share. What they do is in the files beside. */
#include "guests/probe/monitor.h"

#include "guests/probe/table.h"
#include "runtime/print.h"

bool monitor_wants(const struct monitor_request *request, const char *id)
{
	return table_selects(request->patterns, id);
}

void monitor_list(const char *id, const char *section, const char *text, const char *cause)
{
	print("%% %s | %s | %s\n", id, section, text);
	print("= %s %s\n", id, cause);
}

unsigned int monitor_run(const struct monitor_request *request)
{
	unsigned int records = turn_run(request);

	records += interrupt_run(request);
	return records + feature_run(request);
}
