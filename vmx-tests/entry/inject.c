/* Event injection: what arrives in the guest, and how, in each of its modes (Intel SDM,
   "Vectored-Event Injection"). Which events are allowed is check_event.c's; faults on the way are
   inject_fault.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/inject.h"
#include "vmx-tests/needs.h"

#define TITLE "SDM Vectored-Event Injection"

/* ---- Types, in each mode ---- */

#define EXTERNAL_48                                                                                \
	{                                                                                          \
		INTERRUPTION_EXTERNAL, 48, false, 0, 0                                             \
	}
#define EXTERNAL_14                                                                                \
	{                                                                                          \
		INTERRUPTION_EXTERNAL, 14, false, 0, 0                                             \
	}
#define NMI                                                                                        \
	{                                                                                          \
		INTERRUPTION_NMI, VECTOR_NMI, false, 0, 0                                          \
	}
#define EXCEPTION_UD                                                                               \
	{                                                                                          \
		INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_UD, false, 0, 0                            \
	}
#define EXCEPTION_GP                                                                               \
	{                                                                                          \
		INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_GP, true, 0x1234, 0                        \
	}
#define EXCEPTION_GP_REAL                                                                          \
	{                                                                                          \
		INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_GP, false, 0, 0                            \
	}
#define SOFTWARE_64                                                                                \
	{                                                                                          \
		INTERRUPTION_SOFTWARE, 64, false, 0, 2                                             \
	}
#define SOFTWARE_13                                                                                \
	{                                                                                          \
		INTERRUPTION_SOFTWARE, 13, false, 0, 2                                             \
	}
#define PRIVILEGED_DB                                                                              \
	{                                                                                          \
		INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, false, 0, 1                 \
	}
#define SOFTWARE_BP                                                                                \
	{                                                                                          \
		INTERRUPTION_SOFTWARE_EXCEPTION, VECTOR_BP, false, 0, 1                            \
	}
#define SOFTWARE_OF                                                                                \
	{                                                                                          \
		INTERRUPTION_SOFTWARE_EXCEPTION, VECTOR_OF, false, 0, 1                            \
	}

struct inject_row {
	struct test_row row;
	enum guest_mode mode;
	struct inject_event event;
};

static outcome run_row(const struct inject_row *row)
{
	inject_prepare(row->mode, &row->event);
	inject_allow_user(row->mode, &row->event);
	return inject_run(row->mode, &row->event);
}

#define ROW(mode, name, ...)                                                                       \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_VMCALL) }, GUEST_##mode, __VA_ARGS__                      \
	}
#define ROWS(mode, ...)                                                                            \
	ROW(mode, "external interrupt", EXTERNAL_48),                                              \
		ROW(mode, "external interrupt with the vector of #PF", EXTERNAL_14),               \
		ROW(mode, "NMI", NMI), ROW(mode, "#UD", EXCEPTION_UD),                             \
		ROW(mode, "#GP", __VA_ARGS__), ROW(mode, "software interrupt", SOFTWARE_64),       \
		ROW(mode, "software interrupt with the vector of #GP", SOFTWARE_13),               \
		ROW(mode, "INT1", PRIVILEGED_DB), ROW(mode, "INT3", SOFTWARE_BP),                  \
		ROW(mode, "INTO", SOFTWARE_OF)
