/* Faults of the memory operand on the host in 64-bit mode (Intel SDM, the "64-Bit Mode Exceptions"
   of each VMX instruction, and "Page-Fault Exceptions"). What the operand holds is each
   instruction's file's. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/paging.h"
#include "runtime/string.h"
#include "spec/cpuid.h"
#include "vmx-tests/guest_tables.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"

#define COVERS                                                                                     \
	.covers = "insn:VMXON insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD insn:VMWRITE "    \
		  "insn:INVEPT insn:INVVPID"
#define NON_CANONICAL   (BIT(47))
#define PAGE_FAULT_P    1 /* "Page-Fault Exceptions": the bits of the error code */
#define PAGE_FAULT_W    2
#define PAGE_FAULT_RSVD 8
#define SEGMENT_SS      0x36
#define SEGMENT_DS      0x3e
#define SEGMENT_FS      0x64
#define SEGMENT_GS      0x65

struct memory_row {
	struct test_row row;
	enum instruction instruction;
};

/* All that have a memory operand, each with the outcome for one that reads it or writes it. */
#define ROWS(reads, writes)                                                                        \
	{                                                                                          \
		{ { "VMXON", reads }, INSN_VMXON }, { { "VMCLEAR", reads }, INSN_VMCLEAR },        \
			{ { "VMPTRLD", reads }, INSN_VMPTRLD },                                    \
			{ { "VMPTRST", writes }, INSN_VMPTRST },                                   \
			{ { "VMREAD", writes }, INSN_VMREAD },                                     \
			{ { "VMWRITE", reads }, INSN_VMWRITE },                                    \
			{ { "INVEPT", reads }, INSN_INVEPT },                                      \
			{ { "INVVPID", reads }, INSN_INVVPID },                                    \
	}

/* Two pages in a map of their own: the guest's identity map, with a table of 4-KByte entries for
   the 2 MiB at `window`, of which the first two lead to these. */
static uint8_t pages[2][4096] __aligned(4096);
static uint64_t window_table[512] __aligned(4096);
static uint64_t host_cr3;

#define WINDOW       (UINT64_C(3) << 30) /* linear address, where the suite has nothing else */
#define PAGE_END     (WINDOW + PAGE_SIZE)
#define WINDOW_ENTRY 3 * 512 /* of guest_pd */

/* Rights of the two pages, e.g. PTE_P | PTE_W; 0: not mapped. */
static void open_window(uint64_t first, uint64_t second)
{
	guest_tables_reset();
	memset(window_table, 0, sizeof(window_table));
	window_table[0] = vmx_address(pages[0]) | first;
	window_table[1] = vmx_address(pages[1]) | second;
	guest_pd[WINDOW_ENTRY] = vmx_address(window_table) | PTE_P | PTE_W | PTE_U;
	host_cr3 = read_cr3();
	write_cr3(vmx_address(guest_pml4));
}

static void close_window(void)
{
	write_cr3(host_cr3);
	guest_tables_reset();
}

/* Is the row's instruction one of this CPU? VMXON runs outside VMX operation, where its operand
 * counts. */
static bool prepare(enum instruction instruction)
{
	if (instruction == INSN_VMXON)
		vmx_leave_operation();
	else if (!vmx_is_on())
		vmx_enter_operation();
	if (instruction != INSN_VMXON)
		guest_reset();
	return instruction_available(instruction);
}

/* Runs the row's instruction on `operand` with its base register holding address. */
static outcome run_operand(const struct operand *operand, uint64_t address, struct trap_info *fault)
{
	enum instruction instruction = TEST_ROW(struct memory_row)->instruction;
	struct host_registers registers = { .rflags = RFLAGS_FIXED | VMX_FLAGS };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, instruction, RCX, operand);
	outcome result;

	registers.gpr[operand->base] = address;
	registers.gpr[RCX] = instruction_good_value(instruction);
	result = host_execute(HOST_64BIT, code, bytes, &registers, fault);
	return result == OK ? vmx_outcome(registers.rflags) : result;
}

static outcome run_at(uint8_t base, uint8_t segment, uint64_t address)
{
	struct operand operand = { .base = base, .segment = segment };

	if (base == RBP) /* has no form without displacement */
		operand.displacement_bytes = 1;
	if (!prepare(TEST_ROW(struct memory_row)->instruction))
		return TEST_ROW(struct memory_row)->row.expected;
	return run_operand(&operand, address, NULL);
}

static const struct memory_row faults_gp[] = ROWS(FAULT(GP), FAULT(GP));
static const struct memory_row faults_ss[] = ROWS(FAULT(SS), FAULT(SS));
static const struct memory_row succeeds[] = ROWS(OK, OK);

