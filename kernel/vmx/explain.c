/* Why the CPU refused a VM entry: judges the current VMCS by every rule of spec/vmx_checks.def and
   prints those that are broken, each with field, value, rule and the manual's section. What the CPU
   itself said, and what becomes of the VM, is left to kernel/exit.c. */
#include "kernel/vmx/explain.h"

#include "kernel/vmx/vmx.h"
#include "runtime/paging.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"

/* ---- The source: this CPU, its current VMCS, its memory ---- */

static uint64_t read_field(const struct vmx_source *source, uint32_t encoding)
{
	return vmcs_has(encoding) ? vmread(encoding) : 0;
}

static uint64_t read_msr(const struct vmx_source *source, uint32_t number)
{
	uint64_t value;

	rdmsr_safe(number, &value);
	return value;
}

static void read_cpuid(
	const struct vmx_source *source, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	struct cpuid r = cpuid(leaf, subleaf);

	regs[0] = r.eax;
	regs[1] = r.ebx;
	regs[2] = r.ecx;
	regs[3] = r.edx;
}

static uint64_t read_current_vmcs(const struct vmx_source *source)
{
	uint64_t address;

	__asm__ volatile("vmptrst %0" : "=m"(address) : : "cc");
	return address;
}

/* Memory is mapped where its physical address is (runtime/paging.h). */
static bool read_memory(
	const struct vmx_source *source, uint64_t address, size_t bytes, uint64_t *value)
{
	*value = 0;
	if (!paging_lookup(address, NULL) || !paging_lookup(address + bytes - 1, NULL))
		return false;
	memcpy(value, (const void *)address, bytes);
	return true;
}

static const struct vmx_source this_cpu = {
	.vmread = read_field,
	.rdmsr = read_msr,
	.cpuid = read_cpuid,
	.current_vmcs = read_current_vmcs,
	.read_physical = read_memory,
};

void vmx_explain_read(struct vmx_state *state)
{
	vmx_state_read(state, &this_cpu);
}

/* ---- Printing ---- */

static const char *verdict_text(const struct vmx_check *check, enum vmx_verdict verdict)
{
	if (verdict == VMX_UNKNOWN)
		return "not known";
	return check->optional ? "broken for some CPUs" : "broken";
}

static void print_check(struct vmx_check_listener *listener, const struct vmx_check *check,
	enum vmx_verdict verdict, const struct vmx_state *state)
{
	print("trapeze: explain: %s: %s = 0x%llx\n", verdict_text(check, verdict),
		vmcs_fields[check->field].name, (unsigned long long)state->field[check->field]);
	print("trapeze: explain:   rule %s: %s\n", check->id, check->rule);
	print("trapeze: explain:   Intel SDM volume 3, \"%s\"\n", vmx_check_title(check));
}

static bool failed_to_load_msr(const struct vmx_state *state)
{
	uint64_t reason = state->field[FIELD_EXIT_REASON];

	return reason == (EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_ENTRY_FAILURE_MSR_LOADING);
}

/* A failed load is no rule's fault: it names the entry of the MSR-load area, counted from 1
   ("Loading MSRs"). */
static void print_msr_load(const struct vmx_state *state)
{
	uint64_t number = state->field[FIELD_EXIT_QUALIFICATION], index = 0, value = 0;
	uint64_t address = state->field[FIELD_ENTRY_MSR_LOAD_ADDRESS] +
			   (number - 1) * sizeof(struct vmx_msr_entry);

	if (!read_memory(&this_cpu, address, sizeof(uint32_t), &index) ||
		!read_memory(&this_cpu, address + offsetof(struct vmx_msr_entry, value),
			sizeof(value), &value))
		return;
	print("trapeze: explain: entry %llu of the VM-entry MSR-load area: MSR 0x%llx (%s) = "
	      "0x%llx\n",
		(unsigned long long)number, (unsigned long long)index,
		msr_name(index) ? msr_name(index) : "unknown", (unsigned long long)value);
}

void vmx_explain(struct vcpu *vcpu)
{
	struct vmx_check_listener printer = { print_check };
	struct vmx_state state;

	vmx_explain_read(&state);
	if (failed_to_load_msr(&state))
		print_msr_load(&state);
	if (vmx_checks_run(&state, VMX_CHECK_ALL, &printer) == 0)
		print("trapeze: explain: no rule of \"VM Entries\" is found broken\n");
}
