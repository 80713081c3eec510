/* Places a guest's image in its memory and sets its vCPU to enter it, as the Multiboot
   specification says ("Machine state", "Boot information format"). Whether the image is sound is
   guest_image.c's. */
#include "kernel/guest_load.h"

#include "kernel/guest_memory.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "spec/cpu.h"
#include "spec/multiboot.h"
#include "spec/vmx.h"

#define LOADER_NAME     "Trapeze"
#define MEMORY_RESERVED 2 /* Multiboot map: not available */
#define SELECTOR_CODE   0x08
#define SELECTOR_DATA   0x10
#define SELECTOR_TSS    0x18
#define LIMIT_4G        UINT32_MAX
#define TYPE_DATA       3  /* read/write, accessed */
#define TYPE_CODE       11 /* execute/read, accessed */
#define TYPE_TSS_BUSY   11
#define FLAT            (ACCESS_RIGHTS_S | ACCESS_RIGHTS_P | ACCESS_RIGHTS_G)
#define FLAT_CODE32     (FLAT | ACCESS_RIGHTS_DB | TYPE_CODE)
#define FLAT_CODE64     (FLAT | ACCESS_RIGHTS_L | TYPE_CODE)
#define FLAT_DATA       (FLAT | ACCESS_RIGHTS_DB | TYPE_DATA)
#define TSS_BUSY        (ACCESS_RIGHTS_P | TYPE_TSS_BUSY)
#define TSS_LIMIT       103 /* bytes less 1 */

/* With stage2=off the loader's own pages lie at the end of the guest's memory: level 4, level 3,
   four of level 2 for the first 4 GiB, and the Multiboot information. */
#define IDENTITY_GIB   4
#define IDENTITY_PAGES (2 + IDENTITY_GIB)
#define OWN_PAGES      (IDENTITY_PAGES + 1)
#define ENTRIES        512
#define IDENTITY_LIMIT (IDENTITY_GIB * PAGE_SIZE_1G)

/* The Multiboot information as it lies in the guest's memory, with what it points at. */
struct information {
	struct multiboot1_info info;
	struct multiboot1_mmap mmap[3];
	char loader[sizeof(LOADER_NAME)];
	char cmdline[BOOT_CMDLINE_MAX];
} __packed;

_Static_assert(sizeof(struct information) <= GUEST_INFO_SIZE, "the information fits its page");

static int report(const struct vm *vm, int error, const char *message)
{
	print("trapeze: error: vm %s: %s\n", vm->name, message);
	return error;
}

/* Copies the segments. A VM with stage-2 tables got its memory zeroed; else the parts of segments
   that the file does not have are zeroed here. */
static int place_segments(struct vm *vm, const uint8_t *file, const struct guest_image *image)
{
	for (unsigned int i = 0; i < image->segments; i++) {
		const struct guest_segment *segment = &image->segment[i];
		int error = guest_write_physical(
			vm, segment->address, file + segment->file_offset, segment->file_size);

		if (!error && !vm->use_stage2)
			error = guest_zero_physical(vm, segment->address + segment->file_size,
				segment->memory_size - segment->file_size);
		if (error)
			return report(vm, error, "no memory for the guest's image");
	}
	return 0;
}

/* Writes the information for address; ranges of mmap are set by the caller. */
static int write_information(struct vm *vm, uint64_t address, struct information *information,
	unsigned int ranges, const char *cmdline)
{
	struct multiboot1_info *info = &information->info;
	uint32_t base = (uint32_t)address;

	for (unsigned int i = 0; i < ranges; i++)
		information->mmap[i].size =
			sizeof(information->mmap[i]) - sizeof(information->mmap[i].size);
	string_copy(information->loader, sizeof(information->loader), LOADER_NAME);
	if (string_copy(information->cmdline, sizeof(information->cmdline), cmdline) != 0)
		return report(vm, -E2BIG, "the guest's command line is too long");
	info->flags |= MULTIBOOT1_HAS_CMDLINE | MULTIBOOT1_HAS_MMAP | MULTIBOOT1_HAS_LOADER;
	info->cmdline = base + offsetof(struct information, cmdline);
	info->mmap_addr = base + offsetof(struct information, mmap);
	info->mmap_length = ranges * sizeof(information->mmap[0]);
	info->boot_loader_name = base + offsetof(struct information, loader);
	if (guest_write_physical(vm, address, information, sizeof(*information)) != 0)
		return report(vm, -ENOMEM, "no memory for the guest's boot information");
	return 0;
}

