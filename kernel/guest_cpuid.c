/* What CPUID says in a guest: the real CPU, less what this virtual machine does not have, plus
   the hypervisor's leaves. */
#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "runtime/hypercall.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

/* No VMX or SVM (no nesting yet), no local APIC and what goes with it, no MTRRs or machine checks,
   no performance monitoring, and nothing whose state is not switched (CET, PKRU's supervisor part, PT). */
#define HIDDEN_1_ECX                                                                               \
	(CPUID_1_ECX_MONITOR | CPUID_1_ECX_VMX | CPUID_1_ECX_SMX | CPUID_1_ECX_EIST |              \
		CPUID_1_ECX_PDCM | CPUID_1_ECX_PCID | CPUID_1_ECX_X2APIC |                         \
		CPUID_1_ECX_TSC_DEADLINE | CPUID_1_ECX_OSXSAVE)
#define HIDDEN_1_EDX                                                                               \
	(CPUID_1_EDX_MCE | CPUID_1_EDX_APIC | CPUID_1_EDX_MTRR | CPUID_1_EDX_MCA |                 \
		CPUID_1_EDX_DS | CPUID_1_EDX_ACPI | CPUID_1_EDX_HTT | CPUID_1_EDX_TM)
#define HIDDEN_7_EBX                                                                               \
	(CPUID_7_EBX_TSC_ADJUST | CPUID_7_EBX_SGX | CPUID_7_EBX_INVPCID | CPUID_7_EBX_MPX |        \
		CPUID_7_EBX_PT)
#define HIDDEN_7_ECX                                                                               \
	(CPUID_7_ECX_PKU | CPUID_7_ECX_OSPKE | CPUID_7_ECX_WAITPKG | CPUID_7_ECX_CET_SS |          \
		CPUID_7_ECX_LA57 | CPUID_7_ECX_KEYLOCKER | CPUID_7_ECX_ENQCMD |                    \
		CPUID_7_ECX_SGX_LC | CPUID_7_ECX_PKS)
#define HIDDEN_7_EDX (CPUID_7_EDX_UINTR | CPUID_7_EDX_CET_IBT | CPUID_7_EDX_MSRS)
#define HIDDEN_EXT_ECX                                                                             \
	(CPUID_EXT_ECX_SVM | CPUID_EXT_ECX_EXTAPIC | CPUID_EXT_ECX_OSVW | CPUID_EXT_ECX_IBS |      \
		CPUID_EXT_ECX_SKINIT | CPUID_EXT_ECX_WDT | CPUID_EXT_ECX_PERFCTR |                 \
		CPUID_EXT_ECX_MONITORX | CPUID_EXT_ECX_CMP_LEGACY)
/* Some of the low bits repeat leaf 1's; bits 22, 28, 29 do not. */
#define HIDDEN_EXT_EDX (CPUID_1_EDX_MCE | CPUID_1_EDX_APIC | CPUID_1_EDX_MTRR | CPUID_1_EDX_MCA)

/* The filters work on the guest's registers, which hold what the CPU said. */
static void clear_all(struct vcpu *vcpu)
{
	vcpu->gpr[GPR_RAX] = vcpu->gpr[GPR_RBX] = vcpu->gpr[GPR_RCX] = vcpu->gpr[GPR_RDX] = 0;
}

static void filter_features(struct vcpu *vcpu)
{
	vcpu->gpr[GPR_RBX] &= CPUID_1_EBX_BRAND | CPUID_1_EBX_CLFLUSH; /* APIC id 0, one logical CPU */
	vcpu->gpr[GPR_RCX] = (vcpu->gpr[GPR_RCX] & ~HIDDEN_1_ECX) | CPUID_1_ECX_HYPERVISOR;
	vcpu->gpr[GPR_RDX] &= ~HIDDEN_1_EDX;
	if (vcpu_get(vcpu, REG_CR4) & CR4_OSXSAVE)
		vcpu->gpr[GPR_RCX] |= CPUID_1_ECX_OSXSAVE;
}

static void filter_structured(struct vcpu *vcpu, uint32_t subleaf)
{
	if (subleaf != 0) { /* subleaf 1 and up: AMX, FRED, LAM, ... */
		clear_all(vcpu);
		return;
	}
	vcpu->gpr[GPR_RAX] = 0;
	vcpu->gpr[GPR_RBX] &= ~HIDDEN_7_EBX;
	vcpu->gpr[GPR_RCX] &= ~HIDDEN_7_ECX;
	vcpu->gpr[GPR_RDX] &= ~HIDDEN_7_EDX;
}

