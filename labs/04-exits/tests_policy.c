/* Lab 4, what a guest gets: the same for both vendors, and tested without either's virtualization,
   on a back end that keeps registers in variables. */
#define TEST_FOLDER "lab4/"
#include "kernel/exit.h"
#include "kernel/vm.h"
#include "labs/script.h"
#include "labs/suite.h"
#include "runtime/hypercall.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define HIGH UINT64_C(0xdeadbeef00000000) /* bits that 32-bit results must not leave */

/* ---- guest_cpuid ---- */

#define CPUID_TITLE "SDM CPUID - CPU Identification"

/* Answers CPUID with these registers, whose upper halves hold something. */
static struct vcpu *answer_cpuid(uint32_t leaf, uint32_t subleaf)
{
	static const struct exit exit = { .kind = EXIT_CPUID, .len = 2 };
	struct vcpu *vcpu = script_vcpu();

	vcpu->gpr[GPR_RAX] = HIGH | leaf;
	vcpu->gpr[GPR_RCX] = HIGH | subleaf;
	vcpu->gpr[GPR_RBX] = vcpu->gpr[GPR_RDX] = HIGH;
	script_handle(vcpu, &exit, guest_cpuid);
	return vcpu;
}

static outcome compare(const struct vcpu *vcpu, struct cpuid id)
{
	CHECK_EQUAL(vcpu->gpr[GPR_RAX], id.eax);
	CHECK_EQUAL(vcpu->gpr[GPR_RBX], id.ebx);
	CHECK_EQUAL(vcpu->gpr[GPR_RCX], id.ecx);
	CHECK_EQUAL(vcpu->gpr[GPR_RDX], id.edx);
	return OK;
}

TEST(guest_cpuid, vendor, CPUID_TITLE,
	"leaf 0 is the CPU's own, in the low halves of four registers" CAUSE(
		"a result is in another register, or its upper half is not 0"),
	OK)
{
	return compare(answer_cpuid(CPUID_VENDOR, 0), cpuid(CPUID_VENDOR, 0));
}

TEST(guest_cpuid, subleaf, CPUID_TITLE,
	"ECX selects the subleaf" CAUSE(
		"the subleaf is not taken from the guest's ECX, or with its upper half"),
	OK)
{
	return compare(answer_cpuid(CPUID_XSAVE, 2), cpuid(CPUID_XSAVE, 2));
}

TEST(guest_cpuid, filtered, "kernel/guest_cpuid.c",
	"VMX and SVM are hidden, the hypervisor's bit is shown" CAUSE(
		"filter() is not called, or before the CPU's answer is in the registers"),
	OK)
{
	const struct vcpu *vcpu = answer_cpuid(CPUID_FEATURES, 0);

	CHECK_EQUAL(vcpu->gpr[GPR_RCX] & CPUID_1_ECX_VMX, 0);
	CHECK(vcpu->gpr[GPR_RCX] & CPUID_1_ECX_HYPERVISOR);
	vcpu = answer_cpuid(CPUID_EXT_FEATURES, 0);
	CHECK_EQUAL(vcpu->gpr[GPR_RCX] & CPUID_EXT_ECX_SVM, 0);
	return OK;
}

TEST(guest_cpuid, signature, "runtime/hypercall.h",
	"leaf 40000000h names this hypervisor" CAUSE(
		"filter() gets another leaf than the one that was asked for: it is in EAX before "
		"the answer"),
	OK)
{
	const struct vcpu *vcpu = answer_cpuid(CPUID_HYPERVISOR, 0);

	CHECK_EQUAL(vcpu->gpr[GPR_RAX], CPUID_HYPERVISOR);
	CHECK(memcmp(&vcpu->gpr[GPR_RBX], HYPERVISOR_SIGNATURE, 4) == 0);
	return OK;
}

