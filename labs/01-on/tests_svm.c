/* Lab 1 on AMD-V: is SVM on with a host save area, is it off again, and what the CPU and firmware
   may withhold. No emulator has a VM_CR that is locked: its cases are register values. */
#define TEST_FOLDER "lab1/"
#include "kernel/svm/on.h"
#include "kernel/svm/svm.h"
#include "labs/suite.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define AMDV    .needs = NEEDS(&lab_needs_amdv)
#define AMDV_2  .needs = NEEDS(&lab_needs_amdv, &lab_needs_second_cpu)
#define ENABLES "APM Enabling SVM"
#define VM_CR   "APM VM_CR MSR (C001_0114h)"

/* ---- svm_on_vm_cr ---- */

static outcome vm_cr(uint64_t value, int result, uint64_t wanted)
{
	uint64_t came = ~wanted;

	CHECK_ERROR(svm_on_vm_cr(value, &came), result);
	CHECK_EQUAL(came, wanted);
	return OK;
}

TEST(svm_on_vm_cr, enabled, VM_CR,
	"neither disabled nor locked: nothing is to be written" CAUSE(
		"*wanted must be the value itself where SVMDIS is 0"),
	OK, AMDV)
{
	return vm_cr(0, 0, 0);
}

TEST(svm_on_vm_cr, disabled, VM_CR,
	"disabled and unlocked: SVMDIS is to be cleared" CAUSE(
		"bit 4 (SVMDIS) is ours to clear while bit 3 (LOCK) is 0"),
	OK, AMDV)
{
	return vm_cr(VM_CR_SVMDIS, 0, 0);
}

TEST(svm_on_vm_cr, keeps_bits, VM_CR,
	"the other bits stay as firmware left them" CAUSE(
		"the register is overwritten where one bit is to be cleared"),
	OK, AMDV)
{
	return vm_cr(VM_CR_SVMDIS | VM_CR_DPD | VM_CR_R_INIT, 0, VM_CR_DPD | VM_CR_R_INIT);
}

TEST(svm_on_vm_cr, locked_on, VM_CR,
	"LOCK alone disables nothing: SVMDIS is 0 for good" CAUSE(
		"LOCK is taken for SVM being off: both bits must be looked at"),
	OK, AMDV)
{
	return vm_cr(VM_CR_LOCK, 0, VM_CR_LOCK);
}

TEST(svm_on_vm_cr, locked_off, VM_CR,
	"disabled and locked: -EPERM, and the value stays" CAUSE(
		"with LOCK set SVMDIS cannot be cleared: -EPERM, and *wanted is value"),
	OK, AMDV)
{
	return vm_cr(VM_CR_LOCK | VM_CR_SVMDIS, -EPERM, VM_CR_LOCK | VM_CR_SVMDIS);
}

/* ---- svm_on_check ---- */

#define REVISION 1
#define ASIDS    2 /* the host's and one guest's: the fewest that will do */

static struct svm_on_registers good_cpu(void)
{
	return (struct svm_on_registers){ .ext_features_ecx = CPUID_EXT_ECX_SVM,
		.svm_eax = REVISION,
		.svm_ebx = ASIDS,
		.svm_edx = SVM_EDX_NP };
}

TEST(svm_on_check, good_cpu, ENABLES,
	"a CPU that has what is needed is taken" CAUSE(
		"a feature is asked for that is not needed, or EBX must be 2, not more"),
	OK, AMDV)
{
	struct svm_on_registers cpu = good_cpu();

	CHECK_ERROR(svm_on_check(&cpu, true), 0);
	CHECK_ERROR(svm_on_check(&cpu, false), 0);
	return OK;
}

TEST(svm_on_check, no_svm, ENABLES,
	"CPUID Fn8000_0001 ECX.SVM = 0: -ENODEV" CAUSE(
		"CPUID_EXT_ECX_SVM is not looked at, or not first"),
	OK, AMDV)
{
	struct svm_on_registers cpu = good_cpu();

	cpu.ext_features_ecx = ~(uint32_t)CPUID_EXT_ECX_SVM;
	CHECK_ERROR(svm_on_check(&cpu, false), -ENODEV);
	return OK;
}

