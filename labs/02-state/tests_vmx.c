/* Lab 2 on VT-x: what stands in the fields of a VMCS after it was made, compared with the manual's
   demands; the explainer's opinion of all of it. Nothing is launched. */
#define TEST_FOLDER "lab2/"
#include "kernel/stage2.h"
#include "kernel/vm.h"
#include "kernel/vmx/control.h"
#include "kernel/vmx/explain.h"
#include "kernel/vmx/state.h"
#include "kernel/vmx/vmx.h"
#include "labs/suite.h"
#include "runtime/errno.h"
#include "runtime/x86.h"
#include "spec/reset.h"

#define VTX .needs = NEEDS(&lab_needs_vtx)

static uint64_t current_vmcs(void)
{
	uint64_t pointer = 0;

	lab_vmptrst(&pointer);
	return pointer;
}

/* ---- vmcs_clear ---- */

TEST(vmcs_clear, not_current, "SDM VMCLEAR",
	"the VMCS that was current is so no more" CAUSE(
		"VMCLEAR is not executed, or not on the address of a variable that holds the "
		"region's address"),
	OK, VTX)
{
	struct vmcs_region *vmcs = lab_vmcs();

	CHECK_ERROR(vmcs_clear(vmcs), 0);
	CHECK_EQUAL(current_vmcs(), VMCS_NO_POINTER);
	return OK;
}

TEST(vmcs_clear, other_stays, "SDM VMCLEAR",
	"another VMCS stays current" CAUSE("the operand is not the region that was passed"), OK,
	VTX)
{
	struct vmcs_region *vmcs = lab_vmcs();

	CHECK_ERROR(vmcs_clear(lab_region()), 0);
	CHECK_EQUAL(current_vmcs(), vmcs);
	return OK;
}

TEST(vmcs_clear, in_memory, "SDM VMCLEAR",
	"what the CPU held of it is in memory: it can be loaded again" CAUSE(
		"VMCLEAR is not executed: the data is in the CPU still"),
	OK, VTX)
{
	struct vmcs_region *vmcs = lab_vmcs();

	vmwrite(VMCS_GUEST_RIP, RESET_CS_BASE);
	CHECK_ERROR(vmcs_clear(vmcs), 0);
	CHECK_EQUAL(lab_vmptrld((uint64_t)vmcs), OK);
	CHECK_EQUAL(vmread(VMCS_GUEST_RIP), RESET_CS_BASE);
	return OK;
}

TEST(vmcs_clear, failure_told, "SDM Conventions",
	"VMfail: -EIO, with a current VMCS or without" CAUSE(
		"CF and ZF are not both looked at after VMCLEAR"),
	OK, VTX)
{
	struct vmcs_region *unaligned = (void *)((uint8_t *)lab_region() + 8);

	lab_vmx_on();
	CHECK_ERROR(vmcs_clear(unaligned), -EIO); /* CF: VMfailInvalid */
	CHECK_EQUAL(lab_vmclear((uint64_t)lab_region()), OK);
	CHECK(lab_in_vmx_operation());
	return OK;
}

TEST(vmcs_clear, failure_told_valid, "SDM Conventions",
	"VMfailValid, which sets ZF: -EIO" CAUSE("only CF is looked at after VMCLEAR, not ZF"), OK,
	VTX)
{
	struct vmcs_region *unaligned = (void *)((uint8_t *)lab_vmcs() + 8);

	CHECK_ERROR(vmcs_clear(unaligned), -EIO);
	return OK;
}

/* ---- vmcs_load ---- */

TEST(vmcs_load, current, "SDM VMPTRLD",
	"the VMCS is current after it" CAUSE("VMPTRLD is not executed, or not on the address of a "
					     "variable that holds the region's address"),
	OK, VTX)
{
	struct vmcs_region *vmcs = lab_region();

	lab_vmx_on();
	lab_vmclear((uint64_t)vmcs);
	CHECK_ERROR(vmcs_load(vmcs), 0);
	CHECK_EQUAL(current_vmcs(), vmcs);
	return OK;
}

