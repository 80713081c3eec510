/* The main part of the images that hold a lab's tests: the kernel is linked without its own. Each
   test begins with virtualization off on all CPUs, whatever the one before has left. */
#include "labs/suite.h"

#include "kernel/backend.h"
#include "kernel/svm/permission.h"
#include "kernel/vm.h"
#include "kernel/vmx/bitmap.h"
#include "runtime/errno.h"
#include "runtime/image.h"
#include "runtime/page_alloc.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/vmx.h"

const char image_name[] = "labs";
const char *const image_words[] = { HARNESS_WORDS, NULL };

/* The second CPU's work: it takes what is there, and clears it at the end. */
static void (*work)(void *arg);
static void *work_arg;

static bool has_vtx(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX;
}

static bool has_amdv(void)
{
	return cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_EXT_FEATURES &&
	       (cpuid(CPUID_EXT_FEATURES, 0).ecx & CPUID_EXT_ECX_SVM);
}

static bool has_second_cpu(void)
{
	return smp_cpus > 1;
}

const struct test_need lab_needs_vtx = { "no VT-x (CPUID.1:ECX.VMX)", has_vtx };
const struct test_need lab_needs_amdv = { "no AMD-V (CPUID.80000001H:ECX.SVM)", has_amdv };
const struct test_need lab_needs_second_cpu = { "there is one CPU only", has_second_cpu };

static void serve(unsigned int number)
{
	void (*body)(void *arg);

	for (;;) {
		body = number == 1 ? __atomic_load_n(&work, __ATOMIC_ACQUIRE) : NULL;
		if (body != NULL) {
			body(work_arg);
			__atomic_store_n(&work, NULL, __ATOMIC_RELEASE);
		}
		cpu_pause();
	}
}

void lab_run_on_cpu_1(void (*body)(void *arg), void *arg)
{
	work_arg = arg;
	__atomic_store_n(&work, body, __ATOMIC_RELEASE);
	while (__atomic_load_n(&work, __ATOMIC_ACQUIRE) != NULL)
		cpu_pause();
}

/* ---- The allocator: the linker lets the kernel's calls come here first (--wrap) ---- */

static enum lab_allocation next_allocation;
static uint8_t unaligned_block[2 * PAGE_SIZE] __aligned(4096);

void *__real_page_alloc(unsigned int order);
void *__real_page_alloc_zeroed(unsigned int order);
void __real_page_free(void *block, unsigned int order);
void *__wrap_page_alloc(unsigned int order);
void *__wrap_page_alloc_zeroed(unsigned int order);
void __wrap_page_free(void *block, unsigned int order);

void lab_next_allocation(enum lab_allocation next)
{
	next_allocation = next;
}

void *lab_page(void)
{
	return __real_page_alloc_zeroed(PAGE_ORDER_4K);
}

/* Is the next block an ordinary one? If not, *block is what the caller gets. */
static bool is_ordinary(void **block)
{
	enum lab_allocation now = next_allocation;

	next_allocation = LAB_ALLOCATE;
	*block = now == LAB_UNALIGNED ? unaligned_block + 8 : NULL;
	return now == LAB_ALLOCATE;
}

void *__wrap_page_alloc(unsigned int order)
{
	void *block;

	return is_ordinary(&block) ? __real_page_alloc(order) : block;
}

void *__wrap_page_alloc_zeroed(unsigned int order)
{
	void *block;

	return is_ordinary(&block) ? __real_page_alloc_zeroed(order) : block;
}

void __wrap_page_free(void *block, unsigned int order)
{
	if (block != unaligned_block + 8)
		__real_page_free(block, order);
}

outcome lab_wrong_error(int line, const char *call, int came, int wanted)
{
	return test_mismatch(line, "%s returns %s%s, not %s%s", call, came < 0 ? "-" : "",
		came ? error_name(came) : "0", wanted < 0 ? "-" : "",
		wanted ? error_name(wanted) : "0");
}