#define MODE_TEST(name, mode, gp, ...)                                                             \
	static const struct inject_row rows_##name[] = { ROWS(mode, gp) };                         \
	SWEEP(inject, name, TITLE,                                                                 \
		"each type of event is delivered through the guest's IDT, with its frame on the "  \
		"stack",                                                                           \
		rows_##name, ##__VA_ARGS__)                                                        \
	{                                                                                          \
		return run_row(TEST_ROW(struct inject_row));                                       \
	}

MODE_TEST(long_mode, 64BIT, EXCEPTION_GP)
MODE_TEST(long_mode_user, 64BIT_USER, EXCEPTION_GP)
MODE_TEST(compatibility, COMPATIBILITY, EXCEPTION_GP)
MODE_TEST(compatibility_user, COMPATIBILITY_USER, EXCEPTION_GP)
MODE_TEST(pae, PAE, EXCEPTION_GP)
MODE_TEST(paged32, PAGED32, EXCEPTION_GP)
MODE_TEST(protected16, PROTECTED16, EXCEPTION_GP)
MODE_TEST(virtual_8086, VIRTUAL_8086, EXCEPTION_GP)
MODE_TEST(unpaged32, UNPAGED32, EXCEPTION_GP, .needs = NEEDS(&need_unrestricted))
MODE_TEST(real, REAL, EXCEPTION_GP_REAL, .needs = NEEDS(&need_unrestricted))

/* ---- Vectors ---- */

static outcome inject_all(uint8_t type, unsigned int first, unsigned int last, uint32_t length)
{
	unsigned int vector;

	for (vector = first; vector <= last; vector++) {
		bool has_error = type == INTERRUPTION_HARDWARE_EXCEPTION && vector != VECTOR_CP &&
				 (VECTORS_WITH_ERROR_CODE & ~BIT(VECTOR_SX) & BIT(vector));
		struct inject_event event = { type, (uint8_t)vector, has_error,
			has_error ? 0x10 : 0, length };
		outcome result;

		if (type == INTERRUPTION_HARDWARE_EXCEPTION &&
			(vector == VECTOR_NMI || vector == VECTOR_CP))
			continue; /* #CP: CPUs differ in its error code */
		inject_prepare(GUEST_64BIT, &event);
		result = inject_run(GUEST_64BIT, &event);
		if (result != EXIT(EXIT_REASON_VMCALL))
			return result;
	}
	return EXIT(EXIT_REASON_VMCALL);
}

TEST(inject, external_vectors, TITLE,
	"external interrupts have any vector, 0 to 255, and no error code",
	EXIT(EXIT_REASON_VMCALL))
{
	return inject_all(INTERRUPTION_EXTERNAL, 0, 255, 0);
}

TEST(inject, software_vectors, TITLE,
	"software interrupts have any vector, 0 to 255, and no error code",
	EXIT(EXIT_REASON_VMCALL))
{
	return inject_all(INTERRUPTION_SOFTWARE, 0, 255, 2);
}

TEST(inject, exception_vectors, TITLE,
	"hardware exceptions have a vector of 0 to 31, some an error code",
	EXIT(EXIT_REASON_VMCALL))
{
	return inject_all(INTERRUPTION_HARDWARE_EXCEPTION, 0, 31, 0);
}

/* ---- Instruction lengths, error codes ---- */

TEST(inject, lengths, TITLE,
	"software events push RIP plus the VM-entry instruction length, 1 to 15",
	EXIT(EXIT_REASON_VMCALL))
{
	static const uint8_t types[][2] = { { INTERRUPTION_SOFTWARE, 64 },
		{ INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB },
		{ INTERRUPTION_SOFTWARE_EXCEPTION, VECTOR_BP } };
	unsigned int i, length;
	outcome result = test->expected;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		for (length = 1; length <= 15 && result == test->expected; length++)
			result = inject_all(types[i][0], types[i][1], types[i][1], length);
	return result;
}

TEST(inject, length_ignored, TITLE,
	"events that are no software's push RIP as it is, whatever the length",
	EXIT(EXIT_REASON_VMCALL))
{
	struct inject_event event = EXCEPTION_UD;

	event.length = 5;
	inject_prepare(GUEST_64BIT, &event);
	return inject_run(GUEST_64BIT, &event);
}

TEST(inject, error_codes, TITLE, "the error code is pushed as it stands in the VM-entry field",
	EXIT(EXIT_REASON_VMCALL))
{
	struct inject_event event = EXCEPTION_GP;
	outcome result = test->expected;
	uint32_t bit;

	for (bit = 1; bit <= BIT(15) && result == test->expected; bit <<= 1) {
		event.error = bit;
		inject_prepare(GUEST_64BIT, &event);
		result = inject_run(GUEST_64BIT, &event);
	}
	return result;
}

/* ---- Flags and registers that matter, or do not ---- */

static const struct inject_row masked[] = {
	ROW(64BIT, "NMI", NMI),
	ROW(64BIT, "#UD", EXCEPTION_UD),
	ROW(64BIT, "software interrupt", SOFTWARE_64),
	ROW(64BIT, "INT1", PRIVILEGED_DB),
	ROW(64BIT, "INT3", SOFTWARE_BP),
};

SWEEP(inject, interrupts_masked, TITLE,
	"with RFLAGS.IF 0 all but external interrupts can be injected", masked)
{
	const struct inject_row *row = TEST_ROW(struct inject_row);

	inject_prepare(row->mode, &row->event);
	field_clear(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	return inject_run(row->mode, &row->event);
}

TEST(inject, cr2, TITLE, "injecting #PF does not change CR2", EXIT(EXIT_REASON_VMCALL))
{
	struct inject_event event = { INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_PF, true, PF_WRITE,
		0 };
	uint64_t cr2 = 0x12345678;
	outcome result;

	__asm__ volatile("movq %0, %%cr2" : : "r"(cr2));
	inject_prepare(GUEST_64BIT, &event);
	result = inject_run(GUEST_64BIT, &event);
	__asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
	CHECK_EQUAL(test_observe(cr2), 0x12345678);
	return result;
}

TEST(inject, once, "SDM VM-Entry Controls for Event Injection",
	"an exit clears the valid bit: the next entry injects nothing, and the guest goes on",
	FAULT(UD))
{
	struct inject_event event = EXTERNAL_48;

	inject_prepare(GUEST_64BIT, &event);
	CHECK_EQUAL(inject_run(GUEST_64BIT, &event), EXIT(EXIT_REASON_VMCALL));
	field_write(VMCS_GUEST_RIP, field_read(VMCS_GUEST_RIP) - 2); /* UD2 */
	return guest_run(NULL);
}

/* ---- Blocking and activity after delivery ---- */

static outcome inject_then(const struct inject_event *event, uint64_t blocking, uint64_t pin)
{
	inject_prepare(GUEST_64BIT, event);
	field_set(VMCS_PIN_CONTROLS, pin);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking);
	return inject_run(GUEST_64BIT, event);
}

TEST(inject, nmi_blocks_nmi, "SDM Guest Non-Register State", "an injected NMI blocks NMIs",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }))
{
	return inject_then(&(struct inject_event)NMI, 0, 0);
}

