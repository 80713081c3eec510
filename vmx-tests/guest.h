/* The suite's guest: a VMCS in which everything is in order, and code that runs in it. By default
   the guest shares the host's address space in 64-bit mode at CPL 0: a guest's code is a C
   function, and whatever it does wrong exits. Tests change what they are about. */
#ifndef VMX_TESTS_GUEST_H
#define VMX_TESTS_GUEST_H

#include "vmx-tests/vmx.h"

/* The guest's general registers, loaded at entry and stored at exit (RSP is in the VMCS). Index: as
   instructions encode them (0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 -, 5 RBP, 6 RSI, 7 RDI, 8-15). */
extern uint64_t guest_gpr[16];
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Writes the good state into the current VMCS: the smallest set of controls, all exceptions exit,
   the preemption timer as watchdog where there is one. Called by the harness before each test. */
void guest_reset(void);

/* The preemption timer as watchdog, where there is one: the guest exits after that many TSC ticks.
   For guests that wait, and may wait for ever on a CPU that is wrong. */
void guest_set_watchdog(uint64_t ticks);
#define GUEST_SOON 2000000 /* TSC ticks: long enough for whatever need not wait */

/* Writes the calling CPU's state into the host-state area; guest_reset() has done it for CPU 0. */
void guest_set_host(void);

/* Where the guest's 64-bit code starts: code() with RDI = guest_gpr[RDI]; when it returns, the
   guest executes VMCALL. Sets RIP and RSP. */
void guest_set_code(void (*code)(void));

/* Enters the guest: VMLAUNCH when the VMCS is clear, else VMRESUME. Returns
   EXIT(basic reason), ENTRY_FAIL(basic reason), FAIL_INVALID, FAIL_VALID(error). */
outcome guest_enter(void);

/* guest_enter() for sweeps of thousands of exits: fast, and nothing is observed. Their bodies
 * observe a sum. */
outcome guest_enter_unobserved(void);

/* The same with the instruction named: for tests of the launch state. */
outcome guest_launch(void);
outcome guest_resume(void);

/* guest_set_code(code) and guest_enter(); a guest that ran to its end gives EXIT(VMCALL). An
   exception in the guest gives FAULT(vector, error code) instead of EXIT(EXCEPTION_OR_NMI). */
outcome guest_run(void (*code)(void));

/* Steps over the instruction that exited: RIP += VM-exit instruction length. */
void guest_skip(void);

/* Modes other than 64-bit. The code is bytes between two labels (see GUEST_CODE16/32), which are
   copied below 1 MiB where the mode asks for it; it must end with an exit of its own (VMCALL where
   nothing else). */
enum guest_mode {
	GUEST_64BIT,         /* 64-bit mode, CPL 0 */
	GUEST_64BIT_USER,    /* 64-bit mode, CPL 3 */
	GUEST_COMPATIBILITY, /* IA-32e mode, 32-bit code segment, CPL 0 */
	GUEST_COMPATIBILITY_USER,
	GUEST_PAE,          /* protected mode, PAE paging, 32-bit, CPL 0 */
	GUEST_PAGED32,      /* protected mode, 32-bit paging, CPL 0 */
	GUEST_PROTECTED16,  /* protected mode, 32-bit paging, 16-bit segments, CPL 0 */
	GUEST_VIRTUAL_8086, /* virtual-8086 mode, CPL 3 */
	GUEST_UNPAGED32,    /* protected mode, no paging: needs an unrestricted guest */
	GUEST_REAL,         /* real mode: needs an unrestricted guest */
	GUEST_MODES
};
const char *guest_mode_name(enum guest_mode mode);
bool guest_mode_available(enum guest_mode mode);

/* Puts the guest into a mode, ready to run `bytes` bytes of code. Modes without paging turn on EPT
   with an identity map (ept_enable()). */
void guest_set_mode(enum guest_mode mode, const void *code, size_t bytes);

/* GUEST_CODE32(name, "assembly") and GUEST_CODE16: define `name` for guest_set_mode(mode,
 * CODE(name)). */
#define GUEST_CODE(bits, name, text)                                                               \
	extern const uint8_t name[], name##_end[];                                                 \
	__asm__(".pushsection .rodata; .code" #bits "; " #name ": " text "; " #name                \
		"_end: .code64; .popsection")
#define GUEST_CODE16(name, text) GUEST_CODE(16, name, text)
#define GUEST_CODE32(name, text) GUEST_CODE(32, name, text)
#define GUEST_CODE64(name, text) GUEST_CODE(64, name, text)
#define CODE(name)               name, (size_t)(name##_end - name)

/* The guest's own tables, at addresses that do not change. */
extern uint64_t guest_gdt[16]; /* flat segments, see GUEST_SELECTOR_* ; its TSS is separate from the
				  host's */
extern uint64_t
	guest_idt[512]; /* empty: an event that is delivered faults, unless a test fills it */
#define GUEST_STACK_BYTES 16384
extern uint8_t guest_stack[GUEST_STACK_BYTES];
extern uint8_t guest_page[3][4096]; /* scratch pages, page aligned, zeroed by guest_reset() */
enum {
	GUEST_SELECTOR_CODE64 = 0x08,
	GUEST_SELECTOR_DATA = 0x10,
	GUEST_SELECTOR_USER_CODE32 = 0x18 | 3,
	GUEST_SELECTOR_USER_DATA = 0x20 | 3,
	GUEST_SELECTOR_USER_CODE64 = 0x28 | 3,
	GUEST_SELECTOR_TSS = 0x30,
	GUEST_SELECTOR_CODE32 = 0x40,
	GUEST_SELECTOR_CODE16 = 0x48,
	GUEST_SELECTOR_DATA16 = 0x50,
	GUEST_SELECTOR_TSS2 = 0x58, /* for task switches */
};

/* Makes vector's gate in guest_idt an interrupt gate to 64-bit code. */
void guest_set_gate(uint8_t vector, void (*entry)(void));

/* An interrupt handler that counts in guest_events, stores its vector's number and returns (IRETQ).
 */
void guest_set_counting_gate(uint8_t vector, bool has_error);
extern volatile uint64_t guest_events;
extern volatile uint64_t guest_event_vector, guest_event_error;

#endif
