/* State that must outlast the turns of other virtual machines: all of it is set to values that
   belong to this one, and looked at again some dozen turns later. Another with other values is to
   run beside it. */
#include "guests/probe/monitor.h"

#include "runtime/clock.h"
#include "runtime/hypercall.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/fpu.h"
#include "spec/pic.h"

#define SECTION      "Guest State"       /* of whichever manual: what is the guest's */
#define TURNS_PART   4                   /* how much of a second it lasts: a quarter */
#define GAP_PART     4                   /* a gap that long is no turn, ... */
#define GAP_SHARE    3                   /* ... if it is that part of the time, too */
#define LOOKS_PART   2000                /* of the TSC's rate: a busy host's time is no work */
#define EXITS        16                  /* in that time */
#define LONGER       3                   /* does the other machine disturb */
#define CHANGES      256                 /* of its state in a second */
#define PAGES        4                   /* of memory, ... */
#define MEMORY_ORDER (PAGE_ORDER_2M + 3) /* ... the first of a block that no program needs */
#define PATTERN      UINT64_C(0x0123456789abcdef)
#define FCW_ROUND    0x400 /* another rounding */
#define MXCSR_ROUND  0x2000

/* What one record tells. */
enum kind { KIND_DR, KIND_MSR, KIND_CR2, KIND_XCR0, KIND_FPU, KIND_MEMORY, KIND_GAP, KINDS };

static const struct {
	const char *id, *text, *cause;
} kinds[KINDS] = {
	[KIND_DR] = { "turn_dr", "DR0-DR3, DR6",
		"another virtual machine's debug registers show: they are not switched at its "
		"turn" },
	[KIND_MSR] = { "turn_msr",
		"the MSRs of system calls, segment bases, IA32_PAT, IA32_TSC_AUX",
		"another virtual machine's MSRs show: they are not switched at its turn" },
	[KIND_CR2] = { "turn_cr2", "CR2",
		"another virtual machine's CR2 shows: it is not switched at its turn" },
	[KIND_XCR0] = { "turn_xcr0", "XCR0",
		"another virtual machine's XCR0, or the monitor's own, shows: it is not switched "
		"at its turn" },
	[KIND_FPU] = { "turn_fpu", "XMM0, XMM15, MXCSR, the FPU's control word",
		"another virtual machine's FPU state shows: it is not switched at its turn" },
	[KIND_MEMORY] = { "turn_memory", "memory of its own",
		"another virtual machine writes the same memory: a page has two owners" },
	[KIND_GAP] = { "turn_gap", "how long this machine stands still",
		"another virtual machine is not preempted at the end of its turn" },
};

/* The registers, and how their values follow from the salt. */
static const struct {
	enum kind kind;
	enum machine_index index;
	uint64_t value, step;
} registers[] = {
	{ KIND_DR, MACHINE_dr0, 0x100000, 0x1000 },
	{ KIND_DR, MACHINE_dr1, 0x200000, 0x1000 },
	{ KIND_DR, MACHINE_dr2, 0x300000, 0x1000 },
	{ KIND_DR, MACHINE_dr3, 0x400000, 0x1000 },
	{ KIND_DR, MACHINE_dr6, DR6_RESET, 1 },
	{ KIND_MSR, MACHINE_star, UINT64_C(0x23000800000000), 1 },
	{ KIND_MSR, MACHINE_lstar, 0x500000, 0x1000 },
	{ KIND_MSR, MACHINE_cstar, 0x600000, 0x1000 },
	{ KIND_MSR, MACHINE_fmask, RFLAGS_IF, 1 },
	{ KIND_MSR, MACHINE_kernel_gs_base, 0x700000, 0x1000 },
	{ KIND_MSR, MACHINE_fs_base, 0x800000, 0x1000 },
	{ KIND_MSR, MACHINE_sysenter_cs, 0, 8 },
	{ KIND_MSR, MACHINE_sysenter_esp, 0x900000, 0x1000 },
	{ KIND_MSR, MACHINE_sysenter_eip, 0xa00000, 0x1000 },
	{ KIND_MSR, MACHINE_pat, UINT64_C(0x0207040600070406), BIT(57) },
	{ KIND_MSR, MACHINE_tsc_aux, 0x100, 1 },
};

