/* MSRs that an exit loads into the host when a control says so, and bases of segments (Intel SDM,
   "Loading Host Control Registers, Debug Registers, MSRs", "Loading Host Segment and
   Descriptor-Table Registers"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Loading Host Control Registers, Debug Registers, MSRs"

GUEST64(host_msr_nop, "nop");
GUEST64(host_msr_wrmsr, "wrmsr");

/* An MSR that entry and exit may load. The guest gets `guest`; the host then has `host` if the exit
   loads it, else what the guest had. */
struct loaded_msr {
	uint32_t msr, guest_field, host_field;
	uint64_t entry_control, exit_control;
	uint64_t guest, host;
};

#define PAT_GUEST  UINT64_C(0x0606060606060606)
#define PAT_HOST   UINT64_C(0x0007040600070406) /* the value at reset */
#define EFER_HOST  (EFER_LME | EFER_LMA | EFER_NXE)
#define EFER_GUEST (EFER_HOST | EFER_SCE)

static const struct loaded_msr pat = { MSR_IA32_PAT, VMCS_GUEST_IA32_PAT, VMCS_HOST_IA32_PAT,
	VM_ENTRY_LOAD_PAT, VM_EXIT_LOAD_PAT, PAT_GUEST, PAT_HOST };
static const struct loaded_msr efer = { (uint32_t)MSR_IA32_EFER, VMCS_GUEST_IA32_EFER,
	VMCS_HOST_IA32_EFER, VM_ENTRY_LOAD_EFER, VM_EXIT_LOAD_EFER, EFER_GUEST, EFER_HOST };
static const struct loaded_msr perf_global = { MSR_IA32_PERF_GLOBAL_CTRL,
	VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, VMCS_HOST_IA32_PERF_GLOBAL_CTRL,
	VM_ENTRY_LOAD_PERF_GLOBAL_CTRL, VM_EXIT_LOAD_PERF_GLOBAL_CTRL, 1, 0 };

/* Returns what the host had after the exit; the MSR is put back. */
static uint64_t run_loading(const struct loaded_msr *msr, bool load, outcome *result)
{
	uint64_t saved = rdmsr(msr->msr), value;

	exit_control(CONTROL_WORD_VM_ENTRY, msr->entry_control, true);
	exit_control(CONTROL_WORD_VM_EXIT, msr->exit_control, load);
	field_write(msr->guest_field, msr->guest);
	field_write(msr->host_field, msr->host);
	*result = exit_run((struct guest_code)CODE_OF(host_msr_nop));
	value = rdmsr(msr->msr);
	wrmsr(msr->msr, saved);
	return test_observe(value);
}