/* Supervisor states have no place in our XSAVE areas: no XSAVES, no IA32_XSS. */
static void filter_xsave(struct vcpu *vcpu, uint32_t subleaf)
{
	if (subleaf == 1) {
		vcpu->gpr[GPR_RAX] &= ~CPUID_D1_EAX_XSAVES;
		vcpu->gpr[GPR_RBX] = vcpu->gpr[GPR_RCX] = vcpu->gpr[GPR_RDX] = 0;
	}
}

static void hypervisor_leaf(struct vcpu *vcpu, uint32_t leaf)
{
	static const char signature[12] = HYPERVISOR_SIGNATURE;

	clear_all(vcpu);
	if (leaf != CPUID_HYPERVISOR)
		return;
	vcpu->gpr[GPR_RAX] = CPUID_HYPERVISOR; /* the highest leaf of this range */
	memcpy(&vcpu->gpr[GPR_RBX], signature, 4);
	memcpy(&vcpu->gpr[GPR_RCX], signature + 4, 4);
	memcpy(&vcpu->gpr[GPR_RDX], signature + 8, 4);
}

/* This runs in 64-bit mode, where all CPUs show SYSCALL. */
static void filter_extended(struct vcpu *vcpu)
{
	vcpu->gpr[GPR_RCX] &= ~HIDDEN_EXT_ECX;
	vcpu->gpr[GPR_RDX] &= ~HIDDEN_EXT_EDX;
	if (backend->hides_syscall && !vcpu_is_64bit(vcpu))
		vcpu->gpr[GPR_RDX] &= ~(uint64_t)CPUID_EXT_EDX_SYSCALL;
}

static void filter(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
	if (leaf >= CPUID_HYPERVISOR && leaf <= CPUID_HYPERVISOR_LAST) {
		hypervisor_leaf(vcpu, leaf);
		return;
	}
	switch (leaf) {
	case CPUID_FEATURES:
		filter_features(vcpu);
		break;
	case CPUID_STRUCTURED:
		filter_structured(vcpu, subleaf);
		break;
	case CPUID_XSAVE:
		filter_xsave(vcpu, subleaf);
		break;
	case CPUID_MONITOR:
	case CPUID_POWER:
	case CPUID_PERFMON:
	case CPUID_TOPOLOGY:
	case CPUID_SGX:
	case CPUID_PT:
	case CPUID_TOPOLOGY2:
	case CPUID_EXT_SVM:
		clear_all(vcpu);
		break;
	case CPUID_EXT_FEATURES:
		filter_extended(vcpu);
		break;
	case CPUID_EXT_ADDRESS:
		vcpu->gpr[GPR_RCX] = 0; /* one core */
		break;
	}
}

/* CPUID of leaf EAX and subleaf ECX ("CPUID - CPU Identification"): the guest's RAX, RBX, RCX, RDX,
   upper halves zero, become what the real CPU says, less what filter() takes away; the vendor's
   leaf stays as it is. Then on to the next instruction. */
void guest_cpuid(struct vcpu *vcpu, const struct exit *exit)
{
	uint32_t leaf = (uint32_t)vcpu->gpr[GPR_RAX], subleaf = (uint32_t)vcpu->gpr[GPR_RCX];
	struct cpuid id = cpuid(leaf, subleaf);

	vcpu->gpr[GPR_RAX] = id.eax;
	vcpu->gpr[GPR_RBX] = id.ebx;
	vcpu->gpr[GPR_RCX] = id.ecx;
	vcpu->gpr[GPR_RDX] = id.edx;
	if (leaf != CPUID_VENDOR) /* which we leave as it is */
		filter(vcpu, leaf, subleaf);
	backend->advance(vcpu, exit);
}

uint64_t guest_cr4_allowed(void)
{
	static uint64_t allowed;
	struct cpuid base, structured;

	if (allowed != 0)
		return allowed;
	base = cpuid(CPUID_FEATURES, 0);
	structured = cpuid(CPUID_STRUCTURED, 0);
	allowed = CR4_TSD | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
		(base.edx & CPUID_1_EDX_DE ? CR4_DE : 0) |
		(base.edx & CPUID_1_EDX_VME ? CR4_VME | CR4_PVI : 0) |
		(base.ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0) |
		(structured.ecx & CPUID_7_ECX_UMIP ? CR4_UMIP : 0) |
		(structured.ebx & CPUID_7_EBX_FSGSBASE ? CR4_FSGSBASE : 0) |
		(structured.ebx & CPUID_7_EBX_SMEP ? CR4_SMEP : 0) |
		(structured.ebx & CPUID_7_EBX_SMAP ? CR4_SMAP : 0);
	return allowed;
}
