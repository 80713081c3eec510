/* A guest's memory by physical and linear address, and its instructions: above all that the cached
   fetch never outlives what it was made from.
   Links: kernel/guest_memory.c kernel/guest_walk.c kernel/insn.c kernel/insn_opcode.c
*/
#include "tests/host/tap.h"

#include "kernel/guest_memory.h"
#include "kernel/memory.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "spec/cpu.h"
#include "spec/vmx.h"

#define MEMORY 0x20000
#define LEVEL4 0x1000 /* tables for the first 2 MiB of linear addresses */
#define LEVEL1 0x4000
#define CODE   UINT64_C(0x8000)
#define RIGHTS (PTE_P | PTE_W | PTE_U)

static uint8_t memory[MEMORY] __aligned(4096);
static uint64_t regs[REGS];
static struct vm vm;
static struct vcpu *const vcpu = &vm.vcpu;
static struct event injected;

void *memory_host_pointer(struct vm *owner, uint64_t gpa, bool write)
{
	CHECK(owner == &vm);
	return gpa < MEMORY ? memory + gpa : NULL;
}

static uint64_t get(struct vcpu *of, enum reg reg)
{
	return regs[reg];
}

static void set(struct vcpu *of, enum reg reg, uint64_t value)
{
	regs[reg] = value;
}

static const struct backend fake_backend = { .get = get, .set = set };
const struct backend *backend = &fake_backend;

void vcpu_inject_exception(struct vcpu *of, uint8_t vector, uint32_t error)
{
	injected = (struct event){ .valid = true, .vector = vector, .error = error };
}

static uint64_t *entry_at(uint64_t gpa)
{
	return (uint64_t *)(memory + gpa);
}