TEST(svm_on_check, locked_off, ENABLES,
	"VM_CR disabled and locked: -EPERM, as svm_on_vm_cr() says" CAUSE(
		"the error of svm_on_vm_cr() is not passed on"),
	OK, AMDV)
{
	struct svm_on_registers cpu = good_cpu();

	cpu.vm_cr = VM_CR_LOCK | VM_CR_SVMDIS;
	CHECK_ERROR(svm_on_check(&cpu, false), -EPERM);
	cpu.vm_cr = VM_CR_SVMDIS;
	CHECK_ERROR(svm_on_check(&cpu, false), 0);
	return OK;
}

TEST(svm_on_check, no_guest_asid, "APM Address Space Identifiers (ASID)",
	"ASID 0 is the host's: with fewer than 2 there is none for a guest, -ENODEV" CAUSE(
		"EBX is the number of ASIDs, the host's among them: 1 is too few"),
	OK, AMDV)
{
	struct svm_on_registers cpu = good_cpu();

	cpu.svm_ebx = 1;
	CHECK_ERROR(svm_on_check(&cpu, false), -ENODEV);
	cpu.svm_ebx = 0;
	CHECK_ERROR(svm_on_check(&cpu, false), -ENODEV);
	return OK;
}

TEST(svm_on_check, no_nested_paging, "APM Nested Paging",
	"nested paging is needed with stage2, and only then: -ENODEV" CAUSE(
		"SVM_EDX_NP is not looked at, or without stage2 too"),
	OK, AMDV)
{
	struct svm_on_registers cpu = good_cpu();

	cpu.svm_edx = ~(uint32_t)SVM_EDX_NP;
	CHECK_ERROR(svm_on_check(&cpu, true), -ENODEV);
	CHECK_ERROR(svm_on_check(&cpu, false), 0);
	return OK;
}

/* ---- svm_on_unlock ---- */

TEST(svm_on_unlock, usable, VM_CR,
	"after it EFER.SVME can be set" CAUSE("it returns an error although SVM is not locked off"),
	OK, AMDV)
{
	CHECK_ERROR(svm_on_unlock(), 0);
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SVME);
	CHECK(rdmsr(MSR_IA32_EFER) & EFER_SVME);
	return OK;
}

TEST(svm_on_unlock, svmdis_clear, VM_CR,
	"VM_CR.SVMDIS is 0 after it, the rest as before" CAUSE(
		"the wanted value is not written, or another one"),
	OK, AMDV)
{
	uint64_t before = 0, after = 0;

	rdmsr_safe(MSR_AMD_VM_CR, &before);
	CHECK_ERROR(svm_on_unlock(), 0);
	rdmsr_safe(MSR_AMD_VM_CR, &after);
	CHECK_EQUAL(after, before & ~VM_CR_SVMDIS);
	return OK;
}

/* ---- svm_on_save_host ---- */

#define SAVES "APM VMSAVE and VMLOAD Instructions"

/* Runs it on a page of the test's own. */
static const struct svm_vmcb *save_host(void)
{
	struct svm_vmcb *vmcb = lab_page();

	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SVME);
	svm_on_save_host(vmcb);
	return vmcb;
}