static int describe_memory(struct vm *vm, const char *cmdline)
{
	uint64_t upper = vm->memory_size - GUEST_HOLE_END;
	struct information information = {
		.info = {
			.flags = MULTIBOOT1_HAS_MEMORY,
			.mem_lower = (uint32_t)(GUEST_HOLE_START / 1024),
			.mem_upper = (uint32_t)MIN(upper / 1024, (uint64_t)UINT32_MAX),
		},
		.mmap = {
			{ .length = GUEST_HOLE_START, .type = MULTIBOOT_MEMORY_AVAILABLE },
			{ .start = GUEST_HOLE_START, .length = GUEST_HOLE_END - GUEST_HOLE_START,
			  .type = MEMORY_RESERVED },
			{ .start = GUEST_HOLE_END, .length = upper, .type = MULTIBOOT_MEMORY_AVAILABLE },
		},
	};

	return write_information(vm, GUEST_INFO_ADDRESS, &information, 3, cmdline);
}

struct state {
	enum reg reg;
	uint64_t value;
};

#define FLAT_SEGMENT(seg, selector, access)                                                        \
	{ REG_SEGMENT(seg, PART_SELECTOR), selector }, { REG_SEGMENT(seg, PART_BASE), 0 },         \
		{ REG_SEGMENT(seg, PART_LIMIT), LIMIT_4G },                                        \
	{                                                                                          \
		REG_SEGMENT(seg, PART_ACCESS), access                                              \
	}

/* The same for both ways in. */
static const struct state entry_state[] = {
	{ REG_RFLAGS, RFLAGS_FIXED },
	{ REG_DR7, DR7_RESET },
	FLAT_SEGMENT(SEG_ES, SELECTOR_DATA, FLAT_DATA),
	FLAT_SEGMENT(SEG_SS, SELECTOR_DATA, FLAT_DATA),
	FLAT_SEGMENT(SEG_DS, SELECTOR_DATA, FLAT_DATA),
	FLAT_SEGMENT(SEG_FS, SELECTOR_DATA, FLAT_DATA),
	FLAT_SEGMENT(SEG_GS, SELECTOR_DATA, FLAT_DATA),
	{ REG_SEGMENT(SEG_LDTR, PART_ACCESS), ACCESS_RIGHTS_UNUSABLE },
	{ REG_SEGMENT(SEG_TR, PART_SELECTOR), SELECTOR_TSS },
	{ REG_SEGMENT(SEG_TR, PART_LIMIT), TSS_LIMIT },
	{ REG_SEGMENT(SEG_TR, PART_ACCESS), TSS_BUSY },
};

static const struct state protected_mode[] = {
	{ REG_CR0, CR0_PE | CR0_ET },
	FLAT_SEGMENT(SEG_CS, SELECTOR_CODE, FLAT_CODE32),
};

static const struct state long_mode[] = {
	{ REG_EFER, EFER_LME | EFER_LMA },
	{ REG_CR4, CR4_PAE },
	{ REG_CR0, CR0_PE | CR0_ET | CR0_PG },
	FLAT_SEGMENT(SEG_CS, SELECTOR_CODE, FLAT_CODE64),
};

static void set_state(struct vcpu *vcpu, const struct state *state, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		vcpu_set(vcpu, state[i].reg, state[i].value);
}

static void set_entry(struct vcpu *vcpu, uint64_t rip, uint64_t information)
{
	set_state(vcpu, entry_state, ARRAY_SIZE(entry_state));
	vcpu_set(vcpu, REG_RIP, rip);
	vcpu->gpr[GPR_RAX] = MULTIBOOT1_MAGIC;
	vcpu->gpr[GPR_RBX] = information;
}

/* Into 32-bit protected mode, in memory of its own. */
static int load_virtual(
	struct vm *vm, const uint8_t *file, const struct guest_image *image, const char *cmdline)
{
	int error = place_segments(vm, file, image);