/* What is no register of machine.def. */
struct other_state {
	uint64_t cr2, xcr0, xmm0, xmm15;
	uint32_t mxcsr;
	uint16_t fcw;
};

static struct machine salted(const struct machine *now, unsigned int salt)
{
	struct machine machine = *now;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(registers); i++)
		machine.value[registers[i].index] = registers[i].value + registers[i].step * salt;
	if (!(cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_RDTSCP))
		machine.value[MACHINE_tsc_aux] = 0;
	return machine;
}

static bool has_xsave(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE;
}

/* XCR0 with vectors for odd salts where the CPU has them. */
static struct other_state other_salted(unsigned int salt)
{
	uint64_t features = salt % 2 ? XCR0_X87 | XCR0_SSE | XCR0_AVX : XCR0_X87 | XCR0_SSE;

	return (struct other_state){ .cr2 = 0xb00000 + salt * 0x1000,
		.xcr0 = has_xsave() ? features & cpuid(CPUID_XSAVE, 0).eax : 0,
		.xmm0 = PATTERN * salt,
		.xmm15 = PATTERN * (salt + 100),
		.mxcsr = MXCSR_RESET | salt % 4 * MXCSR_ROUND,
		.fcw = FCW_RESET | (uint16_t)(salt % 4 * FCW_ROUND) };
}

static void write_other(const struct other_state *state)
{
	write_cr2(state->cr2);
	if (has_xsave()) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		xsetbv(0, state->xcr0);
	}
	__asm__ volatile("movq %0, %%xmm0; movq %1, %%xmm15; ldmxcsr %2; fldcw %3"
			 :
			 : "m"(state->xmm0), "m"(state->xmm15), "m"(state->mxcsr), "m"(state->fcw));
}

static void read_other(struct other_state *state)
{
	state->cr2 = read_cr2();
	state->xcr0 = has_xsave() ? xgetbv(0) : 0;
	__asm__ volatile(
		"movq %%xmm0, %0; movq %%xmm15, %1; stmxcsr %2; fnstcw %3"
		: "=m"(state->xmm0), "=m"(state->xmm15), "=m"(state->mxcsr), "=m"(state->fcw));
}

static void fill_memory(uint64_t *memory, unsigned int salt)
{
	unsigned int i;

	for (i = 0; i < PAGES * PAGE_SIZE / sizeof(*memory); i++)
		memory[i] = PATTERN * (salt + i);
}

/* Another machine may have its turn now: it is offered one where the monitor has a call for that.
 */
static void offer_turn(void)
{
	if (hypercall_available())
		hypercall(HYPERCALL_YIELD, 0, 0);
	else
		in8(PIC_MASTER_DATA);
}

/* Lets turns pass: for some time, and for as much work as that is where nobody else wants the host.
   Returns whether this machine stood still for longer than a turn. */
static bool let_turns_pass(uint64_t hz)
{
	uint64_t ticks = hz / TURNS_PART, looks = hz / LOOKS_PART, start = rdtsc(), last = start;
	uint64_t now = start, longest = 0, next = start;

	while (now - start < ticks || looks > 0) {
		now = rdtsc();
		looks -= looks > 0;
		if (now >= next) {
			offer_turn();
			next = now + ticks / EXITS;
		}
		longest = MAX(longest, now - last);
		last = now;
	}
	return longest > hz / GAP_PART && longest > (now - start) / GAP_SHARE;
}

static unsigned int words_changed(const uint64_t *memory, unsigned int salt)
{
	unsigned int i, changed = 0;

	for (i = 0; i < PAGES * PAGE_SIZE / sizeof(*memory); i++)
		changed += memory[i] != PATTERN * (salt + i);
	return changed;
}

