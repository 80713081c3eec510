/* Random mutations of good states: the CPU and the explainer's engine must agree on whether the
   state is entered, and on how it is refused (Intel SDM, "VM Entries"). What each single rule does
   is check_*.c's; a rule that this CPU gets wrong there explains a disagreement here. Words: seed=.
 */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#include "runtime/boot.h"
#include "runtime/harness_forge.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "vmx-tests/beat.h"
#include "vmx-tests/entry/state.h"

#define MUTATIONS_PER_STATE 900 /* of each of the good states: more than 10,000 in all */
#define MUTATIONS_SAMPLED   100 /* where each takes long */
#define MUTATIONS_FORGED    20  /* when tests are tested, which repeats them often */
#define FIELDS_MAX          3   /* changed at once */
#define MSR_LIST_UNIT       512 /* MSRs: the recommended maximum is a multiple of it */

/* ---- Random numbers (xorshift, Marsaglia) ---- */

static uint64_t random_state;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned int random_below(unsigned int limit)
{
	return (unsigned int)((random_number() >> 11) % limit);
}

static void seed_random(enum check_start start)
{
	char word[24];
	uint64_t seed = 1;

	if (boot_word(boot.cmdline, "seed", word, sizeof(word)) == 0)
		string_to_u64(word, false, &seed);
	random_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + start;
	random_number();
}

/* ---- Mutations ---- */

static struct vmx_state good, mutated;
static uint16_t fields[FIELDS_MAX];
static unsigned int field_count;

/* HOST_RSP and HOST_RIP are what run.S wrote: it writes them again at each entry. */
static bool may_mutate(unsigned int field)
{
	return vmcs_fields[field].area != AREA_READONLY && field != FIELD_HOST_RSP &&
	       field != FIELD_HOST_RIP && state_has_field(field);
}

/* Where rules have their edges. */
static uint64_t edge_value(void)
{
	static const uint64_t edges[] = { 0, 1, 2, 3, BIT(7), BITS(15, 0), BIT(16), BITS(31, 0),
		BIT(32), BITS(46, 0), BIT(47), BITS(63, 47), BITS(63, 48), BIT(62), BIT(63),
		BITS(63, 0) };
	unsigned int i = random_below(ARRAY_SIZE(edges) + 2);

	if (i == ARRAY_SIZE(edges))
		return BIT(state_physical_width());
	return i > ARRAY_SIZE(edges) ? BIT(state_physical_width() - 1) : edges[i];
}

static uint64_t mutate(uint64_t old)
{
	switch (random_below(4)) {
	case 0:
		return random_number();
	case 1:
		return edge_value();
	case 2:
		return old ^ BIT(random_below(64)) ^ BIT(random_below(64));
	default:
		return old ^ BIT(random_below(64));
	}
}

static void write_mutation(void)
{
	unsigned int i, field;

	mutated = good;
	field_count = 1 + random_below(FIELDS_MAX);
	for (i = 0; i < field_count; i++) {
		do
			field = random_below(VMCS_FIELDS);
		while (!may_mutate(field));
		fields[i] = (uint16_t)field;
		mutated.field[field] = mutate(mutated.field[field]) & state_field_mask(field);
		field_write(vmcs_fields[field].encoding, mutated.field[field]);
	}
	state_read_memory(&mutated);
}

/* ---- What the explainer says ---- */

struct judgement {
	struct vmx_check_listener listener;
	bool unknown, optional;
	uint64_t groups; /* BIT(enum vmx_check_group): with a broken check */
	bool broken[VMX_CHECKS];
};

static void note(struct vmx_check_listener *listener, const struct vmx_check *check,
	enum vmx_verdict verdict, const struct vmx_state *state)
{
	struct judgement *judgement = (struct judgement *)listener;

	if (verdict == VMX_UNKNOWN)
		judgement->unknown = true;
	else if (check->optional)
		judgement->optional = true;
	else {
		judgement->broken[check - vmx_checks] = true;
		judgement->groups |= BIT(vmx_check_group(check));
	}
}

static bool breaks(const struct judgement *judgement, enum vmx_check_group group)
{
	return judgement->groups & BIT(group);
}

/* Controls and host state may be checked in any order ("Checks on VMX Controls and Host-State
   Area"); the guest state comes after them. */
static bool agrees(const struct judgement *judgement, outcome result)
{
	bool control = breaks(judgement, VMX_CHECK_CONTROL),
	     host = breaks(judgement, VMX_CHECK_HOST);

	if (control || host)
		return (control && result == REFUSED_CONTROL) || (host && result == REFUSED_HOST);
	if (breaks(judgement, VMX_CHECK_GUEST))
		return result == REFUSED_GUEST;
	return outcome_kind(result) == OUTCOME_EXIT ||
	       (judgement->optional && result == REFUSED_GUEST);
}

