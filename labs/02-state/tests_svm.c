/* Lab 2 on AMD-V: what stands in the permission maps and in a VMCB after it was made, compared with
   the manual's demands; the explainer's opinion of all of it. Nothing is run. */
#define TEST_FOLDER "lab2/"
#include "kernel/stage2.h"
#include "kernel/svm/control.h"
#include "kernel/svm/explain.h"
#include "kernel/svm/permission.h"
#include "kernel/svm/state.h"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "labs/suite.h"
#include "runtime/page_alloc.h"
#include "runtime/x86.h"

#define AMDV .needs = NEEDS(&lab_needs_amdv)

/* ---- pass_msr ---- */

#define MSR_CITATION "APM MSR Intercepts"

/* The two bits of an MSR in the map, written from the manual's table of ranges. */
static unsigned int msr_bits(const uint8_t *map, uint32_t msr)
{
	uint32_t offset = msr < 0x2000                          ? 0
			  : msr - 0xc0000000 < 0x2000           ? 0x800
			  : msr - UINT32_C(0xc0010000) < 0x2000 ? 0x1000
								: 0x1800;

	return map[offset + (msr & 0x1fff) / 4] >> (msr & 3) * 2 & 3;
}

struct msr_row {
	struct test_row row;
	uint32_t msr;
	unsigned int bits;
};

static const struct msr_row passed_low[] = {
	{ { "IA32_SYSENTER_CS", OK }, MSR_IA32_SYSENTER_CS, 0 },
	{ { "IA32_SYSENTER_ESP", OK }, MSR_IA32_SYSENTER_ESP, 0 },
	{ { "IA32_SYSENTER_EIP", OK }, MSR_IA32_SYSENTER_EIP, 0 },
};
static const struct msr_row passed_high[] = {
	{ { "IA32_STAR", OK }, MSR_IA32_STAR, 0 },
	{ { "IA32_LSTAR", OK }, MSR_IA32_LSTAR, 0 },
	{ { "IA32_FMASK", OK }, MSR_IA32_FMASK, 0 },
	{ { "IA32_FS_BASE", OK }, MSR_IA32_FS_BASE, 0 },
	{ { "IA32_GS_BASE", OK }, MSR_IA32_GS_BASE, 0 },
	{ { "IA32_KERNEL_GS_BASE", OK }, MSR_IA32_KERNEL_GS_BASE, 0 },
};
static const struct msr_row closed[] = {
	{ { "IA32_TSC", OK }, MSR_IA32_TSC, 3 },
	{ { "IA32_EFER", OK }, MSR_IA32_EFER, 3 },
	{ { "IA32_PAT", OK }, MSR_IA32_PAT, 3 },
	{ { "VM_CR", OK }, MSR_AMD_VM_CR, 3 },
	{ { "VM_HSAVE_PA", OK }, MSR_AMD_VM_HSAVE_PA, 3 },
	{ { "IA32_SYSENTER_CS - 1", OK }, MSR_IA32_SYSENTER_CS - 1, 3 },
	{ { "IA32_STAR - 1", OK }, MSR_IA32_STAR - 1, 3 },
};

/* Fills the maps anew and looks at the current row's MSR. */
static outcome check_msr(void)
{
	const struct msr_row *row = TEST_ROW(struct msr_row);
	unsigned int bits;

	svm_permission_init();
	bits = msr_bits(svm_permission_msr(), row->msr);
	return bits == row->bits ? OK
				 : test_mismatch(__LINE__, "%s is %#x, not %#x", row->row.name,
					   bits, row->bits);
}

SWEEP(pass_msr, low_range, MSR_CITATION,
	"MSRs of the first range: both bits clear, reads and writes pass" CAUSE(
		"an MSR has two bits, so that four share a byte: byte MSR / 4, bits 2 * (MSR % 4) "
		"and up"),
	passed_low, AMDV)
{
	return check_msr();
}

SWEEP(pass_msr, high_range, MSR_CITATION,
	"MSRs from C0000000h on are the second range, 2 KiB into the map" CAUSE(
		"the range's first MSR is not subtracted, or its place in the map not added"),
	passed_high, AMDV)
{
	return check_msr();
}

SWEEP(pass_msr, others_closed, MSR_CITATION,
	"all others have both bits set: they exit" CAUSE("bits are cleared that are another MSR's"),
	closed, AMDV)
{
	return check_msr();
}