static void print_registers(enum kind kind, const struct machine *after)
{
	unsigned int i;

	print("@ %s 64/0 end", kinds[kind].id);
	for (i = 0; i < ARRAY_SIZE(registers); i++)
		if (registers[i].kind == kind)
			print(" %s=%lx", machine_names[registers[i].index],
				after->value[registers[i].index]);
	print("\n");
}

static void print_other(enum kind kind, const struct other_state *after)
{
	if (kind == KIND_CR2)
		print("@ turn_cr2 64/0 end cr2=%lx\n", after->cr2);
	else if (kind == KIND_XCR0)
		print("@ turn_xcr0 64/0 end xcr0=%lx\n", after->xcr0);
	else
		print("@ turn_fpu 64/0 end xmm0=%lx xmm15=%lx mxcsr=%x fcw=%x\n", after->xmm0,
			after->xmm15, after->mxcsr, after->fcw);
}

/* All of it at once: the turns cost time. */
struct outcome_of_turns {
	struct machine machine;
	struct other_state other;
	unsigned int words_changed;
	bool late;
};

static void set_all(const struct machine *wanted, const struct machine *now,
	const struct other_state *other, uint64_t *memory, unsigned int salt)
{
	machine_restore(wanted, now);
	write_other(other);
	fill_memory(memory, salt);
}

/* What the other machine does meanwhile: the same again and again, for longer, and on its own time.
 */
static void disturb(uint64_t hz, const struct machine *wanted, const struct machine *before,
	const struct other_state *other, uint64_t *memory, unsigned int salt)
{
	uint64_t ticks = hz / TURNS_PART * LONGER, looks = hz / LOOKS_PART * LONGER,
		 start = rdtsc();
	uint64_t now = start, next = start;

	while (now - start < ticks || looks > 0) {
		now = rdtsc();
		looks -= looks > 0;
		if (now < next)
			continue;
		set_all(wanted, before, other, memory, salt);
		next = now + hz / CHANGES;
	}
}

static struct outcome_of_turns take_turns(const struct monitor_request *request, uint64_t *memory)
{
	struct outcome_of_turns result = { .late = false };
	struct machine before, wanted;
	struct other_state other = other_salted(request->salt);
	uint64_t hz = clock_tsc_hz(), cr4 = read_cr4();

	machine_read(&before);
	wanted = salted(&before, request->salt);
	set_all(&wanted, &before, &other, memory, request->salt);
	if (request->salt == 1)
		result.late = let_turns_pass(hz);
	else
		disturb(hz, &wanted, &before, &other, memory, request->salt);
	read_other(&result.other);
	machine_read(&result.machine);
	result.words_changed = words_changed(memory, request->salt);
	machine_restore(request->good, &result.machine);
	write_cr4(cr4);
	return result;
}

static void print_kind(enum kind kind, const struct outcome_of_turns *result)
{
	monitor_list(kinds[kind].id, SECTION, kinds[kind].text, kinds[kind].cause);
	if (kind == KIND_DR || kind == KIND_MSR)
		print_registers(kind, &result->machine);
	else if (kind == KIND_MEMORY)
		print("@ turn_memory 64/0 end words=%u\n", result->words_changed);
	else if (kind == KIND_GAP)
		print("@ turn_gap 64/0 end late=%u\n", result->late);
	else
		print_other(kind, &result->other);
}

unsigned int turn_run(const struct monitor_request *request)
{
	struct outcome_of_turns result;
	enum kind kind;
	unsigned int records = 0;
	void *memory;

	for (kind = 0; kind < KINDS; kind++)
		records += monitor_wants(request, kinds[kind].id);
	if (records == 0)
		return 0;
	memory = page_alloc(MEMORY_ORDER);
	if (memory == NULL)
		return 0;
	result = take_turns(request, memory);
	page_free(memory, MEMORY_ORDER);
	for (kind = 0; kind < KINDS; kind++)
		if (monitor_wants(request, kinds[kind].id))
			print_kind(kind, &result);
	return records;
}