TEST(vmcs_load, changes, "SDM VMPTRLD",
	"it takes the place of the VMCS that was current" CAUSE(
		"the operand is not the region that was passed"),
	OK, VTX)
{
	struct vmcs_region *first = lab_vmcs(), *second = lab_region();

	lab_vmclear((uint64_t)second);
	CHECK_ERROR(vmcs_load(second), 0);
	CHECK_EQUAL(current_vmcs(), second);
	CHECK_ERROR(vmcs_load(first), 0);
	CHECK_EQUAL(current_vmcs(), first);
	return OK;
}

TEST(vmcs_load, failure_told, "SDM VMPTRLD",
	"a region with another revision identifier makes VMfail: -EIO, and nothing becomes "
	"current" CAUSE("CF and ZF are not both looked at after VMPTRLD"),
	OK, VTX)
{
	struct vmcs_region *vmcs = lab_region();

	lab_vmx_on();
	vmcs->revision ^= 1;
	CHECK_ERROR(vmcs_load(vmcs), -EIO);
	CHECK_EQUAL(current_vmcs(), VMCS_NO_POINTER);
	return OK;
}

TEST(vmcs_load, failure_told_valid, "SDM VMPTRLD",
	"with a current VMCS it is VMfailValid: -EIO too" CAUSE(
		"only CF is looked at after VMPTRLD, not ZF"),
	OK, VTX)
{
	struct vmcs_region *vmcs = lab_region();

	lab_vmcs();
	vmcs->revision ^= 1;
	CHECK_ERROR(vmcs_load(vmcs), -EIO);
	return OK;
}

/* ---- control_adjust ---- */

#define ADJUST     "SDM Reserved Controls and Default Settings"
#define MUST(bits) FIELD_PUT(bits, CAPABILITY_MUST_BE_1)
#define MAY(bits)  FIELD_PUT(bits, CAPABILITY_MAY_BE_1)

TEST(control_adjust, required, ADJUST,
	"what is required and offered is set" CAUSE("required is not part of the result"), OK, VTX)
{
	uint32_t result = 0;

	CHECK_ERROR(control_adjust(BIT(3) | BIT(31), 0, MAY(UINT32_MAX), &result), 0);
	CHECK_EQUAL(result, BIT(3) | BIT(31));
	return OK;
}

TEST(control_adjust, must_be_1, ADJUST,
	"what must be 1 is set, asked for or not" CAUSE(
		"the low half of the capability MSR, the bits that must be 1, is not ORed into the "
		"result"),
	OK, VTX)
{
	uint32_t result = 0;

	CHECK_ERROR(
		control_adjust(BIT(3), 0, MUST(BIT(1) | BIT(16)) | MAY(UINT32_MAX), &result), 0);
	CHECK_EQUAL(result, BIT(1) | BIT(3) | BIT(16));
	return OK;
}

TEST(control_adjust, optional, ADJUST,
	"of what is optional the CPU's part is set" CAUSE(
		"optional is not ANDed with the high half of the capability MSR, the bits that may "
		"be 1"),
	OK, VTX)
{
	uint32_t result = 0;

	CHECK_ERROR(control_adjust(BIT(3), BIT(5) | BIT(6), MAY(BIT(3) | BIT(5)), &result), 0);
	CHECK_EQUAL(result, BIT(3) | BIT(5));
	return OK;
}

TEST(control_adjust, missing, ADJUST,
	"what is required and not offered: -ENODEV, and these bits alone are the result" CAUSE(
		"required is not compared with the high half of the capability MSR, the bits that "
		"may be 1"),
	OK, VTX)
{
	uint32_t result = 0;

	CHECK_ERROR(control_adjust(BIT(3) | BIT(4) | BIT(31), BIT(5),
			    MUST(BIT(1)) | MAY(BIT(1) | BIT(4)), &result),
		-ENODEV);
	CHECK_EQUAL(result, BIT(3) | BIT(31));
	return OK;
}

TEST(control_adjust, this_cpu, ADJUST,
	"the VM-exit controls of this CPU" CAUSE(
		"the halves of the capability MSR have changed places"),
	OK, VTX)
{
	uint64_t capability = rdmsr(MSR_IA32_VMX_TRUE_EXIT_CTLS);
	uint32_t result = 0, must = (uint32_t)capability, may = (uint32_t)(capability >> 32);

	CHECK_ERROR(
		control_adjust(VM_EXIT_HOST_ADDRESS_SPACE_SIZE, UINT32_MAX, capability, &result),
		0);
	CHECK_EQUAL(result & must, must);
	CHECK_EQUAL(result, may);
	return OK;
}

