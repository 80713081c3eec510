/* Every I/O port, in and out, in three sizes. The ports that a virtual machine has are
   spec/vm_ports.def's; all others must be a bus on which nothing answers. */
#include "guests/probe/sweep.h"

#include "guests/probe/wake.h"
#include "runtime/x86.h"
#include "spec/pic.h"
#include "spec/pit.h"
#include "spec/uart.h"

#define PORTS       65536
#define FIRST_PORTS 0x400 /* the ISA bus's own: never left out of a sample */

static const struct device {
	const char *name;
	uint16_t first, ports;
} devices[] = {
#define VM_PORTS(device, first, ports) { #device, first, ports },
#include "spec/vm_ports.def"
#undef VM_PORTS
};

/* Ports that reached the hardware when they were read: they are not written, for who knows what
   that would do. */
static uint8_t leaking[PORTS / 8];

/* For each port its device's place in the table above, from 1; 0 where there is none. */
static uint8_t device_at[PORTS];

static void place_devices(void)
{
	unsigned int i, port;

	for (i = 0; i < ARRAY_SIZE(devices); i++)
		for (port = 0; port < devices[i].ports; port++)
			device_at[devices[i].first + port] = (uint8_t)(i + 1);
}

static bool is_console(uint16_t port)
{
	return port >= UART_COM1 && port < UART_COM1 + UART_PORTS;
}

/* Asked for first, before each sweep. */
static uint64_t count(const struct sweep *sweep)
{
	place_devices();
	return PORTS;
}

static uint64_t where(const struct sweep *sweep, uint64_t index)
{
	return index;
}

static bool matters(const struct sweep *sweep, uint64_t index)
{
	return index < FIRST_PORTS;
}

/* A wide access is one to each of the ports that follow; a device may answer at some of them. */
static void expect(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	unsigned int i;

	policy->exits = true;
	for (i = 0; i < sweep->size; i++) {
		uint16_t port = (uint16_t)(index + i);

		if (device_at[port] != 0)
			policy->rule = devices[device_at[port] - 1].name;
		else
			policy->mask |= BITS(7, 0) << 8 * i;
		policy->skip |= is_console(port);
	}
	policy->value = policy->mask;
}

static void expect_out(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	unsigned int i;

	expect(sweep, index, policy);
	policy->mask = policy->value = 0;
	for (i = 0; i < sweep->size; i++) {
		uint16_t port = (uint16_t)(index + i);

		if (leaking[port / 8] & BIT(port % 8)) {
			policy->rule = "leak";
			policy->skip = true;
		}
	}
}

static void read_port(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	uint16_t port = (uint16_t)index;

	result->value = sweep->size == 1 ? in8(port) : sweep->size == 2 ? in16(port) : in32(port);
}

static void write_port(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	uint16_t port = (uint16_t)index;

	if (sweep->size == 1)
		out8(port, UINT8_MAX);
	else if (sweep->size == 2)
		out16(port, UINT16_MAX);
	else
		out32(port, UINT32_MAX);
}

static void note_leak(const struct sweep *sweep, uint64_t index)
{
	leaking[index / 8] |= (uint8_t)BIT(index % 8);
}

/* What was written to the virtual machine's own devices. */
static void quiet_devices(const struct sweep *sweep)
{
	out8(PIC_MASTER_ELCR, 0);
	out8(PIC_SLAVE_ELCR, 0);
	out8(PORT61, 0);
	out8(PIT_CONTROL, PIT_RW_BOTH << PIT_RW_SHIFT); /* stops: it waits for a count */
	wake_disarm();
}

static const struct sweep_kind in = {
	.count = count,
	.where = where,
	.matters = matters,
	.expect = expect,
	.access = read_port,
	.leaks = note_leak,
};

static const struct sweep_kind out = {
	.count = count,
	.where = where,
	.matters = matters,
	.expect = expect_out,
	.access = write_port,
	.leaks = note_leak,
	.end = quiet_devices,
};

#define RULE                                                                                       \
	"a port that spec/vm_ports.def gives to no device reads all ones and ignores writes; "     \
	"every access exits"

static const struct sweep sweeps[] = {
	{ .name = "in8",
		.what = "IN of 1 byte from every port",
		.rule = RULE,
		.kind = &in,
		.size = 1 },
	{ .name = "in16",
		.what = "IN of 2 bytes from every port",
		.rule = RULE,
		.kind = &in,
		.size = 2 },
	{ .name = "in32",
		.what = "IN of 4 bytes from every port",
		.rule = RULE,
		.kind = &in,
		.size = 4 },
	{ .name = "out8",
		.what = "OUT of 1 byte to every port",
		.rule = RULE,
		.kind = &out,
		.size = 1 },
	{ .name = "out16",
		.what = "OUT of 2 bytes to every port",
		.rule = RULE,
		.kind = &out,
		.size = 2 },
	{ .name = "out32",
		.what = "OUT of 4 bytes to every port",
		.rule = RULE,
		.kind = &out,
		.size = 4 },
};

const struct sweep_list sweep_ports = { sweeps, ARRAY_SIZE(sweeps) };
