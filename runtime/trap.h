/* Exceptions and interrupts of the image itself: the IDT, who handles what, and how code that
   expects to fault survives it. Guests' exceptions are the hypervisor's business. */
#ifndef RUNTIME_TRAP_H
#define RUNTIME_TRAP_H

#include "runtime/compiler.h"

/* What the entry code saves, lowest address first. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector;
	uint64_t error; /* 0 where the CPU pushes none */
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Called with interrupts off. Returning resumes the frame, as changed. */
typedef void trap_handler(struct trap_frame *frame);

/* Fills the IDT; each CPU loads it in trap_init_cpu(), which also sets up its GDT and TSS with
   stacks of their own for #DF, NMI and #MC. */
void trap_init(void);
void trap_init_cpu(void);

/* Sets the handler of a vector, 0-255, for all CPUs; NULL restores the default: exceptions
   panic, interrupts are counted as spurious. Returns the handler before. */
trap_handler *trap_set_handler(uint8_t vector, trap_handler *handler);

/* Sets the stack that the calling CPU switches to when user mode traps (TSS.RSP0). Traps from user mode swap GS:
   who enters user mode does the same (SWAPGS), so that smp_this() works in between. */
void trap_set_stack(uint64_t rsp);

/* Sets the calling CPU's interrupt stack table entry 4-7 (1-3 are the runtime's own) to the stack that ends at
   top, for an IDT that an image loads itself. */
void trap_set_ist(unsigned int index, uint64_t top);

/* Jumped to with RSP at a struct trap_frame: resumes it. */
void trap_return(void) __noreturn;

/* Runs body(arg) and catches the first exception it raises, leaving body at once.
   Returns TRAP_NONE when it returned, else the vector; error code and CR2 (for #PF) go to *info
   when it is not NULL. Must be called with interrupts off or with handlers that do not fault;
   may be nested; each CPU has its own. body must leave no lock held. */
#define TRAP_NONE (-1)
struct trap_info {
	int vector; /* or TRAP_NONE */
	uint32_t error;
	uint64_t address; /* CR2 when vector is #PF */
	uint64_t rip;	  /* of the instruction that faulted */
};
int trap_catch(void (*body)(void *arg), void *arg, struct trap_info *info);

/* The mnemonic of an exception's vector, e.g. "#GP"; "" for others. */
const char *trap_name(uint8_t vector);

#endif
