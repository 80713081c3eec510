/* Port I/O: the devices at the ports of spec/vm_ports.def, and the string forms. Ports where nothing is
   read all ones and ignore writes, as on a PC's bus. */
#include "kernel/exit.h"
#include "kernel/guest_memory.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/x86.h"
#include "spec/pic.h"
#include "spec/pit.h"

#define STRING_BATCH 64 /* iterations of a repeated string instruction per exit */

static uint8_t read_uart(struct vm *vm, uint16_t port)
{
	uint8_t value = uart_read(&vm->uart, port - UART_PORT);

	vm_update_uart_irq(vm);
	return value;
}

static void write_uart(struct vm *vm, uint16_t port, uint8_t value)
{
	uart_write(&vm->uart, port - UART_PORT, value);
	vm_update_uart_irq(vm);
}

static uint8_t read_pic(struct vm *vm, uint16_t port)
{
	vm_update_timer(vm, rdtsc());
	return pic_read(&vm->pic, port);
}

static void write_pic(struct vm *vm, uint16_t port, uint8_t value)
{
	vm_update_timer(vm, rdtsc());
	pic_write(&vm->pic, port, value);
}

static uint8_t read_pit(struct vm *vm, uint16_t port)
{
	return pit_read(&vm->pit, port, rdtsc());
}

static void write_pit(struct vm *vm, uint16_t port, uint8_t value)
{
	uint64_t now = rdtsc();

	vm_update_timer(vm, now);
	pit_write(&vm->pit, port, value, now);
}

static uint8_t read_port61(struct vm *vm, uint16_t port)
{
	return pit_port61_read(&vm->pit, rdtsc());
}

static void write_port61(struct vm *vm, uint16_t port, uint8_t value)
{
	pit_port61_write(&vm->pit, value, rdtsc());
}

static const struct device {
	uint16_t first, ports;
	uint8_t (*read)(struct vm *vm, uint16_t port);
	void (*write)(struct vm *vm, uint16_t port, uint8_t value);
} devices[] = {
#define VM_PORTS(device, first, ports) { first, ports, read_##device, write_##device },
#include "spec/vm_ports.def"
#undef VM_PORTS
};

/* The device that answers at a port, or NULL. */
static const struct device *find_device(uint16_t port)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		if ((uint16_t)(port - devices[i].first) < devices[i].ports)
			return &devices[i];
	return NULL;
}

static uint8_t read_port(struct vm *vm, uint16_t port)
{
	const struct device *device = find_device(port);

	return device ? device->read(vm, port) : 0xff;
}

static void write_port(struct vm *vm, uint16_t port, uint8_t value)
{
	const struct device *device = find_device(port);

	if (device)
		device->write(vm, port, value);
}

/* All devices here are 8 bits wide: a wider access is that many narrow ones at the ports that follow. */
static uint32_t read_ports(struct vm *vm, uint16_t port, uint8_t size)
{
	uint32_t value = 0;
	uint8_t i;

	for (i = 0; i < size; i++)
		value |= (uint32_t)read_port(vm, (uint16_t)(port + i)) << 8 * i;
	return value;
}

static void write_ports(struct vm *vm, uint16_t port, uint8_t size, uint32_t value)
{
	uint8_t i;

	for (i = 0; i < size; i++)
		write_port(vm, (uint16_t)(port + i), (uint8_t)(value >> 8 * i));
}

/* IN: a 4-byte result clears the upper half of RAX, a shorter one leaves the rest alone. */
static void set_rax(struct vcpu *vcpu, uint32_t value, uint8_t size)
{
	uint64_t mask = size == 1 ? 0xff : 0xffff;

	if (size == 4)
		vcpu->gpr[GPR_RAX] = value;
	else
		vcpu->gpr[GPR_RAX] = (vcpu->gpr[GPR_RAX] & ~mask) | (value & mask);
}

