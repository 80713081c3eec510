/* Compares the state after with the state before and prints what differs. */
#include "guests/probe/record.h"

#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define FNV_PRIME UINT64_C(0x100000001b3)
#define PATTERN   0x5a /* engine_reset()'s */

/* A line is built first and printed whole: the console is slow, and shared. */
struct line {
	char text[960];
	size_t length;
	size_t start; /* of the last line in it */
};

/* A hypervisor may cut longer lines; a record goes on after "+ " on the next. */
#define LINE_BYTES 200

static void add(struct line *line, const char *format, ...) __printf(2, 3);

static void add(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line->length += (size_t)vsnprintf(
		line->text + line->length, sizeof(line->text) - line->length, format, args);
	va_end(args);
	line->length = MIN(line->length, sizeof(line->text) - 1);
	if (line->length - line->start > LINE_BYTES && line->length + 3 < sizeof(line->text)) {
		memcpy(line->text + line->length, "\n+", 3);
		line->length += 2;
		line->start = line->length;
	}
}

/* Eight bytes at a time: a program leaves kilobytes to digest. */
uint64_t record_digest(uint64_t digest, const void *data, size_t bytes)
{
	const uint8_t *byte = data;
	uint64_t word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word), byte += sizeof(word)) {
		__builtin_memcpy(&word, byte, sizeof(word));
		digest = (digest ^ word) * FNV_PRIME;
		digest ^= digest >> 29;
	}
	while (bytes-- > 0)
		digest = (digest ^ *byte++) * FNV_PRIME;
	return digest;
}

static void add_outcome(struct line *line, const struct engine_result *result)
{
	if (result->vector == ENGINE_END)
		add(line, " end");
	else if (result->vector < 32)
		add(line, " %s(%lx)", trap_name((uint8_t)result->vector), result->error);
	else
		add(line, " int%lu", result->vector);
	if (result->vector == VECTOR_PF)
		add(line, " cr2=%lx", result->cr2);
}

static void add_selectors(struct line *line, const struct engine_registers *before,
	const struct engine_registers *after)
{
	const struct {
		const char *name;
		uint16_t before, after;
	} selectors[] = { { "cs", before->cs, after->cs }, { "ss", before->ss, after->ss },
		{ "ds", before->ds, after->ds }, { "es", before->es, after->es },
		{ "fs", before->fs, after->fs }, { "gs", before->gs, after->gs } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(selectors); i++)
		if (selectors[i].before != selectors[i].after)
			add(line, " %s=%x", selectors[i].name, selectors[i].after);
}

static void add_registers(struct line *line, const struct record *record)
{
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	const struct engine_registers *b = &record->before, *a = &record->result.after;
	unsigned int i;

	add(line, " rip=+%lx", a->rip - b->rip);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if ((record->masked & BIT(i)) && record->result.vector == ENGINE_END)
			add(line, " %s=*", names[i]);
		else if (a->gpr[i] != b->gpr[i])
			add(line, " %s=%lx", names[i], a->gpr[i]);
	if (a->rflags != b->rflags)
		add(line, " flags=%lx", a->rflags);
	add_selectors(line, b, a);
}

static void add_machine(struct line *line, const struct record *record)
{
	unsigned int i;

	for (i = 0; i < MACHINE_COUNT; i++)
		if (record->machine_before.value[i] != record->machine_after.value[i])
			add(line, " %s=%lx", machine_names[i], record->machine_after.value[i]);
}

/* The first changed eight bytes and a digest of all. bytes: a multiple of eight. */
static void add_memory(struct line *line, const char *name, const uint8_t *memory, size_t bytes)
{
	const uint64_t pattern = PATTERN * UINT64_C(0x0101010101010101);
	uint64_t word = pattern;
	size_t i;

	for (i = 0; i < bytes; i += sizeof(word)) {
		__builtin_memcpy(&word, memory + i, sizeof(word));
		if (word != pattern)
			break;
	}
	if (i < bytes)
		add(line, " %s+%lx=%lx/%lx", name, i, word,
			record_digest(RECORD_DIGEST, memory, bytes));
}

void record_print(const struct record *record)
{
	struct line line = { .length = 0 };

	add(&line, "@ %s %s", record->form, record->mode);
	add_outcome(&line, &record->result);
	add_registers(&line, record);
	add_machine(&line, record);
	add_memory(&line, "data", engine_data, ENGINE_DATA_BYTES);
	add_memory(&line, "stack", engine_stack, ENGINE_STACK_BYTES);
	if (record->ticks != 0)
		add(&line, " ticks=%lu", record->ticks);
	print("%s\n", line.text);
}
