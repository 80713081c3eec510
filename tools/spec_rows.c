/* Prints the rows of the manuals' tables in spec/, one per line, for the host's tools: suite, kind,
   name, number and text, separated by tabs. What the rows mean is left to the tables. */
#include <stdio.h>

static void print_row(const char *suite, const char *kind, const char *name, long number, const char *text)
{
	printf("%s\t%s\t%s\t%ld\t%s\n", suite, kind, name, number, text);
}

static void print_vmx(void)
{
#define ROW(kind, name, number, text) print_row("vmx-tests", kind, name, number, text);
#define FIELD(name, encoding, width, area, title) ROW("field", #name, encoding, title)
#include "spec/vmx_fields.def"
#undef FIELD
#define CONTROL(word, bit, name, title) ROW("control", #word "_" #name, bit, title)
#include "spec/vmx_controls.def"
#undef CONTROL
#define EXIT_REASON(number, name, text) ROW("exit", #name, number, text)
#include "spec/vmx_exits.def"
#undef EXIT_REASON
#define VMX_ERROR(number, name, text) ROW("error", #name, number, text)
#include "spec/vmx_errors.def"
#undef VMX_ERROR
#define CHECK(id, section, field, rule) ROW("check", #id, 0, rule)
#include "spec/vmx_checks.def"
#undef CHECK
#define CAP(msr, high, low, name, title) ROW("cap", #msr "_" #name, low, title)
#include "spec/vmx_caps.def"
#undef CAP
#undef ROW
}

static void print_svm(void)
{
#define ROW(kind, name, number, text) print_row("svm-tests", kind, name, number, text);
#define VMCB_FIELD(name, NAME, offset, type, title) ROW("field", #NAME, offset, title)
#include "spec/svm_vmcb.def"
#undef VMCB_FIELD
#define INTERCEPT(vector, bit, name, title) ROW("intercept", #name, (vector) * 32 + (bit), title)
#define INTERCEPTS(vector, bit, count, name, title) INTERCEPT(vector, bit, name, title)
#include "spec/svm_intercepts.def"
#undef INTERCEPTS
#undef INTERCEPT
#define EXIT_CODE(code, name, title) ROW("exit", #name, code, title)
#include "spec/svm_exits.def"
#undef EXIT_CODE
#define CHECK(id, section, rule, ...) ROW("check", #id, 0, rule)
#include "spec/svm_checks.def"
#undef CHECK
#define CAP(reg, high, low, name, title) ROW("cap", #reg "_" #name, low, title)
#include "spec/svm_caps.def"
#undef CAP
#undef ROW
}

static void print_common(void)
{
#define MSR(name, number, title) print_row("spec", "msr", #name, number, title);
#include "spec/msr.def"
#undef MSR
#define FORM(id, assembly, title, ...) print_row("spec", "form", #id, 0, title);
#define FORM64 FORM
#define FORM32 FORM
#include "spec/instructions.def"
#undef FORM32
#undef FORM64
#undef FORM
}

int main(void)
{
	print_vmx();
	print_svm();
	print_common();
	return 0;
}
