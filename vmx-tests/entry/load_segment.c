/* Loading of guest state: segments and descriptor tables, as the guest sees them or as the exit
   saves them again (Intel SDM, "Loading Guest Segment Registers and Descriptor-Table Registers").
 */
#define TEST_FOLDER "entry/"
#include "runtime/string.h"
#include "vmx-tests/entry/load.h"
#include "vmx-tests/guest_tables.h"

#define ADDRESS UINT64_C(0x123456789000)

SEEN(selectors, "movl %es, %eax; movl %cs, %ecx; movl %ss, %edx; movl %ds, %ebx; movl %fs, %esi; "
		"movl %gs, %edi;"
		"sldt %r8d; str %r9d");
SEEN(segment_nothing, "");
SEEN(gdtr, "sgdt (%rdi)");
SEEN(idtr, "sidt (%rdi)");
SEEN(fs_base, "movq %fs:0, %rax");
SEEN(gs_base, "movq %gs:0, %rax");

TEST(load, selectors, TITLE_SEGMENTS, "all eight selectors are loaded, each its own",
	EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_ES_SELECTOR field:GUEST_CS_SELECTOR field:GUEST_SS_SELECTOR "
		  "field:GUEST_DS_SELECTOR "
		  "field:GUEST_FS_SELECTOR field:GUEST_GS_SELECTOR field:GUEST_LDTR_SELECTOR "
		  "field:GUEST_TR_SELECTOR")
{
	static const uint8_t registers[] = { RAX, RCX, RDX, RBX, RSI, RDI, R8, R9 };
	unsigned int i;
	outcome result;

	load_start(CODE(see_selectors));
	for (i = 0; i < ARRAY_SIZE(registers); i++)
		field_write(VMCS_GUEST_ES_SELECTOR + 2 * i, 0x1000 + 0x100 * i);
	result = guest_run(NULL);
	for (i = 0; i < ARRAY_SIZE(registers); i++)
		CHECK_EQUAL(
			test_observe(guest_gpr[registers[i]]) & BITS(15, 0), 0x1000 + 0x100 * i);
	return result;
}

static outcome load_table(const void *code, size_t bytes, uint32_t base_field, uint32_t limit_field)
{
	uint16_t limit;
	uint64_t base;
	outcome result;

	load_start(code, bytes);
	field_write(base_field, ADDRESS);
	field_write(limit_field, 0x5a5a);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	result = guest_run(NULL);
	memcpy(&limit, guest_page[0], sizeof(limit));
	memcpy(&base, guest_page[0] + sizeof(limit), sizeof(base));
	CHECK_EQUAL(test_observe(limit), 0x5a5a);
	CHECK_EQUAL(test_observe(base), ADDRESS);
	return result;
}