/* ---- state_write_host ---- */

#define HOST     "SDM Host-State Area"
#define HOST_SEG "SDM Checks on Host Segment and Descriptor-Table Registers"

/* A current VMCS in which the student's function has written. */
static int write_host(void)
{
	lab_vmcs();
	return state_write_host();
}

TEST(state_write_host, control_registers, HOST,
	"CR0, CR3, CR4 are what the host runs with" CAUSE(
		"a control register is missing, or a constant is written instead of the register"),
	OK, VTX)
{
	CHECK_ERROR(write_host(), 0);
	CHECK_EQUAL(vmread(VMCS_HOST_CR0), read_cr0());
	CHECK_EQUAL(vmread(VMCS_HOST_CR3), read_cr3());
	CHECK_EQUAL(vmread(VMCS_HOST_CR4), read_cr4());
	return OK;
}

TEST(state_write_host, rip, HOST,
	"HOST_RIP is vmx_exit: there the CPU goes on after an exit" CAUSE(
		"HOST_RIP is not written, or points at a function that expects to be called"),
	OK, VTX)
{
	CHECK_ERROR(write_host(), 0);
	CHECK_EQUAL(vmread(VMCS_HOST_RIP), (uint64_t)vmx_exit);
	return OK;
}

TEST(state_write_host, selectors, HOST_SEG,
	"CS, SS, DS, ES, TR are the host's, FS and GS 0; TI and RPL are 0 in all" CAUSE(
		"a selector is missing: those of CS and TR must not be 0"),
	OK, VTX)
{
	CHECK_ERROR(write_host(), 0);
	CHECK_EQUAL(vmread(VMCS_HOST_CS_SELECTOR), read_cs());
	CHECK_EQUAL(vmread(VMCS_HOST_SS_SELECTOR), read_ss());
	CHECK_EQUAL(vmread(VMCS_HOST_DS_SELECTOR), read_ds());
	CHECK_EQUAL(vmread(VMCS_HOST_ES_SELECTOR), read_es());
	CHECK_EQUAL(vmread(VMCS_HOST_TR_SELECTOR), read_tr());
	CHECK_EQUAL(vmread(VMCS_HOST_FS_SELECTOR), 0);
	CHECK_EQUAL(vmread(VMCS_HOST_GS_SELECTOR), 0);
	return OK;
}

/* The base of the TSS as its descriptor has it, bytes 2-4, 7, 8-11 ("TSS Descriptor in 64-bit
 * mode"). */
static uint64_t task_base(void)
{
	const uint8_t *byte = (const uint8_t *)read_gdtr().base + ALIGN_DOWN(read_tr(), 8);
	static const uint8_t places[] = { 2, 3, 4, 7, 8, 9, 10, 11 };
	uint64_t base = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++)
		base |= (uint64_t)byte[places[i]] << 8 * i;
	return base;
}

TEST(state_write_host, tr_base, HOST_SEG,
	"the base of TR is the one in the TSS's descriptor, all 64 bits" CAUSE(
		"the base is put together wrongly: bits 23:0 in bytes 2-4, 31:24 in byte 7, 63:32 "
		"in bytes 8-11"),
	OK, VTX)
{
	/* The image lies low: its TSS would not tell whether the upper half of a base is read. The CPU
	   does not look at the descriptor again before the next LTR. */
	uint32_t *upper = (uint32_t *)(read_gdtr().base + ALIGN_DOWN(read_tr(), 8) + 8);
	uint32_t before = *upper;
	uint64_t wanted;
	int error;

	*upper = 0xffff8123;
	wanted = task_base();
	error = write_host();
	*upper = before;
	CHECK_ERROR(error, 0);
	CHECK_EQUAL(vmread(VMCS_HOST_TR_BASE), wanted);
	return OK;
}

TEST(state_write_host, bases, HOST,
	"FS, GS, GDTR, IDTR have their bases" CAUSE(
		"a base is missing: without GS's the host does not find its CPU's data, without "
		"IDTR's the next "
		"interrupt is a triple fault"),
	OK, VTX)
{
	CHECK_ERROR(write_host(), 0);
	CHECK_EQUAL(vmread(VMCS_HOST_FS_BASE), rdmsr(MSR_IA32_FS_BASE));
	CHECK_EQUAL(vmread(VMCS_HOST_GS_BASE), rdmsr(MSR_IA32_GS_BASE));
	CHECK_EQUAL(vmread(VMCS_HOST_GDTR_BASE), read_gdtr().base);
	CHECK_EQUAL(vmread(VMCS_HOST_IDTR_BASE), read_idtr().base);
	return OK;
}

