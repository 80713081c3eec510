/* Decodes x86 instructions by the opcode maps of spec/opcodes.def: prefixes, opcode, ModRM, SIB,
   displacement, immediate (Intel SDM, "Instruction Format"). Carrying them out is insn_emulate.c's.
 */
#include "kernel/insn.h"

#include "kernel/insn_opcode.h"
#include "kernel/vcpu.h"
#include "runtime/errno.h"

struct decoder {
	const uint8_t *bytes;
	size_t limit;
	size_t at;
	bool overrun; /* a byte behind the limit was asked for */
	bool operand_prefix, address_prefix;
	uint8_t override; /* enum segment, or INSN_NO_REGISTER */
	uint8_t modrm;
	struct insn *insn;
};

static uint8_t next_byte(struct decoder *decoder)
{
	if (decoder->at < decoder->limit)
		return decoder->bytes[decoder->at++];
	decoder->overrun = true;
	return 0;
}

/* A little-endian number of 0 to 8 bytes, sign-extended. */
static int64_t next_number(struct decoder *decoder, unsigned int size)
{
	uint64_t value = 0;

	if (size == 0)
		return 0;
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)next_byte(decoder) << 8 * i;
	return (int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size);
}

/* The segment that a prefix selects, or INSN_NO_REGISTER when it is none of those. */
static uint8_t find_override(uint8_t byte)
{
	static const uint8_t overrides[] = { [SEG_ES] = OPCODE_PREFIX_ES,
		[SEG_CS] = OPCODE_PREFIX_CS,
		[SEG_SS] = OPCODE_PREFIX_SS,
		[SEG_DS] = OPCODE_PREFIX_DS,
		[SEG_FS] = OPCODE_PREFIX_FS,
		[SEG_GS] = OPCODE_PREFIX_GS };

	for (uint8_t i = 0; i < ARRAY_SIZE(overrides); i++)
		if (overrides[i] == byte)
			return i;
	return INSN_NO_REGISTER;
}

/* Notes byte if it is a legacy prefix ("Instruction Prefixes"); of one kind the last counts. */
static bool note_prefix(struct decoder *decoder, uint8_t byte)
{
	struct insn *insn = decoder->insn;
	uint8_t override = find_override(byte);

	switch (byte) {
	case OPCODE_PREFIX_OPERAND:
		decoder->operand_prefix = true;
		return true;
	case OPCODE_PREFIX_ADDRESS:
		decoder->address_prefix = true;
		return true;
	case OPCODE_PREFIX_LOCK:
		insn->lock = true;
		return true;
	case OPCODE_PREFIX_REPNE:
	case OPCODE_PREFIX_REP:
		insn->repne = byte == OPCODE_PREFIX_REPNE;
		insn->rep = byte == OPCODE_PREFIX_REP;
		return true;
	}
	if (override != INSN_NO_REGISTER)
		decoder->override = override;
	return override != INSN_NO_REGISTER;
}

/* Reads prefixes and returns the first byte behind them. REX counts only as the last one. */
static uint8_t read_prefixes(struct decoder *decoder)
{
	for (;;) {
		uint8_t byte = next_byte(decoder);

		if (note_prefix(decoder, byte)) {
			decoder->insn->rex = 0;
			continue;
		}
		if (decoder->insn->mode != INSN_64 || (byte & 0xf0) != OPCODE_PREFIX_REX)
			return byte;
		decoder->insn->rex = byte;
	}
}

/* Reads the opcode's bytes and finds its row. */
static struct opcode read_opcode(struct decoder *decoder)
{
	struct insn *insn = decoder->insn;

	insn->opcode = read_prefixes(decoder);
	if (insn->opcode == OPCODE_ESCAPE_0F) {
		insn->map = INSN_MAP_0F;
		insn->opcode = next_byte(decoder);
		if (insn->opcode == OPCODE_ESCAPE_0F38)
			insn->map = INSN_MAP_0F38;
		else if (insn->opcode == OPCODE_ESCAPE_0F3A)
			insn->map = INSN_MAP_0F3A;
		if (insn->map != INSN_MAP_0F)
			insn->opcode = next_byte(decoder);
	}
	return insn_opcode(insn->map, insn->opcode);
}

/* "Operand-Size and Address-Size Attributes". */
static void set_sizes(struct decoder *decoder, unsigned int form)
{
	struct insn *insn = decoder->insn;
	bool is16 = (insn->mode == INSN_16) != decoder->operand_prefix;

	insn->operand_size = is16 ? 2 : 4;
	if (insn->mode == INSN_64 && (insn->rex & OPCODE_REX_W) && !(form & L4))
		insn->operand_size = 8;
	if (insn->mode == INSN_64 && (form & D64) && !decoder->operand_prefix)
		insn->operand_size = 8;
	if (form & C)
		insn->operand_size = insn->mode == INSN_64 ? 8 : 4;
	if (form & S8)
		insn->operand_size = 1;
	insn->memory_size = insn->operand_size;
	if (insn->mode == INSN_64)
		insn->address_size = decoder->address_prefix ? 4 : 8;
	else
		insn->address_size = (insn->mode == INSN_16) != decoder->address_prefix ? 2 : 4;
}