/* ---- VMX instructions ---- */

#define VMX_INSTRUCTION(name)                                                                      \
	outcome lab_##name(uint64_t address)                                                       \
	{                                                                                          \
		bool invalid, valid;                                                               \
                                                                                                   \
		__asm__ volatile(#name " %2"                                                       \
				 : "=@ccc"(invalid), "=@ccz"(valid)                                \
				 : "m"(address)                                                    \
				 : "memory");                                                      \
		return vmx_outcome(invalid, valid);                                                \
	}

static outcome vmx_outcome(bool invalid, bool valid)
{
	uint64_t error, field = VMCS_VM_INSTRUCTION_ERROR;

	if (invalid)
		return FAIL_INVALID;
	if (!valid)
		return OK;
	__asm__ volatile("vmread %1, %0" : "=r"(error) : "r"(field) : "cc");
	return FAIL_VALID(error);
}

VMX_INSTRUCTION(vmxon)
VMX_INSTRUCTION(vmclear)
VMX_INSTRUCTION(vmptrld)

outcome lab_vmptrst(uint64_t *pointer)
{
	__asm__ volatile("vmptrst %0" : "=m"(*pointer) : : "cc");
	return OK;
}

static void store_pointer(void *pointer)
{
	lab_vmptrst(pointer);
}

bool lab_in_vmx_operation(void)
{
	uint64_t pointer;

	return trap_catch(store_pointer, &pointer, NULL) == TRAP_NONE;
}

struct vmcs_region *lab_region(void)
{
	struct vmcs_region *region = lab_page();

	region->revision = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_REVISION;
	return region;
}

void lab_vmx_on(void)
{
	write_cr0(read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE | rdmsr(MSR_IA32_VMX_CR4_FIXED0));
	lab_vmxon((uint64_t)lab_region());
}

/* A CPU that lacks the field leaves an error, and that is all right. */
static void clear_field(uint64_t field)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(UINT64_C(0)) : "cc");
}

struct vmcs_region *lab_vmcs(void)
{
	struct vmcs_region *vmcs = lab_region();

	lab_vmx_on();
	lab_vmclear((uint64_t)vmcs);
	lab_vmptrld((uint64_t)vmcs);
	for (int i = 0; i < VMCS_FIELDS; i++)
		if (vmcs_fields[i].area != AREA_READONLY)
			clear_field(vmcs_fields[i].encoding);
	return vmcs;
}

struct vm *lab_vm(bool use_stage2)
{
	static struct vm vm;

	memset(&vm, 0, sizeof(vm));
	vm.use_stage2 = use_stage2;
	vm.vcpu.vm = &vm;
	return &vm;
}

/* ---- The suite ---- */

static void leave_vmx(void)
{
	if (!(read_cr4() & CR4_VMXE))
		return;
	if (lab_in_vmx_operation())
		__asm__ volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~CR4_VMXE);
}

static void leave_svm(void)
{
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) & ~EFER_SVME);
}

void lab_turn_off(void)
{
	if (has_vtx())
		leave_vmx();
	else if (has_amdv())
		leave_svm();
}

static void turn_off_there(void *arg)
{
	lab_turn_off();
}

static void before(const struct test *test)
{
	next_allocation = LAB_ALLOCATE;
	lab_turn_off();
	if (smp_cpus > 1)
		lab_run_on_cpu_1(turn_off_there, NULL);
}

/* What the kernel's own main function has done before the first guest. */
static void prepare_kernel(void)
{
	backend = has_vtx() ? &vmx_backend : &svm_backend;
	bitmap_init();
	svm_permission_init();
}

void image_main(void)
{
	static const struct suite suite = { .name = "labs", .before = before };

	if (!has_vtx() && !has_amdv())
		image_error("this CPU has neither VT-x nor AMD-V");
	prepare_kernel();
	smp_start(2, serve);
	power_end(harness_run(&suite));
}
