/* VMREAD and VMWRITE in a guest with VMCS shadowing, field by field (Intel SDM, "VMCS Shadowing
   Bitmap Addresses", "VMREAD", "VMWRITE", "Instructions That Cause VM Exits Conditionally"). */
#define TEST_FOLDER "shadow/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/shadow/shadow.h"

#define NEEDS_SHADOW NEEDS(&need_PROC2_VMCS_SHADOWING)
#define COVERS                                                                                     \
	"control:PROC2_VMCS_SHADOWING field:VMREAD_BITMAP_ADDRESS field:VMWRITE_BITMAP_ADDRESS"
#define ENDS    EXIT(EXIT_REASON_VMCALL)
#define WRITTEN 0x30cc /* fits each field; some CPUs do not keep bits 11:8 of access rights */

/* Does the CPU have the field, and may VMWRITE write it? */
static bool is_writable(const struct vmcs_field *field)
{
	return field->area != AREA_READONLY ||
	       (rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_VMWRITE_ANY_FIELD);
}

TEST(fields, read, "SDM VMREAD",
	"a VMREAD whose bit in the bitmap is 0 reads the shadow VMCS: each field", OK,
	.needs = NEEDS_SHADOW, .covers = COVERS " insn:VMREAD")
{
	uint64_t value, wanted;
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;

		guest_reset();
		if (!field_exists(encoding) || !is_writable(&vmcs_fields[i]))
			continue;
		shadow_use(encoding);
		shadow_write(encoding, 0x5a5a);
		wanted = shadow_read(encoding);
		if (shadow_guest_vmread(encoding, &value) != ENDS || shadow_flags != 0)
			return test_mismatch(
				__LINE__, "VMREAD of %s failed in the guest", vmcs_fields[i].name);
		CHECK_EQUAL(value, wanted);
	}
	return OK;
}

TEST(fields, read_exits, "SDM Instructions That Cause VM Exits Conditionally",
	"a VMREAD whose bit in the bitmap is 1 exits: each field, its bit alone", OK,
	.needs = NEEDS_SHADOW, .covers = COVERS " exit:VMREAD")
{
	uint64_t value;
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;

		guest_reset();
		shadow_use(encoding);
		memset(shadow_vmread_bitmap, 0, sizeof(shadow_vmread_bitmap));
		shadow_vmread_bitmap[encoding / 8] = (uint8_t)(1 << encoding % 8);
		CHECK_EQUAL(shadow_guest_vmread(encoding, &value), EXIT(EXIT_REASON_VMREAD));
	}
	return OK;
}

TEST(fields, write, "SDM VMWRITE",
	"a VMWRITE whose bit in the bitmap is 0 writes the shadow VMCS: each writable field", OK,
	.needs = NEEDS_SHADOW, .covers = COVERS " insn:VMWRITE")
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;
		uint64_t before;

		guest_reset();
		if (!field_exists(encoding) || !is_writable(&vmcs_fields[i]))
			continue;
		before = field_read(encoding);
		shadow_use(encoding);
		shadow_write(encoding, 0);
		if (shadow_guest_vmwrite(encoding, WRITTEN) != ENDS || shadow_flags != 0)
			return test_mismatch(
				__LINE__, "VMWRITE of %s failed in the guest", vmcs_fields[i].name);
		CHECK_EQUAL(shadow_read(encoding), WRITTEN);
		/* The ordinary VMCS keeps its own; HOST_RSP and HOST_RIP change with each entry. */
		if (vmcs_fields[i].area == AREA_HOST && encoding != VMCS_HOST_RSP &&
			encoding != VMCS_HOST_RIP)
			CHECK_EQUAL(field_read(encoding), before);
	}
	return OK;
}

