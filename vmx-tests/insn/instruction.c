/* Encoding and running of the VMX instructions (Intel SDM, "VMX Instruction Reference").
   Expectations are the tests'. */
#include "vmx-tests/insn/instruction.h"

#include "runtime/string.h"

#define NO_MODRM 0xff
#define REX      0x40
#define REX_R    4 /* extends reg */
#define REX_X    2 /* extends index */
#define REX_B    1 /* extends base */
#define RM_SIB   4
#define RM_RIP   5
#define NO_INDEX 4

static const struct instruction_form {
	const char *name;
	uint8_t prefix; /* mandatory, or 0 */
	uint8_t opcode[3], opcode_bytes;
	uint8_t extension; /* ModR/M's reg where it is not a register; NO_MODRM */
	bool has_register, writes;
	uint32_t exit_reason;
} forms[INSTRUCTIONS] = {
	[INSN_VMXON] = { "VMXON", 0xf3, { 0x0f, 0xc7 }, 2, 6, false, false, EXIT_REASON_VMXON },
	[INSN_VMXOFF] = { "VMXOFF", 0, { 0x0f, 0x01, 0xc4 }, 3, NO_MODRM, false, false,
		EXIT_REASON_VMXOFF },
	[INSN_VMCLEAR] = { "VMCLEAR", 0x66, { 0x0f, 0xc7 }, 2, 6, false, false,
		EXIT_REASON_VMCLEAR },
	[INSN_VMPTRLD] = { "VMPTRLD", 0, { 0x0f, 0xc7 }, 2, 6, false, false, EXIT_REASON_VMPTRLD },
	[INSN_VMPTRST] = { "VMPTRST", 0, { 0x0f, 0xc7 }, 2, 7, false, true, EXIT_REASON_VMPTRST },
	[INSN_VMREAD] = { "VMREAD", 0, { 0x0f, 0x78 }, 2, 0, true, true, EXIT_REASON_VMREAD },
	[INSN_VMWRITE] = { "VMWRITE", 0, { 0x0f, 0x79 }, 2, 0, true, false, EXIT_REASON_VMWRITE },
	[INSN_VMLAUNCH] = { "VMLAUNCH", 0, { 0x0f, 0x01, 0xc2 }, 3, NO_MODRM, false, false,
		EXIT_REASON_VMLAUNCH },
	[INSN_VMRESUME] = { "VMRESUME", 0, { 0x0f, 0x01, 0xc3 }, 3, NO_MODRM, false, false,
		EXIT_REASON_VMRESUME },
	[INSN_VMCALL] = { "VMCALL", 0, { 0x0f, 0x01, 0xc1 }, 3, NO_MODRM, false, false,
		EXIT_REASON_VMCALL },
	[INSN_VMFUNC] = { "VMFUNC", 0, { 0x0f, 0x01, 0xd4 }, 3, NO_MODRM, false, false,
		EXIT_REASON_VMFUNC },
	[INSN_INVEPT] = { "INVEPT", 0x66, { 0x0f, 0x38, 0x80 }, 3, 0, true, false,
		EXIT_REASON_INVEPT },
	[INSN_INVVPID] = { "INVVPID", 0x66, { 0x0f, 0x38, 0x81 }, 3, 0, true, false,
		EXIT_REASON_INVVPID },
};

const char *instruction_name(enum instruction instruction)
{
	return forms[instruction].name;
}

bool instruction_has_memory(enum instruction instruction)
{
	return forms[instruction].extension != NO_MODRM;
}

bool instruction_writes_memory(enum instruction instruction)
{
	return forms[instruction].writes;
}

bool instruction_has_register(enum instruction instruction)
{
	return forms[instruction].has_register;
}

uint32_t instruction_exit_reason(enum instruction instruction)
{
	return forms[instruction].exit_reason;
}

bool instruction_available(enum instruction instruction)
{
	uint64_t capability = vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP);

	if (instruction == INSN_INVEPT)
		return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_EPT) &&
		       (capability & VMX_EPT_VPID_CAP_INVEPT);
	if (instruction == INSN_INVVPID)
		return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VPID) &&
		       (capability & VMX_EPT_VPID_CAP_INVVPID);
	return true;
}

