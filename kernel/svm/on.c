/* Turning AMD-V on and off on a CPU ("Enabling SVM"), and telling why where it cannot be. Guests
   are left to vcpu.c. */
#include "kernel/svm/on.h"

#include "kernel/svm/permission.h"
#include "kernel/svm/svm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

static struct svm_pcpu pcpus[SMP_MAX_CPUS];

struct svm_pcpu *svm_pcpu_this(void)
{
	return &pcpus[smp_this()->number];
}

void svm_on_read_registers(struct svm_on_registers *registers)
{
	struct cpuid svm;

	*registers = (struct svm_on_registers){ 0 };
	if (cpuid(CPUID_EXT_MAX, 0).eax < CPUID_EXT_SVM)
		return;
	registers->ext_features_ecx = cpuid(CPUID_EXT_FEATURES, 0).ecx;
	if (!(registers->ext_features_ecx & CPUID_EXT_ECX_SVM))
		return;
	svm = cpuid(CPUID_EXT_SVM, 0);
	registers->svm_eax = svm.eax;
	registers->svm_ebx = svm.ebx;
	registers->svm_edx = svm.edx;
	rdmsr_safe(MSR_AMD_VM_CR, &registers->vm_cr);
}

int svm_on_vm_cr(uint64_t value, uint64_t *wanted)
{
	*wanted = value;
	if (value & VM_CR_SVMDIS && value & VM_CR_LOCK)
		return -EPERM;
	*wanted &= ~VM_CR_SVMDIS;
	return 0;
}

int svm_on_check(const struct svm_on_registers *registers, bool stage2)
{
	uint64_t wanted;
	int error;

	if (!(registers->ext_features_ecx & CPUID_EXT_ECX_SVM)) {
		print("trapeze: error: this CPU has no AMD-V\n");
		return -ENODEV;
	}
	error = svm_on_vm_cr(registers->vm_cr, &wanted);
	if (error == -EPERM)
		print("trapeze: error: firmware has locked AMD-V off; look for it in the BIOS "
		      "set-up%s\n",
			registers->svm_edx & SVM_EDX_SVML ? " (a key can unlock it)" : "");
	if (error)
		return error;
	if ((registers->svm_eax & SVM_EAX_REVISION) == 0 || registers->svm_ebx < 2) {
		print("trapeze: error: this CPU's AMD-V has no address space identifier for a "
		      "guest\n");
		return -ENODEV;
	}
	if (stage2 && !(registers->svm_edx & SVM_EDX_NP)) {
		print("trapeze: error: this CPU's AMD-V lacks nested paging\n"
		      "trapeze: it is needed to run any image; stage2=off does without it\n");
		return -ENODEV;
	}
	return 0;
}

int svm_check(bool stage2)
{
	struct svm_on_registers registers;

	svm_permission_init();
	svm_on_read_registers(&registers);
	return svm_on_check(&registers, stage2);
}

int svm_on_unlock(void)
{
	uint64_t value, wanted;
	int error;

	rdmsr_safe(MSR_AMD_VM_CR, &value);
	error = svm_on_vm_cr(value, &wanted);
	if (error)
		print("trapeze: error: firmware has locked AMD-V off on CPU %u\n",
			smp_this()->number);
	else if (wanted != value)
		wrmsr(MSR_AMD_VM_CR, wanted);
	return error;
}

void svm_on_save_host(struct svm_vmcb *vmcb)
{
	__asm__ volatile("vmsave %%rax" : : "a"(vmcb) : "memory");
}

/* SVM on the calling CPU ("Enabling SVM"): EFER.SVME, and a zeroed page of the CPU's own as its
   host save area ("VM_HSAVE_PA MSR (C001_0117h)"), kept in svm_pcpu_this() with the page that
   svm_on_save_host() filled, for the way back from guests. asids is the number that CPUID
   Fn8000_000A gives in EBX, next_asid the same: none is left, so the first guest begins a
   generation. 0; what svm_on_unlock() returns; or -ENOMEM, after printing it, with nothing kept. */
int svm_cpu_on(void)
{
	struct svm_pcpu *pcpu = svm_pcpu_this();
	int error = svm_on_unlock();

	if (error)
		return error;
	pcpu->save_area = page_alloc_zeroed(PAGE_ORDER_4K);
	pcpu->host = page_alloc_zeroed(PAGE_ORDER_4K);
	if (!pcpu->save_area || !pcpu->host) {
		print("trapeze: error: no memory for the host save area\n");
		page_free(pcpu->save_area, PAGE_ORDER_4K);
		page_free(pcpu->host, PAGE_ORDER_4K);
		return -ENOMEM;
	}
	pcpu->asids = cpuid(CPUID_EXT_SVM, 0).ebx;
	pcpu->next_asid = pcpu->asids; /* none left: the first guest begins a generation */
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SVME);
	wrmsr(MSR_AMD_VM_HSAVE_PA, (uint64_t)pcpu->save_area);
	/* The image changes none of this later: the same page serves all exits. */
	svm_on_save_host(pcpu->host);
	return 0;
}

/* Off again, on a CPU where svm_cpu_on() returned 0: no host save area is named, EFER.SVME is 0,
   what svm_pcpu_this() holds is given back and zeroed. */
void svm_cpu_off(void)
{
	struct svm_pcpu *pcpu = svm_pcpu_this();

	wrmsr(MSR_AMD_VM_HSAVE_PA, 0);
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) & ~EFER_SVME);
	page_free(pcpu->save_area, PAGE_ORDER_4K);
	page_free(pcpu->host, PAGE_ORDER_4K);
	*pcpu = (struct svm_pcpu){ 0 };
}
