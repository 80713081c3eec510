/* Which accesses to the APIC-access page are virtualized, by size and place (Intel SDM,
   "Virtualizing Reads from the APIC-Access Page", "Determining Whether a Write Access is
   Virtualized"). Which registers: register.c. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/needs.h"

#define ENDS   EXIT(EXIT_REASON_VMCALL)
#define ACCESS EXIT(EXIT_REASON_APIC_ACCESS)
#define WRITE  EXIT(EXIT_REASON_APIC_WRITE)
#define READS  "SDM Virtualizing Reads from the APIC-Access Page"
#define WRITES "SDM Determining Whether a Write Access is Virtualized"
#define COVERS "control:PROC2_VIRTUALIZE_APIC_ACCESSES exit:APIC_ACCESS"
#define SHADOW NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES)
#define REGISTERS                                                                                  \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES,                         \
		&need_PROC2_APIC_REGISTER_VIRTUALIZATION)

GUEST_CODE64(size_read1, "movb (%rdi), %al; vmcall");
GUEST_CODE64(size_read2, "movw (%rdi), %ax; vmcall");
GUEST_CODE64(size_read4, "movl (%rdi), %eax; vmcall");
GUEST_CODE64(size_read8, "movq (%rdi), %rax; vmcall");
GUEST_CODE64(size_write1, "movb %sil, (%rdi); vmcall");
GUEST_CODE64(size_write2, "movw %si, (%rdi); vmcall");
GUEST_CODE64(size_write4, "movl %esi, (%rdi); vmcall");
GUEST_CODE64(size_write8, "movq %rsi, (%rdi); vmcall");
GUEST_CODE64(size_or, "orl %esi, (%rdi); vmcall");
GUEST_CODE64(size_xchg, "xchgl %esi, (%rdi); vmcall");
GUEST_CODE64(size_test, "testl %esi, (%rdi); vmcall");

struct size_row {
	struct test_row row;
	unsigned int offset, bytes;
};

/* Bits 3:2 of the first and of the last byte's address are 0 where an access can be virtualized. */
static const struct size_row reads[] = {
	{ { "80H, 1 byte", ENDS }, 0x80, 1 },
	{ { "80H, 2 bytes", ENDS }, 0x80, 2 },
	{ { "80H, 4 bytes", ENDS }, 0x80, 4 },
	{ { "80H, 8 bytes", ACCESS }, 0x80, 8 },
	{ { "7FH, 2 bytes", ACCESS }, 0x7f, 2 },
	{ { "7CH, 8 bytes", ACCESS }, 0x7c, 8 },
	{ { "82H, 4 bytes", ACCESS }, 0x82, 4 },
	{ { "84H, 1 byte", ACCESS }, 0x84, 1 },
	{ { "84H, 4 bytes", ACCESS }, 0x84, 4 },
	{ { "8CH, 4 bytes", ACCESS }, 0x8c, 4 },
};
/* With APIC-register virtualization every byte of the low 4 may be accessed. */
static const struct size_row register_reads[] = {
	{ { "80H, 1 byte", ENDS }, 0x80, 1 },
	{ { "81H, 1 byte", ENDS }, 0x81, 1 },
	{ { "82H, 2 bytes", ENDS }, 0x82, 2 },
	{ { "83H, 1 byte", ENDS }, 0x83, 1 },
	{ { "83H, 2 bytes", ACCESS }, 0x83, 2 },
	{ { "81H, 4 bytes", ACCESS }, 0x81, 4 },
	{ { "80H, 8 bytes", ACCESS }, 0x80, 8 },
	{ { "84H, 1 byte", ACCESS }, 0x84, 1 },
	{ { "20H, 1 byte", ENDS }, 0x20, 1 },
	{ { "22H, 2 bytes", ENDS }, 0x22, 2 },
	{ { "24H, 4 bytes", ACCESS }, 0x24, 4 },
	{ { "312H, 2 bytes", ENDS }, 0x312, 2 },
	{ { "3E3H, 1 byte", ENDS }, 0x3e3, 1 },
	{ { "3E4H, 1 byte", ACCESS }, 0x3e4, 1 },
};

struct code {
	const uint8_t *start, *end;
};
#define CODE_PAIR(name)                                                                            \
	{                                                                                          \
		name, name##_end                                                                   \
	}

static outcome run(struct code code, unsigned int offset)
{
	guest_gpr[RDI] = vmx_address(apic_access) + offset;
	guest_gpr[RAX] = 0;
	guest_set_mode(GUEST_64BIT, code.start, (size_t)(code.end - code.start));
	return guest_run(NULL);
}

static struct code of_size(const struct code codes[4], unsigned int bytes)
{
	return codes[bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3];
}

/* The virtual-APIC page has another value in every byte. */
static outcome run_read(const struct size_row *row)
{
	static const struct code codes[] = { CODE_PAIR(size_read1), CODE_PAIR(size_read2),
		CODE_PAIR(size_read4), CODE_PAIR(size_read8) };
	uint64_t expected = 0;
	outcome result;
	unsigned int i;

	for (i = 0; i < sizeof(apic_page); i++)
		apic_page[i] = (uint8_t)(i ^ i >> 5);
	for (i = 0; i < row->bytes; i++)
		expected |= (uint64_t)apic_page[row->offset + i] << i * 8;
	result = run(of_size(codes, row->bytes), row->offset);
	if (result == ENDS)
		CHECK_EQUAL(test_observe(guest_gpr[RAX]), expected);
	else
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION),
			FIELD_PUT(APIC_ACCESS_LINEAR_READ, APIC_ACCESS_TYPE) | row->offset);
	return result;
}

