/* Guest/host masks and read shadows of CR0 and CR4, bit by bit (Intel SDM, "Guest/Host Masks and
   Read Shadows for CR0 and CR4", "Changes to Instruction Behavior in VMX Non-Root Operation"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Guest/Host Masks and Read Shadows for CR0 and CR4"
#define COVERS                                                                                     \
	"exit:CR_ACCESS field:CR0_GUEST_HOST_MASK field:CR0_READ_SHADOW "                          \
	"field:CR4_GUEST_HOST_MASK "                                                               \
	"field:CR4_READ_SHADOW"

GUEST64(cr_mask_read_cr0, "movq %cr0, %rax");
GUEST64(cr_mask_read_cr4, "movq %cr4, %rax");
GUEST64(cr_mask_smsw, "smsw %rax");
GUEST64(cr_mask_write_cr0, "movq %rax, %cr0");
GUEST64(cr_mask_write_cr4, "movq %rax, %cr4");

/* CR0 or CR4: where things of it are. */
struct control_register {
	struct test_row row;
	uint32_t mask, shadow, guest; /* fields */
	struct guest_code read, write;
};

#define CR0_ROW(code)                                                                              \
	{                                                                                          \
		{ #code, OK }, VMCS_CR0_GUEST_HOST_MASK, VMCS_CR0_READ_SHADOW, VMCS_GUEST_CR0,     \
			CODE_OF(cr_mask_##code), CODE_OF(cr_mask_write_cr0)                        \
	}
#define CR4_ROW                                                                                    \
	{                                                                                          \
		{ "read_cr4", OK }, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW,                \
			VMCS_GUEST_CR4, CODE_OF(cr_mask_read_cr4), CODE_OF(cr_mask_write_cr4)      \
	}

static const struct control_register both[] = { CR0_ROW(read_cr0), CR4_ROW };
static const struct control_register smsw64 = CR0_ROW(smsw);

/* What the guest reads with that mask and the inverse of the register's value as shadow. */
static uint64_t read_masked(const struct control_register *cr, uint64_t mask)
{
	field_write(cr->mask, mask);
	field_write(cr->shadow, ~field_read(cr->guest));
	if (exit_run(cr->read) != EXIT(EXIT_REASON_VMCALL))
		return 0;
	return test_observe(guest_gpr[RAX]);
}

SWEEP(cr_mask, read_each_bit, SECTION,
	"a read takes each bit from the shadow where the mask is 1, else from the register", both,
	.covers = COVERS)
{
	const struct control_register *cr = TEST_ROW(struct control_register);
	uint64_t value;
	unsigned int bit;

	guest_reset();
	value = field_read(cr->guest);
	for (bit = 0; bit < 64; bit++)
		CHECK_EQUAL(read_masked(cr, BIT(bit)), value ^ BIT(bit));
	return OK;
}

SWEEP(cr_mask, read_all, SECTION, "all bits from the shadow; all bits from the register", both,
	.covers = COVERS)
{
	const struct control_register *cr = TEST_ROW(struct control_register);
	uint64_t value;

	guest_reset();
	value = field_read(cr->guest);
	CHECK_EQUAL(read_masked(cr, UINT64_MAX), ~value);
	CHECK_EQUAL(read_masked(cr, 0), value);
	return OK;
}

/* Writes the register's own value with that mask and shadow. */
static outcome write_same(const struct control_register *cr, uint64_t mask, uint64_t shadow)
{
	field_write(cr->mask, mask);
	field_write(cr->shadow, shadow);
	guest_gpr[RAX] = field_read(cr->guest);
	return exit_run(cr->write);
}

SWEEP(cr_mask, write_each_bit, SECTION,
	"a write exits when a bit differs from the shadow where the mask is 1", both,
	.covers = COVERS)
{
	const struct control_register *cr = TEST_ROW(struct control_register);
	unsigned int bit;
	uint64_t value;

	guest_reset();
	value = field_read(cr->guest);
	for (bit = 0; bit < 64; bit++) {
		CHECK_EQUAL(
			write_same(cr, BIT(bit), value ^ BIT(bit)), EXIT(EXIT_REASON_CR_ACCESS));
		CHECK_EQUAL(write_same(cr, BIT(bit), value), EXIT(EXIT_REASON_VMCALL));
	}
	return OK;
}

SWEEP(cr_mask, write_other_bits, SECTION,
	"a write does not exit for bits that differ where the mask is 0", both, .covers = COVERS)
{
	const struct control_register *cr = TEST_ROW(struct control_register);
	unsigned int bit;
	uint64_t value;

	guest_reset();
	value = field_read(cr->guest);
	for (bit = 0; bit < 64; bit++)
		CHECK_EQUAL(write_same(cr, ~BIT(bit), value ^ BIT(bit)), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(write_same(cr, 0, ~value), EXIT(EXIT_REASON_VMCALL));
	return OK;
}

/* Bits that the guest may change in 64-bit mode without changing anything else. */
struct bit_row {
	struct test_row row;
	const struct control_register *cr;
	uint64_t bit;
};

#define BIT_ROW(index, bit)                                                                        \
	{                                                                                          \
		{ #bit, OK }, &both[index], bit                                                    \
	}
static const struct bit_row bits[] = {
	BIT_ROW(0, CR0_MP),
	BIT_ROW(0, CR0_EM),
	BIT_ROW(0, CR0_TS),
	BIT_ROW(0, CR0_WP),
	BIT_ROW(0, CR0_AM),
	BIT_ROW(1, CR4_TSD),
	BIT_ROW(1, CR4_DE),
	BIT_ROW(1, CR4_PGE),
	BIT_ROW(1, CR4_PCE),
	BIT_ROW(1, CR4_OSFXSR),
};

/* The guest writes the bit's inverse while the shadow has that inverse too, so that nothing exits.
 */
static uint64_t write_inverse(const struct bit_row *row, uint64_t mask)
{
	uint64_t wanted = field_read(row->cr->guest) ^ row->bit;

	field_write(row->cr->mask, mask);
	field_write(row->cr->shadow, wanted);
	guest_gpr[RAX] = wanted;
	if (exit_run(row->cr->write) != EXIT(EXIT_REASON_VMCALL))
		return 0;
	return field_read(row->cr->guest);
}

SWEEP(cr_mask, host_owned, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"a write that does not exit leaves bits unmodified where the mask is 1", bits,
	.covers = COVERS)
{
	const struct bit_row *row = TEST_ROW(struct bit_row);
	uint64_t before;

	guest_reset();
	before = field_read(row->cr->guest);
	CHECK_EQUAL(write_inverse(row, row->bit), before);
	return OK;
}

SWEEP(cr_mask, guest_owned, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"a write that does not exit changes bits where the mask is 0", bits,
	.covers = COVERS " field:GUEST_CR0 field:GUEST_CR4")
{
	const struct bit_row *row = TEST_ROW(struct bit_row);
	uint64_t before;

	guest_reset();
	before = field_read(row->cr->guest);
	CHECK_EQUAL(write_inverse(row, ~row->bit), before ^ row->bit);
	return OK;
}

/* Fixed bits ("Restrictions on VMX Operation"): the guest may not give them another value. */
static const struct bit_row fixed[] = {
	{ { "CR0.PE", FAULT(GP) }, &both[0], CR0_PE },
	{ { "CR0.NE", FAULT(GP) }, &both[0], CR0_NE },
	{ { "CR0.PG", FAULT(GP) }, &both[0], CR0_PG },
	{ { "CR4.VMXE", FAULT(GP) }, &both[1], CR4_VMXE },
	{ { "CR4.PAE in IA-32e mode", FAULT(GP) }, &both[1], CR4_PAE },
};

SWEEP(cr_mask, fixed, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"a write of a value that VMX operation does not support is #GP where the mask is 0", fixed,
	.covers = COVERS)
{
	const struct bit_row *row = TEST_ROW(struct bit_row);

	guest_reset();
	guest_gpr[RAX] = field_read(row->cr->guest) & ~row->bit;
	return exit_run(row->cr->write);
}

SWEEP(cr_mask, fixed_exit, "SDM Relative Priority of Faults and VM Exits",
	"where the mask is 1 the same write exits", fixed, .covers = COVERS)
{
	const struct bit_row *row = TEST_ROW(struct bit_row);
	outcome result;

	guest_reset();
	field_write(row->cr->mask, row->bit);
	field_write(row->cr->shadow, row->bit);
	guest_gpr[RAX] = field_read(row->cr->guest) & ~row->bit;
	result = exit_run(row->cr->write);
	return result == EXIT(EXIT_REASON_CR_ACCESS) ? row->row.expected : result;
}

GUEST64(cr_mask_smsw16, "smsw %ax");
GUEST64(cr_mask_smsw32, "smsw %eax");
GUEST64(cr_mask_smsw_memory, "smsw (%rdi)");

struct smsw_row {
	struct test_row row;
	struct guest_code code;
	uint64_t stored, kept; /* bits of RAX; the others become 0 */
};

static const struct smsw_row smsw[] = {
	{ { "16 bits", OK }, CODE_OF(cr_mask_smsw16), BITS(15, 0), BITS(63, 16) },
	{ { "32 bits", OK }, CODE_OF(cr_mask_smsw32), BITS(31, 0), 0 },
};

SWEEP(cr_mask, smsw, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"SMSW in 64-bit mode stores as much as its operand holds of what a read of CR0 returns",
	smsw, .covers = COVERS)
{
	const struct smsw_row *row = TEST_ROW(struct smsw_row);
	uint64_t shadow, before = UINT64_C(0x1122334455667788);

	guest_reset();
	shadow = ~field_read(VMCS_GUEST_CR0);
	field_write(VMCS_CR0_GUEST_HOST_MASK, UINT64_MAX);
	field_write(VMCS_CR0_READ_SHADOW, shadow);
	guest_gpr[RAX] = before;
	CHECK_EQUAL(exit_run(row->code), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), (before & row->kept) | (shadow & row->stored));
	return OK;
}

TEST(cr_mask, smsw64_each_bit, SECTION,
	"SMSW of 64 bits takes each of the low 32 bits as a read of CR0 does", OK, .covers = COVERS)
{
	uint64_t value = field_read(VMCS_GUEST_CR0);
	unsigned int bit;

	for (bit = 0; bit < 32; bit++)
		CHECK_EQUAL(read_masked(&smsw64, BIT(bit)), value ^ BIT(bit));
	return OK;
}

TEST(cr_mask, smsw64_high_half, SECTION,
	"SMSW of 64 bits takes bits 63:32 from the shadow where the mask is 1", OK,
	.covers = COVERS)
{
	uint64_t value = field_read(VMCS_GUEST_CR0), mask = BITS(63, 32);

	CHECK_EQUAL(read_masked(&smsw64, mask), value ^ mask);
	return OK;
}

TEST(cr_mask, smsw_memory, SECTION, "SMSW to memory stores 16 bits", OK, .covers = COVERS)
{
	uint64_t shadow = ~field_read(VMCS_GUEST_CR0);

	field_write(VMCS_CR0_GUEST_HOST_MASK, UINT64_MAX);
	field_write(VMCS_CR0_READ_SHADOW, shadow);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	CHECK_EQUAL(exit_run((struct guest_code)CODE_OF(cr_mask_smsw_memory)),
		EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(
		test_observe(*(volatile uint32_t *)(void *)guest_page[0]), shadow & BITS(15, 0));
	return OK;
}
