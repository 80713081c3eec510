/* Everything that VM entry's checks look at, as plain values: the fields of a VMCS, the capability
   MSRs, the facts of the CPU, and the few words of memory that the manual has checked. A caller's
   source fills it (VMREAD in the kernel and in the suites, forged values in host tests); what the
   values must satisfy is declared in spec/vmx_checks.def. */
#ifndef SPEC_VMX_STATE_H
#define SPEC_VMX_STATE_H

#include "spec/cpu.h"
#include "spec/vmx.h"

/* What the CPU is and how it runs at the time of the VM entry. */
struct vmx_cpu {
	uint8_t physical_width; /* bits of a physical address (MAXPHYADDR) */
	uint8_t linear_width;   /* bits of a linear address, the most the CPU supports */
	bool intel64;           /* supports Intel 64 architecture */
	bool ia32e;             /* runs in IA-32e mode: IA32_EFER.LMA is 1 */
	bool in_smm;            /* runs in system-management mode */
	bool tracing;           /* IA32_RTIT_CTL.TraceEn is 1 */
	bool sgx, rtm, bus_lock_detection, lam;
	/* The bits that are not reserved in these MSRs. */
	uint64_t debugctl, efer, perf_global_ctrl, bndcfgs, rtit_ctl, lbr_ctl, s_cet;
	uint64_t current_vmcs; /* physical address of the current VMCS */
};

/* A word of memory that could be read, or not. */
struct vmx_word {
	bool known;
	uint64_t value;
};

#define VMX_CAPABILITY_MSRS (MSR_IA32_VMX_EXIT_CTLS2 - MSR_IA32_VMX_BASIC + 1)

struct vmx_state {
	uint64_t field[VMCS_FIELDS]; /* by FIELD_<NAME>; 0 for one that the CPU does not have */
	uint64_t capability[VMX_CAPABILITY_MSRS];
	struct vmx_cpu cpu;
	struct vmx_word vtpr;          /* the task priority on the virtual-APIC page */
	struct vmx_word link_revision; /* first 4 bytes of the VMCS that the link pointer names */
	struct vmx_word pdpte[4];      /* the guest's, where CR3 refers to them without EPT */
};

/* Where a state is read from. A caller embeds it in a structure of its own. */
struct vmx_source {
	/* A VMCS field by its encoding; 0 for one that the CPU does not have. */
	uint64_t (*vmread)(const struct vmx_source *source, uint32_t encoding);
	/* An MSR by its number; 0 for one that the CPU does not have. */
	uint64_t (*rdmsr)(const struct vmx_source *source, uint32_t number);
	/* CPUID: EAX, EBX, ECX, EDX. */
	void (*cpuid)(
		const struct vmx_source *source, uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);
	/* The physical address of the current VMCS (VMPTRST). */
	uint64_t (*current_vmcs)(const struct vmx_source *source);
	/* Reads 1 to 8 bytes of physical memory, little endian; false when it cannot.
	   NULL: the rules about memory are not judged. */
	bool (*read_physical)(
		const struct vmx_source *source, uint64_t address, size_t bytes, uint64_t *value);
};

/* Fills *state from source. The source is taken to run outside SMM. */
void vmx_state_read(struct vmx_state *state, const struct vmx_source *source);

/* The parts of the above, for who has them from elsewhere. */
void vmx_state_read_cpu(struct vmx_state *state, const struct vmx_source *source);
void vmx_state_read_fields(struct vmx_state *state, const struct vmx_source *source);
void vmx_state_read_memory(struct vmx_state *state, const struct vmx_source *source);

/* A capability MSR, MSR_IA32_VMX_BASIC to MSR_IA32_VMX_EXIT_CTLS2. */
static inline uint64_t vmx_state_capability(const struct vmx_state *state, enum msr number)
{
	return state->capability[number - MSR_IA32_VMX_BASIC];
}

/* The bits that a 32-bit control word must have set (low half) and may have set (high half): the
   TRUE capability MSR where bit 55 of IA32_VMX_BASIC says that it exists, else the plain one.
   Manual: "Reserved Controls and Default Settings". */
uint64_t vmx_state_allowed(const struct vmx_state *state, enum msr plain, enum msr true_msr);

/* The secondary and tertiary controls in force: 0 while the control that activates them is 0.
   Manual: "Processor-Based VM-Execution Controls". */
uint64_t vmx_state_proc2(const struct vmx_state *state);
uint64_t vmx_state_proc3(const struct vmx_state *state);

/* The guest loads its PDPTEs at this entry: PAE paging outside IA-32e mode. Manual: "Checks on
   Guest Page-Directory-Pointer-Table Entries". */
bool vmx_state_uses_pdptes(const struct vmx_state *state);

#endif
