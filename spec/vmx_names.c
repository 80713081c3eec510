/* The tables of spec/vmx.h as data: rows to walk over and names to print, proved row by row while
   they are compiled. Which rules the values must follow is left to spec/vmx_checks.c. */
#include "spec/vmx.h"

/* A row's width and area are those that its encoding says; bits 31:15, 12 and 0 are zero. */
#define WIDTH_OF_16      WIDTH_16
#define WIDTH_OF_32      WIDTH_32
#define WIDTH_OF_64      WIDTH_64
#define WIDTH_OF_NATURAL WIDTH_NATURAL
#define ENCODING_USED    (ENCODING_INDEX | ENCODING_AREA | ENCODING_WIDTH)
#define FIELD(name, encoding, width, area, citation)                                               \
	_Static_assert(FIELD_GET(encoding, ENCODING_WIDTH) == WIDTH_OF_##width,                    \
		#name ": width and encoding differ");                                              \
	_Static_assert(FIELD_GET(encoding, ENCODING_AREA) == AREA_##area,                          \
		#name ": area and encoding differ");                                               \
	_Static_assert(((encoding) & ~ENCODING_USED) == 0, #name ": reserved bits in its "         \
								 "encoding");
#include "spec/vmx_fields.def"
#undef FIELD

const struct vmcs_field vmcs_fields[VMCS_FIELDS] = {
#define FIELD(name, encoding, width, area, citation)                                               \
	{ #name, (encoding), WIDTH_OF_##width, AREA_##area, citation },
#include "spec/vmx_fields.def"
#undef FIELD
};

int vmcs_field_index(uint32_t encoding)
{
	for (int i = 0; i < VMCS_FIELDS; i++)
		if (vmcs_fields[i].encoding == encoding)
			return i;
	return -1;
}

const char *vmcs_field_name(uint32_t encoding)
{
	int index = vmcs_field_index(encoding);

	return index < 0 ? "unknown VMCS field" : vmcs_fields[index].name;
}

const struct vmx_control vmx_controls[VMX_CONTROLS] = {
#define CONTROL(word, bit, name, citation)                                                         \
	{ #word "_" #name, CONTROL_WORD_##word, (bit), citation },
#include "spec/vmx_controls.def"
#undef CONTROL
};

const char *vmx_control_name(enum vmx_control_word word, unsigned int bit)
{
	for (int i = 0; i < VMX_CONTROLS; i++)
		if (vmx_controls[i].word == word && vmx_controls[i].bit == bit)
			return vmx_controls[i].name;
	return NULL;
}

const struct vmcs_existence vmcs_existences[VMCS_EXISTENCES] = {
#define EXISTS(field, word, control) { FIELD_##field, CONTROL_##word##_##control },
#include "spec/vmx_exists.def"
#undef EXISTS
};

const struct vmx_capability vmx_capabilities[VMX_CAPABILITIES] = {
#define CAP(msr, high, low, name, citation)                                                        \
	{ #msr "_" #name, (uint32_t)MSR_IA32_##msr, (high), (low), citation },
#include "spec/vmx_caps.def"
#undef CAP
};

const char *vmx_exit_reason_name(uint32_t basic)
{
	switch (basic) {
#define EXIT_REASON(number, name, title)                                                           \
	case number:                                                                               \
		return "EXIT_REASON_" #name;
#include "spec/vmx_exits.def"
#undef EXIT_REASON
	}
	return "reserved exit reason";
}

const char *vmx_error_text(uint32_t error)
{
	switch (error) {
#define VMX_ERROR(number, name, text)                                                              \
	case number:                                                                               \
		return text;
#include "spec/vmx_errors.def"
#undef VMX_ERROR
	}
	return "reserved VM-instruction error";
}
