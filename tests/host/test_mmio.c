/* Accesses to where a VM has no memory.
   Links: kernel/mmio.c kernel/guest_memory.c kernel/guest_walk.c kernel/insn.c kernel/insn_opcode.c
   kernel/insn_emulate.c
*/
#include "tests/host/tap.h"

#include "kernel/memory.h"
#include "kernel/mmio.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "spec/cpu.h"
#include "spec/vmx.h"

#define MEMORY 0x8000
#define CODE   0x1000
#define HOLE   0x20000        /* nothing is there */
#define SECRET (HOLE + 0xfff) /* of an exit that does not tell where the operand lies */

static uint8_t memory[MEMORY] __aligned(4096);
static uint64_t regs[REGS];
static struct vm vm;
static struct vcpu *const vcpu = &vm.vcpu;
static struct event injected;
static uint64_t exit_gpa;

void *memory_host_pointer(struct vm *owner, uint64_t gpa, bool write)
{
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

static void advance(struct vcpu *of, const struct exit *exit)
{
	regs[REG_RIP] += exit->len;
}

static const struct backend fake_backend = { .get = get, .set = set, .advance = advance };
const struct backend *backend = &fake_backend;

void vcpu_inject_exception(struct vcpu *of, uint8_t vector, uint32_t error)
{
	injected = (struct event){ .valid = true, .vector = vector, .error = error };
}

/* Runs one instruction in 32-bit protected mode without paging, EBX at the hole. */
static int run(const char *bytes, size_t size)
{
	struct exit exit = { .kind = EXIT_STAGE2, .stage2.gpa = exit_gpa };

	memcpy(memory + CODE, bytes, size);
	regs[REG_RIP] = CODE;
	return mmio_emulate(vcpu, &exit);
}

#define RUN(bytes) run(bytes, sizeof(bytes) - 1)

static void reset(void)
{
	memset(memory, 0x11, sizeof(memory));
	memset(regs, 0, sizeof(regs));
	memset(&vm, 0, sizeof(vm));
	vcpu->vm = &vm;
	exit_gpa = SECRET;
	injected.valid = false;
	regs[REG_CR0] = CR0_PE;
	regs[REG_RFLAGS] = RFLAGS_FIXED;
	regs[REG_SEGMENT(SEG_CS, PART_ACCESS)] =
		ACCESS_RIGHTS_P | ACCESS_RIGHTS_S | ACCESS_RIGHTS_DB;
	vcpu->gpr[GPR_RBX] = HOLE;
}

static void reads_give_all_ones(void)
{
	reset();
	CHECK_EQ(RUN("\x8b\x03"), 0); /* mov (%ebx), %eax */
	CHECK_EQ(vcpu->gpr[GPR_RAX], 0xffffffff);
	CHECK_EQ(regs[REG_RIP], CODE + 2);
	vcpu->gpr[GPR_RAX] = 0;
	CHECK_EQ(RUN("\x8a\x63\x05"), 0); /* mov 5(%ebx), %ah */
	CHECK_EQ(vcpu->gpr[GPR_RAX], 0xff00);
	CHECK_EQ(RUN("\x83\x3b\xff"), 0); /* cmpl $-1, (%ebx) */
	CHECK(regs[REG_RFLAGS] & RFLAGS_ZF);
	CHECK_EQ(RUN("\x8b\x23"), 0); /* mov (%ebx), %esp */
	CHECK_EQ(regs[REG_RSP], 0xffffffff);
}

static void writes_are_dropped(void)
{
	reset();
	CHECK_EQ(RUN("\xc7\x03\x01\x02\x03\x04"), 0);
	CHECK_EQ(RUN("\x89\x03"), 0);
	CHECK_EQ(regs[REG_RIP], CODE + 2);
	CHECK_EQ(RUN("\x83\x0b\x01"), 0);
	CHECK_EQ(memory[0], 0x11);
	CHECK_EQ(memory[MEMORY - 1], 0x11);
}

/* A stack that lies where there is no memory. */
static void stacks_are_lost(void)
{
	reset();
	regs[REG_RSP] = HOLE + 0x100;
	CHECK_EQ(RUN("\x50"), 0); /* push %eax */
	CHECK_EQ(regs[REG_RSP], HOLE + 0xfc);
	CHECK_EQ(regs[REG_RIP], CODE + 1);
	CHECK_EQ(RUN("\x68\x01\x02\x03\x04"), 0); /* push $0x04030201 */
	CHECK_EQ(regs[REG_RIP], CODE + 5);
	CHECK_EQ(RUN("\x66\x9c"), 0); /* pushfw */
	CHECK_EQ(regs[REG_RSP], HOLE + 0xf6);
	CHECK_EQ(RUN("\x59"), 0); /* pop %ecx */
	CHECK_EQ(vcpu->gpr[GPR_RCX], 0xffffffff);
	CHECK_EQ(regs[REG_RSP], HOLE + 0xfa);
	CHECK_EQ(RUN("\xe8\x10\x00\x00\x00"), 0); /* call 16 bytes behind it */
	CHECK_EQ(regs[REG_RIP], CODE + 5 + 16);
	CHECK_EQ(RUN("\xc3"), 0); /* ret: to what a bus without memory reads as */
	CHECK_EQ(regs[REG_RIP], 0xffffffff);
	CHECK_EQ(regs[REG_RSP], HOLE + 0xfa);
}

/* The same instructions, where it has memory. */
static void stacks_work(void)
{
	reset();
	regs[REG_RSP] = 0x3004;
	vcpu->gpr[GPR_RDX] = 0x12345678;
	CHECK_EQ(RUN("\x52"), 0); /* push %edx */
	CHECK_EQ(memory[0x3000], 0x78);
	CHECK_EQ(memory[0x3003], 0x12);
	CHECK_EQ(RUN("\x58"), 0); /* pop %eax */
	CHECK_EQ(vcpu->gpr[GPR_RAX], 0x12345678);
	CHECK_EQ(regs[REG_RSP], 0x3004);
}

/* Half of the operand is memory. */
static void across_the_edge(void)
{
	reset();
	vcpu->gpr[GPR_RBX] = MEMORY - 2;
	vcpu->gpr[GPR_RAX] = 0x44332255;
	CHECK_EQ(RUN("\x89\x03"), 0);
	CHECK_EQ(memory[MEMORY - 2], 0x55);
	CHECK_EQ(memory[MEMORY - 1], 0x22);
	CHECK_EQ(RUN("\x8b\x0b"), 0);
	CHECK_EQ(vcpu->gpr[GPR_RCX], 0xffff2255);
}

static void strings_go_between(void)
{
	reset();
	vcpu->gpr[GPR_RCX] = 2;
	vcpu->gpr[GPR_RSI] = HOLE;
	vcpu->gpr[GPR_RDI] = 0x3000;
	CHECK_EQ(RUN("\xf3\xa4"), 0); /* rep movsb from the hole to memory */
	CHECK_EQ(regs[REG_RIP], CODE);
	CHECK_EQ(RUN("\xf3\xa4"), 0);
	CHECK_EQ(regs[REG_RIP], CODE + 2);
	CHECK_EQ(memory[0x3000] & memory[0x3001], 0xff);
	CHECK_EQ(memory[0x3002], 0x11);
	CHECK_EQ(vcpu->gpr[GPR_RCX], 0);
}

/* With paging on, what the guest's tables forbid is the guest's exception. */
static void page_faults_are_the_guests(void)
{
	uint32_t *directory = (uint32_t *)(memory + 0x4000);

	reset();
	memset(directory, 0, PAGE_SIZE);
	directory[0] = PTE_P | PTE_PS; /* the first 4 MiB, read-only */
	regs[REG_CR0] = CR0_PE | CR0_PG | CR0_WP;
	regs[REG_CR3] = 0x4000;
	regs[REG_CR4] = CR4_PSE;
	CHECK_EQ(RUN("\x89\x03"), 0);
	CHECK(injected.valid && injected.vector == VECTOR_PF);
	CHECK_EQ(injected.error, PF_PRESENT | PF_WRITE);
	CHECK_EQ(regs[REG_CR2], HOLE);
	CHECK_EQ(regs[REG_RIP], CODE);
}

/* Where the operand lies is the exit's to say, whatever a walk by software would find. */
static void the_cpus_walk_is_believed(void)
{
	reset();
	vcpu->gpr[GPR_RBX] = 0x3000;
	exit_gpa = HOLE;
	CHECK_EQ(RUN("\x8b\x03"), 0);
	CHECK_EQ(vcpu->gpr[GPR_RAX], 0xffffffff);
	CHECK_EQ(RUN("\x87\x03"), 0); /* xchg %eax, (%ebx) */
	CHECK_EQ(memory[0x3000], 0x11);
	vcpu->gpr[GPR_RBX] = 0x3010; /* another place in its page: not what the exit is about */
	CHECK_EQ(RUN("\x8b\x03"), 0);
	CHECK_EQ(vcpu->gpr[GPR_RAX], 0x11111111);
}

/* Not when the exit may be about another operand, or about the stack of an event's delivery. */
static void the_cpus_walk_is_another(void)
{
	reset();
	exit_gpa = HOLE;
	vcpu->gpr[GPR_RSI] = 0x3000;
	vcpu->gpr[GPR_RDI] = HOLE;
	CHECK_EQ(RUN("\xa4"), 0); /* movsb */
	vcpu->gpr[GPR_RSI] = HOLE;
	vcpu->gpr[GPR_RDI] = 0x3000;
	CHECK_EQ(RUN("\xa4"), 0);
	CHECK_EQ(memory[0x3000], 0xff);
	vcpu->inject.valid = true;
	vcpu->gpr[GPR_RBX] = 0x2000;
	CHECK_EQ(RUN("\x8b\x03"), 0);
	CHECK_EQ(vcpu->gpr[GPR_RAX], 0x11111111);
}

static void unknown_instructions(void)
{
	reset();
	CHECK_EQ(RUN("\x0f\x28\x03"), -EINVAL); /* movaps (%ebx), %xmm0 */
	CHECK_EQ(RUN("\xd9\x03"), -EINVAL);
	CHECK_EQ(RUN("\xc5\xf8\x28\x03"), -EINVAL);
	CHECK_EQ(regs[REG_RIP], CODE);
}

TAP_MAIN(TAP_TEST(reads_give_all_ones), TAP_TEST(writes_are_dropped), TAP_TEST(across_the_edge),
	TAP_TEST(stacks_are_lost), TAP_TEST(stacks_work), TAP_TEST(strings_go_between),
	TAP_TEST(page_faults_are_the_guests), TAP_TEST(the_cpus_walk_is_believed),
	TAP_TEST(the_cpus_walk_is_another), TAP_TEST(unknown_instructions))
