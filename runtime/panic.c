/* Ends a run whose invariants broke, saying all it knows: message, registers, backtrace. */
#include "runtime/panic.h"

#include "runtime/apic.h"
#include "runtime/console.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define BACKTRACE_MAX 16

extern char image_start[], image_text_end[], image_end[];
void (*panic_hook)(void);
static unsigned int panicking;

static void stop_here(struct trap_frame *frame)
{
	for (;;) {
		interrupts_off();
		halt();
	}
}

/* Makes the other CPUs stop by NMI; a second panic, on whatever CPU, only stops its CPU. */
static void begin_panic(void)
{
	unsigned int i;

	interrupts_off();
	if (__atomic_exchange_n(&panicking, 1, __ATOMIC_SEQ_CST))
		stop_here(NULL);
	trap_set_handler(VECTOR_NMI, stop_here);
	for (i = 0; i < smp_cpus; i++)
		if (smp_cpu(i) != smp_this())
			apic_send_nmi(smp_cpu(i)->apic_id);
	console_break_lock();
}

static void __noreturn end_panic(uint64_t rip, uint64_t rbp)
{
	void (*hook)(void) = panic_hook;

	backtrace_print(rip, rbp);
	panic_hook = NULL;
	if (hook != NULL)
		hook();
	power_end_panic();
}

static bool is_frame(uint64_t rbp)
{
	return IS_ALIGNED(rbp, 8) && rbp >= PAGE_SIZE && rbp < BIT(47);
}

static bool is_code(uint64_t rip)
{
	return rip >= (uintptr_t)image_start && rip < (uintptr_t)image_text_end;
}

void backtrace_print(uint64_t rip, uint64_t rbp)
{
	unsigned int i;

	print("backtrace:");
	if (rip != 0)
		print(" %#lx", rip);
	for (i = 0; i < BACKTRACE_MAX && is_frame(rbp); i++) {
		const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;

		if (!is_code(frame[1]) || frame[0] == rbp)
			break;
		print(" %#lx", frame[1]);
		rbp = frame[0];
	}
	print("\n");
}

void panic(const char *format, ...)
{
	va_list args;

	begin_panic();
	print("\n*** PANIC: ");
	va_start(args, format);
	vprint(format, args);
	va_end(args);
	print(" (CPU %u)\n", smp_this()->number);
	end_panic(0, (uintptr_t)__builtin_frame_address(0));
}

void panic_trap(const struct trap_frame *f)
{
	begin_panic();
	print("\n*** PANIC: exception %lu %s, error code %#lx (CPU %u)\n", f->vector,
		trap_name((uint8_t)f->vector), f->error, smp_this()->number);
	print("RIP %016lx  CS %04lx  RFLAGS %08lx  RSP %016lx  SS %04lx\n", f->rip, f->cs, f->rflags,
		f->rsp, f->ss);
	print("RAX %016lx  RBX %016lx  RCX %016lx  RDX %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	print("RSI %016lx  RDI %016lx  RBP %016lx  R8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
	print("R9  %016lx  R10 %016lx  R11 %016lx  R12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
	print("R13 %016lx  R14 %016lx  R15 %016lx\n", f->r13, f->r14, f->r15);
	print("CR0 %016lx  CR2 %016lx  CR3 %016lx  CR4 %016lx\n", read_cr0(), read_cr2(), read_cr3(),
		read_cr4());
	end_panic(f->rip, f->rbp);
}
