/* The guest's memory as the hypervisor reaches it, by guest-physical and by linear address, and the
   bytes of its instructions. Which host page backs what is memory.c's, the walk of the guest's
   page tables guest_walk.c's. */
#include "kernel/guest_memory.h"

#include "kernel/guest_walk.h"
#include "kernel/memory.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/string.h"
#include "spec/cpu.h"
#include "spec/vmx.h"

void *guest_host_pointer(struct vm *vm, uint64_t gpa, uint64_t *bytes_left, bool write)
{
	if (bytes_left)
		*bytes_left = PAGE_SIZE - (gpa & (PAGE_SIZE - 1));
	return memory_host_pointer(vm, gpa, write);
}

int guest_read_physical(struct vm *vm, uint64_t gpa, void *dst, uint64_t bytes)
{
	uint8_t *to = dst;

	while (bytes) {
		uint64_t part;
		const void *from = guest_host_pointer(vm, gpa, &part, false);

		if (!from)
			return -EFAULT;
		part = MIN(part, bytes);
		memcpy(to, from, part);
		to += part;
		gpa += part;
		bytes -= part;
	}
	return 0;
}

/* Writes bytes from src, or zeroes when src is NULL. */
static int store_physical(struct vm *vm, uint64_t gpa, const uint8_t *src, uint64_t bytes)
{
	while (bytes) {
		uint64_t part;
		void *to = guest_host_pointer(vm, gpa, &part, true);

		if (!to)
			return -EFAULT;
		part = MIN(part, bytes);
		if (src)
			memcpy(to, src, part);
		else
			memset(to, 0, part);
		src = src ? src + part : NULL;
		gpa += part;
		bytes -= part;
	}
	return 0;
}

int guest_write_physical(struct vm *vm, uint64_t gpa, const void *src, uint64_t bytes)
{
	return store_physical(vm, gpa, src, bytes);
}

int guest_zero_physical(struct vm *vm, uint64_t gpa, uint64_t bytes)
{
	return store_physical(vm, gpa, NULL, bytes);
}

unsigned int guest_access_at_cpl(struct vcpu *vcpu)
{
	uint64_t access = vcpu_get(vcpu, REG_SEGMENT(SEG_SS, PART_ACCESS));

	return (access & ACCESS_RIGHTS_DPL) == ACCESS_RIGHTS_DPL ? GUEST_USER : 0;
}

void guest_inject_fault(struct vcpu *vcpu, const struct guest_fault *fault)
{
	if (fault->vector == VECTOR_PF)
		vcpu_set(vcpu, REG_CR2, fault->address);
	vcpu_inject_exception(vcpu, fault->vector, fault->error);
}

static struct guest_paging read_paging(struct vcpu *vcpu)
{
	return (struct guest_paging){
		.cr0 = vcpu_get(vcpu, REG_CR0),
		.cr3 = vcpu_get(vcpu, REG_CR3),
		.cr4 = vcpu_get(vcpu, REG_CR4),
		.efer = vcpu_get(vcpu, REG_EFER),
		.rflags = vcpu_get(vcpu, REG_RFLAGS),
	};
}

int guest_translate(struct vcpu *vcpu, uint64_t linear, unsigned int access, uint64_t *gpa,
	struct guest_fault *fault)
{
	struct guest_paging paging = read_paging(vcpu);
	struct guest_walk walk;
	int error = guest_walk(vcpu->vm, &paging, linear, access, &walk, fault);

	if (!error)
		*gpa = walk.gpa;
	return error;
}

/* The part of [linear, linear + bytes) that lies in one page, where that is, and how long. */
static int find_part(struct vcpu *vcpu, uint64_t linear, uint64_t bytes, unsigned int access,
	uint8_t **host, uint64_t *part, struct guest_fault *fault)
{
	uint64_t gpa;
	int error = guest_translate(vcpu, linear, access, &gpa, fault);

	if (error)
		return error;
	*host = guest_host_pointer(vcpu->vm, gpa, part, access & GUEST_WRITE);
	*part = MIN(*part, bytes);
	return *host ? 0 : -EIO;
}

int guest_read_virtual(struct vcpu *vcpu, uint64_t linear, void *dst, uint64_t bytes,
	unsigned int access, struct guest_fault *fault)
{
	uint8_t *to = dst, *host;
	uint64_t part;

	for (; bytes; bytes -= part, linear += part, to += part) {
		int error = find_part(vcpu, linear, bytes, access, &host, &part, fault);

		if (error)
			return error;
		memcpy(to, host, part);
	}
	return 0;
}

int guest_write_virtual(struct vcpu *vcpu, uint64_t linear, const void *src, uint64_t bytes,
	unsigned int access, struct guest_fault *fault)
{
	const uint8_t *from = src;
	uint8_t *host;
	uint64_t part;

	for (; bytes; bytes -= part, linear += part, from += part) {
		int error =
			find_part(vcpu, linear, bytes, access | GUEST_WRITE, &host, &part, fault);

		if (error)
			return error;
		memcpy(host, from, part);
	}
	return 0;
}

