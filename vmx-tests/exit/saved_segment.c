/* What an exit saves of the segment and descriptor-table registers (Intel SDM, "Saving Segment
   Registers and Descriptor-Table Registers"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"
#include "vmx-tests/guest_tables.h"

#define SECTION "SDM Saving Segment Registers and Descriptor-Table Registers"
#define COVERS                                                                                     \
	"field:GUEST_ES_SELECTOR field:GUEST_CS_SELECTOR field:GUEST_SS_SELECTOR "                 \
	"field:GUEST_DS_SELECTOR "                                                                 \
	"field:GUEST_FS_SELECTOR field:GUEST_GS_SELECTOR field:GUEST_ES_BASE field:GUEST_DS_BASE " \
	"field:GUEST_FS_BASE field:GUEST_GS_BASE field:GUEST_ES_LIMIT field:GUEST_DS_LIMIT "       \
	"field:GUEST_FS_LIMIT field:GUEST_GS_LIMIT field:GUEST_SS_LIMIT field:GUEST_CS_LIMIT "     \
	"field:GUEST_ES_ACCESS_RIGHTS field:GUEST_CS_ACCESS_RIGHTS field:GUEST_SS_ACCESS_RIGHTS "  \
	"field:GUEST_DS_ACCESS_RIGHTS field:GUEST_FS_ACCESS_RIGHTS field:GUEST_GS_ACCESS_RIGHTS"
#define SELECTOR 0x68 /* of the descriptor that the tests write into the guest's GDT */

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

GUEST32(saved_segment_es, "movl %eax, %es");
GUEST32(saved_segment_ss, "movl %eax, %ss");
GUEST32(saved_segment_ds, "movl %eax, %ds");
GUEST32(saved_segment_fs, "movl %eax, %fs");
GUEST32(saved_segment_gs, "movl %eax, %gs");
GUEST64(saved_segment_lldt, "lldt %ax");
GUEST64(saved_segment_ltr, "ltr %ax");
GUEST64(saved_segment_lgdt, "lgdt (%rdi)");
GUEST64(saved_segment_lidt, "lidt (%rdi)");
GUEST64(saved_segment_ds64, "movl %eax, %ds");

struct segment_row {
	struct test_row row;
	struct guest_code code;
	uint8_t segment;
	uint64_t descriptor; /* ("Segment Descriptors") */
	uint64_t base, limit, rights;
};

#define ROW(name, code, segment, descriptor, base, limit, rights)                                  \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_VMCALL) }, CODE_OF(saved_segment_##code), segment,        \
			UINT64_C(descriptor), base, limit, rights                                  \
	}
#define DATA     (3 | ACCESS_RIGHTS_S | ACCESS_RIGHTS_P)
#define DPL_3    FIELD_PUT(3, ACCESS_RIGHTS_DPL)
#define PAGES(n) ((n)*4096 + 4095)

/* In protected mode with 32-bit paging: base, limit and each bit of the rights. Types get their
 * accessed bit set. */
static const struct segment_row loads[] = {
	ROW("ES", es, ES, 0x1240923456789abc, 0x12345678, 0x09abc, DATA | ACCESS_RIGHTS_DB),
	ROW("SS", ss, SS, 0x00cf92000000ffff, 0, UINT32_MAX,
		DATA | ACCESS_RIGHTS_DB | ACCESS_RIGHTS_G),
	ROW("DS, DPL 3", ds, DS, 0xfe4ff2dcba98ffff, 0xfedcba98, 0xfffff,
		DATA | DPL_3 | ACCESS_RIGHTS_DB),
	ROW("FS, granularity", fs, FS, 0x00c1920000000001, 0, PAGES(0x10001U),
		DATA | ACCESS_RIGHTS_DB | ACCESS_RIGHTS_G),
	ROW("GS, 16-bit, AVL", gs, GS, 0x0010920123450010, 0x12345, 0x10, DATA | ACCESS_RIGHTS_AVL),
	ROW("ES, read only", es, ES, 0x004090000000ffff, 0, 0xffff,
		(DATA & ~UINT64_C(2)) | ACCESS_RIGHTS_DB),
	ROW("DS, expand down", ds, DS, 0x004096000000000f, 0, 0xf, DATA | 4 | ACCESS_RIGHTS_DB),
	ROW("FS, readable code", fs, FS, 0x00409a000000ffff, 0, 0xffff,
		DATA | 8 | ACCESS_RIGHTS_DB),
	ROW("GS, conforming code", gs, GS, 0x00409e000000ffff, 0, 0xffff,
		DATA | 12 | ACCESS_RIGHTS_DB),
};