TEST(state_write_host, msrs, "SDM Checks on Host Control Registers, MSRs, and SSP",
	"EFER and PAT, which the VM-exit controls load, are the host's" CAUSE(
		"an MSR that a VM-exit control loads is missing: EFER without LMA does not go with "
		"64 bits"),
	OK, VTX)
{
	CHECK_ERROR(write_host(), 0);
	CHECK_EQUAL(vmread(VMCS_HOST_IA32_EFER), rdmsr(MSR_IA32_EFER));
	CHECK_EQUAL(vmread(VMCS_HOST_IA32_PAT), rdmsr(MSR_IA32_PAT));
	return OK;
}

TEST(state_write_host, failure_told, "SDM VMWRITE",
	"where no VMCS is current: -EIO" CAUSE("the result of vmcs_write_table() is not returned"),
	OK, VTX)
{
	struct vmcs_region *vmcs = lab_vmcs();

	lab_vmclear((uint64_t)vmcs);
	CHECK_ERROR(state_write_host(), -EIO);
	return OK;
}

/* ---- set_cr0 ---- */

#define MASKS "SDM Guest/Host Masks and Read Shadows for CR0 and CR4"
#define FIXED "SDM VMX-Fixed Bits in CR0"

/* Sets CR0 of a guest with or without second-level paging; its vCPU's VMCS is current. */
static struct vcpu *set_cr0(bool stage2, uint64_t value)
{
	struct vm *vm = lab_vm(stage2);

	lab_vmcs();
	vmx_set(&vm->vcpu, REG_CR0, value);
	return &vm->vcpu;
}

/* The bits that the guest does not own: fixed ones, and those of the caches. */
static uint64_t fixed_cr0(bool stage2)
{
	return rdmsr(MSR_IA32_VMX_CR0_FIXED0) & ~(stage2 ? CR0_PE | CR0_PG : 0);
}

TEST(set_cr0, shadow, MASKS,
	"the read shadow is what the guest wrote" CAUSE(
		"CR0_READ_SHADOW holds what the hardware runs with, or nothing"),
	OK, VTX)
{
	set_cr0(true, RESET_CR0);
	CHECK_EQUAL(vmread(VMCS_CR0_READ_SHADOW), RESET_CR0);
	return OK;
}

TEST(set_cr0, fixed_bits, FIXED,
	"GUEST_CR0 has the bits that VMX operation fixes" CAUSE(
		"GUEST_CR0 is the guest's value without on_fix_bits()"),
	OK, VTX)
{
	set_cr0(true, CR0_ET);
	CHECK_EQUAL(vmread(VMCS_GUEST_CR0), fixed_cr0(true) | CR0_ET);
	return OK;
}