/* ---- What is not tried ---- */

static bool has_bits(unsigned int field, uint64_t bits)
{
	return (mutated.field[field] & bits) == bits;
}

static bool is_mutated(unsigned int field)
{
	return mutated.field[field] != good.field[field];
}

/* The guest would run code, wait for ever, or write where a mutated address says. */
static bool guest_is_dangerous(void)
{
	uint64_t proc2 = has_bits(FIELD_PROC_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS)
				 ? mutated.field[FIELD_PROC2_CONTROLS]
				 : 0;

	return !has_bits(FIELD_PIN_CONTROLS, PIN_PREEMPTION_TIMER) ||
	       mutated.field[FIELD_PREEMPTION_TIMER_VALUE] != 0 ||
	       mutated.field[FIELD_GUEST_ACTIVITY_STATE] == ACTIVITY_WAIT_FOR_SIPI ||
	       (proc2 & (PROC2_VIRTUAL_INTERRUPT_DELIVERY | PROC2_ENABLE_PML |
				PROC2_EPT_VIOLATION_VE));
}

/* An event would be delivered through tables, and to a stack, at mutated places. An event of type 7
   on a CPU without monitor trap flag ends the emulators that do not refuse it: event_type_other has
   it. */
static bool event_is_dangerous(void)
{
	uint64_t information = mutated.field[FIELD_ENTRY_INTERRUPTION_INFORMATION];

	if (!(information & INTERRUPTION_VALID))
		return false;
	if (FIELD_GET(information, INTERRUPTION_TYPE) == INTERRUPTION_OTHER &&
		!vmx_may_set(CONTROL_WORD_PROC, PROC_MONITOR_TRAP_FLAG))
		return true;
	return is_mutated(FIELD_GUEST_IDTR_BASE) || !has_bits(FIELD_GUEST_CR0, CR0_PE);
}

/* The exit would load what the host cannot live with, or MSRs from anywhere. */
static bool host_is_dangerous(void)
{
	return is_mutated(FIELD_HOST_CR0) || is_mutated(FIELD_HOST_CR3) ||
	       is_mutated(FIELD_HOST_CR4) ||
	       (state_has_field(FIELD_HOST_IA32_EFER) && is_mutated(FIELD_HOST_IA32_EFER)) ||
	       (has_bits(FIELD_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_EFER) &&
		       !has_bits(FIELD_VM_EXIT_CONTROLS, VM_EXIT_LOAD_EFER)) ||
	       is_mutated(FIELD_EXIT_MSR_LOAD_COUNT) || is_mutated(FIELD_EXIT_MSR_STORE_COUNT) ||
	       is_mutated(FIELD_ENTRY_MSR_LOAD_COUNT);
}

/* "VM-Entry Controls for MSRs": beyond the recommended maximum VM entry may do anything. */
static bool entry_is_unpredictable(void)
{
	uint64_t size = FIELD_GET(
		vmx_state_capability(&mutated, MSR_IA32_VMX_MISC), VMX_MISC_MSR_LIST_SIZE);

	return mutated.field[FIELD_ENTRY_MSR_LOAD_COUNT] > (size + 1) * MSR_LIST_UNIT;
}

/* Where the controls or the host state are refused, nothing of that comes to pass. */
static bool is_tried(const struct judgement *judgement)
{
	if (judgement->unknown || entry_is_unpredictable())
		return false;
	if (breaks(judgement, VMX_CHECK_CONTROL) || breaks(judgement, VMX_CHECK_HOST))
		return !event_is_dangerous();
	return !guest_is_dangerous() && !event_is_dangerous() && !host_is_dangerous();
}

/* ---- One state after the other ---- */

static void restore_fields(void)
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++)
		if (may_mutate(i))
			field_poke(vmcs_fields[i].encoding, good.field[i]);
}

static void restore_mutation(void)
{
	unsigned int i;

	for (i = 0; i < field_count; i++)
		field_write(vmcs_fields[fields[i]].encoding, good.field[fields[i]]);
}

static void begin(enum check_start start)
{
	check_begin(start);
	if (vmx_may_set(CONTROL_WORD_VM_EXIT, VM_EXIT_LOAD_EFER))
		field_set(VMCS_VM_EXIT_CONTROLS, VM_EXIT_LOAD_EFER);
	state_read(&good);
}

static bool refuses_as(outcome result, enum vmx_check_group group)
{
	static const outcome refusals[] = { [VMX_CHECK_CONTROL] = REFUSED_CONTROL,
		[VMX_CHECK_HOST] = REFUSED_HOST,
		[VMX_CHECK_GUEST] = REFUSED_GUEST };

	return result == refusals[group];
}

