/* The tables of spec/svm.h as data: rows to walk over and names to print, proved row by row while
   they are compiled. Which rules the values must follow is left to spec/svm_checks.c. */
#include "spec/svm.h"

/* Each row's field lies where the row says: its type needs no padding there, and fits the page. */
#define VMCB_FIELD(name, NAME, offset, type, title)                                                \
	_Static_assert(offsetof(struct svm_vmcb, name) == (offset), #name ": not at its offset");  \
	_Static_assert((offset) + sizeof(type) <= 4096, #name ": beyond the page");
#define VMCB_SEGMENT(name, NAME, offset, title)                                                    \
	VMCB_FIELD(name, NAME, offset, struct svm_segment, title)                                  \
	_Static_assert((offset) == SVM_STATE_SAVE_AREA + 16 * SVM_##NAME, #name ": out of order");
#include "spec/svm_vmcb.def"

_Static_assert(sizeof(struct svm_vmcb) == 4096, "the VMCB is one page");
_Static_assert(sizeof(struct svm_segment) == 16, "a segment register takes 16 bytes");

/* No two fields overlap: a switch may not name a byte twice. */
static __unused bool is_in_a_field(unsigned int byte)
{
	switch (byte) {
#define VMCB_FIELD(name, NAME, offset, type, title) case (offset)...(offset) + sizeof(type) - 1:
#include "spec/svm_vmcb.def"
		return true;
	}
	return false;
}

const struct svm_vmcb_field svm_vmcb_fields[VMCB_FIELDS] = {
	[VMCB_NONE] = { "none", 0, 0, "" },
#define VMCB_FIELD(name, NAME, offset, type, title)                                                \
	[VMCB_##NAME] = { #NAME, (offset), sizeof(type), title },
#include "spec/svm_vmcb.def"
};

uint64_t svm_vmcb_read(const struct svm_vmcb *vmcb, enum svm_vmcb_index field)
{
	const struct svm_vmcb_field *row = &svm_vmcb_fields[field];
	uint64_t value = 0;

	__builtin_memcpy(&value, &vmcb->byte[row->offset], row->size);
	return value;
}

void svm_vmcb_write(struct svm_vmcb *vmcb, enum svm_vmcb_index field, uint64_t value)
{
	const struct svm_vmcb_field *row = &svm_vmcb_fields[field];

	__builtin_memcpy(&vmcb->byte[row->offset], &value, row->size);
}

const struct svm_intercept_row svm_intercept_rows[SVM_INTERCEPT_ROWS] = {
#define INTERCEPT(vector, bit, name, title)         { #name, INTERCEPT_##name, 1, title },
#define INTERCEPTS(vector, bit, count, name, title) { #name, INTERCEPT_##name, (count), title },
#include "spec/svm_intercepts.def"
};

const struct svm_capability svm_capabilities[SVM_CAPABILITIES] = {
#define CAP(reg, high, low, name, title)                                                           \
	{ "SVM_" #reg "_" #name, SVM_CPUID_##reg, (high), (low), title },
#include "spec/svm_caps.def"
};

/* As above, the switch proves that no two rows have the same code. */
const char *svm_exit_name(uint64_t exitcode)
{
	switch ((int32_t)exitcode) {
#define INTERCEPT(vector, bit, name, title)                                                        \
	case VMEXIT_##name:                                                                        \
		return "VMEXIT_" #name;
#define INTERCEPTS(vector, bit, count, name, title)                                                \
	case VMEXIT_##name... VMEXIT_##name + (count)-1:                                           \
		return "VMEXIT_" #name;
#include "spec/svm_intercepts.def"
#define EXIT_CODE(code, name, title)                                                               \
	case VMEXIT_##name:                                                                        \
		return "VMEXIT_" #name;
#include "spec/svm_exits.def"
	}
	return "reserved exit code";
}