/* 64-bit mode at CPL 0, page n at page n, CPUID at RIP. */
static void reset(void)
{
	memset(memory, 0, sizeof(memory));
	memset(regs, 0, sizeof(regs));
	memset(&vm, 0, sizeof(vm));
	vcpu->vm = &vm;
	for (unsigned int level = 0; level < 3; level++)
		*entry_at(LEVEL4 + level * PAGE_SIZE) = (LEVEL4 + (level + 1) * PAGE_SIZE) | RIGHTS;
	for (uint64_t page = 0; page < MEMORY / PAGE_SIZE; page++)
		entry_at(LEVEL1)[page] = page * PAGE_SIZE | RIGHTS;
	memcpy(memory + CODE, "\x0f\xa2\xf4", 3);
	regs[REG_CR0] = CR0_PE | CR0_PG | CR0_WP;
	regs[REG_CR3] = LEVEL4;
	regs[REG_CR4] = CR4_PAE;
	regs[REG_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
	regs[REG_RIP] = CODE;
	regs[REG_SEGMENT(SEG_CS, PART_ACCESS)] =
		ACCESS_RIGHTS_P | ACCESS_RIGHTS_S | ACCESS_RIGHTS_L;
}

static const uint8_t *cached(void)
{
	return guest_fetch_cached(&vcpu->fetch, regs[REG_RIP], regs[REG_CR0], regs[REG_CR3],
		regs[REG_CR4], regs[REG_EFER], vm.stage2.generation);
}

static bool finds_cpuid(void)
{
	return guest_insn_length(vcpu, INSN_CPUID) == 2;
}

static void physical_copies(void)
{
	uint8_t data[3 * PAGE_SIZE], back[3 * PAGE_SIZE];

	reset();
	for (unsigned int i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	CHECK_EQ(guest_write_physical(&vm, 0x8123, data, sizeof(data)), 0);
	CHECK_EQ(guest_read_physical(&vm, 0x8123, back, sizeof(back)), 0);
	CHECK_EQ(memcmp(data, back, sizeof(data)), 0);
	CHECK_EQ(guest_zero_physical(&vm, 0x8fff, 2), 0);
	CHECK_EQ(memory[0x8ffe], data[0x8ffe - 0x8123]);
	CHECK_EQ(memory[0x8fff] | memory[0x9000], 0);
	CHECK_EQ(memory[0x9001], data[0x9001 - 0x8123]);
	CHECK_EQ(guest_write_physical(&vm, MEMORY - 1, data, 2), -EFAULT);
	CHECK_EQ(guest_read_physical(&vm, UINT64_MAX, back, 2), -EFAULT);
	CHECK_EQ(guest_write_physical(&vm, MEMORY, data, 0), 0);
}

static void virtual_copies(void)
{
	struct guest_fault fault;
	uint8_t data[16] = "0123456789abcde", back[16];

	reset();
	entry_at(LEVEL1)[16] = 0xb000 | RIGHTS; /* neighbours that lie apart */
	entry_at(LEVEL1)[17] = 0x9000 | RIGHTS;
	CHECK_EQ(guest_write_virtual(vcpu, 0x10ff8, data, 16, 0, &fault), 0);
	CHECK_EQ(memcmp(memory + 0xbff8, data, 8), 0);
	CHECK_EQ(memcmp(memory + 0x9000, data + 8, 8), 0);
	CHECK_EQ(guest_read_virtual(vcpu, 0x10ff8, back, 16, GUEST_USER, &fault), 0);
	CHECK_EQ(memcmp(back, data, 16), 0);
	entry_at(LEVEL1)[17] = 0;
	CHECK_EQ(guest_read_virtual(vcpu, 0x10ff8, back, 16, 0, &fault), -EFAULT);
	CHECK_EQ(fault.address, 0x11000);
	guest_inject_fault(vcpu, &fault);
	CHECK(injected.valid && injected.vector == VECTOR_PF && injected.error == 0);
	CHECK_EQ(regs[REG_CR2], 0x11000);
	entry_at(LEVEL1)[17] = MEMORY | RIGHTS;
	CHECK_EQ(guest_read_virtual(vcpu, 0x10ff8, back, 16, 0, &fault), -EIO);
}

static void fetch_is_cached(void)
{
	reset();
	CHECK(cached() == NULL); /* nothing is cached in zeroed memory */
	memset(regs, 0, sizeof(regs));
	CHECK(cached() == NULL);
	reset();
	CHECK(finds_cpuid());
	CHECK(cached() == memory + CODE);
	CHECK(guest_insn_is(cached(), 0xa20f));
	CHECK(!guest_insn_is(cached(), 0x300f));
	regs[REG_RIP] = CODE + 0xfff; /* the same page */
	CHECK(cached() == memory + CODE + 0xfff);
	memory[CODE + 0xfff] = 0x0f;
	memory[CODE + 0x1000] = 0xa2;
	CHECK(!guest_insn_is(cached(), 0xa20f)); /* not across the page's end */
	CHECK(finds_cpuid());
	guest_fetch_cache_forget(&vcpu->fetch);
	CHECK(cached() == NULL);
}

/* Each thing that a translation depends on, changed alone. */
static void cache_sees_changes(void)
{
	for (unsigned int i = 0; i < 10; i++) {
		reset();
		CHECK(finds_cpuid());
		switch (i) {
		case 0:
			regs[REG_CR0] ^= CR0_WP;
			break;
		case 1:
			regs[REG_CR3] += 8;
			break;
		case 2:
			regs[REG_CR4] ^= CR4_SMEP;
			break;
		case 3:
			regs[REG_EFER] ^= EFER_NXE;
			break;
		case 4:
			regs[REG_RIP] += PAGE_SIZE;
			break;
		case 5:
			vm.stage2.generation++;
			break;
		default: /* an entry of one of the four levels */
			*entry_at(LEVEL4 + (i - 6) * PAGE_SIZE +
				  (i == 9 ? CODE / PAGE_SIZE * 8 : 0)) ^= PTE_A;
		}
		CHECK_ROW(i, cached() == NULL, true);
	}
}

static void cache_follows_a_remap(void)
{
	struct insn insn;

	reset();
	CHECK(finds_cpuid());
	memcpy(memory + 0xc000, "\xf3\x90", 2);
	entry_at(LEVEL1)[CODE / PAGE_SIZE] = 0xc000 | RIGHTS;
	CHECK_EQ(guest_fetch_insn(vcpu, &insn), 0);
	CHECK_EQ(insn.op, INSN_PAUSE);
	memcpy(memory + 0xc000, "\x0f\xa2", 2); /* code that changes in place */
	CHECK(finds_cpuid());
	entry_at(LEVEL1)[CODE / PAGE_SIZE] = 0;
	CHECK_EQ(guest_fetch_insn(vcpu, &insn), -EFAULT);
}

/* The second page is not needed unless the instruction reaches into it. */
static void fetch_at_the_end_of_a_page(void)
{
	uint8_t bytes[INSN_MAX_LEN];
	struct insn insn;

	reset();
	regs[REG_RIP] = CODE + 0xffd;
	memcpy(memory + CODE + 0xffd, "\x0f\xa2\x66\x90", 4);
	CHECK_EQ(guest_fetch(vcpu, bytes), INSN_MAX_LEN);
	CHECK_EQ(memcmp(bytes, "\x0f\xa2\x66\x90", 4), 0);
	entry_at(LEVEL1)[CODE / PAGE_SIZE + 1] = 0;
	CHECK_EQ(guest_fetch(vcpu, bytes), 3);
	CHECK(finds_cpuid());
	regs[REG_RIP] += 2;
	CHECK_EQ(guest_fetch_insn(vcpu, &insn), -EAGAIN);
}

/* Without paging, with a segment's base; 16- and 32-bit code. */
static void legacy_modes(void)
{
	uint64_t access = ACCESS_RIGHTS_P | ACCESS_RIGHTS_S;
	struct insn insn;

	reset();
	regs[REG_CR0] = CR0_PE;
	regs[REG_EFER] = 0;
	regs[REG_RIP] = 0x8;
	regs[REG_SEGMENT(SEG_CS, PART_BASE)] = 0x9000;
	memcpy(memory + 0x9008, "\x66\xb8\x01\x02\x03\x04", 6);
	regs[REG_SEGMENT(SEG_CS, PART_ACCESS)] = access;
	CHECK_EQ(guest_fetch_insn(vcpu, &insn), 0);
	CHECK_EQ(insn.len, 6);
	regs[REG_SEGMENT(SEG_CS, PART_ACCESS)] = access | ACCESS_RIGHTS_DB;
	CHECK_EQ(guest_fetch_insn(vcpu, &insn), 0);
	CHECK_EQ(insn.len, 4);
	CHECK(cached() == NULL); /* RIP alone is not the linear address here */
	regs[REG_SEGMENT(SEG_CS, PART_BASE)] = 0xfffff000; /* wraps */
	regs[REG_RIP] = 0xa008;
	CHECK_EQ(guest_fetch_insn(vcpu, &insn), 0);
	CHECK_EQ(insn.len, 4);
}

static void user_code(void)
{
	uint8_t bytes[INSN_MAX_LEN];

	reset();
	regs[REG_SEGMENT(SEG_SS, PART_ACCESS)] = ACCESS_RIGHTS_DPL;
	CHECK_EQ(guest_access_at_cpl(vcpu), GUEST_USER);
	CHECK_EQ(guest_fetch(vcpu, bytes), INSN_MAX_LEN);
	entry_at(LEVEL1)[CODE / PAGE_SIZE] &= ~PTE_U;
	CHECK_EQ(guest_fetch(vcpu, bytes), -EFAULT);
	regs[REG_SEGMENT(SEG_SS, PART_ACCESS)] = 0;
	CHECK_EQ(guest_fetch(vcpu, bytes), INSN_MAX_LEN);
}

TAP_MAIN(TAP_TEST(physical_copies), TAP_TEST(virtual_copies), TAP_TEST(fetch_is_cached),
	TAP_TEST(cache_sees_changes), TAP_TEST(cache_follows_a_remap),
	TAP_TEST(fetch_at_the_end_of_a_page), TAP_TEST(legacy_modes), TAP_TEST(user_code))