TEST(guest_cpuid, advanced, "kernel/backend.h",
	"the guest goes on behind its CPUID" CAUSE(
		"backend->advance() is not called: the guest executes CPUID for ever"),
	OK)
{
	answer_cpuid(CPUID_VENDOR, 0);
	CHECK_EQUAL(script.advances, 1);
	return OK;
}

/* ---- guest_rdmsr ---- */

#define RDMSR_TITLE "SDM RDMSR - Read From Model Specific Register"

static struct vcpu *answer_rdmsr(uint64_t rcx)
{
	static const struct exit exit = { .kind = EXIT_RDMSR, .len = 2 };
	struct vcpu *vcpu = script_vcpu();

	script.reg[REG_EFER] = EFER_LME | EFER_LMA;
	script.reg[REG_PAT] = UINT64_C(0x0007040600070406);
	vcpu->gpr[GPR_RCX] = rcx;
	vcpu->gpr[GPR_RAX] = vcpu->gpr[GPR_RDX] = HIGH | 0x55;
	script_handle(vcpu, &exit, guest_rdmsr);
	return vcpu;
}

TEST(guest_rdmsr, low_half, RDMSR_TITLE,
	"EAX has bits 31:0, and RAX nothing above them" CAUSE("RAX gets all 64 bits of the value"),
	OK)
{
	CHECK_EQUAL(answer_rdmsr(MSR_IA32_PAT)->gpr[GPR_RAX], 0x00070406);
	return OK;
}

TEST(guest_rdmsr, high_half, RDMSR_TITLE,
	"EDX has bits 63:32, and RDX nothing above them" CAUSE(
		"the value is not shifted, or RDX keeps its upper half"),
	OK)
{
	CHECK_EQUAL(answer_rdmsr(MSR_IA32_PAT)->gpr[GPR_RDX], 0x00070406);
	CHECK_EQUAL(answer_rdmsr(MSR_IA32_EFER)->gpr[GPR_RDX], 0);
	return OK;
}

TEST(guest_rdmsr, number, RDMSR_TITLE,
	"the MSR's number is ECX, whatever RCX has above it" CAUSE(
		"the number is all of RCX, or comes from another register"),
	OK)
{
	CHECK_EQUAL(answer_rdmsr(HIGH | MSR_IA32_EFER)->gpr[GPR_RAX], EFER_LME | EFER_LMA);
	return OK;
}

TEST(guest_rdmsr, advanced, "kernel/backend.h",
	"the guest goes on behind its RDMSR" CAUSE("backend->advance() is not called"), OK)
{
	answer_rdmsr(MSR_IA32_EFER);
	CHECK_EQUAL(script.advances, 1);
	return OK;
}

TEST(guest_rdmsr, unknown, RDMSR_TITLE,
	"an MSR that the virtual CPU has not: #GP instead of a value, and the guest stays where it "
	"is" CAUSE("RIP is advanced although the instruction faults, or registers are written"),
	OK)
{
	const struct vcpu *vcpu = answer_rdmsr(0x7777);

	CHECK_EQUAL(script.advances, 0);
	CHECK_EQUAL(vcpu->gpr[GPR_RAX], HIGH | 0x55);
	CHECK_EQUAL(vcpu->gpr[GPR_RDX], HIGH | 0x55);
	return OK;
}

/* ---- check_cr0 ---- */

#define CR0_TITLE "SDM MOV - Move to/from Control Registers"

/* MOV to CR0 of 64-bit code, or with `cs` and these CR4 and EFER. True when it was carried out. */
static bool move_to_cr0(uint64_t old, uint64_t value, uint64_t cr4, uint64_t efer, uint64_t cs)
{
	static const struct exit exit = {
		.kind = EXIT_CR, .len = 3, .cr = { .number = 0, .write = true, .gpr = GPR_RDX }
	};
	struct vcpu *vcpu = script_vcpu();

	script.reg[REG_CR0] = old;
	script.reg[REG_CR4] = cr4;
	script.reg[REG_EFER] = efer;
	script.reg[REG_SEGMENT(SEG_CS, PART_ACCESS)] = cs;
	vcpu->gpr[GPR_RDX] = value;
	script_handle(vcpu, &exit, guest_cr_access);
	return script.advances == 1 && (uint32_t)script.reg[REG_CR0] == (uint32_t)value;
}

