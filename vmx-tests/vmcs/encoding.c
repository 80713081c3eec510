/* All encodings there are, not only those of the table (Intel SDM, "VMREAD, VMWRITE, and Encodings
   of VMCS Fields" and the appendix "VMCS Enumeration"). */
#define TEST_FOLDER "vmcs/"
#include "vmx-tests/vmcs/field.h"

#define ENCODINGS         0x10000
#define ENCODING_RESERVED (BIT(12) | BIT(15))

/* Is there a field with that encoding? One VMREAD, not observed: there are too many. */
static bool probe(uint64_t encoding)
{
	uint64_t flags, value;

	__asm__ volatile("vmread %2, %1; pushfq; popq %0"
			 : "=&r"(flags), "=&r"(value)
			 : "r"(encoding)
			 : "memory", "cc");
	return !(flags & (RFLAGS_CF | RFLAGS_ZF));
}

/* The number of fields with encodings in [first, first + ENCODINGS) that the table does not have;
   the lowest of them in *lowest. */
static unsigned int count_unknown(uint64_t first, uint64_t *lowest)
{
	unsigned int found = 0;
	uint64_t encoding;

	for (encoding = first; encoding < first + ENCODINGS; encoding++) {
		if (!probe(encoding))
			continue;
		if (encoding < ENCODINGS &&
			vmcs_field_index((uint32_t)(encoding & ~ENCODING_HIGH)) >= 0)
			continue;
		if (found++ == 0)
			*lowest = encoding;
	}
	return found;
}

TEST(encoding, all, "SDM Field Encoding in VMCS",
	"of the 65536 encodings none is a field but those of the table", OK, .covers = "field:*")
{
	uint64_t lowest = 0;
	uint64_t found = test_observe(count_unknown(0, &lowest));

	return found == 0 ? OK
			  : test_mismatch(__LINE__, "%lu fields not in the table, the first %#lx",
				    found, lowest);
}

/* The encodings that are a field's but for one bit above 15: those to which a CPU that looks at
   fewer bits answers. */
static unsigned int count_beyond(uint64_t *lowest)
{
	unsigned int found = 0, i, bit;

	for (i = 0; i < VMCS_FIELDS; i++)
		for (bit = 16; bit < 64; bit++) {
			uint64_t encoding = vmcs_fields[i].encoding | BIT(bit);

			if (probe(encoding) && found++ == 0)
				*lowest = encoding;
		}
	return found;
}

TEST(encoding, beyond, "SDM VMREAD, VMWRITE, and Encodings of VMCS Fields",
	"no encoding with a bit above 15 is a field: each bit, above each field's encoding", OK,
	.covers = "field:*")
{
	uint64_t lowest = 0, found = test_observe(count_beyond(&lowest));

	return found == 0 ? OK
			  : test_mismatch(__LINE__, "%lu fields, the first %#lx", found, lowest);
}

/* The highest index of all encodings without reserved bits. */
static uint64_t highest_index(void)
{
	uint64_t encoding, highest = 0;

	for (encoding = 0; encoding < BIT(15); encoding++)
		if (!(encoding & ENCODING_RESERVED) && probe(encoding))
			highest = MAX(highest, FIELD_GET(encoding, ENCODING_INDEX));
	return highest;
}

TEST(encoding, vmcs_enum, "SDM VMCS Enumeration",
	"IA32_VMX_VMCS_ENUM reports the highest index that a field's encoding has", OK,
	.covers = "cap:VMX_VMCS_ENUM_HIGHEST_INDEX msr:IA32_VMX_VMCS_ENUM")
{
	uint64_t reported = FIELD_GET(rdmsr(MSR_IA32_VMX_VMCS_ENUM), VMX_VMCS_ENUM_HIGHEST_INDEX);

	CHECK_EQUAL(test_observe(highest_index()), reported);
	return OK;
}

/* Every unsupported encoding is unsupported for VMWRITE, too: bits that are reserved, each by
 * itself. */
struct reserved_row {
	struct test_row row;
	uint64_t bits;
};

#define UNSUPPORTED FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT)
static const struct reserved_row reserved[] = {
	{ { "bit 12", UNSUPPORTED }, BIT(12) },
	{ { "bit 15", UNSUPPORTED }, BIT(15) },
	{ { "bit 16", UNSUPPORTED }, BIT(16) },
	{ { "bit 31", UNSUPPORTED }, BIT(31) },
	{ { "bits 31:15", UNSUPPORTED }, BITS(31, 15) },
};

SWEEP(encoding, reserved_write, "SDM VMREAD, VMWRITE, and Encodings of VMCS Fields",
	"an encoding with a reserved bit is no field for VMWRITE", reserved,
	.covers = "error:UNSUPPORTED_COMPONENT")
{
	return vmwrite(VMCS_GUEST_ES_SELECTOR | TEST_ROW(struct reserved_row)->bits, 0);
}

SWEEP(encoding, reserved_write_exit, "SDM VMREAD, VMWRITE, and Encodings of VMCS Fields",
	"the same near a VM-exit information field: unsupported comes before read-only", reserved,
	.covers = "error:UNSUPPORTED_COMPONENT")
{
	return vmwrite(VMCS_EXIT_REASON | TEST_ROW(struct reserved_row)->bits, 0);
}
