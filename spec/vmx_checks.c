/* The rows of spec/vmx_checks.def as data, and the one loop over them. The predicates that they
   name are in vmx_checks_control.c, _entry.c, _host.c and _guest*.c. */
#include "spec/vmx_predicates.h"

const struct vmx_check vmx_checks[VMX_CHECKS] = {
#define ROW(id, section, field, rule, ...)                                                         \
	{ #id, rule, FIELD_##field, VMX_SECTION_##section, __VA_ARGS__ },
#define CHECK(id, section, field, rule) ROW(id, section, field, rule, false, check_##id, NULL)
#define CHECK_OPTIONAL(id, section, field, rule)                                                   \
	ROW(id, section, field, rule, true, check_##id, NULL)
#define CHECK_MEMORY(id, section, field, rule)                                                     \
	ROW(id, section, field, rule, false, NULL, check_##id)
#include "spec/vmx_checks.def"
};

struct section {
	const char *title;
	enum vmx_check_group group;
};

static const struct section sections[VMX_SECTIONS] = {
#define SECTION(name, group, title) { title, VMX_CHECK_##group },
#include "spec/vmx_checks.def"
};

const char *vmx_check_title(const struct vmx_check *check)
{
	return sections[check->section].title;
}

enum vmx_check_group vmx_check_group(const struct vmx_check *check)
{
	return sections[check->section].group;
}

enum vmx_verdict vmx_check_judge(const struct vmx_check *check, const struct vmx_state *state)
{
	if (check->judge)
		return check->judge(state);
	return check->holds(state) ? VMX_HOLDS : VMX_BROKEN;
}

uint32_t vmx_check_error(enum vmx_check_group group)
{
	switch (group) {
	case VMX_CHECK_CONTROL:
		return VMX_ERROR_ENTRY_CONTROLS;
	case VMX_CHECK_HOST:
		return VMX_ERROR_ENTRY_HOST_STATE;
	case VMX_CHECK_GUEST:
		break;
	}
	return 0;
}

uint64_t vmx_check_qualification(const struct vmx_check *check)
{
	if (check->section == VMX_SECTION_GUEST_PDPTES)
		return ENTRY_FAILURE_PDPTE;
	if (check == &vmx_checks[VMX_CHECK_guest_sti_nmi])
		return ENTRY_FAILURE_NMI;
	if (check->field == FIELD_VMCS_LINK_POINTER)
		return ENTRY_FAILURE_LINK_POINTER;
	return 0;
}

unsigned int vmx_checks_run(
	const struct vmx_state *state, uint64_t groups, struct vmx_check_listener *listener)
{
	unsigned int broken = 0;

	for (unsigned int i = 0; i < VMX_CHECKS; i++) {
		const struct vmx_check *check = &vmx_checks[i];
		enum vmx_verdict verdict;

		if (!(groups & BIT(vmx_check_group(check))))
			continue;
		verdict = vmx_check_judge(check, state);
		if (verdict == VMX_BROKEN && !check->optional)
			broken++;
		if (verdict != VMX_HOLDS && listener)
			listener->hear(listener, check, verdict, state);
	}
	return broken;
}

bool vmx_is_pat(uint64_t pat)
{
	const uint64_t types = BIT(MEMORY_TYPE_UC) | BIT(MEMORY_TYPE_WC) | BIT(MEMORY_TYPE_WT) |
			       BIT(MEMORY_TYPE_WP) | BIT(MEMORY_TYPE_WB) |
			       BIT(MEMORY_TYPE_UC_MINUS);

	for (; pat; pat >>= 8)
		if ((pat & 0xff) > MEMORY_TYPE_UC_MINUS || !(types & BIT(pat & 0xff)))
			return false;
	return true;
}
