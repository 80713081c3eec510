/* The guest of a few instructions: its pages, its state at the start. Entering it is the tests'
 * own. */
#include "labs/guest.h"

#include "kernel/switched.h"
#include "kernel/vm.h"
#include "labs/suite.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/vmx.h"

#define ENTRIES     512
#define DIRECTORIES 4 /* of 1 GiB each */
#define FLAT        (ACCESS_RIGHTS_S | ACCESS_RIGHTS_P | ACCESS_RIGHTS_G)
#define FLAT_CODE   (FLAT | ACCESS_RIGHTS_L | 11) /* execute/read, accessed */
#define FLAT_DATA   (FLAT | ACCESS_RIGHTS_DB | 3) /* read/write, accessed */
#define TSS         (ACCESS_RIGHTS_P | 11)        /* busy */

uint8_t lab_guest_code[PAGE_SIZE] __aligned(4096), lab_guest_stack[PAGE_SIZE] __aligned(4096);
uint8_t lab_guest_data[PAGE_SIZE] __aligned(4096);
static uint64_t level4[ENTRIES] __aligned(4096), level3[ENTRIES] __aligned(4096);
static uint64_t level2[DIRECTORIES][ENTRIES] __aligned(4096);

static void build_tables(void)
{
	level4[0] = (uintptr_t)level3 | PTE_P | PTE_W;
	for (uint64_t i = 0; i < DIRECTORIES; i++)
		level3[i] = (uintptr_t)level2[i] | PTE_P | PTE_W;
	for (uint64_t i = 0; i < DIRECTORIES * ENTRIES; i++)
		level2[i / ENTRIES][i % ENTRIES] = i * PAGE_SIZE_2M | PTE_P | PTE_W | PTE_PS;
}

struct state {
	enum reg reg;
	uint64_t value;
};

#define SEGMENT(seg, selector, access)                                                             \
	{ REG_SEGMENT(seg, PART_SELECTOR), selector }, { REG_SEGMENT(seg, PART_BASE), 0 },         \
		{ REG_SEGMENT(seg, PART_LIMIT), UINT32_MAX },                                      \
	{                                                                                          \
		REG_SEGMENT(seg, PART_ACCESS), access                                              \
	}

static const struct state start[] = {
	{ REG_RFLAGS, RFLAGS_FIXED },
	{ REG_DR7, DR7_RESET },
	SEGMENT(SEG_ES, 0x10, FLAT_DATA),
	SEGMENT(SEG_SS, 0x10, FLAT_DATA),
	SEGMENT(SEG_DS, 0x10, FLAT_DATA),
	SEGMENT(SEG_FS, 0x10, FLAT_DATA),
	SEGMENT(SEG_GS, 0x10, FLAT_DATA),
	SEGMENT(SEG_CS, 0x08, FLAT_CODE),
	{ REG_SEGMENT(SEG_LDTR, PART_ACCESS), ACCESS_RIGHTS_UNUSABLE },
	{ REG_SEGMENT(SEG_TR, PART_SELECTOR), 0x18 },
	{ REG_SEGMENT(SEG_TR, PART_LIMIT), 103 },
	{ REG_SEGMENT(SEG_TR, PART_ACCESS), TSS },
	{ REG_EFER, EFER_LME | EFER_LMA },
	{ REG_CR4, CR4_PAE },
	{ REG_CR0, CR0_PE | CR0_ET | CR0_PG },
};

struct vcpu *lab_guest_make(const uint8_t *code, const uint8_t *end)
{
	return lab_guest_make_on(code, end, NULL);
}

struct vcpu *lab_guest_make_on(const uint8_t *code, const uint8_t *end, uint64_t *root)
{
	struct vm *vm = lab_vm(root != NULL);
	struct vcpu *vcpu = &vm->vcpu;

	vm->stage2 = (struct stage2){ .format = backend->stage2_format, .root = root };
	lab_turn_off();
	switched_init_cpu();
	if (backend->cpu_on() != 0 || vcpu_create(vcpu, vm) != 0)
		return NULL;
	pic_init(&vm->pic);
	pit_init(&vm->pit);
	build_tables();
	memset(lab_guest_code, 0xcc, PAGE_SIZE);
	memset(lab_guest_stack, 0, PAGE_SIZE);
	memset(lab_guest_data, 0, PAGE_SIZE);
	memcpy(lab_guest_code, code, (size_t)(end - code));
	lab_guest_load(vcpu, UINT32_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(start); i++)
		vcpu_set(vcpu, start[i].reg, start[i].value);
	vcpu_set(vcpu, REG_CR3, (uintptr_t)level4);
	vcpu_set(vcpu, REG_RIP, (uintptr_t)lab_guest_code);
	vcpu_set(vcpu, REG_RSP, (uintptr_t)lab_guest_stack + PAGE_SIZE);
	return vcpu;
}

uint64_t lab_guest_number(unsigned int gpr)
{
	return UINT64_C(0x0101010101010101) * (gpr + 0x11);
}

void lab_guest_fill(struct vcpu *vcpu)
{
	for (unsigned int i = 0; i < GPRS; i++)
		vcpu->gpr[i] = lab_guest_number(i);
}

void lab_guest_load(struct vcpu *vcpu, uint64_t ticks)
{
	switched_load(vcpu);
	backend->load(vcpu);
	vcpu->entered = rdtsc();
	vcpu->deadline = vcpu->entered + ticks;
}

outcome lab_changed(int line, uint64_t changed)
{
	static const char *const names[] = { "RBX", "RBP", "R12", "R13", "R14", "R15",
		"RFLAGS.IF" };
	char list[64] = "";
	size_t length = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (changed & BIT(i))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
				length > 0 ? ", " : "", names[i]);
	return test_mismatch(line,
		"wanted: all registers that a C function preserves as before the call; "
		"came: something else in %s",
		list);
}