static outcome check_segment(const struct segment_row *row, uint64_t selector)
{
	uint32_t offset = 2U * row->segment;

	CHECK_EQUAL(field_read(VMCS_GUEST_ES_SELECTOR + offset), selector);
	CHECK_EQUAL(field_read(VMCS_GUEST_ES_BASE + offset), row->base);
	CHECK_EQUAL(field_read(VMCS_GUEST_ES_LIMIT + offset), row->limit);
	CHECK_EQUAL(field_read(VMCS_GUEST_ES_ACCESS_RIGHTS + offset), row->rights);
	return OK;
}

SWEEP(saved_segment, loaded, SECTION, "selector, base, limit and rights of what the guest loaded",
	loads, .covers = COVERS)
{
	const struct segment_row *row = TEST_ROW(struct segment_row);
	outcome result, check;

	guest_reset();
	guest_gdt[SELECTOR / 8] = row->descriptor;
	guest_gpr[RAX] = SELECTOR;
	result = exit_run_mode(GUEST_PAGED32, row->code);
	check = check_segment(row, SELECTOR);
	return check == OK ? result : check;
}

static const struct segment_row nulls[] = {
	ROW("ES", es, ES, 0, 0, 0, 0),
	ROW("DS", ds, DS, 0, 0, 0, 0),
	ROW("FS", fs, FS, 0, 0, 0, 0),
	ROW("GS", gs, GS, 0, 0, 0, 0),
};

SWEEP(saved_segment, null, SECTION,
	"a null selector makes a segment unusable: bit 16 of its rights", nulls, .covers = COVERS)
{
	const struct segment_row *row = TEST_ROW(struct segment_row);
	outcome result;

	guest_reset();
	result = exit_run_mode(GUEST_PAGED32, row->code);
	CHECK_EQUAL(field_read(VMCS_GUEST_ES_SELECTOR + 2U * row->segment), 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_ES_ACCESS_RIGHTS + 2U * row->segment) &
			    ACCESS_RIGHTS_UNUSABLE,
		ACCESS_RIGHTS_UNUSABLE);
	return result;
}

TEST(saved_segment, code64, SECTION, "CS in 64-bit mode: L = 1, D/B = 0", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_CS_SELECTOR, GUEST_SELECTOR_CODE64 }, { VMCS_GUEST_CS_BASE, 0 },
		{ VMCS_GUEST_CS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_CS_ACCESS_RIGHTS, GUEST_RIGHTS_CODE64 }),
	.covers = COVERS)
{
	return exit_run((struct guest_code)CODE_OF(saved_segment_ds64));
}

TEST(saved_segment, code32, SECTION, "CS in compatibility mode: L = 0, D/B = 1",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_CS_SELECTOR, GUEST_SELECTOR_CODE32 },
		{ VMCS_GUEST_CS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_CS_ACCESS_RIGHTS, GUEST_RIGHTS_CODE32 }),
	.covers = COVERS)
{
	return exit_run_mode(GUEST_COMPATIBILITY, (struct guest_code)CODE_OF(saved_segment_es));
}

TEST(saved_segment, user, SECTION, "at CPL 3 the DPL of SS is 3", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_SS_SELECTOR, GUEST_SELECTOR_USER_DATA },
		{ VMCS_GUEST_SS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA | DPL_3 }),
	.covers = COVERS)
{
	return exit_run_mode(GUEST_64BIT_USER, (struct guest_code)CODE_OF(saved_segment_ds64));
}