TEST(set_cr0, not_unrestricted, FIXED,
	"without second-level paging PE and PG are fixed, too" CAUSE(
		"the fixed bits do not come from cr0_fixed0(): only an unrestricted guest may "
		"clear PE and PG"),
	OK, VTX)
{
	set_cr0(false, CR0_ET);
	CHECK_EQUAL(vmread(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	CHECK_EQUAL(vmread(VMCS_CR0_GUEST_HOST_MASK) & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	return OK;
}

TEST(set_cr0, unrestricted, "SDM Unrestricted Guests",
	"an unrestricted guest's PE and PG are its own" CAUSE(
		"the fixed bits do not come from cr0_fixed0(): an unrestricted guest may clear PE "
		"and PG"),
	OK, VTX)
{
	set_cr0(true, CR0_ET);
	CHECK_EQUAL(vmread(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), 0);
	CHECK_EQUAL(vmread(VMCS_CR0_GUEST_HOST_MASK) & (CR0_PE | CR0_PG), 0);
	return OK;
}

TEST(set_cr0, caches, MASKS,
	"CD and NW never reach the hardware, and the guest owns neither" CAUSE(
		"CR0_SHADOW_ONLY is not taken out of GUEST_CR0, or not in the mask"),
	OK, VTX)
{
	set_cr0(true, RESET_CR0);
	CHECK_EQUAL(vmread(VMCS_GUEST_CR0) & (CR0_CD | CR0_NW), 0);
	CHECK_EQUAL(vmread(VMCS_CR0_GUEST_HOST_MASK) & (CR0_CD | CR0_NW), CR0_CD | CR0_NW);
	return OK;
}

TEST(set_cr0, mask, MASKS,
	"the mask has 1 for fixed bits, the caches' and those that CR0 has not; all others are the "
	"guest's" CAUSE("a bit too many makes exits without need, a bit too few lets the guest "
			"change what VMX fixes"),
	OK, VTX)
{
	uint64_t fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);

	set_cr0(true, CR0_ET);
	CHECK_EQUAL(vmread(VMCS_CR0_GUEST_HOST_MASK), fixed_cr0(true) | ~fixed1 | CR0_CD | CR0_NW);
	return OK;
}

TEST(set_cr0, read_back, MASKS,
	"the guest reads what it wrote" CAUSE("mask, shadow and GUEST_CR0 do not go together"), OK,
	VTX)
{
	struct vcpu *vcpu = set_cr0(true, RESET_CR0 | CR0_TS);

	CHECK_EQUAL(vmx_get(vcpu, REG_CR0), RESET_CR0 | CR0_TS);
	vmx_set(vcpu, REG_CR0, CR0_ET | CR0_PE);
	CHECK_EQUAL(vmx_get(vcpu, REG_CR0), CR0_ET | CR0_PE);
	return OK;
}

TEST(set_cr0, long_mode, "SDM Loading Guest Control Registers, Debug Registers, and MSRs",
	"paging with EFER.LME makes IA-32e mode: EFER.LMA and the VM-entry control follow" CAUSE(
		"update_paging_mode() is not called, or before GUEST_CR0 is written"),
	OK, VTX)
{
	struct vcpu *vcpu = &lab_vm(true)->vcpu;

	lab_vmcs();
	vmwrite(VMCS_GUEST_IA32_EFER, EFER_LME);
	vmx_set(vcpu, REG_CR0, CR0_PE | CR0_ET | CR0_PG);
	CHECK_EQUAL(vmread(VMCS_GUEST_IA32_EFER), EFER_LME | EFER_LMA);
	CHECK(vmread(VMCS_VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE_GUEST);
	return OK;
}

/* ---- state_write_guest ---- */

#define RESET_TITLE "SDM Processor State After Reset"

struct field_row {
	struct test_row row;
	uint32_t field;
	uint64_t value;
};

#define ROW(name, value)                                                                           \
	{                                                                                          \
		{ #name, OK }, VMCS_##name, value                                                  \
	}
#define RIGHTS(type) (ACCESS_RIGHTS_P | (type))
#define SEGMENT(seg, rights)                                                                       \
	ROW(GUEST_##seg##_LIMIT, 0xffff), ROW(GUEST_##seg##_ACCESS_RIGHTS, rights)
#define DATA RIGHTS(ACCESS_RIGHTS_S | 3)
#define CODE RIGHTS(ACCESS_RIGHTS_S | 11)
#define LDT  RIGHTS(2)
#define TSS  RIGHTS(11)

/* From the manual, not from spec/reset.h. */
static const struct field_row registers[] = {
	ROW(GUEST_RIP, 0xfff0),
	ROW(GUEST_RSP, 0),
	ROW(GUEST_RFLAGS, 2),
	ROW(GUEST_DR7, 0x400),
	ROW(GUEST_IA32_PAT, 0x0007040600070406),
	ROW(GUEST_IA32_EFER, 0),
	ROW(GUEST_CR3, 0),
	ROW(CR0_READ_SHADOW, 0x60000010),
	ROW(CR4_READ_SHADOW, 0),
	ROW(GUEST_GDTR_BASE, 0),
	ROW(GUEST_GDTR_LIMIT, 0xffff),
	ROW(GUEST_IDTR_BASE, 0),
	ROW(GUEST_IDTR_LIMIT, 0xffff),
};
static const struct field_row segments[] = {
	ROW(GUEST_CS_SELECTOR, 0xf000),
	ROW(GUEST_CS_BASE, 0xffff0000),
	SEGMENT(CS, CODE),
	SEGMENT(SS, DATA),
	SEGMENT(DS, DATA),
	SEGMENT(ES, DATA),
	SEGMENT(FS, DATA),
	SEGMENT(GS, DATA),
	ROW(GUEST_SS_SELECTOR, 0),
	ROW(GUEST_DS_BASE, 0),
};
static const struct field_row system_segments[] = {
	SEGMENT(LDTR, LDT),
	SEGMENT(TR, TSS),
};
static const struct field_row other_state[] = {
	ROW(GUEST_ACTIVITY_STATE, 0),
	ROW(GUEST_INTERRUPTIBILITY_STATE, 0),
	ROW(GUEST_PENDING_DEBUG_EXCEPTIONS, 0),
	ROW(VMCS_LINK_POINTER, VMCS_NO_POINTER),
};

/* Writes the state and reads the current row's field. */
static outcome check_field(void)
{
	const struct field_row *row = TEST_ROW(struct field_row);
	uint64_t value;

	lab_vmcs();
	CHECK_ERROR(state_write_guest(&lab_vm(true)->vcpu), 0);
	value = vmread(row->field);
	return value == row->value ? OK
				   : test_mismatch(__LINE__, "%s is %#lx, not %#lx", row->row.name,
					     value, row->value);
}

SWEEP(state_write_guest, registers, RESET_TITLE,
	"registers, MSRs and tables are as a CPU has them after reset" CAUSE(
		"a field is missing or has another field's value; CR0 and CR4 go through "
		"vmx_set()"),
	registers, VTX)
{
	return check_field();
}

SWEEP(state_write_guest, segments, "SDM Checks on Guest Segment Registers",
	"code and data segments: 64 KiB, present, accessed; CS with its base just below 4 "
	"GiB" CAUSE("a limit, or access rights without P, S or the accessed bit"),
	segments, VTX)
{
	return check_field();
}

SWEEP(state_write_guest, system_segments, "SDM Checks on Guest Segment Registers",
	"LDTR is an LDT and TR a busy TSS, both present" CAUSE(
		"TR must be usable and busy (type 11), LDTR present or unusable, S clear in both"),
	system_segments, VTX)
{
	return check_field();
}

SWEEP(state_write_guest, other, "SDM Checks on Guest Non-Register State",
	"active, nothing blocked or pending, and a link pointer that points nowhere" CAUSE(
		"the VMCS link pointer must be all ones where there is no shadow VMCS"),
	other_state, VTX)
{
	return check_field();
}

/* Who hears of the first broken rule. */
struct first_broken {
	struct vmx_check_listener listener;
	const struct vmx_check *check;
	uint64_t value;
};

static void hear(struct vmx_check_listener *listener, const struct vmx_check *check,
	enum vmx_verdict verdict, const struct vmx_state *state)
{
	struct first_broken *first = (struct first_broken *)listener;

	if (verdict != VMX_BROKEN || check->optional || first->check)
		return;
	first->check = check;
	first->value = state->field[check->field];
}

/* Creates a whole vCPU and lets the explainer judge it. */
static outcome judge(bool stage2)
{
	static struct vmx_state state;
	struct first_broken first = { .listener = { hear } };
	struct vm *vm = lab_vm(stage2);

	lab_vmx_on();
	if (stage2 && stage2_init(&vm->stage2, backend->stage2_format))
		return test_error(__LINE__, "no memory for a table");
	CHECK_ERROR(vmx_vcpu_create(&vm->vcpu), 0);
	if (!stage2) /* entered in 64-bit mode, which guest_load() sets: paging is fixed to on */
		vmx_set(&vm->vcpu, REG_CR4, CR4_PAE);
	vmx_explain_read(&state);
	if (vmx_checks_run(&state, VMX_CHECK_ALL, &first.listener) == 0)
		return OK;
	return test_mismatch(__LINE__,
		"wanted: %s (\"%s\"); came: %s = %#lx, which breaks the rule", first.check->rule,
		vmx_check_title(first.check), vmcs_fields[first.check->field].name, first.value);
}

TEST(state_write_guest, explained, "SDM VM Entries",
	"of a whole vCPU the explainer finds no rule for VM entry broken" CAUSE(
		"the rule named is what VMLAUNCH would refuse"),
	OK, VTX)
{
	return judge(true);
}
