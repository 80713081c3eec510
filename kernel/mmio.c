/* Guest accesses to addresses where the VM has no memory: the instruction is fetched, decoded and
   carried out, its memory operands through the guest's page tables. What answers where there is no
   RAM is decided here: nothing does. */
#include "kernel/mmio.h"

#include "kernel/guest_memory.h"
#include "kernel/insn.h"
#include "kernel/vcpu.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/string.h"
#include "spec/cpu.h"

/* The bus of one instruction, and the exception it met. */
struct mmio_bus {
	struct insn_bus bus;
	struct vcpu *vcpu;
	unsigned int access; /* GUEST_USER or 0 */
	bool faulted;
	struct guest_fault fault;
	bool walked; /* by the CPU itself, which found the page at `linear` to lie at gpa */
	uint64_t linear, gpa;
};

static struct mmio_bus *mmio_bus_of(struct insn_bus *bus)
{
	return (struct mmio_bus *)((char *)bus - offsetof(struct mmio_bus, bus));
}

/* Takes the exit's guest-physical address for that of the instruction's only operand in memory,
   when both lie at the same place in their page: then the CPU has walked the guest's tables, with
   all the rights that the access needs, and it need not be done again. Tables that are themselves
   where there is no memory are not told apart; their guest gets ones either way. */
static void note_walk(struct mmio_bus *mmio, const struct insn *insn,
	const struct insn_state *state, const struct exit *exit)
{
	uint64_t linear = insn_address(insn, state), gpa = exit->stage2.gpa;

	mmio->walked = insn->memory && insn->op != INSN_MOVS && !mmio->vcpu->inject.valid &&
		       linear % PAGE_SIZE == gpa % PAGE_SIZE;
	mmio->linear = ALIGN_DOWN(linear, PAGE_SIZE);
	mmio->gpa = ALIGN_DOWN(gpa, PAGE_SIZE);
}

/* guest_translate(), unless the CPU has. */
static int translate(struct mmio_bus *mmio, uint64_t address, bool write, uint64_t *gpa)
{
	unsigned int access = mmio->access | (write ? GUEST_WRITE : GUEST_READ);
	int error;

	if (mmio->walked && address - mmio->linear < PAGE_SIZE) {
		*gpa = mmio->gpa + (address - mmio->linear);
		return 0;
	}
	error = guest_translate(mmio->vcpu, address, access, gpa, &mmio->fault);
	mmio->faulted = error == -EFAULT;
	return error;
}

/* Where the part of an access that lies in one page goes: *host is NULL where nothing answers. */
static int find_target(struct mmio_bus *mmio, uint64_t address, unsigned int size, bool write,
	uint8_t **host, unsigned int *part)
{
	uint64_t gpa, left;
	int error = translate(mmio, address, write, &gpa);

	if (error)
		return error;
	*host = guest_host_pointer(mmio->vcpu->vm, gpa, &left, write);
	*part = (unsigned int)MIN(left, (uint64_t)size);
	return 0;
}

/* Nothing answers: the bus's lines stay high. */
static int read_bus(struct insn_bus *bus, uint64_t address, unsigned int size, uint64_t *value)
{
	unsigned int done = 0, part;
	uint8_t *host;

	*value = ~UINT64_C(0);
	for (; done < size; done += part) {
		int error = find_target(
			mmio_bus_of(bus), address + done, size - done, false, &host, &part);

		if (error)
			return error;
		if (host)
			memcpy((uint8_t *)value + done, host, part);
	}
	return 0;
}

/* Nothing answers: the write is lost. A second page is tried before the first is written. */
static int write_bus(struct insn_bus *bus, uint64_t address, unsigned int size, uint64_t value)
{
	unsigned int part = size, rest = 0;
	uint8_t *host, *next = NULL;
	int error = find_target(mmio_bus_of(bus), address, size, true, &host, &part);

	if (!error && part < size)
		error = find_target(
			mmio_bus_of(bus), address + part, size - part, true, &next, &rest);
	if (error)
		return error;
	if (host)
		memcpy(host, &value, part);
	if (next)
		memcpy(next, (uint8_t *)&value + part, rest);
	return 0;
}

/* The registers the instruction works with. In 64-bit mode only FS and GS have a base. */
static void read_state(struct vcpu *vcpu, enum insn_mode mode, struct insn_state *state)
{
	memcpy(state->gpr, vcpu->gpr, sizeof(state->gpr));
	state->gpr[GPR_RSP] = vcpu_get(vcpu, REG_RSP);
	state->rip = vcpu_get(vcpu, REG_RIP);
	state->rflags = vcpu_get(vcpu, REG_RFLAGS);
	for (enum segment seg = SEG_ES; seg <= SEG_GS; seg++)
		state->segment_base[seg] = mode == INSN_64 && seg < SEG_FS
						   ? 0
						   : vcpu_get(vcpu, REG_SEGMENT(seg, PART_BASE));
}

static void write_state(struct vcpu *vcpu, const struct insn_state *state)
{
	uint64_t unused = vcpu->gpr[GPR_RSP];

	memcpy(vcpu->gpr, state->gpr, sizeof(vcpu->gpr));
	vcpu->gpr[GPR_RSP] = unused;
	vcpu_set(vcpu, REG_RSP, state->gpr[GPR_RSP]);
	vcpu_set(vcpu, REG_RFLAGS, state->rflags);
}

int mmio_emulate(struct vcpu *vcpu, const struct exit *exit)
{
	struct mmio_bus mmio = {
		.bus = { read_bus, write_bus }, .vcpu = vcpu, .access = guest_access_at_cpl(vcpu)
	};
	struct exit over = *exit;
	struct insn_state state;
	struct insn insn;
	uint64_t rip;
	int error = guest_fetch_insn(vcpu, &insn);

	if (error)
		return -EINVAL;
	read_state(vcpu, insn.mode, &state);
	note_walk(&mmio, &insn, &state, exit);
	rip = state.rip;
	error = insn_emulate_mmio(&insn, &state, &mmio.bus);
	if (error && mmio.faulted) {
		guest_inject_fault(vcpu, &mmio.fault);
		return 0;
	}
	if (error)
		return -EINVAL;
	write_state(vcpu, &state);
	over.len = insn.len;
	if (state.rip != rip) /* else a repeated instruction goes on */
		backend->advance(vcpu, &over);
	if (insn.op == INSN_CALL || insn.op == INSN_RET)
		vcpu_set(vcpu, REG_RIP, state.rip);
	return 0;
}