static void fill_state(struct vcpu *vcpu, const struct insn *insn, struct insn_state *state)
{
	unsigned int i;

	for (i = 0; i < GPRS; i++)
		state->gpr[i] = vcpu->gpr[i];
	state->gpr[GPR_RSP] = vcpu_get(vcpu, REG_RSP);
	state->rflags = vcpu_get(vcpu, REG_RFLAGS);
	for (i = 0; i < 6; i++)
		state->segment_base[i] = insn->mode == INSN_64 && i < SEG_FS ?
			0 :
			vcpu_get(vcpu, REG_SEGMENT((enum segment)i, PART_BASE));
}

/* Steps an index or count register of the instruction's address size. */
static void step_register(struct vcpu *vcpu, const struct insn *insn, uint8_t gpr, int64_t by)
{
	uint64_t mask = insn->address_size == 2 ? BITS(15, 0) : BITS(31, 0), old = vcpu->gpr[gpr];

	if (insn->address_size == 8)
		vcpu->gpr[gpr] = old + (uint64_t)by;
	else if (insn->address_size == 4)
		vcpu->gpr[gpr] = (old + (uint64_t)by) & mask;
	else
		vcpu->gpr[gpr] = (old & ~mask) | ((old + (uint64_t)by) & mask);
}

static uint64_t count_left(const struct vcpu *vcpu, const struct insn *insn)
{
	uint64_t rcx = vcpu->gpr[GPR_RCX];

	return insn->address_size == 8 ? rcx : insn->address_size == 4 ? (uint32_t)rcx : (uint16_t)rcx;
}

/* One element of INS or OUTS. 0, or an error of guest_read_virtual() with *fault. */
static int move_element(struct vcpu *vcpu, const struct exit *exit, const struct insn *insn,
	struct guest_fault *fault)
{
	unsigned int access = guest_access_at_cpl(vcpu);
	struct insn_state state;
	uint32_t value = 0;
	int64_t step = exit->io.size;
	int error;

	fill_state(vcpu, insn, &state);
	if (exit->io.in) {
		value = read_ports(vcpu->vm, exit->io.port, exit->io.size);
		error = guest_write_virtual(vcpu, insn_string_destination(insn, &state), &value,
			exit->io.size, access | GUEST_WRITE, fault);
	} else {
		error = guest_read_virtual(vcpu, insn_address(insn, &state), &value, exit->io.size,
			access, fault);
		if (error == 0)
			write_ports(vcpu->vm, exit->io.port, exit->io.size, value);
	}
	if (error)
		return error;
	step_register(vcpu, insn, exit->io.in ? GPR_RDI : GPR_RSI, state.rflags & RFLAGS_DF ? -step : step);
	return 0;
}

/* INS and OUTS, with REP a batch at a time: RIP moves on behind the last element only. */
static void string_io(struct vcpu *vcpu, const struct exit *exit)
{
	struct guest_fault fault;
	struct insn insn;
	unsigned int i;
	int error = guest_fetch_insn(vcpu, &insn);

	if (error == 0 && insn.op != INSN_INS && insn.op != INSN_OUTS)
		return; /* changed under our feet: the CPU executes what is there now */
	for (i = 0; error == 0 && i < (exit->io.rep ? STRING_BATCH : 1); i++) {
		if (exit->io.rep && count_left(vcpu, &insn) == 0)
			break;
		error = move_element(vcpu, exit, &insn, &fault);
		if (error == 0 && exit->io.rep)
			step_register(vcpu, &insn, GPR_RCX, -1);
	}
	if (error == -EFAULT)
		guest_inject_fault(vcpu, &fault);
	else if (error)
		vm_die(vcpu->vm, "string I/O at RIP %#lx to or from no memory", exit->rip);
	else if (!exit->io.rep || count_left(vcpu, &insn) == 0)
		backend->advance(vcpu, exit);
}

void guest_io(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu->attention = true; /* a device may want an interrupt, or a timer */
	if (exit->io.string) {
		string_io(vcpu, exit);
		return;
	}
	if (exit->io.in)
		set_rax(vcpu, read_ports(vcpu->vm, exit->io.port, exit->io.size), exit->io.size);
	else
		write_ports(vcpu->vm, exit->io.port, exit->io.size, (uint32_t)vcpu->gpr[GPR_RAX]);
	backend->advance(vcpu, exit);
}