struct cr0_row {
	struct test_row row;
	uint64_t old, value, cr4, efer, cs;
	bool allowed;
};

#define LONG   EFER_LME | EFER_LMA
#define CODE64 BIT(13)
#define CODE32 BIT(14)
#define ON     (CR0_PE | CR0_ET | CR0_PG)
#define OFF    (CR0_PE | CR0_ET)

static const struct cr0_row allowed_rows[] = {
	{ { "TS", OK }, ON, ON | CR0_TS, CR4_PAE, LONG, CODE64, true },
	{ { "CD and NW", OK }, ON, ON | CR0_CD | CR0_NW, CR4_PAE, LONG, CODE64, true },
	{ { "CD alone", OK }, ON, ON | CR0_CD, CR4_PAE, LONG, CODE64, true },
	{ { "paging on, 32-bit", OK }, OFF, ON, 0, 0, CODE32, true },
	{ { "paging on, to IA-32e mode", OK }, OFF, ON, CR4_PAE, EFER_LME, CODE32, true },
	{ { "paging off in compatibility mode", OK }, ON, OFF, CR4_PAE, LONG, CODE32, true },
};
static const struct cr0_row combination_rows[] = {
	{ { "PG without PE", OK }, ON, CR0_PG | CR0_ET, CR4_PAE, LONG, CODE64, false },
	{ { "NW without CD", OK }, ON, ON | CR0_NW, CR4_PAE, LONG, CODE64, false },
	{ { "bit 32", OK }, ON, ON | BIT(32), CR4_PAE, LONG, CODE64, false },
	{ { "bit 63", OK }, ON, ON | BIT(63), CR4_PAE, LONG, CODE64, false },
};
static const struct cr0_row paging_rows[] = {
	{ { "LME without PAE", OK }, OFF, ON, 0, EFER_LME, CODE32, false },
	{ { "LME with CS.L", OK }, OFF, ON, CR4_PAE, EFER_LME, CODE64, false },
	{ { "off in 64-bit code", OK }, ON, OFF, CR4_PAE, LONG, CODE64, false },
	{ { "off with PCIDE", OK }, ON, OFF, CR4_PAE | CR4_PCIDE, LONG, CODE32, false },
};

static outcome check_row(void)
{
	const struct cr0_row *row = TEST_ROW(struct cr0_row);
	bool done = move_to_cr0(row->old, row->value, row->cr4, row->efer, row->cs);

	return done == row->allowed ? OK
				    : test_mismatch(__LINE__, "%s is %s, not %s", row->row.name,
					      done ? "allowed" : "refused",
					      row->allowed ? "allowed" : "refused");
}

SWEEP(check_cr0, allowed, CR0_TITLE,
	"what the manual allows is carried out" CAUSE(
		"a rule is too strict: some concern changes of PG only, that is old and new value"),
	allowed_rows)
{
	return check_row();
}

SWEEP(check_cr0, combinations, CR0_TITLE,
	"bits that do not go together, and the upper half: #GP" CAUSE(
		"PG needs PE, NW needs CD, bits 63:32 must be 0"),
	combination_rows)
{
	return check_row();
}

SWEEP(check_cr0, paging, CR0_TITLE,
	"turning paging on or off where IA-32e mode forbids it: #GP" CAUSE(
		"PG 0 to 1 with LME needs PAE and no 64-bit CS; PG 1 to 0 must not be in 64-bit "
		"code nor with "
		"PCIDE"),
	paging_rows)
{
	return check_row();
}

/* ---- vcpu_inject_exception ---- */

#define DF_TITLE "SDM Interrupt 8 - Double Fault Exception (#DF)"

static uint8_t vector_to_inject;
static uint32_t error_to_inject;

static void inject(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu_inject_exception(vcpu, vector_to_inject, error_to_inject);
}