TEST(pass_msr, count, MSR_CITATION,
	"no bit of an MSR that is not named is clear" CAUSE(
		"more is cleared than the two bits of each MSR"),
	OK, AMDV)
{
	const uint8_t *map;
	unsigned int clear = 0;

	svm_permission_init();
	map = svm_permission_msr();
	for (unsigned int i = 0; i < MSRPM_BYTES * 8; i++)
		clear += !(map[i / 8] >> i % 8 & 1);
	CHECK_EQUAL(clear, 2 * 11); /* the MSRs in permission.c's table */
	return OK;
}

/* ---- pass_port ---- */

#define COM1       0x3f8
#define COM1_PORTS 8

static bool is_closed(const uint8_t *map, unsigned int port)
{
	return map[port / 8] >> port % 8 & 1;
}

TEST(pass_port, com1, "APM I/O Permissions Map",
	"the bits of COM1's eight ports are clear" CAUSE(
		"a port's bit is bit port % 8 of byte port / 8"),
	OK, AMDV)
{
	const uint8_t *map;

	svm_permission_init();
	map = svm_permission_io(false);
	for (unsigned int port = COM1; port < COM1 + COM1_PORTS; port++)
		if (is_closed(map, port))
			return test_mismatch(__LINE__, "bit of port %#x is 1, not 0", port);
	return OK;
}

TEST(pass_port, others_closed, "APM I/O Permissions Map",
	"the bits of all other ports are set" CAUSE(
		"a whole byte is written where one bit is to be cleared"),
	OK, AMDV)
{
	const uint8_t *map;

	svm_permission_init();
	map = svm_permission_io(false);
	for (unsigned int port = 0; port < IOPM_BYTES * 8; port++)
		if ((port < COM1 || port >= COM1 + COM1_PORTS) && !is_closed(map, port))
			return test_mismatch(__LINE__, "bit of port %#x is 0, not 1", port);
	return OK;
}

TEST(pass_port, own_map, "APM I/O Permissions Map",
	"the map of guests with nested paging has no clear bit" CAUSE(
		"the bit is cleared in another map than the one that was passed"),
	OK, AMDV)
{
	const uint8_t *map;

	svm_permission_init();
	map = svm_permission_io(true);
	for (unsigned int port = 0; port < IOPM_BYTES * 8; port++)
		if (!is_closed(map, port))
			return test_mismatch(__LINE__, "bit of port %#x is 0, not 1", port);
	return OK;
}

/* ---- svm_control_write ---- */

/* The page that the last call filled: always the same one. */
static struct svm_vmcb *write_control(bool stage2, uint64_t n_cr3)
{
	static struct svm_vmcb vmcb __aligned(4096);

	vmcb = (struct svm_vmcb){ .byte = { 0 } };
	svm_control_write(&vmcb, stage2, n_cr3);
	return &vmcb;
}

struct intercept_row {
	struct test_row row;
	uint16_t intercept;
	bool wanted;
};

