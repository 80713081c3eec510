/* Every field of the VMCS (Intel SDM, appendix "Field Encoding in VMCS", and "VMREAD, VMWRITE, and
   Encodings of VMCS Fields"): that it exists where the capabilities say so, and keeps what is
   written. */
#define TEST_FOLDER "vmcs/"
#include "vmx-tests/vmcs/field.h"

#include "spec/cpuid.h"

#define COVERS .covers = "field:*"

const struct field_row field_rows[FIELD_ROWS] = {
#define FIELD(name, encoding, width, area, citation) { { #name, OK }, FIELD_##name },
#include "spec/vmx_fields.def"
#undef FIELD
};

const struct vmcs_field *field_of_row(void)
{
	return &vmcs_fields[TEST_ROW(struct field_row)->index];
}

/* EPTP switching needs its bit in IA32_VMX_VMFUNC, too, and the extended instruction information
 * needs APX. */
static bool is_offered_specially(enum vmcs_index index, bool *offered)
{
	if (index == FIELD_EXTENDED_INSTRUCTION_INFORMATION)
		*offered = cpuid(CPUID_VENDOR, 0).eax >= CPUID_STRUCTURED &&
			   cpuid(CPUID_STRUCTURED, 0).eax >= 1 &&
			   (cpuid(CPUID_STRUCTURED, 1).edx & BIT(21));
	else if (index == FIELD_EPTP_LIST_ADDRESS)
		*offered = vmx_capability(MSR_IA32_VMX_VMFUNC) & VMX_VMFUNC_EPTP_SWITCHING;
	else
		return false;
	return true;
}

bool field_is_offered(enum vmcs_index index)
{
	bool conditional = false, offered;
	unsigned int i;

	if (is_offered_specially(index, &offered))
		return offered;
	for (i = 0; i < VMCS_EXISTENCES; i++) {
		const struct vmx_control *control = &vmx_controls[vmcs_existences[i].control];

		if (vmcs_existences[i].field != index)
			continue;
		conditional = true;
		if (vmx_may_set(control->word, BIT(control->bit)))
			return true;
	}
	return !conditional;
}

static bool accepts_vmwrite(enum vmcs_index index)
{
	return vmcs_fields[index].area != AREA_READONLY ||
	       (rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_VMWRITE_ANY_FIELD);
}

bool field_is_writable(enum vmcs_index index)
{
	return field_is_offered(index) && accepts_vmwrite(index);
}

/* "CR3-Target Controls": IA32_VMX_MISC says how many of these a CPU supports; whether it has the
   fields of the others is left open. */
static bool is_left_open(enum vmcs_index index)
{
	return index >= FIELD_CR3_TARGET_VALUE_0 && index <= FIELD_CR3_TARGET_VALUE_3 &&
	       index - FIELD_CR3_TARGET_VALUE_0 >=
		       FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_CR3_TARGETS);
}

/* Read once, and not observed: what comes of it is `exists`'s. */
static bool is_there(enum vmcs_index index)
{
	static bool known, there[VMCS_FIELDS];
	uint64_t value;
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS && !known; i++)
		there[i] = VMX_INSTRUCTION("vmread %1, (%2)",
				   "r"((uint64_t)vmcs_fields[i].encoding), "r"(&value)) == OK;
	known = true;
	return there[index];
}

bool field_is_usable(enum vmcs_index index)
{
	return field_is_writable(index) && is_there(index);
}

uint64_t field_bits(enum vmcs_index index)
{
	uint16_t encoding = vmcs_fields[index].encoding;

	if (encoding >= VMCS_GUEST_ES_ACCESS_RIGHTS && encoding <= VMCS_GUEST_TR_ACCESS_RIGHTS)
		return BITS(31, 0) & ~ACCESS_RIGHTS_RESERVED;
	switch (vmcs_fields[index].width) {
	case WIDTH_16:
		return BITS(15, 0);
	case WIDTH_32:
		return BITS(31, 0);
	default:
		return UINT64_MAX;
	}
}

SWEEP(field, exists, "SDM Field Encoding in VMCS",
	"a field can be read where the capabilities offer it, and is unsupported elsewhere",
	field_rows, .covers = "field:* error:UNSUPPORTED_COMPONENT")
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	uint64_t value;
	outcome result = test_observe(vmread(field_of_row()->encoding, &value));

	if (!is_left_open(index))
		CHECK_EQUAL(result,
			field_is_offered(index) ? OK : FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT));
	return OK;
}