/* "16-Bit Addressing Forms with the ModR/M Byte". */
static void read_address16(struct decoder *decoder)
{
	static const uint8_t bases[] = { GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP, GPR_RSI, GPR_RDI,
		GPR_RBP, GPR_RBX };
	static const uint8_t indices[] = { GPR_RSI, GPR_RDI, GPR_RSI, GPR_RDI };
	struct insn *insn = decoder->insn;
	unsigned int rm = decoder->modrm & 7;

	insn->base = bases[rm];
	if (rm < ARRAY_SIZE(indices))
		insn->index = indices[rm];
	if (insn->mod == 0 && rm == 6)
		insn->base = INSN_NO_REGISTER;
	insn->displacement = next_number(decoder, insn->base == INSN_NO_REGISTER ? 2 : insn->mod);
}

/* "32-Bit Addressing Forms with the SIB Byte". */
static void read_sib(struct decoder *decoder)
{
	struct insn *insn = decoder->insn;
	uint8_t sib = next_byte(decoder);
	uint8_t index = (sib >> 3 & 7) | (insn->rex & OPCODE_REX_X ? 8 : 0);

	insn->scale = (uint8_t)BIT(sib >> 6);
	if (index != GPR_RSP)
		insn->index = index;
	insn->base = (sib & 7) | (insn->rex & OPCODE_REX_B ? 8 : 0);
	if ((sib & 7) == GPR_RBP && insn->mod == 0)
		insn->base = INSN_NO_REGISTER;
}

/* "32-Bit Addressing Forms with the ModR/M Byte", which 64-bit mode extends. */
static void read_address32(struct decoder *decoder)
{
	struct insn *insn = decoder->insn;
	unsigned int rm = decoder->modrm & 7;

	insn->base = insn->rm;
	if (rm == GPR_RSP)
		read_sib(decoder);
	else if (rm == GPR_RBP && insn->mod == 0) {
		insn->base = INSN_NO_REGISTER;
		insn->rip_relative = insn->mode == INSN_64;
	}
	if (insn->mod == 1)
		insn->displacement = next_number(decoder, 1);
	else if (insn->mod == 2 || insn->base == INSN_NO_REGISTER)
		insn->displacement = next_number(decoder, 4);
}

static void read_modrm(struct decoder *decoder, unsigned int form)
{
	struct insn *insn = decoder->insn;

	decoder->modrm = next_byte(decoder);
	insn->has_modrm = true;
	insn->mod = form & C ? 3 : decoder->modrm >> 6;
	insn->reg = (decoder->modrm >> 3 & 7) | (insn->rex & OPCODE_REX_R ? 8 : 0);
	insn->rm = (decoder->modrm & 7) | (insn->rex & OPCODE_REX_B ? 8 : 0);
	insn->memory = insn->mod != 3;
	if (!insn->memory)
		return;
	if (insn->address_size == 2)
		read_address16(decoder);
	else
		read_address32(decoder);
}

/* The segment of the memory operand: the stack's for a base of rSP or rBP, unless overridden. */
static void choose_segment(struct decoder *decoder)
{
	struct insn *insn = decoder->insn;
	bool stack = insn->base == GPR_RSP || insn->base == GPR_RBP;

	insn->segment = stack ? SEG_SS : SEG_DS;
	if (decoder->override != INSN_NO_REGISTER &&
		(insn->mode != INSN_64 || decoder->override >= SEG_FS))
		insn->segment = decoder->override;
}

/* VMX and SVM instructions share opcodes that a prefix or ModRM.mod tells apart. */
static uint8_t find_group_9(const struct decoder *decoder)
{
	const struct insn *insn = decoder->insn;

	if (!insn->memory)
		return INSN_OTHER;
	if ((insn->reg & 7) == 6 && insn->rep)
		return INSN_VMXON;
	if ((insn->reg & 7) == 6)
		return decoder->operand_prefix ? INSN_VMCLEAR : INSN_VMPTRLD;
	return (insn->reg & 7) == 7 ? INSN_VMPTRST : INSN_OTHER;
}