TEST(load, gdtr, TITLE_SEGMENTS, "GDTR is loaded: base and limit", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_GDTR_BASE field:GUEST_GDTR_LIMIT")
{
	return load_table(CODE(see_gdtr), VMCS_GUEST_GDTR_BASE, VMCS_GUEST_GDTR_LIMIT);
}

TEST(load, idtr, TITLE_SEGMENTS, "IDTR is loaded: base and limit", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_IDTR_BASE field:GUEST_IDTR_LIMIT")
{
	return load_table(CODE(see_idtr), VMCS_GUEST_IDTR_BASE, VMCS_GUEST_IDTR_LIMIT);
}

static const uint64_t landmark = UINT64_C(0xfeedfacecafebeef);

static outcome load_base(const void *code, size_t bytes, uint32_t field)
{
	load_start(code, bytes);
	field_write(field, vmx_address(&landmark));
	return load_see(landmark);
}

TEST(load, fs_base, TITLE_SEGMENTS, "accesses through FS use the base that was loaded",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_FS_BASE")
{
	return load_base(CODE(see_fs_base), VMCS_GUEST_FS_BASE);
}

TEST(load, gs_base, TITLE_SEGMENTS, "accesses through GS use the base that was loaded",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_GS_BASE")
{
	return load_base(CODE(see_gs_base), VMCS_GUEST_GS_BASE);
}

/* Each field keeps its value through an entry and the exit. */
struct kept_row {
	struct test_row row;
	uint32_t field;
	uint64_t value;
};
#define KEPT(field, value)                                                                         \
	{                                                                                          \
		{ #field, EXIT(EXIT_REASON_VMCALL) }, VMCS_##field, value                          \
	}
#define KEPT_SEGMENT(SEG)                                                                          \
	KEPT(GUEST_##SEG##_BASE, 0x12345678), KEPT(GUEST_##SEG##_LIMIT, 0x12345fff),               \
		KEPT(GUEST_##SEG##_ACCESS_RIGHTS, GUEST_RIGHTS_DATA | ACCESS_RIGHTS_AVL)
static const struct kept_row kept[] = {
	KEPT_SEGMENT(ES),
	KEPT_SEGMENT(DS),
	KEPT_SEGMENT(FS),
	KEPT_SEGMENT(GS),
	KEPT(GUEST_TR_BASE, ADDRESS),
	KEPT(GUEST_TR_LIMIT, 0x12345),
	KEPT(GUEST_TR_ACCESS_RIGHTS, GUEST_RIGHTS_TSS | ACCESS_RIGHTS_AVL),
	KEPT(GUEST_CS_ACCESS_RIGHTS, GUEST_RIGHTS_CODE64 | ACCESS_RIGHTS_AVL),
	KEPT(GUEST_SS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA | ACCESS_RIGHTS_AVL),
	KEPT(GUEST_SS_LIMIT, 0x12345fff),
	KEPT(GUEST_CS_LIMIT, 0x12345fff),
	KEPT(GUEST_GDTR_BASE, ADDRESS),
	KEPT(GUEST_IDTR_BASE, ADDRESS),
	KEPT(GUEST_GDTR_LIMIT, 0x5a5a),
	KEPT(GUEST_IDTR_LIMIT, 0xa5a5),
	KEPT(GUEST_IA32_SYSENTER_CS, 0x12345678),
	KEPT(GUEST_IA32_SYSENTER_ESP, ADDRESS),
	KEPT(GUEST_IA32_SYSENTER_EIP, ADDRESS),
	KEPT(GUEST_RSP, ADDRESS),
	KEPT(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_OF | RFLAGS_DF | RFLAGS_AC |
				   RFLAGS_ID | RFLAGS_IOPL | RFLAGS_NT),
};

SWEEP(load, kept, "SDM Saving Guest State",
	"what was loaded is saved again when the guest does not change it", kept,
	.covers = "field:GUEST_ES_BASE field:GUEST_ES_LIMIT field:GUEST_ES_ACCESS_RIGHTS "
		  "field:GUEST_DS_BASE "
		  "field:GUEST_DS_LIMIT field:GUEST_DS_ACCESS_RIGHTS field:GUEST_FS_BASE "
		  "field:GUEST_FS_LIMIT "
		  "field:GUEST_FS_ACCESS_RIGHTS field:GUEST_GS_BASE field:GUEST_GS_LIMIT "
		  "field:GUEST_GS_ACCESS_RIGHTS "
		  "field:GUEST_TR_BASE field:GUEST_TR_LIMIT field:GUEST_TR_ACCESS_RIGHTS "
		  "field:GUEST_CS_ACCESS_RIGHTS "
		  "field:GUEST_SS_ACCESS_RIGHTS field:GUEST_SS_LIMIT field:GUEST_CS_LIMIT "
		  "field:GUEST_GDTR_BASE "
		  "field:GUEST_IDTR_BASE field:GUEST_GDTR_LIMIT field:GUEST_IDTR_LIMIT "
		  "field:GUEST_RSP field:GUEST_RFLAGS")
{
	const struct kept_row *row = TEST_ROW(struct kept_row);
	outcome result;

	load_start(CODE(see_segment_nothing));
	field_write(row->field, row->value);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(row->field), row->value);
	return result;
}
