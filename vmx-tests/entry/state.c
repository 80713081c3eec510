/* Reads the states that tests of VM entry compare. What they mean is the tests' business. */
#include "vmx-tests/entry/state.h"

#include "runtime/harness.h"
#include "runtime/paging.h"
#include "runtime/string.h"
#include "spec/cpuid.h"

struct vmx_state state_before, state_after;

static uint64_t read_field(const struct vmx_source *source, uint32_t encoding)
{
	uint64_t value;

	return vmread(encoding, &value) == OK ? value : 0;
}

static uint64_t read_msr(const struct vmx_source *source, uint32_t number)
{
	uint64_t value;

	rdmsr_safe(number, &value);
	return value;
}

static void read_cpuid(
	const struct vmx_source *source, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	struct cpuid r = cpuid(leaf, subleaf);

	regs[0] = r.eax;
	regs[1] = r.ebx;
	regs[2] = r.ecx;
	regs[3] = r.edx;
}

static uint64_t read_current(const struct vmx_source *source)
{
	uint64_t address = 0;

	return vmptrst(&address) == OK ? address : 0;
}

static bool read_memory(
	const struct vmx_source *source, uint64_t address, size_t bytes, uint64_t *value)
{
	*value = 0;
	if (!paging_lookup(address, NULL) || !paging_lookup(address + bytes - 1, NULL))
		return false;
	memcpy(value, (const void *)(uintptr_t)address, bytes);
	return true;
}

static const struct vmx_source this_cpu = {
	.vmread = read_field,
	.rdmsr = read_msr,
	.cpuid = read_cpuid,
	.current_vmcs = read_current,
	.read_physical = read_memory,
};

/* What does not change while the suite runs is read once. */
static const struct vmx_state *constants(void)
{
	static struct vmx_state state;
	static bool known;

	if (!known)
		vmx_state_read_cpu(&state, &this_cpu);
	known = true;
	return &state;
}

/* All are tried at once: VMREAD of one that is not there writes the VM-instruction error. */
bool state_has_field(unsigned int field)
{
	static bool known, exists[VMCS_FIELDS];
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS && !known; i++)
		exists[i] = field_exists(vmcs_fields[i].encoding);
	known = true;
	return exists[field];
}

void state_read_fields(struct vmx_state *state)
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++)
		state->field[i] =
			state_has_field(i) ? test_observe(field_peek(vmcs_fields[i].encoding)) : 0;
}

void state_read(struct vmx_state *state)
{
	*state = *constants();
	state->cpu.current_vmcs = read_current(&this_cpu);
	state_read_fields(state);
	state_read_memory(state);
}

void state_read_memory(struct vmx_state *state)
{
	vmx_state_read_memory(state, &this_cpu);
}

/* "Guest Register State": some CPUs' VMWRITE ignores the reserved bits of access rights. */
static bool keeps_reserved_rights(void)
{
	static bool known, keeps;
	uint64_t before;

	if (known)
		return keeps;
	before = field_peek(VMCS_GUEST_ES_ACCESS_RIGHTS);
	field_poke(VMCS_GUEST_ES_ACCESS_RIGHTS, before | ACCESS_RIGHTS_RESERVED);
	keeps = field_peek(VMCS_GUEST_ES_ACCESS_RIGHTS) & ACCESS_RIGHTS_RESERVED;
	field_poke(VMCS_GUEST_ES_ACCESS_RIGHTS, before);
	known = true;
	return keeps;
}

static bool is_access_rights(unsigned int field)
{
	return field >= FIELD_GUEST_ES_ACCESS_RIGHTS && field <= FIELD_GUEST_TR_ACCESS_RIGHTS;
}

uint64_t state_field_mask(unsigned int field)
{
	static const uint64_t masks[] = { [WIDTH_16] = BITS(15, 0),
		[WIDTH_32] = BITS(31, 0),
		[WIDTH_64] = BITS(63, 0),
		[WIDTH_NATURAL] = BITS(63, 0) };

	if (is_access_rights(field) && !keeps_reserved_rights())
		return BITS(31, 0) & ~ACCESS_RIGHTS_RESERVED;
	return field < VMCS_FIELDS ? masks[vmcs_fields[field].width] : BITS(63, 0);
}

/* "VM-Entry Failures During or After Loading Guest State" and "VM Instruction Error Numbers". Of
   the read-only fields of a late failure failure.c has a test of its own. */
static bool may_change(unsigned int field, bool late)
{
	if (late)
		return vmcs_fields[field].area == AREA_READONLY;
	return field == FIELD_VM_INSTRUCTION_ERROR;
}

int state_difference(bool late)
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++)
		if (!may_change(i, late) && i != FIELD_HOST_RIP && i != FIELD_HOST_RSP &&
			state_before.field[i] != state_after.field[i])
			return (int)i;
	return -1;
}

unsigned int state_physical_width(void)
{
	return cpuid(CPUID_EXT_ADDRESS, 0).eax & 0xff;
}

unsigned int state_linear_width(void)
{
	return cpuid(CPUID_EXT_ADDRESS, 0).eax >> 8 & 0xff;
}
