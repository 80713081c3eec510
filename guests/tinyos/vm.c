/* Builds and changes the page tables of processes. The kernel's part of them is the runtime's
   (runtime/paging.c); who may use an address space is process.c's. */
#include "guests/tinyos/vm.h"

#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/string.h"
#include "runtime/x86.h"

#include "guests/tinyos/frame.h"

#define LEVELS  4
#define ENTRIES 512

/* A bit that the CPU ignores: not writable because a fork shares the page. */
#define PTE_COPY_ON_WRITE BIT(9)

/* Pages that promises to heaps leave for page tables, stacks and copies. */
#define PAGES_KEPT 64

static uint64_t *kernel_root;

void vm_init(void)
{
	kernel_root = (uint64_t *)(read_cr3() & PTE_ADDR);
}

/* The part of address that indexes a table of that level, 1 ... 4. */
static unsigned int index_at(uint64_t address, unsigned int level)
{
	return (address >> (12 + 9 * (level - 1))) & (ENTRIES - 1);
}

static void *page_of(uint64_t entry)
{
	return (void *)(entry & PTE_ADDR);
}

int vm_create(struct vm *vm)
{
	*vm = (struct vm){ .root = page_alloc(PAGE_ORDER_4K) };
	if (vm->root == NULL)
		return -ENOMEM;
	memcpy(vm->root, kernel_root, PAGE_SIZE);
	assert(vm->root[index_at(USER_BASE, LEVELS)] == 0);
	return 0;
}

/* Frees all that a table of that level leads to, and the table. */
static void free_table(uint64_t *table, unsigned int level)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (!(table[i] & PTE_P))
			continue;
		if (level > 1)
			free_table(page_of(table[i]), level - 1);
		else
			frame_release(page_of(table[i]));
	}
	page_free(table, PAGE_ORDER_4K);
}

void vm_destroy(struct vm *vm)
{
	uint64_t entry;

	if (vm->root == NULL)
		return;
	entry = vm->root[index_at(USER_BASE, LEVELS)];
	if (entry & PTE_P)
		free_table(page_of(entry), LEVELS - 1);
	page_free(vm->root, PAGE_ORDER_4K);
	page_unreserve(vm->promised);
	*vm = (struct vm){ 0 };
}

void vm_load(const struct vm *vm)
{
	write_cr3((uintptr_t)(vm != NULL ? vm->root : kernel_root));
}

/* The entry of the lowest level for address; NULL when tables on the way are missing and are not
   to be made or cannot be. */
static uint64_t *find_entry(struct vm *vm, uint64_t address, bool make)
{
	uint64_t *table = vm->root;

	for (unsigned int level = LEVELS; level > 1; level--) {
		uint64_t *entry = &table[index_at(address, level)];

		if (!(*entry & PTE_P)) {
			void *page = make ? page_alloc_zeroed(PAGE_ORDER_4K) : NULL;

			if (page == NULL)
				return NULL;
			*entry = (uintptr_t)page | PTE_P | PTE_W | PTE_U;
		}
		table = page_of(*entry);
	}
	return &table[index_at(address, 1)];
}

void *vm_map(struct vm *vm, uint64_t address, unsigned int rights)
{
	uint64_t *entry = find_entry(vm, address, true);
	void *page = entry != NULL ? frame_alloc() : NULL;

	if (page == NULL)
		return NULL;
	*entry = (uintptr_t)page | PTE_P | PTE_U | (rights & VM_WRITE ? PTE_W : 0) |
		 (rights & VM_EXECUTE ? 0 : PTE_NX);
	vm->pages++;
	return page;
}

/* Lets the child map what the parent's entry maps; neither may write to it from now on. */
static int share_page(struct vm *child, uint64_t address, uint64_t *entry)
{
	uint64_t *copy = find_entry(child, address, true);

	if (copy == NULL)
		return -ENOMEM;
	if (*entry & PTE_W)
		*entry = (*entry & ~PTE_W) | PTE_COPY_ON_WRITE;
	*copy = *entry;
	frame_share(page_of(*entry));
	child->pages++;
	return 0;
}

/* Shares all that a table of that level leads to, which maps addresses from `address` on. */
static int share_table(struct vm *child, uint64_t *table, unsigned int level, uint64_t address)
{
	int error = 0;

	for (unsigned int i = 0; i < ENTRIES && error == 0; i++) {
		uint64_t start = address + ((uint64_t)i << (12 + 9 * (level - 1)));

		if (!(table[i] & PTE_P))
			continue;
		if (level > 1)
			error = share_table(child, page_of(table[i]), level - 1, start);
		else
			error = share_page(child, start, &table[i]);
	}
	return error;
}