SWEEP(memory, non_canonical, "SDM VMX Instruction Reference",
	"64-bit mode: a non-canonical address in DS makes #GP(0)", faults_gp, COVERS)
{
	return run_at(RDI, 0, NON_CANONICAL);
}

SWEEP(memory, non_canonical_high, "SDM VMX Instruction Reference",
	"64-bit mode: the last non-canonical address in DS makes #GP(0)", faults_gp, COVERS)
{
	return run_at(RSI, 0, BITS(63, 48) | BITS(46, 0));
}

SWEEP(memory, non_canonical_ds, "SDM VMX Instruction Reference",
	"64-bit mode: a DS override does not make an address relative to RBP one in DS: #SS(0)",
	faults_ss, COVERS)
{
	return run_at(RBP, SEGMENT_DS, NON_CANONICAL);
}

SWEEP(memory, non_canonical_stack, "SDM VMX Instruction Reference",
	"64-bit mode: a non-canonical address in SS makes #SS(0)", faults_ss, COVERS)
{
	return run_at(RBP, 0, NON_CANONICAL);
}

SWEEP(memory, non_canonical_fs, "SDM VMX Instruction Reference",
	"64-bit mode: a non-canonical address in FS makes #GP(0)", faults_gp, COVERS)
{
	return run_at(RDI, SEGMENT_FS, NON_CANONICAL);
}

SWEEP(memory, non_canonical_gs, "SDM VMX Instruction Reference",
	"64-bit mode: a non-canonical address in GS makes #GP(0)", faults_gp, COVERS)
{
	return run_at(RDI, SEGMENT_GS, NON_CANONICAL);
}

SWEEP(memory, non_canonical_fs_stack, "SDM VMX Instruction Reference",
	"64-bit mode: an address relative to RBP, but in FS, makes #GP(0)", faults_gp, COVERS)
{
	return run_at(RBP, SEGMENT_FS, NON_CANONICAL);
}

/* The operand's bytes reach over the end of the canonical range. */
SWEEP(memory, non_canonical_end, "SDM VMX Instruction Reference",
	"64-bit mode: an operand that reaches into non-canonical addresses makes #GP(0)", faults_gp,
	COVERS)
{
	return run_at(RDI, 0, BITS(46, 0) - 3);
}

/* One page fault: the outcome and the address in CR2. */
static outcome run_in_window(
	uint64_t first, uint64_t second, uint64_t address, uint64_t expected_address)
{
	static const struct operand rdi = { .base = RDI };
	enum instruction instruction = TEST_ROW(struct memory_row)->instruction;
	struct trap_info fault = { .vector = TRAP_NONE };
	outcome result;

	if (!prepare(instruction))
		return TEST_ROW(struct memory_row)->row.expected;
	memset(pages, 0, sizeof(pages));
	memcpy(address < PAGE_END - 16 ? pages[0] + (address - WINDOW) : pages[1],
		instruction_good_operand(instruction), 16);
	open_window(first, second);
	result = run_operand(&rdi, address, &fault);
	close_window();
	if (fault.vector == VECTOR_PF)
		CHECK_EQUAL(test_observe(fault.address), expected_address);
	return result;
}

#define GOOD (PTE_P | PTE_W)
static const struct memory_row not_present[] = ROWS(FAULT(PF, 0), FAULT(PF, PAGE_FAULT_W));

SWEEP(memory, not_present, "SDM Page-Fault Exceptions",
	"a page that is not present: #PF with P = 0, W/R for what is written, and CR2", not_present,
	COVERS)
{
	return run_in_window(0, GOOD, WINDOW + 8, WINDOW + 8);
}

SWEEP(memory, not_present_second, "SDM Page-Fault Exceptions",
	"an operand whose second page is not present: #PF at that page", not_present, COVERS)
{
	return run_in_window(GOOD, 0, PAGE_END - 4, PAGE_END);
}

static const struct memory_row reserved[] = ROWS(FAULT(PF, PAGE_FAULT_RSVD | PAGE_FAULT_P),
	FAULT(PF, PAGE_FAULT_RSVD | PAGE_FAULT_P | PAGE_FAULT_W));

SWEEP(memory, reserved_bit, "SDM Page-Fault Exceptions",
	"a paging-structure entry with a reserved bit: #PF with RSVD = 1", reserved, COVERS,
	.needs = NEEDS(&need_reserved_physical))
{
	return run_in_window(GOOD | BIT(51), GOOD, WINDOW, WINDOW);
}

static const struct memory_row read_only[] = ROWS(OK, FAULT(PF, PAGE_FAULT_P | PAGE_FAULT_W));

SWEEP(memory, read_only, "SDM Page-Fault Exceptions",
	"a read-only page with CR0.WP = 1: #PF for VMPTRST and VMREAD, which write, none for the "
	"others",
	read_only, COVERS)
{
	return run_in_window(PTE_P, PTE_P, WINDOW + 16, WINDOW + 16);
}