/* Notes a walk that ended at host page `code`. */
static void fill_fetch_cache(struct vcpu *vcpu, const struct guest_paging *paging, uint64_t linear,
	const struct guest_walk *walk, const uint8_t *code)
{
	struct guest_fetch_cache *cache = &vcpu->fetch;

	*cache = (struct guest_fetch_cache){
		.cr0 = paging->cr0,
		.cr3 = paging->cr3,
		.cr4 = paging->cr4,
		.efer = paging->efer,
		.page_end = linear | (PAGE_SIZE - 1),
		.generation = vcpu->vm->stage2.generation,
		.code = code,
	};
	for (unsigned int i = 0; i < GUEST_FETCH_LEVELS; i++) {
		bool used = i < walk->levels;

		cache->entry[i] = &cache->value[i];
		cache->value[i] = used ? walk->entry[i].value : 0;
		if (used)
			cache->entry[i] =
				guest_host_pointer(vcpu->vm, walk->entry[i].gpa, NULL, false);
	}
}

/* The host's pointer to the code at linear, from the cache or by a walk that fills it. */
static int find_code(struct vcpu *vcpu, uint64_t linear, const uint8_t **code)
{
	struct guest_paging paging = read_paging(vcpu);
	struct guest_fault fault;
	struct guest_walk walk;
	const uint8_t *host;
	int error;

	*code = guest_fetch_cached(&vcpu->fetch, linear, paging.cr0, paging.cr3, paging.cr4,
		paging.efer, vcpu->vm->stage2.generation);
	if (*code)
		return 0;
	error = guest_walk(
		vcpu->vm, &paging, linear, GUEST_FETCH | guest_access_at_cpl(vcpu), &walk, &fault);
	if (error)
		return error;
	host = guest_host_pointer(vcpu->vm, ALIGN_DOWN(walk.gpa, PAGE_SIZE), NULL, false);
	if (!host)
		return -EIO;
	fill_fetch_cache(vcpu, &paging, linear, &walk, host);
	*code = host + (linear & (PAGE_SIZE - 1));
	return 0;
}

/* The code segment's default size. */
static enum insn_mode find_mode(struct vcpu *vcpu)
{
	uint64_t access = vcpu_get(vcpu, REG_SEGMENT(SEG_CS, PART_ACCESS));

	if ((vcpu_get(vcpu, REG_EFER) & EFER_LMA) && (access & ACCESS_RIGHTS_L))
		return INSN_64;
	return access & ACCESS_RIGHTS_DB ? INSN_32 : INSN_16;
}

/* The linear address of CS:RIP. */
static uint64_t find_instruction(struct vcpu *vcpu, enum insn_mode mode)
{
	uint64_t rip = vcpu_get(vcpu, REG_RIP);

	if (mode == INSN_64)
		return rip;
	return (uint32_t)(vcpu_get(vcpu, REG_SEGMENT(SEG_CS, PART_BASE)) + rip);
}

/* Copies at most INSN_MAX_LEN bytes at linear; the second page's walk leaves the cache alone. */
static int fetch_at(struct vcpu *vcpu, uint64_t linear, uint8_t bytes[INSN_MAX_LEN])
{
	uint64_t part = MIN(PAGE_SIZE - (linear & (PAGE_SIZE - 1)), (uint64_t)INSN_MAX_LEN);
	unsigned int access = GUEST_FETCH | guest_access_at_cpl(vcpu);
	struct guest_fault fault;
	const uint8_t *code;
	int error = find_code(vcpu, linear, &code);

	if (error)
		return error;
	memcpy(bytes, code, part);
	if (part < INSN_MAX_LEN && guest_read_virtual(vcpu, linear + part, bytes + part,
					   INSN_MAX_LEN - part, access, &fault) == 0)
		part = INSN_MAX_LEN;
	return (int)part;
}

int guest_fetch(struct vcpu *vcpu, uint8_t bytes[INSN_MAX_LEN])
{
	return fetch_at(vcpu, find_instruction(vcpu, find_mode(vcpu)), bytes);
}

/* Mostly an instruction ends in the page where it starts, and is decoded where it lies. */
int guest_fetch_insn(struct vcpu *vcpu, struct insn *insn)
{
	enum insn_mode mode = find_mode(vcpu);
	uint64_t linear = find_instruction(vcpu, mode);
	uint8_t bytes[INSN_MAX_LEN];
	const uint8_t *code;
	int fetched, error = find_code(vcpu, linear, &code);

	if (!error)
		error = insn_decode(code, PAGE_SIZE - linear % PAGE_SIZE, mode, insn);
	if (error != -EAGAIN)
		return error;
	fetched = fetch_at(vcpu, linear, bytes);
	return fetched < 0 ? fetched : insn_decode(bytes, (size_t)fetched, mode, insn);
}

uint8_t guest_insn_length(struct vcpu *vcpu, enum insn_op op)
{
	struct insn insn;

	return guest_fetch_insn(vcpu, &insn) == 0 && insn.op == op ? insn.len : 0;
}