int vm_fork(struct vm *child, struct vm *parent)
{
	uint64_t entry = parent->root[index_at(USER_BASE, LEVELS)];
	int error = vm_create(child);

	if (error)
		return error;
	child->heap_start = parent->heap_start;
	child->heap_end = parent->heap_end;
	error = page_reserve(parent->promised);
	if (error)
		return error;
	child->promised = parent->promised;
	if (entry & PTE_P)
		error = share_table(child, page_of(entry), LEVELS - 1, USER_BASE);
	vm_load(parent); /* what the TLB holds may still be writable */
	return error;
}

/* The first write to a page that was shared: its last owner keeps it, another gets a copy. */
static int copy_on_write(uint64_t address, uint64_t *entry)
{
	void *old = page_of(*entry);
	void *page = old;

	if (frame_is_shared(old)) {
		page = frame_alloc();
		if (page == NULL)
			return -ENOMEM;
		memcpy(page, old, PAGE_SIZE);
		frame_release(old);
	}
	*entry = (*entry & ~(PTE_ADDR | PTE_COPY_ON_WRITE)) | (uintptr_t)page | PTE_W;
	invlpg(address);
	return 0;
}

static bool in_heap(const struct vm *vm, uint64_t address)
{
	return address >= vm->heap_start && address < vm->heap_end;
}

int vm_fault(struct vm *vm, uint64_t address, uint64_t error)
{
	uint64_t *entry;

	if (address < USER_BASE || address >= USER_END)
		return -EFAULT;
	entry = find_entry(vm, address, false);
	if (entry != NULL && (*entry & PTE_P)) {
		if ((error & PF_WRITE) && (*entry & PTE_COPY_ON_WRITE))
			return copy_on_write(address, entry);
		return -EFAULT;
	}
	if (in_heap(vm, address)) {
		page_unreserve(1);
		vm->promised--;
	} else if (address < USER_END - USER_STACK_SIZE) {
		return -EFAULT;
	}
	return vm_map(vm, ALIGN_DOWN(address, PAGE_SIZE), VM_WRITE) != NULL ? 0 : -ENOMEM;
}

int vm_prepare(struct vm *vm, uint64_t address, uint64_t size, bool write)
{
	int error = 0;

	if (address < USER_BASE || address > USER_END || size > USER_END - address)
		return -EFAULT;
	for (uint64_t page = ALIGN_DOWN(address, PAGE_SIZE); page < address + size && error == 0;
		page += PAGE_SIZE) {
		uint64_t *entry = find_entry(vm, page, false);

		if (entry == NULL || !(*entry & PTE_P) || (write && !(*entry & PTE_W)))
			error = vm_fault(vm, page, write ? PF_WRITE : 0);
	}
	return error;
}

/* Takes the pages of [start, end) out of the heap, touched or not. */
static void drop_pages(struct vm *vm, uint64_t start, uint64_t end)
{
	for (uint64_t address = start; address < end; address += PAGE_SIZE) {
		uint64_t *entry = find_entry(vm, address, false);

		if (entry != NULL && (*entry & PTE_P)) {
			frame_release(page_of(*entry));
			*entry = 0;
			vm->pages--;
			invlpg(address);
		} else {
			page_unreserve(1);
			vm->promised--;
		}
	}
}

int vm_move_heap(struct vm *vm, int64_t bytes)
{
	uint64_t end = vm->heap_end + (uint64_t)bytes;
	uint64_t old_page = ALIGN_UP(vm->heap_end, PAGE_SIZE);
	uint64_t new_page = ALIGN_UP(end, PAGE_SIZE);

	if (bytes < 0 ? end < vm->heap_start || end > vm->heap_end : end < vm->heap_end)
		return -EINVAL;
	if (end > USER_END - USER_STACK_SIZE)
		return -ENOMEM;
	if (new_page > old_page) {
		uint64_t pages = (new_page - old_page) / PAGE_SIZE;

		if (page_reserve(pages + PAGES_KEPT))
			return -ENOMEM;
		page_unreserve(PAGES_KEPT);
		vm->promised += pages;
	} else {
		drop_pages(vm, new_page, old_page);
	}
	vm->heap_end = end;
	return 0;
}
