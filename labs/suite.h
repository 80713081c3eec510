/* What the labs' tests share: a back end chosen as the hypervisor does, a second CPU to run on, an
   allocator that fails on demand. What a lab demands of the student's code is in its own tests. */
#ifndef LABS_SUITE_H
#define LABS_SUITE_H

#include "runtime/harness.h"

struct vm;
struct vmcs_region;

/* Behind a test's rule: what most likely is wrong when it fails. */
#define CAUSE(text) " | " text

extern const struct test_need lab_needs_vtx, lab_needs_amdv, lab_needs_second_cpu;

/* Virtualization off on the calling CPU, as each test finds it. Rows of a sweep do it themselves.
 */
void lab_turn_off(void);

/* Runs body(arg) on CPU 1 and waits for its end. An exception there ends the image. */
void lab_run_on_cpu_1(void (*body)(void *arg), void *arg);

/* What the next page_alloc() or page_alloc_zeroed() comes to; later ones are as ever. */
enum lab_allocation {
	LAB_ALLOCATE,
	LAB_OUT_OF_MEMORY, /* NULL */
	LAB_UNALIGNED,     /* a block that is not where a page may be: instructions refuse it */
};
void lab_next_allocation(enum lab_allocation next);

/* A virtual machine without anything, the same structure each time. */
struct vm *lab_vm(bool use_stage2);

/* A new page, to be freed by the caller: for regions that are the test's own. */
void *lab_page(void);

/* As the harness has it, and the report names what is wanted, too. */
#undef CHECK_EQUAL
#define CHECK_EQUAL(actual, wanted)                                                                \
	do {                                                                                       \
		uint64_t actual_ = (uint64_t)(actual), wanted_ = (uint64_t)(wanted);               \
		if (actual_ != wanted_)                                                            \
			return test_mismatch(__LINE__, "%s is %#lx, not %s (%#lx)", #actual,       \
				actual_, #wanted, wanted_);                                        \
	} while (0)

/* Ends the test as failed unless a function's result is `wanted`, both as error numbers. */
#define CHECK_ERROR(call, wanted)                                                                  \
	do {                                                                                       \
		int came_ = (call);                                                                \
		if (came_ != (wanted))                                                             \
			return lab_wrong_error(__LINE__, #call, came_, wanted);                    \
	} while (0)
outcome lab_wrong_error(int line, const char *call, int came, int wanted);

/* The outcome of VMX instructions that the tests use themselves. Outside VMX operation they are
   FAULT(UD); the harness catches that. */
outcome lab_vmxon(uint64_t region);
outcome lab_vmptrst(uint64_t *pointer);
outcome lab_vmclear(uint64_t region);
outcome lab_vmptrld(uint64_t region);

/* Enters VMX operation, without the student's code for it. */
void lab_vmx_on(void);

/* A page that VMXON, VMCLEAR and VMPTRLD take. */
struct vmcs_region *lab_region(void);

/* The same, and a new VMCS is current whose fields are all zero; the region. */
struct vmcs_region *lab_vmcs(void);

/* Is the calling CPU in VMX operation? It is asked with CR4.VMXE as it is. */
bool lab_in_vmx_operation(void);

#endif
