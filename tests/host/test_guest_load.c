/* What a loaded guest finds: its segments, the Multiboot information, and its first registers.
   Links: kernel/guest_load.c kernel/guest_memory.c kernel/guest_walk.c kernel/insn.c
   kernel/insn_opcode.c
*/
#include "tests/host/tap.h"

#include <stdarg.h>
#include <sys/mman.h>

#include "kernel/guest_load.h"
#include "kernel/guest_memory.h"
#include "kernel/memory.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "spec/cpu.h"
#include "spec/multiboot.h"
#include "spec/vmx.h"

#define MEMORY      (UINT64_C(4) << 20)
#define DIRECT_BASE 0x10000000u

static uint8_t *memory;
static uint64_t regs[REGS];
static struct vm vm;
static struct guest_image parsed;
static int parse_error;
static char printed[400];
static uint64_t taken_start, taken_size;
static const uint8_t file[] = "code and data";
static const struct boot_module module = { .size = sizeof(file) };

/* With stage2=off guest-physical addresses are the host's: they are moved to `memory` here. */
void *memory_host_pointer(struct vm *owner, uint64_t gpa, bool write)
{
	uint64_t offset = owner->use_stage2 ? gpa : gpa - (uintptr_t)memory;

	return offset < MEMORY ? memory + offset : NULL;
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
}

int string_copy(char *dst, size_t size, const char *src)
{
	snprintf(dst, size, "%s", src);
	return strlen(src) < size ? 0 : -E2BIG;
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(printed, sizeof(printed), format, args);
	va_end(args);
}

int page_take(uint64_t start, uint64_t size)
{
	taken_start = start;
	taken_size = size;
	return start == (uintptr_t)memory ? 0 : -EBUSY;
}

int guest_image_parse(const void *from, uint64_t size, uint64_t memory_size,
	struct guest_image *image, char *error, size_t error_size)
{
	*image = parsed;
	snprintf(error, error_size, "%s", parse_error ? "something is wrong" : "");
	return parse_error;
}

static void reset(bool use_stage2)
{
	memset(&vm, 0, sizeof(vm));
	memset(regs, 0xff, sizeof(regs));
	memset(memory, use_stage2 ? 0 : 0xaa, MEMORY);
	printed[0] = '\0';
	parse_error = 0;
	strcpy(vm.name, "a");
	vm.use_stage2 = use_stage2;
	vm.memory_size = MEMORY;
	vm.vcpu.vm = &vm;
	parsed = (struct guest_image){ .entry = 0x100004, .entry64 = 0, .segments = 2 };
	parsed.segment[0] =
		(struct guest_segment){ .file_size = 4, .address = 0x100000, .memory_size = 4 };
	parsed.segment[1] = (struct guest_segment){ .index = 1,
		.file_offset = 9,
		.file_size = 4,
		.address = 0x200ffe,
		.memory_size = 0x1000 };
}

static int load(const char *cmdline)
{
	struct boot_module with_file = module;

	with_file.start = (uintptr_t)file;
	return guest_load(&vm, &with_file, cmdline);
}

static uint64_t segment(enum segment seg, enum segment_part part)
{
	return regs[REG_SEGMENT(seg, part)];
}

static void segments_are_placed(void)
{
	reset(true);
	CHECK_EQ(load(""), 0);
	CHECK_EQ(memcmp(memory + 0x100000, "code", 4), 0);
	CHECK_EQ(memcmp(memory + 0x200ffe, "data", 4), 0);
	CHECK_EQ(memory[0x201002], 0);
}

static void protected_mode(void)
{
	reset(true);
	CHECK_EQ(load(""), 0);
	CHECK_EQ(regs[REG_RIP], 0x100004);
	CHECK_EQ(vm.vcpu.gpr[GPR_RAX], MULTIBOOT1_MAGIC);
	CHECK_EQ(vm.vcpu.gpr[GPR_RBX], GUEST_INFO_ADDRESS);
	CHECK_EQ(regs[REG_CR0] & (CR0_PE | CR0_PG), CR0_PE);
	CHECK_EQ(regs[REG_RFLAGS], RFLAGS_FIXED);
	CHECK_EQ(segment(SEG_CS, PART_ACCESS), 0xc09b);
	CHECK_EQ(segment(SEG_CS, PART_LIMIT), UINT32_MAX);
	for (enum segment seg = SEG_ES; seg <= SEG_GS; seg++)
		if (seg != SEG_CS)
			CHECK_ROW(seg, segment(seg, PART_ACCESS), 0xc093);
	CHECK_EQ(segment(SEG_TR, PART_ACCESS), 0x8b);
	CHECK_EQ(segment(SEG_LDTR, PART_ACCESS), ACCESS_RIGHTS_UNUSABLE);
}

static void information(void)
{
	const struct multiboot1_info *info = (const void *)(memory + GUEST_INFO_ADDRESS);
	const struct multiboot1_mmap *mmap;

	reset(true);
	CHECK_EQ(load("script=\"help; poweroff\" x"), 0);
	CHECK_EQ(info->flags, MULTIBOOT1_HAS_MEMORY | MULTIBOOT1_HAS_CMDLINE | MULTIBOOT1_HAS_MMAP |
				      MULTIBOOT1_HAS_LOADER);
	CHECK_EQ(info->mem_lower, 640);
	CHECK_EQ(info->mem_upper, 3072);
	CHECK_EQ(strcmp((char *)memory + info->cmdline, "script=\"help; poweroff\" x"), 0);
	CHECK_EQ(strcmp((char *)memory + info->boot_loader_name, "Trapeze"), 0);
	CHECK_EQ(info->mmap_length, 3 * sizeof(*mmap));
	mmap = (const void *)(memory + info->mmap_addr);
	CHECK_EQ(mmap[0].size, sizeof(*mmap) - 4);
	CHECK_EQ(mmap[0].start + mmap[0].length, GUEST_HOLE_START);
	CHECK(mmap[1].type != MULTIBOOT_MEMORY_AVAILABLE);
	CHECK_EQ(mmap[2].start, GUEST_HOLE_END);
	CHECK_EQ(mmap[2].start + mmap[2].length, MEMORY);
	CHECK_EQ(mmap[2].type, MULTIBOOT_MEMORY_AVAILABLE);
	CHECK(info->cmdline + BOOT_CMDLINE_MAX <= GUEST_INFO_ADDRESS + GUEST_INFO_SIZE);
}