#define INTERCEPT(name)                                                                            \
	{                                                                                          \
		{ #name, OK }, INTERCEPT_##name, true                                              \
	}
static const struct intercept_row host_intercepts[] = { INTERCEPT(INTR), INTERCEPT(NMI),
	INTERCEPT(SMI), INTERCEPT(INIT), INTERCEPT(SHUTDOWN), INTERCEPT(VINTR),
	{ { "#MC", OK }, INTERCEPT_EXCP + VECTOR_MC, true },
	{ { "#DB", OK }, INTERCEPT_EXCP + VECTOR_DB, true },
	{ { "#AC", OK }, INTERCEPT_EXCP + VECTOR_AC, true } };
static const struct intercept_row instruction_intercepts[] = { INTERCEPT(CPUID), INTERCEPT(HLT),
	INTERCEPT(IOIO), INTERCEPT(MSR), INTERCEPT(CR0_SEL_WRITE), INTERCEPT(XSETBV),
	INTERCEPT(VMMCALL), INTERCEPT(INVD), INTERCEPT(WBINVD), INTERCEPT(VMRUN), INTERCEPT(VMLOAD),
	INTERCEPT(VMSAVE), INTERCEPT(STGI), INTERCEPT(CLGI), INTERCEPT(MONITOR), INTERCEPT(MWAIT),
	INTERCEPT(RDPMC), { { "MOV to CR4", OK }, INTERCEPT_CR_WRITE + 4, true } };
static const struct intercept_row without[] = {
	{ { "#PF", OK }, INTERCEPT_EXCP + VECTOR_PF, false },
	{ { "#UD", OK }, INTERCEPT_EXCP + VECTOR_UD, false },
	{ { "MOV to CR3", OK }, INTERCEPT_CR_WRITE + 3, false },
	{ { "MOV from CR0", OK }, INTERCEPT_CR_READ + 0, false },
	{ { "RDTSC", OK }, INTERCEPT_RDTSC, false },
	{ { "INVLPG", OK }, INTERCEPT_INVLPG, false },
	{ { "PUSHF", OK }, INTERCEPT_PUSHF, false },
	{ { "IRET", OK }, INTERCEPT_IRET, false },
};

static outcome check_intercept(void)
{
	const struct intercept_row *row = TEST_ROW(struct intercept_row);
	const struct svm_vmcb *vmcb = write_control(true, PAGE_SIZE);
	bool is_set = vmcb->intercept[row->intercept / 32] >> row->intercept % 32 & 1;

	return is_set == row->wanted ? OK
				     : test_mismatch(__LINE__, "intercept of %s is %d, not %d",
					       row->row.name, is_set, row->wanted);
}

SWEEP(svm_control_write, host_events, "APM Intercept Operation",
	"what is the host's ends the run: interrupts, NMIs, machine checks, shutdown" CAUSE(
		"not all entries of the table are set, or in the wrong vector: bit N % 32 of "
		"vector N / 32"),
	host_intercepts, AMDV)
{
	return check_intercept();
}

SWEEP(svm_control_write, instructions, "APM Instruction Intercepts",
	"the instructions that the hypervisor answers; VMRUN's own intercept VMRUN demands" CAUSE(
		"not all entries of the table are set: without VMRUN's intercept VMRUN is "
		"VMEXIT_INVALID"),
	instruction_intercepts, AMDV)
{
	return check_intercept();
}

SWEEP(svm_control_write, no_others, "APM Intercept Operation",
	"what is not in the table does not exit" CAUSE(
		"whole vectors are set where single bits are meant"),
	without, AMDV)
{
	return check_intercept();
}

TEST(svm_control_write, maps, "APM MSR Intercepts",
	"the addresses of both permission maps" CAUSE(
		"IOPM_BASE_PA and MSRPM_BASE_PA have changed places, or one is missing: then every "
		"port or MSR "
		"is read from a map at address 0"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb = write_control(true, PAGE_SIZE);

	CHECK_EQUAL(vmcb->iopm_base_pa, svm_permission_io(true));
	CHECK_EQUAL(vmcb->msrpm_base_pa, svm_permission_msr());
	vmcb = write_control(false, 0);
	CHECK_EQUAL(vmcb->iopm_base_pa, svm_permission_io(false));
	CHECK_EQUAL(vmcb->msrpm_base_pa, svm_permission_msr());
	return OK;
}

TEST(svm_control_write, masking, "APM Virtualizing RFLAGS.IF",
	"V_INTR_MASKING: the guest's RFLAGS.IF holds back its own interrupts only" CAUSE(
		"without bit 24 of V_INTR a guest with interrupts off keeps the host's out, for "
		"good"),
	OK, AMDV)
{
	CHECK_EQUAL(write_control(true, PAGE_SIZE)->v_intr, V_INTR_MASKING);
	return OK;
}

TEST(svm_control_write, nested_paging, "APM Enabling Nested Paging",
	"with nested paging its enable bit and nCR3" CAUSE("NP_ENABLE or N_CR3 is missing"), OK,
	AMDV)
{
	const struct svm_vmcb *vmcb = write_control(true, 3 * PAGE_SIZE);

	CHECK_EQUAL(vmcb->nested_control, NESTED_NP_ENABLE);
	CHECK_EQUAL(vmcb->n_cr3, 3 * PAGE_SIZE);
	return OK;
}

TEST(svm_control_write, no_nested_paging, "APM Enabling Nested Paging",
	"without it neither" CAUSE("stage2 is not looked at"), OK, AMDV)
{
	CHECK_EQUAL(write_control(false, 0)->nested_control, 0);
	return OK;
}

/* ---- rights_of, attributes_of ---- */

#define SEGMENTS_TITLE "APM Segment State in the VMCB"

/* A vCPU with a VMCB of zeroes, made without the student's code. */
static struct vcpu *make_vcpu(bool stage2)
{
	static uint8_t pages[PAGE_SIZE << SVM_VCPU_ORDER] __aligned(4096);
	struct svm_vcpu *svm = (struct svm_vcpu *)pages;
	struct vm *vm = lab_vm(stage2);

	for (size_t i = 0; i < sizeof(pages); i++)
		pages[i] = 0;
	svm->flush = &svm->no_stage2_flush;
	vm->vcpu.svm = svm;
	return &vm->vcpu;
}

struct segment_row {
	struct test_row row;
	uint16_t attributes;
	uint32_t rights; /* bits 7:0, 15:12, 16 */
};

/* Both directions, from the two manuals' figures. */
static const struct segment_row usable[] = {
	{ { "64-bit code", OK }, 0x29b, 0x209b },
	{ { "32-bit code", OK }, 0xc9b, 0xc09b },
	{ { "16-bit data", OK }, 0x093, 0x0093 },
	{ { "data, DPL 3, AVL", OK }, 0xdf3, 0xd0f3 },
	{ { "busy TSS", OK }, 0x08b, 0x008b },
};
static const struct segment_row unusable[] = {
	{ { "null", OK }, 0x000, 0x10000 },
	{ { "not present", OK }, 0x013, 0x10013 },
};

static outcome check_rights(void)
{
	const struct segment_row *row = TEST_ROW(struct segment_row);
	struct vcpu *vcpu = make_vcpu(true);
	uint64_t rights;

	vcpu->svm->vmcb.segment[SVM_DS].attributes = row->attributes;
	rights = svm_get(vcpu, REG_SEGMENT(SEG_DS, PART_ACCESS));
	return rights == row->rights ? OK
				     : test_mismatch(__LINE__, "%s is %#lx, not %#x", row->row.name,
					       rights, row->rights);
}

SWEEP(rights_of, usable, SEGMENTS_TITLE,
	"bits 7:0 stay, bits 11:8 become bits 15:12" CAUSE(
		"AVL, L, D and G lie at 11:8 in the VMCB and at 15:12 in the neutral form"),
	usable, AMDV)
{
	return check_rights();
}

SWEEP(rights_of, unusable, SEGMENTS_TITLE,
	"a segment that is not present is marked unusable: bit 16" CAUSE(
		"SVM_SEGMENT_P is not looked at"),
	unusable, AMDV)
{
	return check_rights();
}

TEST(rights_of, reserved, SEGMENTS_TITLE,
	"bits 15:12 of the attributes are reserved and lead to nothing" CAUSE(
		"more than SVM_SEGMENT_HIGH is shifted"),
	OK, AMDV)
{
	struct vcpu *vcpu = make_vcpu(true);

	vcpu->svm->vmcb.segment[SVM_DS].attributes = 0xf093;
	CHECK_EQUAL(svm_get(vcpu, REG_SEGMENT(SEG_DS, PART_ACCESS)), 0x93);
	return OK;
}

static outcome check_attributes(void)
{
	const struct segment_row *row = TEST_ROW(struct segment_row);
	struct vcpu *vcpu = make_vcpu(true);
	uint16_t attributes;

	svm_set(vcpu, REG_SEGMENT(SEG_DS, PART_ACCESS), row->rights);
	attributes = vcpu->svm->vmcb.segment[SVM_DS].attributes;
	return attributes == row->attributes ? OK
					     : test_mismatch(__LINE__, "%s is %#x, not %#x",
						       row->row.name, attributes, row->attributes);
}

SWEEP(attributes_of, usable, SEGMENTS_TITLE,
	"bits 7:0 stay, bits 15:12 become bits 11:8" CAUSE(
		"AVL, L, D and G lie at 11:8 in the VMCB and at 15:12 in the neutral form"),
	usable, AMDV)
{
	return check_attributes();
}

TEST(attributes_of, unusable, SEGMENTS_TITLE,
	"an unusable segment has no attributes at all, P least of all" CAUSE(
		"bit 16 is not looked at: for AMD-V a segment that cannot be used is one that is "
		"not present"),
	OK, AMDV)
{
	struct vcpu *vcpu = make_vcpu(true);

	svm_set(vcpu, REG_SEGMENT(SEG_DS, PART_ACCESS), 0x10093);
	CHECK_EQUAL(vcpu->svm->vmcb.segment[SVM_DS].attributes, 0);
	return OK;
}

TEST(attributes_of, ignored, SEGMENTS_TITLE,
	"bits 11:8 of the neutral form lead to nothing" CAUSE(
		"the high bits are not masked before they are shifted"),
	OK, AMDV)
{
	struct vcpu *vcpu = make_vcpu(true);

	svm_set(vcpu, REG_SEGMENT(SEG_DS, PART_ACCESS), 0xf93);
	CHECK_EQUAL(vcpu->svm->vmcb.segment[SVM_DS].attributes, 0x93);
	return OK;
}

/* ---- svm_state_write_guest ---- */

#define RESET_TITLE "APM Processor Initialization State"

struct field_row {
	struct test_row row;
	uint8_t field; /* enum svm_vmcb_index */
	uint64_t value;
};

#define ROW(name, value)                                                                           \
	{                                                                                          \
		{ #name, OK }, VMCB_##name, value                                                  \
	}
#define SEGMENT(seg, attributes) ROW(seg##_LIMIT, 0xffff), ROW(seg##_ATTRIBUTES, attributes)

/* From the manual, not from spec/reset.h. */
static const struct field_row registers[] = {
	ROW(RIP, 0xfff0),
	ROW(RSP, 0),
	ROW(RFLAGS, 2),
	ROW(DR6, 0xffff0ff0),
	ROW(DR7, 0x400),
	ROW(G_PAT, 0x0007040600070406),
	ROW(CR3, 0),
	ROW(CR4, 0),
	ROW(GDTR_BASE, 0),
	ROW(GDTR_LIMIT, 0xffff),
	ROW(IDTR_BASE, 0),
	ROW(IDTR_LIMIT, 0xffff),
	ROW(CPL, 0),
};
static const struct field_row segment_fields[] = {
	ROW(CS_SELECTOR, 0xf000),
	ROW(CS_BASE, 0xffff0000),
	SEGMENT(CS, 0x9b),
	SEGMENT(SS, 0x93),
	SEGMENT(DS, 0x93),
	SEGMENT(ES, 0x93),
	SEGMENT(FS, 0x93),
	SEGMENT(GS, 0x93),
	SEGMENT(LDTR, 0x82),
	SEGMENT(TR, 0x8b),
};

static outcome check_field(void)
{
	const struct field_row *row = TEST_ROW(struct field_row);
	struct vcpu *vcpu = make_vcpu(true);
	uint64_t value;

	svm_state_write_guest(vcpu);
	value = svm_vmcb_read(&vcpu->svm->vmcb, row->field);
	return value == row->value ? OK
				   : test_mismatch(__LINE__, "%s is %#lx, not %#lx", row->row.name,
					     value, row->value);
}

SWEEP(svm_state_write_guest, registers, RESET_TITLE,
	"registers and tables are as a CPU has them after reset" CAUSE(
		"a field is missing or has another field's value; RFLAGS bit 1 is always 1"),
	registers, AMDV)
{
	return check_field();
}

SWEEP(svm_state_write_guest, segments, RESET_TITLE,
	"segments: 64 KiB, present, accessed; CS with its base just below 4 GiB; an LDT and a busy "
	"TSS" CAUSE("a limit, or attributes without P, S or the accessed bit"),
	segment_fields, AMDV)
{
	return check_field();
}

TEST(svm_state_write_guest, svme, "APM Canonicalization and Consistency Checks",
	"EFER has SVME in the VMCB, which VMRUN demands, and the guest does not see it" CAUSE(
		"EFER is written directly, not through svm_set()"),
	OK, AMDV)
{
	struct vcpu *vcpu = make_vcpu(true);

	svm_state_write_guest(vcpu);
	CHECK_EQUAL(vcpu->svm->vmcb.efer, EFER_SVME);
	CHECK_EQUAL(svm_get(vcpu, REG_EFER), 0);
	return OK;
}

TEST(svm_state_write_guest, cr0, RESET_TITLE,
	"the guest reads CR0 as after reset, caches off; the hardware runs with caches on" CAUSE(
		"CR0 is written directly, not through svm_set()"),
	OK, AMDV)
{
	struct vcpu *vcpu = make_vcpu(true);

	svm_state_write_guest(vcpu);
	CHECK_EQUAL(svm_get(vcpu, REG_CR0), CR0_CD | CR0_NW | CR0_ET);
	CHECK_EQUAL(vcpu->svm->vmcb.cr0, CR0_ET);
	return OK;
}

TEST(svm_state_write_guest, explained, "APM Canonicalization and Consistency Checks",
	"of a whole vCPU the explainer finds no rule for VMRUN broken" CAUSE(
		"the rule named is what VMRUN would refuse"),
	OK, AMDV)
{
	static struct svm_state state;
	struct vm *vm = lab_vm(true);
	unsigned int broken;

	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SVME);
	if (stage2_init(&vm->stage2, backend->stage2_format))
		return test_error(__LINE__, "no memory for a table");
	CHECK_ERROR(svm_vcpu_create(&vm->vcpu), 0);
	vm->vcpu.svm->vmcb.guest_asid = 1;
	svm_explain_read(&state, &vm->vcpu);
	broken = svm_check_next(&state, 0);
	if (broken == SVM_CHECKS)
		return OK;
	return test_mismatch(__LINE__,
		"wanted: %s (\"%s\"); came: %s = %#lx, which breaks the rule",
		svm_checks[broken].rule, svm_check_section(&svm_checks[broken]),
		svm_vmcb_fields[svm_checks[broken].field[0]].name,
		svm_vmcb_read(&state.vmcb, svm_checks[broken].field[0]));
}
