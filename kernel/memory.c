/* Demand-populated guest memory. A granule (4 KiB, 2 MiB or 1 GiB, as the VM's command line says) is
   taken from the host when the guest first touches it; the promise was made at the start. */
#include "kernel/memory.h"

#include "kernel/guest_load.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/string.h"

#define ROM_START  UINT64_C(0xc0000) /* adapters' and firmware's ROM on a PC: empty sockets here */
#define RAM_RIGHTS (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE)

static uint8_t all_ones[4096] __aligned(4096); /* the page that every empty ROM socket shows */

/* Pages that the VM may take: its RAM, and the tables to map it with 4 KiB pages. */
static uint64_t promised_pages(const struct vm *vm)
{
	uint64_t ram = ALIGN_UP(vm->memory_size, stage2_level_bytes(vm->page_level)) / PAGE_SIZE;

	return ram + ram / 512 + 8;
}

static int map_rom(struct vm *vm)
{
	uint64_t gpa;
	int error = 0;

	memset(all_ones, 0xff, sizeof(all_ones)); /* again for each VM, always with the same */
	for (gpa = ROM_START; gpa < GUEST_HOLE_END && error == 0; gpa += PAGE_SIZE)
		error = stage2_map(&vm->stage2, gpa, (uintptr_t)all_ones, PAGE_SIZE, STAGE2_READ, 1);
	return error;
}

int memory_init(struct vm *vm)
{
	int error;

	if (!vm->use_stage2)
		return 0;
	error = page_reserve(promised_pages(vm));
	if (error)
		return error;
	vm->pages_promised = promised_pages(vm);
	error = stage2_init(&vm->stage2, backend->stage2_format);
	return error ? error : map_rom(vm);
}

bool memory_is_ram(const struct vm *vm, uint64_t gpa)
{
	return gpa < vm->memory_size && !(gpa >= GUEST_HOLE_START && gpa < GUEST_HOLE_END);
}

static void keep_promise(struct vm *vm, uint64_t pages)
{
	pages = MIN(pages, vm->pages_promised);
	vm->pages_promised -= pages;
	page_unreserve(pages);
}

/* Remembers a block for memory_destroy(), in the block list's page. */
static int remember_block(struct vm *vm, void *block, unsigned int level)
{
	struct memory_blocks *list = vm->blocks;

	if (list == NULL || list->count == ARRAY_SIZE(list->block)) {
		list = page_alloc_zeroed(PAGE_ORDER_4K);
		if (list == NULL)
			return -ENOMEM;
		list->next = vm->blocks;
		vm->blocks = list;
	}
	list->block[list->count++] = (uintptr_t)block | level;
	return 0;
}

/* Maps the RAM of one granule at gpa to block: all of it but the hole below 1 MiB and what lies
   behind the end of the VM's memory. */
static int map_granule(struct vm *vm, uint64_t gpa, void *block, unsigned int level)
{
	uint64_t end = MIN(gpa + stage2_level_bytes(level), vm->memory_size);
	uint64_t hpa = (uintptr_t)block, low_end = MIN(end, GUEST_HOLE_START);
	int error = 0;

	if (gpa >= GUEST_HOLE_END)
		return stage2_map(&vm->stage2, gpa, hpa, end - gpa, RAM_RIGHTS, level);
	if (gpa < low_end)
		error = stage2_map(&vm->stage2, gpa, hpa, low_end - gpa, RAM_RIGHTS, level);
	if (error == 0 && end > GUEST_HOLE_END)
		error = stage2_map(&vm->stage2, GUEST_HOLE_END, hpa + (GUEST_HOLE_END - gpa),
			end - GUEST_HOLE_END, RAM_RIGHTS, level);
	return error;
}

/* Takes zeroed memory for the granule around gpa; when memory is too scattered for one, a smaller
   one. */
static int populate(struct vm *vm, uint64_t gpa)
{
	unsigned int level = vm->page_level;
	void *block = page_alloc_zeroed(9 * (level - 1));

	while (block == NULL && level > 1)
		block = page_alloc_zeroed(9 * (--level - 1));
	if (block == NULL)
		return -ENOMEM;
	keep_promise(vm, stage2_level_bytes(level) / PAGE_SIZE);
	if (remember_block(vm, block, level) != 0) {
		page_free(block, 9 * (level - 1));
		return -ENOMEM;
	}
	return map_granule(vm, ALIGN_DOWN(gpa, stage2_level_bytes(level)), block, level);
}

static void free_direct(struct vm *vm)
{
	uint64_t page = vm->direct_base, end = vm->direct_base + vm->memory_size;

	for (; vm->direct_base != 0 && page < end; page += PAGE_SIZE)
		page_free((void *)(uintptr_t)page, PAGE_ORDER_4K);
	vm->direct_base = 0;
}

void memory_destroy(struct vm *vm)
{
	struct memory_blocks *list, *next;
	unsigned int i;

	free_direct(vm);

	for (list = vm->blocks; list != NULL; list = next) {
		next = list->next;
		for (i = 0; i < list->count; i++)
			page_free((void *)(uintptr_t)ALIGN_DOWN(list->block[i], PAGE_SIZE),
				9 * ((unsigned int)(list->block[i] % PAGE_SIZE) - 1));
		page_free(list, PAGE_ORDER_4K);
	}
	vm->blocks = NULL;
	stage2_destroy(&vm->stage2);
	page_unreserve(vm->pages_promised);
	vm->pages_promised = 0;
}

void *memory_host_pointer(struct vm *vm, uint64_t gpa, bool write)
{
	struct stage2_mapping mapping;

	if (!vm->use_stage2)
		return gpa < BIT(32) ? (void *)(uintptr_t)gpa : NULL;
	if (stage2_lookup(&vm->stage2, gpa, &mapping) != 0 &&
		(!memory_is_ram(vm, gpa) || populate(vm, gpa) != 0 ||
			stage2_lookup(&vm->stage2, gpa, &mapping) != 0))
		return NULL;
	if (write && !(mapping.rights & STAGE2_WRITE))
		return NULL;
	return (void *)(uintptr_t)mapping.hpa;
}

int memory_fault(struct vm *vm, const struct exit *exit)
{
	struct stage2_mapping mapping;
	uint64_t needed = (exit->stage2.read ? STAGE2_READ : 0) |
		(exit->stage2.write ? STAGE2_WRITE : 0) | (exit->stage2.fetch ? STAGE2_EXECUTE : 0);

	if (!memory_is_ram(vm, exit->stage2.gpa))
		return -EFAULT;
	if (stage2_lookup(&vm->stage2, exit->stage2.gpa, &mapping) != 0)
		return populate(vm, exit->stage2.gpa);
	/* Mapped by now, e.g. for the hypervisor's own access: only a stale translation faults. */
	if (needed & ~mapping.rights)
		return -EFAULT;
	backend->stage2_flush(&vm->stage2);
	return 0;
}