static void errors_are_printed(void)
{
	char long_line[2 * BOOT_CMDLINE_MAX];

	reset(true);
	parse_error = -ENOEXEC;
	CHECK_EQ(load(""), -ENOEXEC);
	CHECK_EQ(strcmp(printed, "trapeze: error: vm a: something is wrong\n"), 0);
	reset(true);
	memset(long_line, 'x', sizeof(long_line));
	long_line[sizeof(long_line) - 1] = '\0';
	CHECK_EQ(load(long_line), -E2BIG);
	CHECK(strstr(printed, "command line is too long") != NULL);
	reset(false);
	CHECK_EQ(load(""), -ENOEXEC);
	CHECK(strstr(printed, "no 64-bit entry point") != NULL);
}

/* Moves the image to where `memory` lies. */
static void move_to_host(void)
{
	parsed.segment[0].address = (uintptr_t)memory;
	parsed.segment[1].address = (uintptr_t)memory + 0x100ffe;
	parsed.entry64 = (uintptr_t)memory + 2;
}

/* The place that [linear] has in the identity tables at CR3, or UINT64_MAX. */
static uint64_t identity(uint64_t linear)
{
	const uint64_t *table = (const uint64_t *)(uintptr_t)regs[REG_CR3];
	uint64_t rights = PTE_P | PTE_W;

	for (unsigned int shift = 39; shift > 21; shift -= 9) {
		uint64_t entry = table[linear >> shift & 511];

		if ((entry & (rights | PTE_PS | PTE_NX)) != rights)
			return UINT64_MAX;
		table = (const uint64_t *)(uintptr_t)(entry & PTE_ADDR);
	}
	if ((table[linear >> 21 & 511] & (rights | PTE_PS | PTE_NX)) != (rights | PTE_PS))
		return UINT64_MAX;
	return (table[linear >> 21 & 511] & PTE_ADDR) | (linear & (PAGE_SIZE_2M - 1));
}

static void long_mode_on_host_memory(void)
{
	const struct multiboot1_info *info;
	const struct multiboot1_mmap *mmap;

	reset(false);
	move_to_host();
	CHECK_EQ(load("x"), 0);
	CHECK_EQ(taken_start, (uintptr_t)memory);
	CHECK_EQ(taken_size, MEMORY);
	CHECK_EQ(memcmp(memory + 0x100ffe, "data", 4), 0);
	CHECK_EQ(memory[0x101002] | memory[0x101ffd], 0); /* the tail is zeroed */
	CHECK_EQ(memory[0x101ffe], 0xaa);
	CHECK_EQ(regs[REG_RIP], (uintptr_t)memory + 2);
	CHECK_EQ(regs[REG_CR0] & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	CHECK_EQ(regs[REG_CR4], CR4_PAE);
	CHECK_EQ(regs[REG_EFER], EFER_LME | EFER_LMA);
	CHECK_EQ(segment(SEG_CS, PART_ACCESS), 0xa09b);
	CHECK_EQ(identity(0x12345678), 0x12345678);
	CHECK_EQ(identity(UINT32_MAX), UINT32_MAX);
	CHECK_EQ(identity(BIT(32)), UINT64_MAX);
	info = (const void *)(uintptr_t)vm.vcpu.gpr[GPR_RBX];
	CHECK(!(info->flags & MULTIBOOT1_HAS_MEMORY));
	mmap = (const void *)(uintptr_t)info->mmap_addr;
	CHECK_EQ(info->mmap_length, sizeof(*mmap));
	CHECK_EQ(mmap->start, (uintptr_t)memory);
	CHECK_EQ(mmap->start + mmap->length, regs[REG_CR3]);
}

static void host_memory_must_be_free(void)
{
	reset(false);
	move_to_host();
	parsed.segment[0].address -= PAGE_SIZE;
	CHECK_EQ(load(""), -EBUSY);
	CHECK(strstr(printed, "is not free") != NULL);
	reset(false);
	move_to_host();
	parsed.segment[1].address = (uintptr_t)memory + MEMORY - 2 * PAGE_SIZE;
	CHECK_EQ(load(""), -E2BIG);
	CHECK(strstr(printed, "does not fit in mem=") != NULL);
}

int main(void)
{
	static const struct tap_test tests[] = { TAP_TEST(segments_are_placed),
		TAP_TEST(protected_mode), TAP_TEST(information), TAP_TEST(errors_are_printed),
		TAP_TEST(long_mode_on_host_memory), TAP_TEST(host_memory_must_be_free) };

	/* below 4 GiB, as a guest's own memory is with stage2=off */
	memory = mmap((void *)(uintptr_t)DIRECT_BASE, MEMORY, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != (void *)(uintptr_t)DIRECT_BASE) {
		printf("1..0 # SKIP no memory at 0x%x\n", DIRECT_BASE);
		return 0;
	}
	return tap_run(tests, ARRAY_SIZE(tests));
}