TEST(saved_segment, virtual_8086, SECTION, "in virtual-8086 mode all six are as the mode has them",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_DS_SELECTOR, 0x1234 }, { VMCS_GUEST_DS_BASE, 0x12340 },
		{ VMCS_GUEST_DS_LIMIT, 0xffff }, { VMCS_GUEST_DS_ACCESS_RIGHTS, DATA | DPL_3 }),
	.covers = COVERS)
{
	guest_gpr[RAX] = 0x1234;
	return exit_run_mode(GUEST_VIRTUAL_8086, (struct guest_code)CODE_OF(saved_segment_ds));
}

/* System segments: 16-byte descriptors in IA-32e mode. */
#define SYSTEM_BASE UINT64_C(0x00007a5b12345678)
#define RIGHTS_LDT  (2 | ACCESS_RIGHTS_P)

TEST(saved_segment, ldtr, SECTION, "LDTR, with its 64-bit base", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_LDTR_SELECTOR, SELECTOR }, { VMCS_GUEST_LDTR_BASE, SYSTEM_BASE },
		{ VMCS_GUEST_LDTR_LIMIT, 0x9abc }, { VMCS_GUEST_LDTR_ACCESS_RIGHTS, RIGHTS_LDT }),
	.covers = "field:GUEST_LDTR_SELECTOR field:GUEST_LDTR_BASE field:GUEST_LDTR_LIMIT "
		  "field:GUEST_LDTR_ACCESS_RIGHTS")
{
	guest_gdt[SELECTOR / 8] = UINT64_C(0x1200823456789abc);
	guest_gdt[SELECTOR / 8 + 1] = SYSTEM_BASE >> 32;
	guest_gpr[RAX] = SELECTOR;
	return exit_run((struct guest_code)CODE_OF(saved_segment_lldt));
}

TEST(saved_segment, ldtr_null, SECTION, "a null selector makes LDTR unusable",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_LDTR_SELECTOR, 0 }),
	.covers = "field:GUEST_LDTR_SELECTOR field:GUEST_LDTR_ACCESS_RIGHTS")
{
	outcome result = exit_run((struct guest_code)CODE_OF(saved_segment_lldt));

	CHECK_EQUAL(field_read(VMCS_GUEST_LDTR_ACCESS_RIGHTS) & ACCESS_RIGHTS_UNUSABLE,
		ACCESS_RIGHTS_UNUSABLE);
	return result;
}

TEST(saved_segment, tr, SECTION, "TR, whose TSS became busy", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_TR_SELECTOR, SELECTOR }, { VMCS_GUEST_TR_BASE, SYSTEM_BASE },
		{ VMCS_GUEST_TR_LIMIT, 0x9abc }, { VMCS_GUEST_TR_ACCESS_RIGHTS, GUEST_RIGHTS_TSS }),
	.covers = "field:GUEST_TR_SELECTOR field:GUEST_TR_BASE field:GUEST_TR_LIMIT "
		  "field:GUEST_TR_ACCESS_RIGHTS")
{
	guest_gdt[SELECTOR / 8] = UINT64_C(0x1200893456789abc);
	guest_gdt[SELECTOR / 8 + 1] = SYSTEM_BASE >> 32;
	guest_gpr[RAX] = SELECTOR;
	return exit_run((struct guest_code)CODE_OF(saved_segment_ltr));
}

static outcome load_table(struct guest_code code)
{
	*(struct descriptor_table *)(void *)guest_page[0] =
		(struct descriptor_table){ 0x1236, SYSTEM_BASE };
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	return exit_run(code);
}

TEST(saved_segment, gdtr, SECTION, "GDTR: base and limit", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_GDTR_BASE, SYSTEM_BASE }, { VMCS_GUEST_GDTR_LIMIT, 0x1236 }),
	.covers = "field:GUEST_GDTR_BASE field:GUEST_GDTR_LIMIT")
{
	return load_table((struct guest_code)CODE_OF(saved_segment_lgdt));
}

TEST(saved_segment, idtr, SECTION, "IDTR: base and limit", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_IDTR_BASE, SYSTEM_BASE }, { VMCS_GUEST_IDTR_LIMIT, 0x1236 }),
	.covers = "field:GUEST_IDTR_BASE field:GUEST_IDTR_LIMIT")
{
	return load_table((struct guest_code)CODE_OF(saved_segment_lidt));
}
