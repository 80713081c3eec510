/* Runs the table's forms one by one. How a form runs is the engine's, how it is told is record.c's.
 */
#include "guests/probe/table.h"

#include "guests/probe/form.h"
#include "guests/probe/legacy.h"
#include "guests/probe/record.h"
#include "guests/probe/wake.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/fpu.h"

#define TICK_RUNS 3

static enum form_size size_of(enum engine_mode mode)
{
	if (engine_mode_is_16bit(mode))
		return FORM_CODE16;
	return engine_mode_is_64bit(mode) ? FORM_CODE64 : FORM_CODE32;
}

static bool is_intel(void)
{
	return cpuid(CPUID_VENDOR, 0).ecx == CPUID_VENDOR_ECX_INTEL;
}

/* The CR4 bits of a set-up that this CPU has. */
static uint64_t cr4_bits(uint32_t setup)
{
	struct cpuid base, structured;
	uint64_t bits = 0;

	if (setup == 0) /* then the CPU need not be asked */
		return 0;
	base = cpuid(CPUID_FEATURES, 0);
	structured = cpuid(CPUID_STRUCTURED, 0);
	if ((setup & SETUP_UMIP) && (structured.ecx & CPUID_7_ECX_UMIP))
		bits |= CR4_UMIP;
	if ((setup & SETUP_FSGSBASE) && (structured.ebx & CPUID_7_EBX_FSGSBASE))
		bits |= CR4_FSGSBASE;
	if ((setup & SETUP_OSXSAVE) && (base.ecx & CPUID_1_ECX_XSAVE))
		bits |= CR4_OSXSAVE;
	if ((setup & SETUP_DE) && (base.edx & CPUID_1_EDX_DE))
		bits |= CR4_DE;
	return bits | (setup & SETUP_TSD ? CR4_TSD : 0) | (setup & SETUP_PCE ? CR4_PCE : 0);
}

static void set_up(const struct form *form, enum engine_mode mode, struct engine_registers *before)
{
	uint32_t setup = form->setup;

	if (setup & SETUP_IOPL3)
		before->rflags |= RFLAGS_IOPL;
	if (setup & SETUP_AC)
		before->rflags |= RFLAGS_AC;
	if (cr4_bits(setup) != 0)
		write_cr4(read_cr4() | cr4_bits(setup));
	if (mode == ENGINE_V8086_VME)
		write_cr4(read_cr4() | CR4_VME);
	if (read_cr4() & CR4_OSXSAVE)
		xsetbv(0, XCR0_X87); /* it stays as it was left while XSAVE is off */
	if (setup & SETUP_TS)
		write_cr0(read_cr0() | CR0_TS);
	if (setup & SETUP_WAKE) {
		before->rflags |= RFLAGS_IF;
		wake_arm();
	}
}

/* What is common to all forms of a run. */
struct run {
	const struct machine *good;
	bool moved;
};

static const char *mode_patterns = "*";

void table_select_modes(const char *patterns)
{
	mode_patterns = patterns;
}

static unsigned int repeats = 1;

void table_count_ticks(void)
{
	repeats = TICK_RUNS;
}

static void execute(const struct form *form, enum engine_mode mode, const struct run *run,
	struct record *record)
{
	enum form_size size = size_of(mode);
	struct machine now;
	uint64_t started;

	engine_reset(
		form->code[size].start, (size_t)(form->code[size].end - form->code[size].start));
	record->before = engine_default(mode);
	if (run->moved)
		record->before.rflags |= RFLAGS_IF;
	set_up(form, mode, &record->before);
	machine_read(&record->machine_before);
	started = rdtsc();
	if (engine_mode_is_legacy(mode))
		record->result = legacy_run(
			mode, &record->before, &record->machine_before, &record->machine_after);
	else
		record->result = engine_run(&record->before);
	started = rdtsc() - started;
	record->ticks = MIN(record->ticks, started);
	machine_read(&now);
	if (!engine_mode_is_legacy(mode))
		record->machine_after = now;
	machine_restore(run->good, &now);
	if (form->setup & SETUP_WAKE)
		wake_disarm();
}

static void run_form(const struct form *form, enum engine_mode mode, const struct run *run)
{
	static const char *const moved_names[ENGINE_MODES] = {
		[ENGINE_64_CPL3] = "64/3/moved", [ENGINE_COMPAT_CPL3] = "compat/3/moved"
	};
	struct record record = { .form = form->id, .masked = form->masked, .ticks = UINT64_MAX };
	unsigned int i;

	record.mode = run->moved ? moved_names[mode] : engine_mode_name(mode);
	for (i = 0; i < repeats; i++)
		execute(form, mode, run, &record);
	if (repeats == 1)
		record.ticks = 0;
	record_print(&record);
}

static bool exists(const struct form *form, enum engine_mode mode)
{
	if (form->code[size_of(mode)].start == NULL || (form->modes & BIT(mode)))
		return false;
	return legacy_has(mode) && (!(form->intel & BIT(mode)) || is_intel());
}

bool table_selects(const char *patterns, const char *id)
{
	char pattern[64];
	size_t length;

	for (;; patterns += length + 1) {
		length = strcspn(patterns, ",");
		string_copy(pattern, MIN(length + 1, sizeof(pattern)), patterns);
		if (string_matches(pattern, id))
			return true;
		if (patterns[length] == '\0')
			return false;
	}
}

/* Does a run include the mode? A moved machine is one of IA-32e mode, seen from CPL 3. */
static bool is_in(const struct run *run, enum engine_mode mode)
{
	return !run->moved || (engine_mode_is_user(mode) && !engine_mode_is_legacy(mode));
}

static unsigned int run_all(const char *patterns, const struct run *run)
{
	unsigned int i, mode, records = 0;

	for (i = 0; i < form_count; i++) {
		if (!table_selects(patterns, forms[i].id)) /* once: patterns may be many */
			continue;
		for (mode = 0; mode < ENGINE_MODES; mode++)
			if (table_selects(mode_patterns, engine_mode_name(mode)) &&
				exists(&forms[i], mode) && is_in(run, mode)) {
				run_form(&forms[i], mode, run);
				records++;
			}
	}
	return records;
}

unsigned int table_run(const char *patterns, const struct machine *good)
{
	return run_all(patterns, &(struct run){ .good = good });
}

unsigned int table_run_moved(const char *patterns, const struct machine *good)
{
	return run_all(patterns, &(struct run){ .good = good, .moved = true });
}

/* "% ID | SECTION | ASSEMBLY", and "~ ID | MODES | WHAT | WHY" where it must differ. */
static void list_form(const struct form *form)
{
	print("%% %s | %s | %s\n", form->id, form->section, form->text);
	if (form->differs.why)
		print("~ %s | %s | %s | %s\n", form->id, form->differs.modes, form->differs.what,
			form->differs.why);
}

void table_list(const char *patterns)
{
	unsigned int i;

	for (i = 0; i < form_count; i++)
		if (table_selects(patterns, forms[i].id))
			list_form(&forms[i]);
}