SWEEP(memory, read_only_wp_clear, "SDM Access Rights",
	"a read-only page with CR0.WP = 0 may be written at CPL 0", succeeds, COVERS)
{
	uint64_t cr0 = read_cr0();
	outcome result;

	write_cr0(cr0 & ~CR0_WP);
	result = run_in_window(PTE_P, PTE_P, WINDOW + 16, WINDOW + 16);
	write_cr0(cr0);
	return result;
}

SWEEP(memory, user_page, "SDM Access Rights", "a user page with CR4.SMAP = 0 is good at CPL 0",
	succeeds, COVERS)
{
	return run_in_window(GOOD | PTE_U, GOOD | PTE_U, WINDOW + 16, WINDOW + 16);
}

static const struct memory_row smap[] =
	ROWS(FAULT(PF, PAGE_FAULT_P), FAULT(PF, PAGE_FAULT_P | PAGE_FAULT_W));

/* With SMAP the suite's own pages must be the supervisor's: the guest's map is not good enough. */
static outcome run_with_smap(uint64_t rflags)
{
	static const struct operand rdi = { .base = RDI };
	enum instruction instruction = TEST_ROW(struct memory_row)->instruction;
	struct host_registers registers = { .rflags = RFLAGS_FIXED | VMX_FLAGS | rflags };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, instruction, RCX, &rdi);
	uint64_t cr4 = read_cr4();
	outcome result;

	if (!prepare(instruction))
		return TEST_ROW(struct memory_row)->row.expected;
	memcpy(pages[0], instruction_good_operand(instruction), 16);
	registers.gpr[RDI] = vmx_address(pages[0]);
	registers.gpr[RCX] = instruction_good_value(instruction);
	if (paging_map(vmx_address(pages[0]), PAGE_SIZE, PAGING_WRITE | PAGING_USER))
		return test_error(__LINE__, "the page cannot be mapped");
	write_cr4(cr4 | CR4_SMAP);
	result = host_execute(HOST_64BIT, code, bytes, &registers, NULL);
	write_cr4(cr4);
	paging_map(vmx_address(pages[0]), PAGE_SIZE, PAGING_WRITE);
	return result == OK ? vmx_outcome(registers.rflags) : result;
}

static bool has_smap(void)
{
	return cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_7_EBX_SMAP;
}
static const struct test_need need_smap = { "no SMAP (CPUID.7:EBX bit 20)", has_smap };

SWEEP(memory, smap, "SDM Access Rights",
	"a user page with CR4.SMAP = 1 and RFLAGS.AC = 0: #PF at CPL 0", smap, COVERS,
	.needs = NEEDS(&need_smap))
{
	return run_with_smap(0);
}

SWEEP(memory, smap_ac, "SDM Access Rights",
	"a user page with CR4.SMAP = 1 and RFLAGS.AC = 1 is good at CPL 0", succeeds, COVERS,
	.needs = NEEDS(&need_smap))
{
	return run_with_smap(RFLAGS_AC);
}

SWEEP(memory, alignment, "SDM Alignment Check Exception (#AC)",
	"at CPL 0 an unaligned operand is good even with CR0.AM = 1 and RFLAGS.AC = 1", succeeds,
	COVERS)
{
	static uint8_t buffer[32] __aligned(16);
	enum instruction instruction = TEST_ROW(struct memory_row)->instruction;
	struct host_registers registers = { .rflags = RFLAGS_FIXED | VMX_FLAGS | RFLAGS_AC };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode_plain(code, instruction);
	uint64_t cr0 = read_cr0();
	outcome result;

	if (!prepare(instruction))
		return TEST_ROW(struct memory_row)->row.expected;
	memcpy(buffer + 3, instruction_good_operand(instruction), 16);
	registers.gpr[RDI] = vmx_address(buffer + 3);
	registers.gpr[RCX] = instruction_good_value(instruction);
	write_cr0(cr0 | CR0_AM);
	result = host_execute(HOST_64BIT, code, bytes, &registers, NULL);
	write_cr0(cr0);
	return result == OK ? vmx_outcome(registers.rflags) : result;
}

SWEEP(memory, page_crossing, "SDM VMX Instruction Reference",
	"an operand may cross into the next page", succeeds, COVERS)
{
	static uint8_t buffer[2 * 4096] __aligned(4096);
	enum instruction instruction = TEST_ROW(struct memory_row)->instruction;

	if (!prepare(instruction))
		return TEST_ROW(struct memory_row)->row.expected;
	memcpy(buffer + 4096 - 4, instruction_good_operand(instruction), 16);
	return instruction_run(instruction, buffer + 4096 - 4, instruction_good_value(instruction));
}