TEST(svm_on_save_host, task_register, SAVES,
	"TR with its base is in the VMCB's save area" CAUSE(
		"VMSAVE is not executed, or RAX does not hold the page's address"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb = save_host();

	CHECK_EQUAL(vmcb->segment[SVM_TR].selector, read_tr());
	CHECK(vmcb->segment[SVM_TR].base != 0);
	CHECK(vmcb->segment[SVM_TR].attributes & SVM_SEGMENT_P);
	return OK;
}

TEST(svm_on_save_host, gs_base, SAVES,
	"the base of GS, by which the host finds its own CPU's data" CAUSE(
		"VMSAVE is not executed, or RAX does not hold the page's address"),
	OK, AMDV)
{
	CHECK_EQUAL(save_host()->segment[SVM_GS].base, rdmsr(MSR_IA32_GS_BASE));
	return OK;
}

TEST(svm_on_save_host, msrs, SAVES,
	"the system-call MSRs" CAUSE(
		"another instruction than VMSAVE: VMRUN and #VMEXIT do not switch these"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb;

	wrmsr(MSR_IA32_KERNEL_GS_BASE, PAGE_SIZE);
	vmcb = save_host();
	wrmsr(MSR_IA32_KERNEL_GS_BASE, 0);
	CHECK_EQUAL(svm_vmcb_read(vmcb, VMCB_KERNEL_GS_BASE), PAGE_SIZE);
	return OK;
}

/* ---- svm_cpu_on ---- */

/* Its pages, held by the CPU that is asked. */
static outcome check_on(void)
{
	const struct svm_pcpu *pcpu = svm_pcpu_this();

	CHECK(rdmsr(MSR_IA32_EFER) & EFER_SVME);
	CHECK(pcpu->save_area != NULL);
	CHECK_EQUAL(rdmsr(MSR_AMD_VM_HSAVE_PA), pcpu->save_area);
	return OK;
}

TEST(svm_cpu_on, svme, ENABLES,
	"EFER.SVME is 1 after it: without it each SVM instruction is #UD" CAUSE(
		"EFER is not written, or only computed"),
	OK, AMDV)
{
	CHECK_ERROR(svm_cpu_on(), 0);
	CHECK(rdmsr(MSR_IA32_EFER) & EFER_SVME);
	return OK;
}

TEST(svm_cpu_on, keeps_efer, ENABLES,
	"the other bits of EFER are as before" CAUSE(
		"EFER is overwritten where a bit is to be added"),
	OK, AMDV)
{
	uint64_t efer = rdmsr(MSR_IA32_EFER);

	CHECK_ERROR(svm_cpu_on(), 0);
	CHECK_EQUAL(rdmsr(MSR_IA32_EFER) & ~EFER_SVME, efer);
	return OK;
}

TEST(svm_cpu_on, host_save_area, "APM VM_HSAVE_PA MSR (C001_0117h)",
	"VM_HSAVE_PA names a page of the CPU's own, which svm_pcpu_this() keeps" CAUSE(
		"VM_HSAVE_PA is not written, or with the address of the other page"),
	OK, AMDV)
{
	uint64_t area;

	CHECK_ERROR(svm_cpu_on(), 0);
	area = rdmsr(MSR_AMD_VM_HSAVE_PA);
	CHECK(area != 0);
	CHECK_EQUAL(area % PAGE_SIZE, 0);
	CHECK(area != (uint64_t)svm_pcpu_this()->host);
	return check_on();
}

TEST(svm_cpu_on, host_state, SAVES,
	"the host's own FS, GS, TR and system-call MSRs are saved for later" CAUSE(
		"svm_on_save_host() is not called, or before EFER.SVME is set"),
	OK, AMDV)
{
	const struct svm_vmcb *host;

	CHECK_ERROR(svm_cpu_on(), 0);
	host = svm_pcpu_this()->host;
	CHECK(host != NULL);
	CHECK_EQUAL(host->segment[SVM_GS].base, rdmsr(MSR_IA32_GS_BASE));
	CHECK_EQUAL(host->segment[SVM_TR].selector, read_tr());
	return OK;
}

TEST(svm_cpu_on, asids, "APM Address Space Identifiers (ASID)",
	"the number of ASIDs is CPUID's, and none of them is free yet" CAUSE(
		"asids comes from EBX of CPUID Fn8000_000A; next_asid starts there, so that the "
		"first "
		"guest begins a generation"),
	OK, AMDV)
{
	const struct svm_pcpu *pcpu = svm_pcpu_this();

	CHECK_ERROR(svm_cpu_on(), 0);
	CHECK_EQUAL(pcpu->asids, cpuid(CPUID_EXT_SVM, 0).ebx);
	CHECK_EQUAL(pcpu->next_asid, pcpu->asids);
	return OK;
}

static void turn_on_there(void *arg)
{
	outcome *result = arg;

	*result = svm_cpu_on() == 0
			  ? check_on()
			  : test_mismatch(__LINE__, "svm_cpu_on() failed on the second CPU");
}

TEST(svm_cpu_on, each_cpu, ENABLES,
	"EFER and VM_HSAVE_PA are each CPU's own, with pages of its own" CAUSE(
		"the second CPU gets the first one's pages: take them from svm_pcpu_this()"),
	OK, AMDV_2)
{
	uint64_t free_pages = page_free_count();
	outcome result = OK;

	CHECK_ERROR(svm_cpu_on(), 0);
	lab_run_on_cpu_1(turn_on_there, &result);
	if (result == OK)
		CHECK_EQUAL(free_pages - page_free_count(), 4);
	return result == OK ? check_on() : result;
}

TEST(svm_cpu_on, no_memory, "runtime/errno.h",
	"without memory: -ENOMEM, and no page is kept" CAUSE(
		"what page_alloc_zeroed() returns is not compared with NULL, or the other page is "
		"kept"),
	OK, AMDV)
{
	uint64_t free_pages = page_free_count();

	lab_next_allocation(LAB_OUT_OF_MEMORY);
	CHECK_ERROR(svm_cpu_on(), -ENOMEM);
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}

/* ---- svm_cpu_off ---- */

TEST(svm_cpu_off, svme_clear, ENABLES,
	"EFER.SVME is 0 after it, the rest of EFER as before" CAUSE("EFER is not written back"), OK,
	AMDV)
{
	uint64_t efer = rdmsr(MSR_IA32_EFER);

	CHECK_ERROR(svm_cpu_on(), 0);
	svm_cpu_off();
	CHECK_EQUAL(rdmsr(MSR_IA32_EFER), efer);
	return OK;
}

TEST(svm_cpu_off, no_save_area, "APM VM_HSAVE_PA MSR (C001_0117h)",
	"VM_HSAVE_PA names no page any more: it will be somebody else's" CAUSE(
		"VM_HSAVE_PA still points at the page that was given back"),
	OK, AMDV)
{
	CHECK_ERROR(svm_cpu_on(), 0);
	svm_cpu_off();
	CHECK_EQUAL(rdmsr(MSR_AMD_VM_HSAVE_PA), 0);
	return OK;
}

TEST(svm_cpu_off, pages_back, "runtime/page_alloc.h",
	"both pages are given back" CAUSE(
		"a page is not freed, or freed after its address was forgotten"),
	OK, AMDV)
{
	uint64_t free_pages = page_free_count();

	CHECK_ERROR(svm_cpu_on(), 0);
	CHECK_EQUAL(free_pages - page_free_count(), 2);
	svm_cpu_off();
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}

TEST(svm_cpu_off, forgotten, "kernel/svm/svm.h",
	"svm_pcpu_this() is all zero again" CAUSE(
		"pointers to pages that are not ours any more stay behind"),
	OK, AMDV)
{
	const struct svm_pcpu *pcpu = svm_pcpu_this();

	CHECK_ERROR(svm_cpu_on(), 0);
	svm_cpu_off();
	CHECK(pcpu->save_area == NULL && pcpu->host == NULL);
	CHECK_EQUAL(pcpu->asids, 0);
	return OK;
}

TEST(svm_cpu_off, on_again, ENABLES,
	"SVM can be turned on again, any number of times" CAUSE(
		"what svm_cpu_on() keeps is not put back to how it was"),
	OK, AMDV)
{
	for (int i = 0; i < 3; i++) {
		CHECK_ERROR(svm_cpu_on(), 0);
		CHECK(check_on() == OK);
		svm_cpu_off();
	}
	return OK;
}
