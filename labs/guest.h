/* Guests of a few instructions for the labs' tests: 64-bit code at CPL 0 on identity page tables,
   in memory of the image itself, without second-level paging. What they are to show is the tests'.
 */
#ifndef LABS_GUEST_H
#define LABS_GUEST_H

#include "kernel/vcpu.h"
#include "runtime/outcome.h"

/* A guest's code by a name, as assembly. */
#define LAB_CODE(name, text)                                                                       \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection");        \
	extern const uint8_t name[], name##_end[]

/* Makes the one guest there is, with virtualization turned on by the back end: the code is copied
   to its code page, RIP is its first byte, RSP the end of its stack. NULL when the student's code
   failed before there was a vCPU. */
struct vcpu *lab_guest_make(const uint8_t *code, const uint8_t *end);
#define LAB_GUEST(name) lab_guest_make(name, name##_end)

/* The same on stage-2 tables of the test's own, of which root is the level-4 one. */
struct vcpu *lab_guest_make_on(const uint8_t *code, const uint8_t *end, uint64_t *root);

/* Its pages. */
extern uint8_t lab_guest_code[PAGE_SIZE], lab_guest_stack[PAGE_SIZE], lab_guest_data[PAGE_SIZE];

/* Fills the general-purpose registers but RSP with numbers that differ. */
void lab_guest_fill(struct vcpu *vcpu);
uint64_t lab_guest_number(unsigned int gpr);

/* Before entering it by hand: it is loaded, interrupts are off, and its deadline is `ticks` from
 * now. */
void lab_guest_load(struct vcpu *vcpu, uint64_t ticks);

/* Calls function(a, b, c) with numbers in the registers that it must preserve. Returns its result;
   *changed: 0, or a bit for each of RBX, RBP, R12-R15 (0-5) that it did not preserve, and bit 6 for
   RFLAGS.IF. */
int lab_call(void *function, const void *a, const void *b, const void *c, uint64_t *changed);

/* Ends the test as failed, with their names, unless that is 0. */
#define CHECK_PRESERVED(changed)                                                                   \
	do {                                                                                       \
		if ((changed) != 0)                                                                \
			return lab_changed(__LINE__, changed);                                     \
	} while (0)
outcome lab_changed(int line, uint64_t changed);

/* guest_switch.S: a place for HOST_RIP that stores the general-purpose registers as VM exit leaves
   them and goes on behind lab_enter(), which calls vmx_run(vcpu, vmx) and returns its result; or -1
   when it came by lab_landing. */
extern uint64_t lab_landed[GPRS], lab_landed_rsp;
void lab_landing(void);
int lab_enter(void *vmx_run, struct vcpu *vcpu, void *vmx);

#endif
