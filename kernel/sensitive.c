/* Runs sensitive_code.S's instructions at CPL 0 and at CPL 3 and says what the difference means.
   The pages are the image's own, opened to CPL 3 for the experiment. */
#include "kernel/sensitive.h"

#include "runtime/paging.h"
#include "runtime/panic.h"
#include "runtime/print.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define INSN(mnemonic, label)                                                                      \
	{                                                                                          \
		mnemonic, sensitive_##label, false                                                 \
	}
#define PRIVILEGED(mnemonic, label)                                                                \
	{                                                                                          \
		mnemonic, sensitive_##label, true                                                  \
	}
#define DATA_GDT 32 /* where LGDT finds its operand */

struct iret_frame {
	uint64_t rip, cs, rflags, rsp, ss;
};

extern char sensitive_code[], sensitive_code_end[];
void sensitive_sgdt(void), sensitive_sidt(void), sensitive_sldt(void), sensitive_smsw(void);
void sensitive_pushf(void), sensitive_popf(void), sensitive_lar(void), sensitive_lsl(void);
void sensitive_verr(void), sensitive_verw(void), sensitive_pop(void), sensitive_push(void);
void sensitive_call(void), sensitive_jmp(void), sensitive_int(void), sensitive_ret(void);
void sensitive_str(void), sensitive_mov(void), sensitive_cli(void), sensitive_mov_cr0(void);
void sensitive_lgdt(void), sensitive_rdmsr(void);
void sensitive_enter_user(const struct iret_frame *frame, void *data);

const struct sensitive_insn sensitive_insns[] = {
	INSN("SGDT", sgdt),
	INSN("SIDT", sidt),
	INSN("SLDT", sldt),
	INSN("SMSW", smsw),
	INSN("PUSHF", pushf),
	INSN("POPF", popf),
	INSN("LAR", lar),
	INSN("LSL", lsl),
	INSN("VERR", verr),
	INSN("VERW", verw),
	INSN("POP FS", pop),
	INSN("PUSH FS", push),
	INSN("far CALL", call),
	INSN("far JMP", jmp),
	INSN("INT n", int),
	INSN("far RET", ret),
	INSN("STR", str),
	INSN("MOV from CS", mov),
	PRIVILEGED("CLI", cli),
	PRIVILEGED("MOV from CR0", mov_cr0),
	PRIVILEGED("LGDT", lgdt),
	PRIVILEGED("RDMSR", rdmsr),
};
const unsigned int sensitive_insn_count = ARRAY_SIZE(sensitive_insns);

/* What CPL 3 may read and write: results below, its stack above. */
static uint8_t user_page[4096] __aligned(4096);
static uint8_t trap_stack[4096] __aligned(16);

/* Opens or closes the two areas to CPL 3. */
static void open_pages(uint64_t user)
{
	uint64_t code = (uintptr_t)sensitive_code, bytes = (uintptr_t)sensitive_code_end - code;

	if (paging_map(code, bytes, PAGING_EXECUTE | user) ||
		paging_map((uintptr_t)user_page, sizeof(user_page), PAGING_WRITE | user))
		panic("no memory for page tables");
}

static void run_supervisor(void *arg)
{
	const struct sensitive_insn *insn = arg;

	__asm__ volatile("call *%0" : : "r"(insn->code), "D"(user_page) : "memory");
}

static void run_user(void *arg)
{
	const struct sensitive_insn *insn = arg;
	struct iret_frame frame = {
		.rip = (uintptr_t)insn->code,
		.cs = SELECTOR_USER_CODE64 | 3,
		.rflags = RFLAGS_FIXED,
		.rsp = (uintptr_t)user_page + sizeof(user_page),
		.ss = SELECTOR_USER_DATA | 3,
	};

	trap_set_stack((uintptr_t)trap_stack + sizeof(trap_stack));
	sensitive_enter_user(&frame, user_page);
}

/* The way to CPL 3 made the data segments null ("IRET/IRETD/IRETQ - Interrupt Return"). */
static void load_data_segments(void)
{
	__asm__ volatile("movl %0, %%ds; movl %0, %%es; movl %1, %%fs"
			 :
			 : "r"(SELECTOR_DATA), "r"(0));
}

struct sensitive_outcome sensitive_run(const struct sensitive_insn *insn, bool user)
{
	struct descriptor_table gdt = read_gdtr();
	struct sensitive_outcome outcome = { .vector = TRAP_NONE };
	int vector;

	memset(user_page, 0, sizeof(user_page));
	memcpy(user_page + DATA_GDT, &gdt, sizeof(gdt));
	open_pages(PAGING_USER);
	vector = trap_catch(user ? run_user : run_supervisor, (void *)(uintptr_t)insn, NULL);
	interrupts_off();
	open_pages(0);
	load_data_segments();
	if (vector == VECTOR_BP)
		memcpy(&outcome.result, user_page, sizeof(outcome.result));
	else
		outcome.vector = vector;
	return outcome;
}

enum sensitive_class sensitive_classify(
	const struct sensitive_outcome *supervisor, const struct sensitive_outcome *user)
{
	if (supervisor->vector != TRAP_NONE)
		return SENSITIVE_NOTHING;
	if (user->vector != TRAP_NONE)
		return SENSITIVE_TRAPS;
	return user->result == supervisor->result ? SENSITIVE_SHOWS : SENSITIVE_DIFFERS;
}

bool sensitive_escapes(enum sensitive_class class)
{
	return class == SENSITIVE_SHOWS || class == SENSITIVE_DIFFERS;
}

static void print_outcome(const struct sensitive_outcome *outcome)
{
	if (outcome->vector == TRAP_NONE)
		print(" %16lx", outcome->result);
	else
		print(" %16s", trap_name((uint8_t)outcome->vector));
}

int sensitive_test(void)
{
	static const char *const names[SENSITIVE_CLASSES] = {
		[SENSITIVE_UNKNOWN] = "not classified",
		[SENSITIVE_TRAPS] = "traps",
		[SENSITIVE_SHOWS] = "shows the machine's state",
		[SENSITIVE_DIFFERS] = "does something else, silently",
		[SENSITIVE_NOTHING] = "faults everywhere",
	};
	unsigned int escaped = 0;
	int unknown = 0;

	print("sensitive: %-14s %16s %16s\n", "instruction", "at CPL 0", "at CPL 3");
	for (unsigned int i = 0; i < sensitive_insn_count; i++) {
		const struct sensitive_insn *insn = &sensitive_insns[i];
		struct sensitive_outcome supervisor = sensitive_run(insn, false);
		struct sensitive_outcome user = sensitive_run(insn, true);
		enum sensitive_class class = sensitive_classify(&supervisor, &user);

		print("sensitive: %-14s", insn->name);
		print_outcome(&supervisor);
		print_outcome(&user);
		print("  %s%s\n", names[class], insn->privileged ? " (privileged)" : "");
		escaped += sensitive_escapes(class);
		unknown += class == SENSITIVE_UNKNOWN;
	}
	print("sensitive: %u of %u escape a monitor that waits for traps\n", escaped,
		sensitive_insn_count);
	return unknown;
}
