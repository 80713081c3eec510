/* Runs random programs and digests what they leave; all of one, or parts of it, to find out where
   two runs part. What the programs are made of is program.c's. */
#include "guests/probe/random.h"

#include "guests/probe/program.h"
#include "guests/probe/record.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"

#define DIGESTS_PER_LINE 16

/* Prints digests, several to a line. */
struct printer {
	char text[DIGESTS_PER_LINE * 9 + 16];
	size_t length;
	unsigned int on_line, total;
};

static void flush(struct printer *printer)
{
	if (printer->on_line > 0)
		print("%s\n", printer->text);
	printer->on_line = 0;
}

static void add_digest(struct printer *printer, unsigned int number, uint32_t digest)
{
	if (printer->on_line == 0)
		printer->length =
			(size_t)snprintf(printer->text, sizeof(printer->text), "# %u:", number);
	printer->length += (size_t)snprintf(printer->text + printer->length,
		sizeof(printer->text) - printer->length, " %08x", digest);
	printer->total++;
	if (++printer->on_line == DIGESTS_PER_LINE)
		flush(printer);
}

/* Instructions start to last of the program, in the code page. A program that is cut keeps its
   addresses: what is left out is replaced by NOPs. */
static void put_code(const struct program *program, unsigned int start, unsigned int last)
{
	uint8_t code[ENGINE_CODE_BYTES - 1];
	size_t bytes = 0;
	unsigned int i;

	for (i = 0; i <= last && i < program->count; i++) {
		memcpy(code + bytes, program->instruction[i].code, program->instruction[i].bytes);
		if (i < start)
			memset(code + bytes, 0x90, program->instruction[i].bytes);
		bytes += program->instruction[i].bytes;
	}
	engine_reset(code, bytes);
}

/* Pointers stay as they are by default: RSP in the middle of the stack, for pushes and pops. */
static struct engine_registers registers_of(const struct program *program)
{
	struct engine_registers r = engine_default(program->mode);
	unsigned int i;

	for (i = 0; i < 16; i++)
		if (i < 4 || i > 7)
			r.gpr[i] = program->gpr[i];
	r.gpr[4] = (uintptr_t)engine_stack + ENGINE_STACK_BYTES / 2;
	return r;
}

static uint32_t digest_of(const struct record *record)
{
	struct engine_result result = record->result;
	uint64_t digest = RECORD_DIGEST;
	unsigned int i;

	result.after.rflags &= ~RFLAGS_RF; /* not all emulators set it in a fault's image */
	digest = record_digest(digest, &result, sizeof(result));
	for (i = 0; i < MACHINE_COUNT; i++)
		if (record->machine_after.value[i] != record->machine_before.value[i])
			digest = record_digest(digest, &record->machine_after.value[i],
					 sizeof(uint64_t)) +
				 i;
	digest = record_digest(digest, engine_code, ENGINE_CODE_BYTES);
	digest = record_digest(digest, engine_data, ENGINE_DATA_BYTES);
	digest = record_digest(digest, engine_stack, ENGINE_STACK_BYTES);
	return (uint32_t)(digest ^ digest >> 32);
}

static struct record run_part(const struct program *program, unsigned int start, unsigned int last,
	const struct machine *good)
{
	struct record record = { .form = "random", .mode = engine_mode_name(program->mode) };

	put_code(program, start, last);
	record.before = registers_of(program);
	record.machine_before = *good;
	record.result = engine_run(&record.before);
	machine_read(&record.machine_after);
	machine_restore(good, &record.machine_after);
	return record;
}

static void show_part(const struct program *program, unsigned int start, unsigned int last,
	const struct machine *good)
{
	struct record record;
	unsigned int i, j;
	char text[PROGRAM_BYTES * 3 + 1];

	for (i = start; i <= last && i < program->count; i++) {
		for (j = 0; j < program->instruction[i].bytes; j++)
			snprintf(text + j * 3, sizeof(text) - j * 3, " %02x",
				program->instruction[i].code[j]);
		print("! %2u %s%s\n", i, engine_mode_name(program->mode), text);
	}
	record = run_part(program, start, last, good);
	record_print(&record);
}

unsigned int random_run(const struct random_request *request, const struct machine *good)
{
	static struct program program;
	struct printer printer = { .total = 0 };
	unsigned int i;

	program_make(&program, request->seed, request->first, request->plain);
	if (request->show) {
		show_part(&program, request->start, request->last, good);
	} else if (request->prefixes || request->suffixes) {
		for (i = 0; i < (request->prefixes ? program.count : request->last + 1); i++) {
			struct record record = run_part(&program, request->prefixes ? 0 : i,
				request->prefixes ? i : request->last, good);
			add_digest(&printer, i, digest_of(&record));
		}
	} else {
		for (i = request->first; i < request->first + request->count; i++) {
			struct record record;

			program_make(&program, request->seed, i, request->plain);
			record = run_part(&program, 0, program.count - 1, good);
			add_digest(&printer, i, digest_of(&record));
		}
	}
	flush(&printer);
	return printer.total;
}