/* Is the rule about the register or the area that one of the mutated fields belongs to? */
static bool is_about_mutation(const struct vmx_check *check)
{
	const char *name = vmcs_fields[check->field].name;
	unsigned int i;

	for (i = 0; i < field_count; i++)
		if (strncmp(vmcs_fields[fields[i]].name, name, strlen("GUEST_CS")) == 0)
			return true;
	return false;
}

/* Leaves out the rules that this CPU gets wrong in their own tests. */
static void leave_out_deviations(struct judgement *judgement, bool guest)
{
	unsigned int i;

	judgement->groups = 0;
	for (i = 0; i < VMX_CHECKS; i++) {
		enum vmx_check_group group = vmx_check_group(&vmx_checks[i]);

		if (!judgement->broken[i])
			continue;
		if ((group == VMX_CHECK_GUEST) == guest && check_deviates((enum vmx_check_index)i))
			judgement->broken[i] = false;
		else
			judgement->groups |= BIT(group);
	}
}

/* Without them, first those that come first, do CPU and explainer agree? Or is a wrong refusal one
   of theirs, about what was mutated? */
static bool is_explained(struct judgement *judgement, outcome result)
{
	unsigned int i;

	leave_out_deviations(judgement, false);
	if (agrees(judgement, result))
		return true;
	leave_out_deviations(judgement, true);
	if (agrees(judgement, result))
		return true;
	for (i = 0; i < VMX_CHECKS; i++)
		if (refuses_as(result, vmx_check_group(&vmx_checks[i])) &&
			is_about_mutation(&vmx_checks[i]) &&
			check_deviates((enum vmx_check_index)i))
			return true;
	return false;
}

static outcome report(const struct judgement *judgement, outcome result, unsigned int number)
{
	char text[160], came[32];
	size_t used = 0;
	unsigned int i;

	outcome_format(result, came, sizeof(came));
	for (i = 0; i < field_count && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s=%#lx",
			vmcs_fields[fields[i]].name, mutated.field[fields[i]]);
	for (i = 0; i < VMX_CHECKS && !judgement->broken[i]; i++)
		;
	return test_mismatch(__LINE__, "mutation %u:%s: %s, the explainer finds %s", number, text,
		came, i < VMX_CHECKS ? vmx_checks[i].id : "nothing");
}

static outcome try_mutation(enum check_start start, unsigned int number, unsigned int *tried)
{
	static struct judgement judgement, before;
	outcome result;

	write_mutation();
	judgement = (struct judgement){ .listener = { note } };
	vmx_checks_run(&mutated, VMX_CHECK_ALL, &judgement.listener);
	if (!is_tried(&judgement)) {
		restore_mutation();
		return OK;
	}
	(*tried)++;
	harness_forge_observe(true);
	result = check_enter();
	harness_forge_observe(false);
	if (!agrees(&judgement, result)) {
		before = judgement;
		if (!is_explained(&judgement, result))
			return report(&before, result, number);
		begin(start); /* the tests of the rules used the VMCS */
		return OK;
	}
	if (outcome_kind(result) == OUTCOME_FAIL_VALID)
		restore_mutation();
	else
		restore_fields();
	return OK;
}

static outcome try_mutations(enum check_start start)
{
	unsigned int tried = 0, number = 0,
		     wanted = harness_forge_on()
				      ? MUTATIONS_FORGED
				      : beat_choose(MUTATIONS_PER_STATE, MUTATIONS_SAMPLED);
	outcome result = OK;

	harness_forge_observe(false); /* a lie about the good state would be entered, too */
	seed_random(start);
	begin(start);
	while (tried < wanted && result == OK)
		result = try_mutation(start, number++, &tried);
	check_restore_host();
	return result;
}

#define RANDOM_TEST(name, start, ...)                                                              \
	TEST(random, name, "SDM VM Entries",                                                       \
		"a random mutation of the good state " #start                                      \
		" is entered or refused as the rules together say",                                \
		OK, .needs = NEEDS_ALSO(__VA_ARGS__))                                              \
	{                                                                                          \
		return try_mutations(CHECK_##start);                                               \
	}
RANDOM_TEST(long_mode, LONG)
RANDOM_TEST(user, USER)
RANDOM_TEST(compatibility, COMPATIBILITY)
RANDOM_TEST(protected, PROTECTED)
RANDOM_TEST(pae, PAE)
RANDOM_TEST(v8086, V8086)
RANDOM_TEST(long_ept, LONG_EPT, &need_ept)
RANDOM_TEST(pae_ept, PAE_EPT, &need_ept)
RANDOM_TEST(long_unrestricted, LONG_UNRESTRICTED, &need_unrestricted)
RANDOM_TEST(unpaged, UNPAGED, &need_unrestricted)
RANDOM_TEST(real, REAL, &need_unrestricted)
RANDOM_TEST(tpr, TPR, &need_PROC_TPR_SHADOW)