/* VM-exit information fields are vmwrite_exit_information's. */
SWEEP(field, vmwrite, "SDM VMWRITE",
	"a field can be written where it can be read, but for VM-exit information", field_rows,
	.covers = "field:* error:UNSUPPORTED_COMPONENT error:VMWRITE_READ_ONLY")
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	outcome result = test_observe(vmwrite(field_of_row()->encoding, 0)), expected = OK;

	if (!is_there(index))
		expected = FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT);
	else if (!accepts_vmwrite(index))
		expected = FAIL_VALID(VMX_ERROR_VMWRITE_READ_ONLY);
	CHECK_EQUAL(result, expected);
	return OK;
}

static const uint64_t patterns[] = { 0, UINT64_MAX, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa,
	0x0123456789abcdef, 0xfedcba9876543210, 1 };

SWEEP(field, round_trip, "SDM VMWRITE", "a field holds what was written to it", field_rows, COVERS)
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	uint16_t encoding = field_of_row()->encoding;
	uint64_t bits = field_bits(index);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(patterns) && field_is_usable(index); i++) {
		field_write(encoding, patterns[i] & bits);
		CHECK_EQUAL(field_read(encoding), patterns[i] & bits);
	}
	return OK;
}

SWEEP(field, each_bit, "SDM VMWRITE", "each bit of a field is kept by itself", field_rows, COVERS)
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	uint16_t encoding = field_of_row()->encoding;
	uint64_t bits = field_bits(index);
	unsigned int bit;

	for (bit = 0; bit < 64 && field_is_usable(index); bit++) {
		if (!(bits & BIT(bit)))
			continue;
		field_write(encoding, BIT(bit));
		CHECK_EQUAL(field_read(encoding), BIT(bit));
	}
	return OK;
}

SWEEP(field, truncation, "SDM VMWRITE",
	"bits above a field's width are ignored when written, and 0 when read", field_rows, COVERS)
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	uint16_t encoding = field_of_row()->encoding;
	uint64_t bits = field_bits(index);

	if (!field_is_usable(index) || bits == UINT64_MAX)
		return OK;
	if (bits == BITS(15, 0) || bits == BITS(31, 0)) {
		field_write(encoding, ~bits);
		CHECK_EQUAL(field_read(encoding), 0);
		field_write(encoding, UINT64_MAX);
	} else {
		field_write(encoding, BITS(63, 32) | bits);
	}
	CHECK_EQUAL(field_read(encoding), bits);
	return OK;
}

SWEEP(field, high_half, "SDM VMREAD, VMWRITE, and Encodings of VMCS Fields",
	"a 64-bit field's high half, by the odd encoding, is bits 63:32, and no other field has "
	"one",
	field_rows, COVERS)
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	uint16_t encoding = field_of_row()->encoding;
	bool has_high = is_there(index) && field_of_row()->width == WIDTH_64;
	uint64_t value;

	CHECK_EQUAL(test_observe(vmread(encoding | ENCODING_HIGH, &value)),
		has_high ? OK : FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT));
	if (!has_high || !field_is_usable(index))
		return OK;
	field_write(encoding, 0x1122334455667788);
	CHECK_EQUAL(field_read(encoding | ENCODING_HIGH), 0x11223344);
	field_write(encoding | ENCODING_HIGH, 0xffffffff99aabbcc);
	CHECK_EQUAL(field_read(encoding), 0x99aabbcc55667788);
	field_write(encoding, 0);
	CHECK_EQUAL(field_read(encoding | ENCODING_HIGH), 0);
	return OK;
}

/* One at a time each field gets a value of its own; then all are read: no two share a place. */
TEST(field, independent, "SDM Field Encoding in VMCS", "each field has a place of its own", OK,
	COVERS)
{
	unsigned int i;
	uint64_t wanted;

	for (i = 0; i < VMCS_FIELDS; i++)
		if (field_is_usable(i))
			field_write(
				vmcs_fields[i].encoding, (i + 1) * UINT64_C(0x0101010101010101));
	for (i = 0; i < VMCS_FIELDS; i++) {
		wanted = (i + 1) * UINT64_C(0x0101010101010101) & field_bits(i);
		if (field_is_usable(i) && vmcs_fields[i].encoding != VMCS_VM_INSTRUCTION_ERROR &&
			(field_read(vmcs_fields[i].encoding) & field_bits(i)) != wanted)
			return test_mismatch(__LINE__, "%s changed", vmcs_fields[i].name);
	}
	return OK;
}

SWEEP(field, failed_write_keeps, "SDM VMWRITE", "a VMWRITE that fails leaves the field", field_rows,
	COVERS)
{
	enum vmcs_index index = TEST_ROW(struct field_row)->index;
	uint16_t encoding = field_of_row()->encoding;
	uint64_t before, after;

	if (!field_is_offered(index) || field_is_writable(index) || !is_there(index) ||
		index == FIELD_VM_INSTRUCTION_ERROR)
		return OK;
	before = field_read(encoding);
	vmwrite(encoding, ~before);
	after = field_read(encoding);
	CHECK_EQUAL(after, before);
	return OK;
}