SWEEP(size, reads, READS,
	"with the TPR shadow, a read at 80H of at most 32 bits is virtualized, and nothing else",
	reads, .needs = SHADOW, .covers = COVERS)
{
	guest_reset();
	apic_use_access_page();
	return run_read(TEST_ROW(struct size_row));
}

SWEEP(size, register_reads, READS,
	"with APIC-register virtualization, a read that is entirely within a register's 4 bytes is "
	"virtualized",
	register_reads, .needs = REGISTERS,
	.covers = COVERS " control:PROC2_APIC_REGISTER_VIRTUALIZATION")
{
	guest_reset();
	apic_use_registers();
	return run_read(TEST_ROW(struct size_row));
}

static const struct size_row writes[] = {
	{ { "80H, 1 byte", ENDS }, 0x80, 1 },
	{ { "80H, 2 bytes", ENDS }, 0x80, 2 },
	{ { "80H, 4 bytes", ENDS }, 0x80, 4 },
	{ { "80H, 8 bytes", ACCESS }, 0x80, 8 },
	{ { "7FH, 2 bytes", ACCESS }, 0x7f, 2 },
	{ { "82H, 4 bytes", ACCESS }, 0x82, 4 },
	{ { "84H, 4 bytes", ACCESS }, 0x84, 4 },
	{ { "8CH, 4 bytes", ACCESS }, 0x8c, 4 },
};
static const struct size_row register_writes[] = {
	{ { "F0H, 1 byte", WRITE }, 0xf0, 1 },
	{ { "F1H, 1 byte", WRITE }, 0xf1, 1 },
	{ { "F2H, 2 bytes", WRITE }, 0xf2, 2 },
	{ { "F0H, 4 bytes", WRITE }, 0xf0, 4 },
	{ { "F0H, 8 bytes", ACCESS }, 0xf0, 8 },
	{ { "F3H, 2 bytes", ACCESS }, 0xf3, 2 },
	{ { "F4H, 1 byte", ACCESS }, 0xf4, 1 },
	{ { "ECH, 8 bytes", ACCESS }, 0xec, 8 },
};

#define WRITTEN UINT64_C(0x8182838485868788)

static outcome run_write(const struct size_row *row)
{
	static const struct code codes[] = { CODE_PAIR(size_write1), CODE_PAIR(size_write2),
		CODE_PAIR(size_write4), CODE_PAIR(size_write8) };
	uint64_t mask = BITS(row->bytes * 8 - 1, 0) << (row->offset & 3) * 8,
		 value = WRITTEN << (row->offset & 3) * 8;
	outcome result;

	guest_gpr[RSI] = WRITTEN;
	result = run(of_size(codes, row->bytes), row->offset);
	if (result == ACCESS) {
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION),
			FIELD_PUT(APIC_ACCESS_LINEAR_WRITE, APIC_ACCESS_TYPE) | row->offset);
		CHECK_EQUAL(apic_get(row->offset & ~3U), 0);
		return result;
	}
	if (row->offset == APIC_REG_TPR)
		mask &= BITS(7, 0); /* TPR virtualization clears bytes 3:1 */
	CHECK_EQUAL(apic_get(row->offset & ~3U), (uint32_t)(value & mask));
	return result;
}

SWEEP(size, writes, WRITES,
	"with the TPR shadow, a write at 80H of at most 32 bits is virtualized, and nothing else",
	writes, .needs = SHADOW, .covers = COVERS)
{
	guest_reset();
	apic_use_access_page();
	return run_write(TEST_ROW(struct size_row));
}

SWEEP(size, register_writes, WRITES,
	"with APIC-register virtualization, a write that is entirely within a register's 4 bytes "
	"is virtualized",
	register_writes, .needs = REGISTERS,
	.covers = COVERS " control:PROC2_APIC_REGISTER_VIRTUALIZATION exit:APIC_WRITE")
{
	outcome result;

	guest_reset();
	apic_use_registers();
	result = run_write(TEST_ROW(struct size_row));
	if (result == WRITE)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & ~UINT64_C(3), APIC_REG_SVR);
	return result;
}

/* Instructions that read and write, or only read. */
struct modify_row {
	struct test_row row;
	struct code code;
	uint32_t after; /* VTPR */
};

static const struct modify_row modify[] = {
	{ { "OR", ENDS }, CODE_PAIR(size_or), 0x35 },
	{ { "XCHG", ENDS }, CODE_PAIR(size_xchg), 0x05 },
	{ { "TEST", ENDS }, CODE_PAIR(size_test), 0x31 },
};

SWEEP(size, read_modify_write, "SDM Instruction-Specific Considerations",
	"OR, XCHG and TEST on VTPR are virtualized: the read as well as the write", modify,
	.needs = SHADOW, .covers = COVERS)
{
	const struct modify_row *row = TEST_ROW(struct modify_row);
	outcome result;

	guest_reset();
	apic_use_access_page();
	apic_put(APIC_REG_TPR, 0x31);
	guest_gpr[RSI] = 0x05;
	result = run(row->code, APIC_REG_TPR);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), row->after);
	if (row->code.start == size_xchg)
		CHECK_EQUAL(test_observe(guest_gpr[RSI]), 0x31);
	return result;
}