	if (!error)
		error = describe_memory(vm, cmdline);
	if (error)
		return error;
	set_entry(&vm->vcpu, image->entry, GUEST_INFO_ADDRESS);
	set_state(&vm->vcpu, protected_mode, ARRAY_SIZE(protected_mode));
	return 0;
}

/* The first 4 GiB, virtual = physical, in 2 MiB pages that can be written and executed. */
static void build_identity_tables(uint64_t *level4)
{
	uint64_t *level3 = level4 + ENTRIES, *level2 = level3 + ENTRIES;
	uint64_t rights = PTE_P | PTE_W;

	memset(level4, 0, IDENTITY_PAGES * PAGE_SIZE);
	level4[0] = (uintptr_t)level3 | rights;
	for (uint64_t i = 0; i < IDENTITY_GIB; i++)
		level3[i] = (uintptr_t)(level2 + i * ENTRIES) | rights;
	for (uint64_t i = 0; i < IDENTITY_GIB * ENTRIES; i++)
		level2[i] = i * PAGE_SIZE_2M | rights | PTE_PS;
}

/* Takes [*base, *base + memory_size) of the host's memory, from where the image begins. */
static int take_host_memory(struct vm *vm, const struct guest_image *image, uint64_t *base)
{
	uint64_t end = 0, limit;
	char message[120];

	*base = UINT64_MAX;
	for (unsigned int i = 0; i < image->segments; i++) {
		const struct guest_segment *segment = &image->segment[i];

		*base = MIN(*base, ALIGN_DOWN(segment->address, PAGE_SIZE));
		end = MAX(end, segment->address + segment->memory_size);
	}
	limit = *base + vm->memory_size;
	if (end > limit - OWN_PAGES * PAGE_SIZE)
		return report(vm, -E2BIG, "too large: the image does not fit in mem=");
	if (limit > IDENTITY_LIMIT)
		return report(vm, -E2BIG, "stage2=off: the guest's memory must lie below 4 GiB");
	if (page_take(*base, vm->memory_size) == 0) {
		vm->direct_base = *base;
		return 0;
	}
	snprintf(message, sizeof(message),
		"stage2=off: the host's memory at 0x%lx-0x%lx, where the image is linked, is not "
		"free",
		*base, limit - 1);
	return report(vm, -EBUSY, message);
}

/* Into 64-bit mode, on the host's memory: guest-physical addresses are the host's. */
static int load_direct(
	struct vm *vm, const uint8_t *file, const struct guest_image *image, const char *cmdline)
{
	struct information information = { 0 };
	uint64_t base, own;
	int error;

	if (!image->entry64)
		return report(vm, -ENOEXEC,
			"stage2=off: the image has no 64-bit entry point (ELF note \"Trapeze\")");
	error = take_host_memory(vm, image, &base);
	if (!error)
		error = place_segments(vm, file, image);
	if (error)
		return error;
	own = base + vm->memory_size - OWN_PAGES * PAGE_SIZE;
	build_identity_tables((uint64_t *)(uintptr_t)own);
	information.mmap[0] = (struct multiboot1_mmap){
		.start = base, .length = own - base, .type = MULTIBOOT_MEMORY_AVAILABLE
	};
	error = write_information(vm, own + IDENTITY_PAGES * PAGE_SIZE, &information, 1, cmdline);
	if (error)
		return error;
	set_entry(&vm->vcpu, image->entry64, own + IDENTITY_PAGES * PAGE_SIZE);
	set_state(&vm->vcpu, long_mode, ARRAY_SIZE(long_mode));
	vcpu_set(&vm->vcpu, REG_CR3, own);
	return 0;
}

int guest_load(struct vm *vm, const struct boot_module *module, const char *cmdline)
{
	const uint8_t *file = (const uint8_t *)(uintptr_t)module->start;
	uint64_t memory_size = vm->use_stage2 ? vm->memory_size : IDENTITY_LIMIT;
	struct guest_image image;
	char message[160];
	int error = guest_image_parse(
		file, module->size, memory_size, &image, message, sizeof(message));

	if (error)
		return report(vm, error, message);
	return vm->use_stage2 ? load_virtual(vm, file, &image, cmdline)
			      : load_direct(vm, file, &image, cmdline);
}