TEST(inject, nmi_blocks_virtual_nmi, "SDM Guest Non-Register State",
	"with virtual NMIs an injected NMI makes for virtual-NMI blocking",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }),
	.needs = NEEDS(&need_PIN_VIRTUAL_NMIS), .covers = "control:PIN_VIRTUAL_NMIS")
{
	return inject_then(&(struct inject_event)NMI, 0, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
}

TEST(inject, nmi_exiting, TITLE,
	"an injected NMI is delivered, not turned into an exit by NMI exiting",
	EXIT(EXIT_REASON_VMCALL), .covers = "control:PIN_NMI_EXITING",
	.needs = NEEDS(&need_PIN_NMI_EXITING))
{
	return inject_then(&(struct inject_event)NMI, 0, PIN_NMI_EXITING);
}

TEST(inject, interrupt_exiting, TITLE,
	"an injected external interrupt is delivered, not turned into an exit by "
	"external-interrupt exiting",
	EXIT(EXIT_REASON_VMCALL), .covers = "control:PIN_EXTERNAL_INTERRUPT_EXITING",
	.needs = NEEDS(&need_PIN_EXTERNAL_INTERRUPT_EXITING))
{
	return inject_then(&(struct inject_event)EXTERNAL_48, 0, PIN_EXTERNAL_INTERRUPT_EXITING);
}

TEST(inject, exception_bitmap, TITLE,
	"an injected exception is delivered, not turned into an exit by its bit in the bitmap",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }))
{
	return inject_then(&(struct inject_event)EXCEPTION_GP, 0, 0);
}

TEST(inject, clears_sti, "SDM Interruptibility State",
	"after a vectoring entry there is no blocking by STI", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }))
{
	return inject_then(&(struct inject_event)EXCEPTION_UD, INTERRUPTIBILITY_STI, 0);
}

TEST(inject, clears_mov_ss, "SDM Interruptibility State",
	"after a vectoring entry there is no blocking by MOV SS", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }))
{
	return inject_then(&(struct inject_event)EXCEPTION_UD, INTERRUPTIBILITY_MOV_SS, 0);
}

TEST(inject, keeps_nmi_blocking, "SDM Interruptibility State",
	"blocking by NMI stays after a vectoring entry", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }))
{
	return inject_then(&(struct inject_event)EXTERNAL_48, INTERRUPTIBILITY_NMI, 0);
}

TEST(inject, nmi_blocking_is_loaded, "SDM Interruptibility State",
	"NMIs are blocked after entry if and only if the field says so, whatever was blocked "
	"before",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }))
{
	CHECK_EQUAL(inject_then(&(struct inject_event)NMI, 0, 0), EXIT(EXIT_REASON_VMCALL));
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	return guest_enter();
}

static const struct inject_row wakes[] = {
	ROW(64BIT, "external interrupt", EXTERNAL_48),
	ROW(64BIT, "NMI", NMI),
	ROW(64BIT, "#DB", { INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_DB, false, 0, 0 }),
	ROW(64BIT, "#MC", { INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_MC, false, 0, 0 }),
};

static outcome inject_into(const struct inject_row *row, enum activity_state activity)
{
	outcome result;

	inject_prepare(row->mode, &row->event);
	field_write(VMCS_GUEST_ACTIVITY_STATE, activity);
	result = inject_run(row->mode, &row->event);
	if (result == EXIT(EXIT_REASON_VMCALL))
		CHECK_EQUAL(field_read(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_ACTIVE);
	return result;
}

SWEEP(inject, wakes_hlt, "SDM Activity State",
	"a vectoring entry into HLT delivers the event: the guest is active", wakes,
	.needs = NEEDS(&need_activity_hlt))
{
	return inject_into(TEST_ROW(struct inject_row), ACTIVITY_HLT);
}

static const struct inject_row wakes_shutdown[] = {
	ROW(64BIT, "NMI", NMI),
	ROW(64BIT, "#MC", { INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_MC, false, 0, 0 }),
};

SWEEP(inject, wakes_shutdown, "SDM Activity State",
	"a vectoring entry into shutdown delivers the event: the guest is active", wakes_shutdown,
	.needs = NEEDS(&need_activity_shutdown))
{
	return inject_into(TEST_ROW(struct inject_row), ACTIVITY_SHUTDOWN);
}