static uint8_t rex_of(uint8_t reg, const struct operand *operand)
{
	return (uint8_t)((reg >= 8 ? REX_R : 0) |
			 (operand->has_index && operand->index >= 8 ? REX_X : 0) |
			 (!operand->rip_relative && operand->base != OPERAND_NONE &&
						 operand->base >= 8
					 ? REX_B
					 : 0));
}

/* ModR/M, SIB and displacement ("ModR/M and SIB Bytes"). A missing base has 32 bits of
 * displacement. */
static size_t put_operand(uint8_t *code, uint8_t reg, const struct operand *operand)
{
	uint8_t bytes = operand->displacement_bytes, mod = bytes == 0 ? 0 : bytes == 1 ? 1 : 2;
	uint8_t base = operand->base & 7, field = (uint8_t)((reg & 7) << 3), index;
	size_t n = 0;

	if (operand->is_register) {
		code[n++] = (uint8_t)(0xc0 | field | base);
		return n;
	}
	if (operand->rip_relative || operand->base == OPERAND_NONE) {
		mod = 0;
		bytes = 4;
		base = 5;
	}
	if (operand->rip_relative) {
		code[n++] = (uint8_t)(field | RM_RIP);
	} else if (operand->has_index || base == RM_SIB || operand->base == OPERAND_NONE) {
		index = operand->has_index ? operand->index & 7 : NO_INDEX;
		code[n++] = (uint8_t)(mod << 6 | field | RM_SIB);
		code[n++] = (uint8_t)(operand->scale << 6 | index << 3 | base);
	} else {
		code[n++] = (uint8_t)(mod << 6 | field | base);
	}
	memcpy(code + n, &operand->displacement, bytes);
	return n + bytes;
}

size_t instruction_encode(
	uint8_t *code, enum instruction instruction, uint8_t reg, const struct operand *operand)
{
	const struct instruction_form *form = &forms[instruction];
	uint8_t rex = 0;
	size_t n = 0;

	if (!form->has_register)
		reg = form->extension;
	if (form->extension != NO_MODRM) {
		rex = rex_of(form->has_register ? reg : 0, operand);
		if (operand->segment)
			code[n++] = operand->segment;
		if (operand->address32)
			code[n++] = 0x67;
	}
	if (form->prefix)
		code[n++] = form->prefix;
	if (rex)
		code[n++] = REX | rex;
	memcpy(code + n, form->opcode, form->opcode_bytes);
	n += form->opcode_bytes;
	if (form->extension != NO_MODRM)
		n += put_operand(code + n, reg, operand);
	return n;
}

size_t instruction_encode_plain(uint8_t *code, enum instruction instruction)
{
	static const struct operand rdi = { .base = RDI };

	return instruction_encode(code, instruction, RCX, &rdi);
}

outcome instruction_run_in(
	enum host_mode mode, enum instruction instruction, void *memory, uint64_t value)
{
	struct host_registers registers = { .rflags = RFLAGS_FIXED | VMX_FLAGS };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode_plain(code, instruction);
	outcome result;

	registers.gpr[RDI] = vmx_address(memory);
	registers.gpr[RCX] = registers.gpr[RAX] = value;
	result = host_execute(mode, code, bytes, &registers, NULL);
	return result == OK && mode == HOST_64BIT ? vmx_outcome(registers.rflags) : result;
}

outcome instruction_run(enum instruction instruction, void *memory, uint64_t value)
{
	return instruction_run_in(HOST_64BIT, instruction, memory, value);
}

uint64_t instruction_good_value(enum instruction instruction)
{
	switch (instruction) {
	case INSN_VMREAD:
	case INSN_VMWRITE:
		return VMCS_GUEST_RIP;
	case INSN_INVEPT:
		return INVEPT_ALL_CONTEXT;
	case INSN_INVVPID:
		return INVVPID_ALL_CONTEXT;
	default:
		return 0;
	}
}

void *instruction_good_operand(enum instruction instruction)
{
	static uint64_t operand[2] __aligned(16);

	operand[0] = operand[1] = 0;
	if (instruction == INSN_VMXON)
		operand[0] = vmx_address(vmx_on_region);
	if (instruction == INSN_VMCLEAR || instruction == INSN_VMPTRLD)
		operand[0] = vmx_address(vmx_spare_region);
	return operand;
}
