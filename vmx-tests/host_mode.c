/* The host's modes: where the code is put, and what follows it so that it comes back. The switches
   themselves are host_switch.S's. */
#include "vmx-tests/host_mode.h"

#include "runtime/paging.h"
#include "runtime/panic.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "vmx-tests/guest_tables.h"

void host_switch(struct host_registers *registers, void (*entry)(void));
void host_executed(void);
void host_enter_compatibility(void);
void host_enter_user(void);

/* Machine code that goes on at an address, in 64-bit and in 32-bit code; and #BP for CPL 3. */
#define JUMP_64                                                                                    \
	{                                                                                          \
		0xff, 0x25, 0, 0, 0, 0                                                             \
	}                /* jmp *0(%rip), followed by the address */
#define FAR_JUMP_32 0xea /* followed by offset and selector */
#define BREAKPOINT  0xcc

struct far_pointer {
	uint32_t offset;
	uint16_t selector;
} __packed;

struct iret_frame {
	uint64_t rip, cs, rflags, rsp, ss;
};

extern struct far_pointer host_far_pointer;
extern struct iret_frame host_user_frame;
struct far_pointer host_far_pointer;
struct iret_frame host_user_frame;

static uint8_t code_page[4096] __aligned(4096), trap_stack[8192] __aligned(16);

struct run {
	struct host_registers *registers;
	void (*entry)(void);
};

static bool is_user(enum host_mode mode)
{
	return mode == HOST_64BIT_USER || mode == HOST_COMPATIBILITY_USER;
}

uint8_t *host_code_page(void)
{
	static bool mapped;

	if (!mapped && paging_map(vmx_address(code_page), PAGE_SIZE, PAGING_WRITE | PAGING_EXECUTE))
		panic("the code page cannot be mapped");
	mapped = true;
	return code_page;
}

static void put_return(enum host_mode mode, uint8_t *at)
{
	static const uint8_t jump[] = JUMP_64;
	uint64_t back = (uintptr_t)host_executed;
	struct far_pointer target = { (uint32_t)back, SELECTOR_CODE64 };

	if (is_user(mode)) {
		*at = BREAKPOINT;
	} else if (mode == HOST_64BIT) {
		memcpy(at, jump, sizeof(jump));
		memcpy(at + sizeof(jump), &back, sizeof(back));
	} else {
		*at = FAR_JUMP_32;
		memcpy(at + 1, &target, sizeof(target));
	}
}

static void run_code(void *arg)
{
	struct run *run = arg;

	host_switch(run->registers, run->entry);
}

/* At CPL 3: in the guest's address space, where all pages are the user's. */
static void prepare_user(enum host_mode mode, const struct host_registers *registers)
{
	bool is_64bit = mode == HOST_64BIT_USER;

	host_user_frame = (struct iret_frame){ vmx_address(code_page),
		is_64bit ? SELECTOR_USER_CODE64 | 3 : SELECTOR_USER_CODE32 | 3,
		registers->rflags | RFLAGS_FIXED,
		registers->gpr[RSP] ? registers->gpr[RSP]
				    : vmx_address(guest_stack) + GUEST_STACK_BYTES,
		SELECTOR_USER_DATA | 3 };
	trap_set_stack(vmx_address(trap_stack) + sizeof(trap_stack));
}

static void (*entry_of(enum host_mode mode))(void)
{
	host_far_pointer =
		(struct far_pointer){ (uint32_t)vmx_address(code_page), SELECTOR_CODE32 };
	if (mode == HOST_64BIT)
		return (void (*)(void))(uintptr_t)code_page;
	return is_user(mode) ? host_enter_user : host_enter_compatibility;
}

/* IRET to CPL 3 made them null ("IRET/IRETD/IRETQ - Interrupt Return"). */
static void load_data_segments(void)
{
	__asm__ volatile("movl %0, %%ds; movl %0, %%es" : : "r"(SELECTOR_DATA));
}

outcome host_execute(enum host_mode mode, const uint8_t *code, size_t bytes,
	struct host_registers *registers, struct trap_info *fault)
{
	struct run run = { registers, entry_of(mode) };
	uint64_t cr3 = read_cr3();
	struct trap_info info;

	if (bytes > HOST_CODE_MAX)
		panic("%zu bytes of code are too many", bytes);
	memcpy(host_code_page(), code, bytes);
	put_return(mode, code_page + bytes);
	if (is_user(mode)) {
		prepare_user(mode, registers);
		write_cr3(vmx_address(guest_pml4));
	}
	trap_catch(run_code, &run, &info);
	write_cr3(cr3);
	load_data_segments();
	if (fault != NULL)
		*fault = info;
	if (info.vector == TRAP_NONE || (is_user(mode) && info.vector == VECTOR_BP))
		return OK;
	return outcome_fault(info.vector, info.error);
}
