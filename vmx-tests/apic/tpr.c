/* The TPR shadow: CR8 and the virtual TPR (Intel SDM, "Virtualizing CR8-Based TPR Accesses",
   "TPR Virtualization"). Accesses through memory are access.c's. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"

#define ENDS EXIT(EXIT_REASON_VMCALL)

TEST(tpr, read, "SDM Virtualizing CR8-Based TPR Accesses", "MOV from CR8 reads bits 7:4 of VTPR",
	ENDS, .needs = NEEDS(&need_PROC_TPR_SHADOW),
	.covers = "control:PROC_TPR_SHADOW field:VIRTUAL_APIC_ADDRESS")
{
	uint64_t value;
	outcome result;

	apic_use_tpr_shadow();
	apic_put(APIC_REG_TPR, 0x5f);
	result = apic_guest_cr8_read(&value);
	CHECK_EQUAL(value, 5);
	return result;
}

TEST(tpr, write, "SDM Virtualizing CR8-Based TPR Accesses",
	"MOV to CR8 writes bits 7:4 of VTPR and clears the rest of it", ENDS,
	.needs = NEEDS(&need_PROC_TPR_SHADOW), .covers = "control:PROC_TPR_SHADOW")
{
	outcome result;

	apic_use_tpr_shadow();
	apic_put(APIC_REG_TPR, 0xffffffff);
	result = apic_guest_cr8_write(0xa);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), 0xa0);
	return result;
}

TEST(tpr, write_reserved, "SDM MOV-Move to/from Control Registers",
	"a reserved bit of CR8 faults, shadow or not", FAULT(GP),
	.needs = NEEDS(&need_PROC_TPR_SHADOW))
{
	apic_use_tpr_shadow();
	return apic_guest_cr8_write(0x10);
}

TEST(tpr, off, "SDM Virtualizing CR8-Based TPR Accesses", "without the shadow CR8 is the CPU's own",
	ENDS, .needs = NEEDS(&need_clear_PROC_TPR_SHADOW, &need_clear_PROC_CR8_STORE_EXITING),
	.covers = "control:PROC_TPR_SHADOW")
{
	uint64_t value;
	outcome result;

	apic_use_tpr_shadow();
	field_clear(VMCS_PROC_CONTROLS, PROC_TPR_SHADOW);
	apic_put(APIC_REG_TPR, 0x50);
	result = apic_guest_cr8_read(&value);
	CHECK_EQUAL(value, read_cr8());
	return result;
}

struct threshold_row {
	struct test_row row;
	uint64_t cr8, threshold;
};

static const struct threshold_row thresholds[] = {
	{ { "above", ENDS }, 6, 5 },
	{ { "equal", ENDS }, 5, 5 },
	{ { "below", EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD) }, 4, 5 },
	{ { "lowest above none", ENDS }, 0, 0 },
	{ { "highest threshold", EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD) }, 14, 15 },
	{ { "highest equal", ENDS }, 15, 15 },
};

SWEEP(tpr, threshold, "SDM TPR Virtualization",
	"a MOV to CR8 that takes VTPR below the threshold exits after it", thresholds,
	.needs = NEEDS(&need_PROC_TPR_SHADOW),
	.covers = "exit:TPR_BELOW_THRESHOLD field:TPR_THRESHOLD")
{
	const struct threshold_row *row = TEST_ROW(struct threshold_row);
	outcome result;

	guest_reset();
	apic_use_tpr_shadow();
	apic_put(APIC_REG_TPR, 0xf0); /* as the entry's check asks */
	field_write(VMCS_TPR_THRESHOLD, row->threshold);
	result = apic_guest_cr8_write(row->cr8);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), row->cr8 << 4);
	return result;
}

TEST(tpr, threshold_is_a_trap, "SDM TPR Virtualization", "RIP in the VMCS is behind the MOV to CR8",
	EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD), .needs = NEEDS(&need_PROC_TPR_SHADOW),
	.covers = "exit:TPR_BELOW_THRESHOLD")
{
	uint64_t start;
	outcome result;

	apic_use_tpr_shadow();
	apic_put(APIC_REG_TPR, 0xf0);
	field_write(VMCS_TPR_THRESHOLD, 5);
	result = apic_guest_cr8_write(0);
	start = field_read(VMCS_GUEST_RIP);
	CHECK_EQUAL(*(const uint8_t *)(uintptr_t)start, 0x0f); /* VMCALL's first byte */
	CHECK_EQUAL(((const uint8_t *)(uintptr_t)start)[1], 0x01);
	return result;
}

TEST(tpr, threshold_at_entry, "SDM VM Exits Induced by the TPR Threshold",
	"with APIC accesses virtualized an entry with VTPR below the threshold exits at once",
	EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD),
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES),
	.covers = "exit:TPR_BELOW_THRESHOLD")
{
	outcome result;

	apic_use_access_page();
	apic_put(APIC_REG_TPR, 0x40);
	field_write(VMCS_TPR_THRESHOLD, 5);
	result = apic_guest_cr8_write(0xf);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), 0x40); /* the guest did not run */
	return result;
}

TEST(tpr, load_exiting, "SDM Exit Qualification for Control-Register Accesses",
	"CR8-load exiting comes before the shadow", EXIT(EXIT_REASON_CR_ACCESS),
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_CR8_LOAD_EXITING),
	.covers = "control:PROC_CR8_LOAD_EXITING",
	VALUES({ VMCS_EXIT_QUALIFICATION,
		8 | FIELD_PUT(CR_ACCESS_MOV_TO, CR_ACCESS_TYPE) | FIELD_PUT(RAX, CR_ACCESS_GPR) }))
{
	outcome result;

	apic_use_tpr_shadow();
	field_set(VMCS_PROC_CONTROLS, PROC_CR8_LOAD_EXITING);
	result = apic_guest_cr8_write(0xa);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), 0);
	return result;
}

TEST(tpr, store_exiting, "SDM Exit Qualification for Control-Register Accesses",
	"CR8-store exiting comes before the shadow", EXIT(EXIT_REASON_CR_ACCESS),
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_CR8_STORE_EXITING),
	.covers = "control:PROC_CR8_STORE_EXITING",
	VALUES({ VMCS_EXIT_QUALIFICATION, 8 | FIELD_PUT(CR_ACCESS_MOV_FROM, CR_ACCESS_TYPE) |
						  FIELD_PUT(RAX, CR_ACCESS_GPR) }))
{
	uint64_t value;

	apic_use_tpr_shadow();
	field_set(VMCS_PROC_CONTROLS, PROC_CR8_STORE_EXITING);
	return apic_guest_cr8_read(&value);
}