#define LOADED(name, control, field, ...)                                                          \
	TEST(host_msr, name##_1, SECTION,                                                          \
		"the host gets the field's value when " #control " is 1",                          \
		EXIT(EXIT_REASON_VMCALL),                                                          \
		.needs = NEEDS(&need_VM_EXIT_##control, &need_VM_ENTRY_##control, ##__VA_ARGS__),  \
		.covers = "control:VM_EXIT_" #control " field:HOST_" #field)                       \
	{                                                                                          \
		outcome result;                                                                    \
                                                                                                   \
		CHECK_EQUAL(run_loading(&name, true, &result), name.host);                         \
		return result;                                                                     \
	}                                                                                          \
	TEST(host_msr, name##_0, SECTION,                                                          \
		"the host keeps what the guest had when " #control " is 0",                        \
		EXIT(EXIT_REASON_VMCALL),                                                          \
		.needs = NEEDS(                                                                    \
			&need_clear_VM_EXIT_##control, &need_VM_ENTRY_##control, ##__VA_ARGS__),   \
		.covers = "control:VM_EXIT_" #control " field:HOST_" #field)                       \
	{                                                                                          \
		outcome result;                                                                    \
                                                                                                   \
		CHECK_EQUAL(run_loading(&name, false, &result), name.guest);                       \
		return result;                                                                     \
	}

LOADED(pat, LOAD_PAT, IA32_PAT)
LOADED(efer, LOAD_EFER, IA32_EFER)
LOADED(perf_global, LOAD_PERF_GLOBAL_CTRL, IA32_PERF_GLOBAL_CTRL, &need_perf_global_ctrl)

/* A guest outside IA-32e mode: LMA and LME are what "host address-space size" says. */
GUEST32(host_msr_nop32, "nop");

TEST(host_msr, long_mode, SECTION,
	"after a guest outside IA-32e mode IA32_EFER.LME and LMA are 1 again",
	EXIT(EXIT_REASON_VMCALL), .covers = "control:VM_EXIT_HOST_ADDRESS_SPACE_SIZE")
{
	uint64_t wanted = EFER_LME | EFER_LMA;
	outcome result = exit_run_mode(GUEST_PAGED32, (struct guest_code)CODE_OF(host_msr_nop32));

	CHECK_EQUAL(test_observe(rdmsr((uint32_t)MSR_IA32_EFER)) & wanted, wanted);
	return result;
}

TEST(host_msr, pae, SECTION, "after a guest with 32-bit paging CR4.PAE is 1 again",
	EXIT(EXIT_REASON_VMCALL),
	.covers = "control:VM_EXIT_HOST_ADDRESS_SPACE_SIZE field:HOST_CR4")
{
	outcome result = exit_run_mode(GUEST_PAGED32, (struct guest_code)CODE_OF(host_msr_nop32));

	CHECK_EQUAL(test_observe(read_cr4()) & CR4_PAE, CR4_PAE);
	return result;
}

struct base_row {
	struct test_row row;
	uint32_t msr, host_field, guest_field;
	uint64_t base;
};

static const struct base_row bases[] = {
	{ { "FS, low", EXIT(EXIT_REASON_VMCALL) }, (uint32_t)MSR_IA32_FS_BASE, VMCS_HOST_FS_BASE,
		VMCS_GUEST_FS_BASE, UINT64_C(0x00007fedcba98765) },
	{ { "FS, high", EXIT(EXIT_REASON_VMCALL) }, (uint32_t)MSR_IA32_FS_BASE, VMCS_HOST_FS_BASE,
		VMCS_GUEST_FS_BASE, UINT64_C(0xffff800000001234) },
	{ { "GS, low", EXIT(EXIT_REASON_VMCALL) }, (uint32_t)MSR_IA32_GS_BASE, VMCS_HOST_GS_BASE,
		VMCS_GUEST_GS_BASE, UINT64_C(0x00007fedcba98765) },
	{ { "GS, high", EXIT(EXIT_REASON_VMCALL) }, (uint32_t)MSR_IA32_GS_BASE, VMCS_HOST_GS_BASE,
		VMCS_GUEST_GS_BASE, UINT64_C(0xffff800000001234) },
};

SWEEP(host_msr, bases, "SDM Loading Host Segment and Descriptor-Table Registers",
	"the bases of FS and GS are those of their fields", bases,
	.covers = "field:HOST_FS_BASE field:HOST_GS_BASE")
{
	const struct base_row *row = TEST_ROW(struct base_row);
	uint64_t saved = rdmsr(row->msr), value, kept;
	outcome result;

	guest_reset();
	field_write(row->host_field, row->base);
	guest_set_mode(GUEST_64BIT, host_msr_nop, (size_t)(host_msr_nop_end - host_msr_nop));
	field_write(row->guest_field, 0x5678);
	result = guest_enter_unobserved(); /* GS is not the image's until it is put back */
	value = rdmsr(row->msr);
	wrmsr(row->msr, saved);
	kept = rdmsr((uint32_t)MSR_IA32_KERNEL_GS_BASE);
	CHECK_EQUAL(test_observe(value), row->base);
	CHECK(kept != row->base); /* IA32_KERNEL_GS_BASE is not touched */
	return result;
}

/* IA32_BNDCFGS: entry may load it, an exit saves it where entries can load it, and may clear it. */
static outcome run_bndcfgs(bool clear, uint64_t *after)
{
	uint64_t saved = rdmsr(MSR_IA32_BNDCFGS);
	outcome result;

	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_BNDCFGS, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_CLEAR_BNDCFGS, clear);
	field_write(VMCS_GUEST_IA32_BNDCFGS, UINT64_C(0x12345002));
	result = exit_run((struct guest_code)CODE_OF(host_msr_nop));
	*after = test_observe(rdmsr(MSR_IA32_BNDCFGS));
	wrmsr(MSR_IA32_BNDCFGS, saved);
	return result;
}

TEST(host_msr, bndcfgs_1, SECTION, "IA32_BNDCFGS is cleared when CLEAR_BNDCFGS is 1",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_VM_EXIT_CLEAR_BNDCFGS, &need_VM_ENTRY_LOAD_BNDCFGS),
	.covers = "control:VM_EXIT_CLEAR_BNDCFGS")
{
	uint64_t after;
	outcome result = run_bndcfgs(true, &after);

	CHECK_EQUAL(after, 0);
	return result;
}

TEST(host_msr, bndcfgs_0, SECTION, "IA32_BNDCFGS keeps the guest's value when CLEAR_BNDCFGS is 0",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_clear_VM_EXIT_CLEAR_BNDCFGS, &need_VM_ENTRY_LOAD_BNDCFGS),
	.covers = "control:VM_EXIT_CLEAR_BNDCFGS")
{
	uint64_t after;
	outcome result = run_bndcfgs(false, &after);

	CHECK_EQUAL(after, UINT64_C(0x12345002));
	return result;
}

TEST(host_msr, bndcfgs_saved, "SDM Saving Control Registers, Debug Registers, and MSRs",
	"IA32_BNDCFGS is saved by every exit of a CPU that can load it", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_VM_EXIT_CLEAR_BNDCFGS, &need_PROC_MSR_BITMAPS),
	.covers = "field:GUEST_IA32_BNDCFGS")
{
	uint64_t saved = rdmsr(MSR_IA32_BNDCFGS);
	outcome result;

	exit_let_msrs_pass();
	guest_gpr[RCX] = MSR_IA32_BNDCFGS;
	guest_gpr[RAX] = 0x12345002;
	result = exit_run((struct guest_code)CODE_OF(host_msr_wrmsr));
	wrmsr(MSR_IA32_BNDCFGS, saved);
	CHECK_EQUAL(field_read(VMCS_GUEST_IA32_BNDCFGS), UINT64_C(0x12345002));
	return result;
}