/* What a group's member is. Returns 0 or -EINVAL for VEX, EVEX and XOP. */
static int resolve_group(struct decoder *decoder, uint8_t group)
{
	struct insn *insn = decoder->insn;

	switch (group) {
	case INSN_GROUP_1A:
		return (insn->reg & 7) == 0 ? 0 : -EINVAL;
	case INSN_GROUP_VEX:
		return insn->memory ? 0 : -EINVAL;
	case INSN_GROUP_9:
		insn->op = find_group_9(decoder);
		return 0;
	case INSN_GROUP_NOP:
		insn->op = insn->rep ? INSN_PAUSE : INSN_OTHER;
		return 0;
	case INSN_GROUP_ARPL:
		insn->op = insn->mode == INSN_64 ? INSN_MOVSX : INSN_OTHER;
		insn->memory_size = MIN(insn->operand_size, 4);
		return 0;
	}
	insn->op = insn_group(group, insn->reg & 7);
	if (group == INSN_GROUP_7 && !insn->memory && insn->op != INSN_SMSW &&
		insn->op != INSN_LMSW)
		insn->op = insn_group_0f01(decoder->modrm);
	return 0;
}

/* The instruction's name, where it has one. */
static int resolve_op(struct decoder *decoder, const struct opcode *opcode)
{
	struct insn *insn = decoder->insn;

	insn->op = opcode->op;
	if (opcode->op >= INSN_GROUP_1) {
		insn->op = INSN_OTHER;
		return resolve_group(decoder, opcode->op);
	}
	if (insn->map == INSN_MAP_0F38 && decoder->operand_prefix)
		insn->op = insn->opcode == OPCODE_INVEPT    ? INSN_INVEPT
			   : insn->opcode == OPCODE_INVVPID ? INSN_INVVPID
							    : INSN_OTHER;
	if (insn->op == INSN_MOVZX || insn->op == INSN_MOVSX)
		insn->memory_size = insn->opcode & 1 ? 2 : 1;
	/* With a prefix these opcodes are SSE4A's, with immediates of their own. */
	if ((insn->op == INSN_VMREAD || insn->op == INSN_VMWRITE) &&
		(decoder->operand_prefix || insn->repne))
		return -EINVAL;
	return 0;
}

/* Bytes of immediate that follow; TEST is the only one of group 3 with any. */
static unsigned int immediate_size(const struct decoder *decoder, const struct opcode *opcode)
{
	const struct insn *insn = decoder->insn;
	unsigned int form = opcode->form;
	bool is16 = (insn->mode == INSN_16) != decoder->operand_prefix;
	unsigned int z = is16 && !(insn->mode == INSN_64 && (insn->rex & OPCODE_REX_W)) ? 2 : 4;

	if (opcode->op == INSN_GROUP_3 && insn->op == INSN_TEST)
		return insn->operand_size == 1 ? 1 : z;
	if (form & J) /* Intel's 64-bit mode has no 16-bit branches */
		return insn->mode == INSN_64 ? 4 : z;
	if (form & V)
		return insn->operand_size;
	if (form & O)
		return insn->address_size;
	return (form & B ? 1 : 0) + (form & W ? 2 : 0) + (form & Z ? z : 0) +
	       (form & P ? z + 2 : 0);
}

/* Operands that the opcode itself implies. */
static void set_implied(struct insn *insn, unsigned int form)
{
	insn->to_register = form & R;
	if (form & A) {
		insn->memory = true;
		insn->base = GPR_RSI;
	}
	if (form & O) {
		insn->memory = true;
		insn->displacement = insn->immediate;
		insn->immediate_size = 0;
	}
	if ((form & C) && insn->lock) /* AMD's way to CR8 outside 64-bit mode */
		insn->reg |= 8;
}

int insn_decode(const uint8_t *bytes, size_t available, enum insn_mode mode, struct insn *insn)
{
	struct decoder decoder = { .bytes = bytes,
		.limit = MIN(available, (size_t)INSN_MAX_LEN),
		.override = INSN_NO_REGISTER,
		.insn = insn };
	struct opcode opcode;
	int error = 0;

	*insn = (struct insn){
		.mode = mode, .scale = 1, .base = INSN_NO_REGISTER, .index = INSN_NO_REGISTER
	};
	opcode = read_opcode(&decoder);
	set_sizes(&decoder, opcode.form);
	if (opcode.form & M)
		read_modrm(&decoder, opcode.form);
	if (!(opcode.form & DEFINED) || (mode == INSN_64 && (opcode.form & X64)))
		error = -EINVAL;
	else
		error = resolve_op(&decoder, &opcode);
	insn->immediate_size = (uint8_t)immediate_size(&decoder, &opcode);
	insn->immediate = next_number(&decoder, insn->immediate_size);
	set_implied(insn, opcode.form);
	choose_segment(&decoder);
	insn->len = (uint8_t)decoder.at;
	if (decoder.overrun)
		return decoder.limit < INSN_MAX_LEN ? -EAGAIN : -EINVAL;
	return error;
}