/* Injects on top of what vcpu->inject holds. */
static void inject_into(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
	vector_to_inject = vector;
	error_to_inject = error;
	script_handle(vcpu, NULL, inject);
}

TEST(vcpu_inject_exception, queued, "kernel/backend.h",
	"the exception is delivered at the next entry" CAUSE(
		"vcpu->inject is not valid, or of another type or vector"),
	OK)
{
	struct vcpu *vcpu = script_vcpu();

	inject_into(vcpu, VECTOR_GP, 0x18);
	CHECK(vcpu->inject.valid);
	CHECK_EQUAL(vcpu->inject.type, EVENT_EXCEPTION);
	CHECK_EQUAL(vcpu->inject.vector, VECTOR_GP);
	CHECK(vcpu->inject.has_error);
	CHECK_EQUAL(vcpu->inject.error, 0x18);
	return OK;
}

TEST(vcpu_inject_exception, no_error_code, "SDM Error Code",
	"#UD has no error code, and none has one in real mode" CAUSE(
		"VECTORS_WITH_ERROR_CODE and CR0.PE decide, both"),
	OK)
{
	struct vcpu *vcpu = script_vcpu();

	inject_into(vcpu, VECTOR_UD, 0);
	CHECK(!vcpu->inject.has_error);
	vcpu = script_vcpu();
	script.reg[REG_CR0] = CR0_ET;
	inject_into(vcpu, VECTOR_GP, 0);
	CHECK(!vcpu->inject.has_error);
	return OK;
}

TEST(vcpu_inject_exception, double_fault, DF_TITLE,
	"a contributory exception during another's delivery: #DF(0)" CAUSE(
		"makes_double_fault() is not asked, or the error code is not 0"),
	OK)
{
	struct vcpu *vcpu = script_vcpu();

	inject_into(vcpu, VECTOR_NP, 0x18);
	inject_into(vcpu, VECTOR_GP, 0x20);
	CHECK_EQUAL(vcpu->inject.vector, VECTOR_DF);
	CHECK(vcpu->inject.has_error);
	CHECK_EQUAL(vcpu->inject.error, 0);
	return OK;
}

TEST(vcpu_inject_exception, one_after_the_other, DF_TITLE,
	"others are handled one after the other: the second replaces the first" CAUSE(
		"every second exception becomes #DF; or an interrupt under delivery counts as a "
		"first one"),
	OK)
{
	struct vcpu *vcpu = script_vcpu();

	inject_into(vcpu, VECTOR_UD, 0);
	inject_into(vcpu, VECTOR_PF, 2);
	CHECK_EQUAL(vcpu->inject.vector, VECTOR_PF);
	vcpu->inject =
		(struct event){ .valid = true, .type = EVENT_INTERRUPT, .vector = VECTOR_GP };
	inject_into(vcpu, VECTOR_GP, 0);
	CHECK_EQUAL(vcpu->inject.vector, VECTOR_GP);
	return OK;
}

TEST(vcpu_inject_exception, triple_fault, DF_TITLE,
	"an exception during #DF's delivery ends the machine" CAUSE(
		"#DF under delivery is not looked at"),
	OK)
{
	struct vcpu *vcpu = script_vcpu();

	vcpu->inject =
		(struct event){ .valid = true, .type = EVENT_EXCEPTION, .vector = VECTOR_DF };
	vcpu->vm->state = VM_RUNNING;
	inject_into(vcpu, VECTOR_GP, 0);
	CHECK_EQUAL(vcpu->vm->state, VM_DIED);
	return OK;
}

TEST(vcpu_inject_exception, resume_flag, "SDM Resume Flag",
	"a fault is delivered with RFLAGS.RF set" CAUSE("vcpu_set_resume_flag() is not called"), OK)
{
	inject_into(script_vcpu(), VECTOR_GP, 0);
	CHECK(script.reg[REG_RFLAGS] & RFLAGS_RF);
	return OK;
}
