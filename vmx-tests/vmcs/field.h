/* The fields of the manual's table as sweeps see them. */
#ifndef VMX_TESTS_VMCS_FIELD_H
#define VMX_TESTS_VMCS_FIELD_H

#include "runtime/harness.h"
#include "vmx-tests/guest.h"

struct field_row {
	struct test_row row;
	enum vmcs_index index;
};

/* One row per field, in the table's order, all expected to be OK. */
#define FIELD_ROWS VMCS_FIELDS
extern const struct field_row field_rows[FIELD_ROWS];

/* The current row's field. */
const struct vmcs_field *field_of_row(void);

/* Does the CPU have it, by its capabilities (spec/vmx_exists.def)? */
bool field_is_offered(enum vmcs_index index);

/* May VMWRITE write it: it is offered, and it is no VM-exit information field, or those may be
 * written. */
bool field_is_writable(enum vmcs_index index);

/* That, and the CPU really has it. A field that is missing is `exists`'s failure; the other tests
   go on without it. */
bool field_is_usable(enum vmcs_index index);

/* The bits of the field that keep what is written: its width, less the reserved bits of access
   rights, which some CPUs do not keep ("Guest Register State"). */
uint64_t field_bits(enum vmcs_index index);

#endif
