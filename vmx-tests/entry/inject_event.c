/* Guests that an event is injected into, in every mode, and the frame that its delivery leaves on
   the stack (Intel SDM, "Interrupt and Exception Handling"). What is tested with it is inject.c's.
 */
#include "vmx-tests/entry/inject.h"

#include "runtime/string.h"
#include "vmx-tests/guest_tables.h"

#define UD2_BYTES  2
#define GATE_32    (UINT64_C(0x8e) << 40) /* present, 32-bit or 64-bit interrupt gate, DPL 0 */
#define GATE_DPL_3 (UINT64_C(0x60) << 40)
#define TSS_SS0    8 /* byte offset in a 32-bit TSS */
#define FRAME_MAX  11

GUEST_CODE64(inject_code, "ud2; vmcall; 1: jmp 1b");

enum width { WIDTH_2, WIDTH_4, WIDTH_8 };

static bool is_long(enum guest_mode mode)
{
	return mode <= GUEST_COMPATIBILITY_USER;
}

static bool changes_stack(enum guest_mode mode)
{
	return mode == GUEST_64BIT_USER || mode == GUEST_COMPATIBILITY_USER ||
	       mode == GUEST_VIRTUAL_8086;
}

uint64_t inject_information(const struct inject_event *event)
{
	return INTERRUPTION_VALID | FIELD_PUT(event->type, INTERRUPTION_TYPE) |
	       (event->has_error ? INTERRUPTION_HAS_ERROR : 0) | event->vector;
}

static void write_gate(enum guest_mode mode, uint8_t vector)
{
	uint64_t handler = vmx_address(inject_code) + UD2_BYTES;
	uint32_t *vectors = (uint32_t *)(void *)guest_idt;

	if (is_long(mode)) {
		guest_set_gate(vector, (void (*)(void))(uintptr_t)handler);
		return;
	}
	if (mode == GUEST_REAL) {
		vectors[vector] = (uint32_t)(field_read(VMCS_GUEST_CS_SELECTOR) << 16 | UD2_BYTES);
		return;
	}
	guest_idt[vector] = (handler & BITS(15, 0)) | GUEST_SELECTOR_CODE32 << 16 | GATE_32 |
			    (handler & BITS(31, 16)) << 32;
}

/* A 32-bit TSS has the stack's segment where a 64-bit one has the address's high half. */
static void write_stack_segment(enum guest_mode mode)
{
	if (!is_long(mode))
		guest_tss.bytes[TSS_SS0] = GUEST_SELECTOR_DATA;
}

void inject_prepare(enum guest_mode mode, const struct inject_event *event)
{
	guest_reset();
	guest_set_mode(mode, CODE(inject_code));
	write_gate(mode, event->vector);
	write_stack_segment(mode);
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF | RFLAGS_AC | RFLAGS_CF);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, inject_information(event));
	field_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, event->error);
	field_write(VMCS_ENTRY_INSTRUCTION_LENGTH, event->length);
}

void inject_allow_user(enum guest_mode mode, const struct inject_event *event)
{
	if (mode != GUEST_REAL)
		guest_idt[is_long(mode) ? event->vector * 2 : event->vector] |= GATE_DPL_3;
}

/* ---- The frame ---- */

struct registers {
	uint64_t rip, rsp, rflags, selector[6]; /* ES CS SS DS FS GS */
};

static struct registers read_registers(void)
{
	struct registers registers = { field_read(VMCS_GUEST_RIP), field_read(VMCS_GUEST_RSP),
		field_read(VMCS_GUEST_RFLAGS), { 0 } };
	unsigned int i;

	for (i = 0; i < 6; i++)
		registers.selector[i] = field_read(VMCS_GUEST_ES_SELECTOR + 2 * i);
	return registers;
}

static bool is_software(const struct inject_event *event)
{
	return event->type >= INTERRUPTION_SOFTWARE &&
	       event->type <= INTERRUPTION_SOFTWARE_EXCEPTION;
}

/* What delivery pushes, the last first. "VM-Entry Instruction Length": software events return
 * behind the instruction. */
static unsigned int expect_frame(enum guest_mode mode, const struct inject_event *event,
	const struct registers *before, uint64_t frame[FRAME_MAX])
{
	static const uint8_t v8086_segments[] = { 0, 3, 4, 5 }; /* ES DS FS GS */
	unsigned int count = 0, i;

	if (event->has_error)
		frame[count++] = event->error;
	frame[count++] = before->rip + (is_software(event) ? event->length : 0);
	frame[count++] = before->selector[1];
	frame[count++] = before->rflags;
	if (is_long(mode) || changes_stack(mode)) {
		frame[count++] = before->rsp;
		frame[count++] = before->selector[2];
	}
	for (i = 0; i < 4 && mode == GUEST_VIRTUAL_8086; i++)
		frame[count++] = before->selector[v8086_segments[i]];
	return count;
}

static uint64_t read_stack(enum width width, unsigned int slot)
{
	uint64_t rsp = field_read(VMCS_GUEST_RSP), value = 0;
	unsigned int bytes = 2u << width;

	if (!(field_read(VMCS_GUEST_SS_ACCESS_RIGHTS) & ACCESS_RIGHTS_DB) && width != WIDTH_8)
		rsp &= BITS(15, 0);
	memcpy(&value,
		(const void *)(uintptr_t)(field_read(VMCS_GUEST_SS_BASE) + rsp + slot * bytes),
		bytes);
	return test_observe(value);
}

static enum width frame_width(enum guest_mode mode)
{
	if (mode == GUEST_REAL)
		return WIDTH_2;
	return is_long(mode) ? WIDTH_8 : WIDTH_4;
}

/* RF in the image depends on the event ("Instruction-Breakpoint Exception Condition") and is left
 * out. */
static outcome check_frame(
	enum guest_mode mode, const struct inject_event *event, const struct registers *before)
{
	enum width width = frame_width(mode);
	uint64_t frame[FRAME_MAX],
		mask = width == WIDTH_8 ? BITS(63, 0) : BITS((16u << width) - 1, 0);
	unsigned int count = expect_frame(mode, event, before, frame), i;
	unsigned int flags = event->has_error ? 3 : 2;

	for (i = 0; i < count; i++) {
		uint64_t actual = read_stack(width, i), wanted = frame[i];

		/* What is pushed above a 16-bit selector is not defined for 32-bit pushes. */
		if (width == WIDTH_4 && (i == flags - 1 || i > flags + 1))
			actual &= BITS(15, 0);
		if (i == flags)
			actual &= ~RFLAGS_RF;
		if ((actual & mask) != (wanted & mask))
			return test_mismatch(__LINE__, "word %u of the frame is %#lx, not %#lx", i,
				actual, wanted & mask);
	}
	return OK;
}

static outcome check_handler(enum guest_mode mode)
{
	uint64_t rip = mode == GUEST_REAL ? UD2_BYTES : vmx_address(inject_code) + UD2_BYTES;
	uint64_t cleared = RFLAGS_IF | RFLAGS_TF | (mode == GUEST_REAL ? 0 : RFLAGS_NT | RFLAGS_VM);

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), rip);
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & cleared, 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_CF, RFLAGS_CF);
	CHECK_EQUAL(field_read(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return OK;
}

outcome inject_run(enum guest_mode mode, const struct inject_event *event)
{
	struct registers before = read_registers();
	outcome result = guest_run(NULL), details;

	if (result != EXIT(EXIT_REASON_VMCALL))
		return result;
	details = check_handler(mode);
	if (details == OK)
		details = check_frame(mode, event, &before);
	return details == OK ? result : details;
}