TEST(fields, write_exits, "SDM Instructions That Cause VM Exits Conditionally",
	"a VMWRITE whose bit in the bitmap is 1 exits: each field, its bit alone", OK,
	.needs = NEEDS_SHADOW, .covers = COVERS " exit:VMWRITE")
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;

		guest_reset();
		shadow_use(encoding);
		memset(shadow_vmwrite_bitmap, 0, sizeof(shadow_vmwrite_bitmap));
		shadow_vmwrite_bitmap[encoding / 8] = (uint8_t)(1 << encoding % 8);
		CHECK_EQUAL(shadow_guest_vmwrite(encoding, 0), EXIT(EXIT_REASON_VMWRITE));
	}
	return OK;
}

struct encoding_row {
	struct test_row row;
	uint64_t encoding;
};

static const struct encoding_row beyond[] = {
	{ { "bit 15", EXIT(EXIT_REASON_VMREAD) }, VMCS_GUEST_RIP | BIT(15) },
	{ { "bit 31", EXIT(EXIT_REASON_VMREAD) }, VMCS_GUEST_RIP | BIT(31) },
	{ { "bit 32", EXIT(EXIT_REASON_VMREAD) }, VMCS_GUEST_RIP | BIT(32) },
	{ { "bit 63", EXIT(EXIT_REASON_VMREAD) }, VMCS_GUEST_RIP | BIT(63) },
};

SWEEP(fields, encoding_beyond, "SDM Instructions That Cause VM Exits Conditionally",
	"an encoding with any of bits 63:15 set exits, whatever the bitmap says", beyond,
	.needs = NEEDS_SHADOW, .covers = COVERS)
{
	uint64_t value;

	guest_reset();
	shadow_use(VMCS_GUEST_RIP);
	memset(shadow_vmread_bitmap, 0, sizeof(shadow_vmread_bitmap));
	return shadow_guest_vmread(TEST_ROW(struct encoding_row)->encoding, &value);
}

TEST(fields, off, "SDM Instructions That Cause VM Exits Conditionally",
	"without VMCS shadowing VMREAD exits, whatever the bitmap says", EXIT(EXIT_REASON_VMREAD),
	.needs = NEEDS_SHADOW, .covers = COVERS)
{
	uint64_t value;

	shadow_use(VMCS_GUEST_RIP);
	field_clear(VMCS_PROC2_CONTROLS, PROC2_VMCS_SHADOWING);
	field_write(VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER);
	return shadow_guest_vmread(VMCS_GUEST_RIP, &value);
}

TEST(fields, no_link_read, "SDM VMREAD",
	"with a link pointer of all ones a shadowed VMREAD is VMfailInvalid", ENDS,
	.needs = NEEDS_SHADOW, .covers = COVERS)
{
	uint64_t value;
	outcome result;

	shadow_use(VMCS_GUEST_RIP);
	field_write(VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER);
	result = shadow_guest_vmread(VMCS_GUEST_RIP, &value);
	CHECK_EQUAL(shadow_flags, RFLAGS_CF);
	return result;
}

TEST(fields, no_link_write, "SDM VMWRITE",
	"with a link pointer of all ones a shadowed VMWRITE is VMfailInvalid", ENDS,
	.needs = NEEDS_SHADOW, .covers = COVERS)
{
	outcome result;

	shadow_use(VMCS_GUEST_RIP);
	field_write(VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER);
	result = shadow_guest_vmwrite(VMCS_GUEST_RIP, 1);
	CHECK_EQUAL(shadow_flags, RFLAGS_CF);
	return result;
}

#define UNSUPPORTED UINT64_C(0x7ffe) /* natural width, host area, the last index: no such field */

TEST(fields, unsupported_read, "SDM VMREAD", "a shadowed VMREAD of no field is VMfailValid", ENDS,
	.needs = NEEDS_SHADOW, .covers = COVERS "")
{
	uint64_t value;
	outcome result;

	shadow_use(UNSUPPORTED);
	result = shadow_guest_vmread(UNSUPPORTED, &value);
	CHECK_EQUAL(shadow_flags, RFLAGS_ZF);
	return result;
}
