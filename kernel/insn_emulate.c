/* Carries out decoded instructions that access memory, one operand at a time over a bus: what a
   guest does to device registers, or to a stack that lies where it has no memory. Instructions
   without a memory operand run on the CPU itself. */
#include "kernel/insn.h"
#include "kernel/insn_opcode.h"
#include "kernel/vcpu.h"
#include "runtime/errno.h"
#include "spec/cpu.h"

#define RFLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* The low `size` bytes, set. */
static uint64_t mask_of(unsigned int size)
{
	return ~UINT64_C(0) >> (64 - 8 * size);
}

static uint64_t sign_extend(uint64_t value, unsigned int size)
{
	unsigned int shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

uint64_t insn_register(
	const struct insn *insn, const struct insn_state *state, uint8_t number, uint8_t size)
{
	if (size == 1 && !insn->rex && number >= 4 && number < 8)
		return state->gpr[number - 4] >> 8 & 0xff;
	return state->gpr[number] & mask_of(size);
}

void insn_set_register(const struct insn *insn, struct insn_state *state, uint8_t number,
	uint8_t size, uint64_t value)
{
	uint64_t mask = size == 4 ? ~UINT64_C(0) : mask_of(size);
	unsigned int shift = 0;

	if (size == 1 && !insn->rex && number >= 4 && number < 8) {
		number -= 4;
		shift = 8;
	}
	value &= mask_of(size);
	state->gpr[number] = (state->gpr[number] & ~(mask << shift)) | value << shift;
}

/* RIP of the next instruction. */
static uint64_t next_rip(const struct insn *insn, const struct insn_state *state)
{
	uint64_t rip = state->rip + insn->len;

	return insn->mode == INSN_64 ? rip : rip & mask_of(insn->mode / 8);
}

/* Offset plus segment base; outside 64-bit mode linear addresses have 32 bits. */
static uint64_t linear_address(const struct insn *insn, uint64_t base, uint64_t offset)
{
	uint64_t linear = base + (offset & mask_of(insn->address_size));

	return insn->mode == INSN_64 ? linear : (uint32_t)linear;
}

uint64_t insn_address(const struct insn *insn, const struct insn_state *state)
{
	uint64_t offset = (uint64_t)insn->displacement;

	if (insn->rip_relative)
		offset += next_rip(insn, state);
	if (insn->base != INSN_NO_REGISTER)
		offset += state->gpr[insn->base];
	if (insn->index != INSN_NO_REGISTER)
		offset += state->gpr[insn->index] * insn->scale;
	return linear_address(insn, state->segment_base[insn->segment], offset);
}

uint64_t insn_string_destination(const struct insn *insn, const struct insn_state *state)
{
	return linear_address(insn, state->segment_base[SEG_ES], state->gpr[GPR_RDI]);
}

/* Zero, sign and parity of a result. */
static uint64_t result_flags(uint64_t result, unsigned int size)
{
	return (result & mask_of(size) ? 0 : RFLAGS_ZF) |
	       (result >> (8 * size - 1) & 1 ? RFLAGS_SF : 0) |
	       (__builtin_popcountll(result & 0xff) & 1 ? 0 : RFLAGS_PF);
}

/* left + right + carry and its flags ("EFLAGS Cross-Reference"): carries out of each bit follow
   from operands and result. */
static uint64_t add(uint64_t left, uint64_t right, bool carry, unsigned int size, uint64_t *flags)
{
	uint64_t result = left + right + carry;
	uint64_t carries = (left & right) | ((left | right) & ~result);
	unsigned int top = 8 * size - 1;

	*flags = result_flags(result, size) | (carries >> top & 1 ? RFLAGS_CF : 0) |
		 (carries >> 3 & 1 ? RFLAGS_AF : 0) |
		 ((left ^ result) & (right ^ result) & BIT(top) ? RFLAGS_OF : 0);
	return result & mask_of(size);
}

/* left - right - borrow, likewise. */
static uint64_t subtract(
	uint64_t left, uint64_t right, bool borrow, unsigned int size, uint64_t *flags)
{
	uint64_t result = left - right - borrow;
	uint64_t borrows = (~left & right) | (~(left ^ right) & result);
	unsigned int top = 8 * size - 1;

	*flags = result_flags(result, size) | (borrows >> top & 1 ? RFLAGS_CF : 0) |
		 (borrows >> 3 & 1 ? RFLAGS_AF : 0) |
		 ((left ^ right) & (left ^ result) & BIT(top) ? RFLAGS_OF : 0);
	return result & mask_of(size);
}

static uint64_t logic(uint64_t result, unsigned int size, uint64_t *flags)
{
	*flags = result_flags(result, size);
	return result & mask_of(size);
}

/* The result of left op right; *rflags get the operation's flags. */
static uint64_t compute(
	enum insn_op op, uint64_t left, uint64_t right, unsigned int size, uint64_t *rflags)
{
	uint64_t result, flags = 0, changed = RFLAGS_ARITHMETIC;
	bool carry = *rflags & RFLAGS_CF;

	switch (op) {
	case INSN_ADD:
	case INSN_XADD:
		result = add(left, right, false, size, &flags);
		break;
	case INSN_ADC:
		result = add(left, right, carry, size, &flags);
		break;
	case INSN_SUB:
	case INSN_CMP:
	case INSN_CMPXCHG:
		result = subtract(left, right, false, size, &flags);
		break;
	case INSN_SBB:
		result = subtract(left, right, carry, size, &flags);
		break;
	case INSN_AND:
	case INSN_TEST:
		result = logic(left & right, size, &flags);
		break;
	case INSN_OR:
		result = logic(left | right, size, &flags);
		break;
	case INSN_XOR:
		result = logic(left ^ right, size, &flags);
		break;
	case INSN_INC:
		result = add(left, 1, false, size, &flags);
		changed &= ~RFLAGS_CF;
		break;
	case INSN_DEC:
		result = subtract(left, 1, false, size, &flags);
		changed &= ~RFLAGS_CF;
		break;
	case INSN_NEG:
		result = subtract(0, left, false, size, &flags);
		break;
	default: /* INSN_NOT */
		return ~left & mask_of(size);
	}
	*rflags = (*rflags & ~changed) | (flags & changed);
	return result;
}

static bool writes_result(enum insn_op op)
{
	return op != INSN_CMP && op != INSN_TEST;
}

/* The operand that is not in memory: an immediate or a register. */
static uint64_t source_of(const struct insn *insn, const struct insn_state *state)
{
	if (insn->immediate_size)
		return (uint64_t)insn->immediate & mask_of(insn->operand_size);
	return insn_register(insn, state, insn->reg, insn->operand_size);
}

static int emulate_arithmetic(
	const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	uint64_t address = insn_address(insn, state), memory, other = source_of(insn, state),
		 result;
	uint8_t size = insn->operand_size;
	int error = bus->read(bus, address, size, &memory);

	if (error)
		return error;
	memory &= mask_of(size);
	if (insn->to_register) {
		result = compute(insn->op, other, memory, size, &state->rflags);
		if (writes_result(insn->op))
			insn_set_register(insn, state, insn->reg, size, result);
		return 0;
	}
	result = compute(insn->op, memory, other, size, &state->rflags);
	return writes_result(insn->op) ? bus->write(bus, address, size, result) : 0;
}

/* MOV, MOVZX, MOVSX, MOVSXD. */
static int emulate_move(const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	uint64_t address = insn_address(insn, state), value;
	int error;

	if (!insn->to_register)
		return bus->write(bus, address, insn->memory_size, source_of(insn, state));
	error = bus->read(bus, address, insn->memory_size, &value);
	if (error)
		return error;
	value &= mask_of(insn->memory_size);
	if (insn->op == INSN_MOVSX)
		value = sign_extend(value, insn->memory_size);
	insn_set_register(insn, state, insn->reg, insn->operand_size, value);
	return 0;
}

/* XCHG, XADD, CMPXCHG. */
static int emulate_exchange(const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	uint64_t address = insn_address(insn, state), memory, source = source_of(insn, state),
		 result;
	uint64_t accumulator = insn_register(insn, state, GPR_RAX, insn->operand_size);
	uint8_t size = insn->operand_size;
	int error = bus->read(bus, address, size, &memory);

	if (error)
		return error;
	memory &= mask_of(size);
	result = source;
	if (insn->op == INSN_CMPXCHG) {
		compute(INSN_CMP, accumulator, memory, size, &state->rflags);
		if (accumulator != memory) {
			insn_set_register(insn, state, GPR_RAX, size, memory);
			result = memory;
		}
	} else {
		if (insn->op == INSN_XADD)
			result = compute(INSN_ADD, memory, source, size, &state->rflags);
		insn_set_register(insn, state, insn->reg, size, memory);
	}
	return bus->write(bus, address, size, result);
}

/* BT, BTS, BTR, BTC: a register's bit number reaches beyond the operand ("Bit(BitBase,
 * BitOffset)"). */
static int emulate_bit(const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	uint64_t address = insn_address(insn, state), bits = 8 * (uint64_t)insn->operand_size,
		 memory;
	int64_t number = insn->immediate_size
				 ? insn->immediate & (int64_t)(bits - 1)
				 : (int64_t)sign_extend(source_of(insn, state), insn->operand_size);
	uint64_t bit = BIT((uint64_t)number & (bits - 1));
	int error;

	address += (uint64_t)(number >> __builtin_ctzll(bits)) * insn->operand_size;
	if (insn->mode != INSN_64)
		address = (uint32_t)address;
	error = bus->read(bus, address, insn->operand_size, &memory);
	if (error)
		return error;
	state->rflags = (state->rflags & ~RFLAGS_CF) | (memory & bit ? RFLAGS_CF : 0);
	switch (insn->op) {
	case INSN_BTS:
		memory |= bit;
		break;
	case INSN_BTR:
		memory &= ~bit;
		break;
	case INSN_BTC:
		memory ^= bit;
		break;
	default:
		return 0;
	}
	return bus->write(bus, address, insn->operand_size, memory & mask_of(insn->operand_size));
}

/* Steps a string register by one element, within the address size. */
static void step_register(const struct insn *insn, struct insn_state *state, uint8_t number)
{
	uint64_t step =
		state->rflags & RFLAGS_DF ? -(uint64_t)insn->operand_size : insn->operand_size;

	insn_set_register(insn, state, number, insn->address_size, state->gpr[number] + step);
}

/* One element of MOVS, STOS or LODS. */
static int move_element(const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	uint8_t size = insn->operand_size;
	uint64_t value = insn_register(insn, state, GPR_RAX, size);
	int error = 0;

	if (insn->op != INSN_STOS)
		error = bus->read(bus, insn_address(insn, state), size, &value);
	if (!error && insn->op != INSN_LODS)
		error = bus->write(
			bus, insn_string_destination(insn, state), size, value & mask_of(size));
	if (error)
		return error;
	if (insn->op == INSN_LODS)
		insn_set_register(insn, state, GPR_RAX, size, value);
	if (insn->op != INSN_STOS)
		step_register(insn, state, GPR_RSI);
	if (insn->op != INSN_LODS)
		step_register(insn, state, GPR_RDI);
	return 0;
}

/* One iteration; *done when the instruction is over ("REP/REPE/REPZ/REPNE/REPNZ"). */
static int emulate_string(
	const struct insn *insn, struct insn_state *state, struct insn_bus *bus, bool *done)
{
	uint8_t size = insn->address_size;
	uint64_t count = insn_register(insn, state, GPR_RCX, size);
	int error;

	if (!insn->rep && !insn->repne)
		return move_element(insn, state, bus);
	if (count == 0)
		return 0;
	error = move_element(insn, state, bus);
	if (error)
		return error;
	insn_set_register(insn, state, GPR_RCX, size, count - 1);
	*done = count == 1;
	return 0;
}

static uint8_t stack_width(const struct insn *insn)
{
	return insn->mode == INSN_64 ? 8 : insn->mode == INSN_32 ? 4 : 2;
}

/* Moves rSP by as many bytes as it is wide; SS is taken to be of CS's size. */
static void move_stack(const struct insn *insn, struct insn_state *state, uint64_t by)
{
	insn_set_register(insn, state, GPR_RSP, stack_width(insn), state->gpr[GPR_RSP] + by);
}

static uint64_t stack_address(const struct insn *insn, const struct insn_state *state)
{
	uint64_t offset = state->gpr[GPR_RSP] & mask_of(stack_width(insn));
	uint64_t linear = state->segment_base[SEG_SS] + offset;

	return insn->mode == INSN_64 ? linear : (uint32_t)linear;
}

static int push(
	const struct insn *insn, struct insn_state *state, struct insn_bus *bus, uint64_t value)
{
	uint8_t size = insn->operand_size;

	move_stack(insn, state, -(uint64_t)size);
	return bus->write(bus, stack_address(insn, state), size, value & mask_of(size));
}

static int pop(
	const struct insn *insn, struct insn_state *state, struct insn_bus *bus, uint64_t *value)
{
	int error = bus->read(bus, stack_address(insn, state), insn->operand_size, value);

	*value &= mask_of(insn->operand_size);
	move_stack(insn, state, insn->operand_size);
	return error;
}

/* PUSH, POP, PUSHF, near CALL and RET. The last two set RIP themselves. */
static int emulate_stack(const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	uint8_t number = (insn->opcode & 7) | (insn->rex & OPCODE_REX_B ? 8 : 0);
	uint64_t value = 0;
	int error;

	switch (insn->op) {
	case INSN_PUSH:
		value = insn->immediate_size ? (uint64_t)insn->immediate : state->gpr[number];
		return push(insn, state, bus, value);
	case INSN_PUSHF:
		return push(insn, state, bus, state->rflags & ~(RFLAGS_VM | RFLAGS_RF));
	case INSN_CALL:
		value = next_rip(insn, state);
		state->rip = (value + (uint64_t)insn->immediate) & mask_of(insn->operand_size);
		return push(insn, state, bus, value);
	case INSN_POP:
		error = pop(insn, state, bus, &value);
		insn_set_register(insn, state, number, insn->operand_size, value);
		return error;
	default: /* INSN_RET */
		return pop(insn, state, bus, &state->rip);
	}
}

static bool is_stack(enum insn_op op)
{
	return op == INSN_PUSH || op == INSN_POP || op == INSN_PUSHF || op == INSN_CALL ||
	       op == INSN_RET;
}

static int emulate(
	const struct insn *insn, struct insn_state *state, struct insn_bus *bus, bool *done)
{
	switch (insn->op) {
	case INSN_MOV:
	case INSN_MOVSX:
	case INSN_MOVZX:
		return emulate_move(insn, state, bus);
	case INSN_LODS:
	case INSN_MOVS:
	case INSN_STOS:
		return emulate_string(insn, state, bus, done);
	case INSN_BT:
	case INSN_BTC:
	case INSN_BTR:
	case INSN_BTS:
		return emulate_bit(insn, state, bus);
	case INSN_CMPXCHG:
	case INSN_XADD:
	case INSN_XCHG:
		return emulate_exchange(insn, state, bus);
	default:
		return insn->op >= INSN_ADC ? emulate_arithmetic(insn, state, bus) : -EINVAL;
	}
}

int insn_emulate_mmio(const struct insn *insn, struct insn_state *state, struct insn_bus *bus)
{
	struct insn_state after = *state;
	bool done = true;
	int error;

	if (!insn->memory && !is_stack(insn->op))
		return -EINVAL;
	error = is_stack(insn->op) ? emulate_stack(insn, &after, bus)
				   : emulate(insn, &after, bus, &done);
	if (error)
		return error;
	if (done && insn->op != INSN_CALL && insn->op != INSN_RET)
		after.rip = next_rip(insn, state);
	*state = after;
	return 0;
}
