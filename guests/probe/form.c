/* spec/instructions.def as machine code and as a table. The rows are included once for each size of
   code and once for the table. */
#include "guests/probe/form.h"

#include "runtime/segments.h"

#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
#define CODE(size, id, text)                                                                       \
	__asm__(".section .rodata\n.code" #size "\nform" #size "_" #id ":\n" text "\nform" #size   \
		"_" #id "_end:\n.code64\n.text\n");                                                \
	extern const uint8_t form##size##_##id[], form##size##_##id##_end[];

/* The operands that instructions.def speaks of. */
#define KERNEL_CODE TEXT(SELECTOR_CODE64)
#define KERNEL_DATA TEXT(SELECTOR_DATA)
#define USER_DATA   TEXT(SELECTOR_USER_DATA)
#define TSS         TEXT(SELECTOR_TSS)
#define LANDING     "engine_code+2048"

#define FORM64(id, text, section, ...) CODE(64, id, text)
#define FORM32(id, text, section, ...)
#define FORM(id, text, section, ...) CODE(64, id, text)
#define M                            "(%rdi)"
#define M2                           "2048(%rdi)"
#define AT(offset)                   #offset "(%rdi)"
#define A                            "rax"
#define C                            "rcx"
#define D                            "rdx"
#define B                            "rbx"
#define SP                           "rsp"
#define DI                           "rdi"
#define SI                           "rsi"
#define LRET                         "lretq"
#include "spec/instructions.def"
#undef FORM64
#undef FORM32
#undef FORM
#undef M
#undef M2
#undef AT
#undef A
#undef C
#undef D
#undef B
#undef SP
#undef DI
#undef SI
#undef LRET

#define FORM64(id, text, section, ...)
#define FORM32(id, text, section, ...) CODE(32, id, text)
#define FORM(id, text, section, ...)   CODE(32, id, text)
#define M                              "(%edi)"
#define M2                             "2048(%edi)"
#define AT(offset)                     #offset "(%edi)"
#define A                              "eax"
#define C                              "ecx"
#define D                              "edx"
#define B                              "ebx"
#define SP                             "esp"
#define DI                             "edi"
#define SI                             "esi"
#define LRET                           "lretl"
#include "spec/instructions.def"
#undef FORM64
#undef FORM32
#undef FORM

#define RAX          BIT(0)
#define RCX          BIT(1)
#define RDX          BIT(2)
#define RBX          BIT(3)
#define NOT_IN(bits) .modes = (bits)
#define SETUP(bits)  .setup = (bits)
#define RANDOM(gprs) .masked = (gprs)
#define DIFFERS(why) .differs = why
#define IN_64_0      BIT(ENGINE_64_CPL0)
#define IN_COMPAT_0  BIT(ENGINE_COMPAT_CPL0)
#define IN_PROTECTED (BIT(ENGINE_PROTECTED_CPL0) | BIT(ENGINE_PROTECTED_CPL3))
#define CODE_OF(size, id)                                                                          \
	{                                                                                          \
		form##size##_##id, form##size##_##id##_end                                         \
	}

#define FORM(id_, text_, section_, ...)                                                            \
	{ .id = #id_,                                                                              \
		.text = text_,                                                                     \
		.section = section_,                                                               \
		.code = { CODE_OF(64, id_), CODE_OF(32, id_) },                                    \
		##__VA_ARGS__ },
#define FORM64(id_, text_, section_, ...)                                                          \
	{ .id = #id_,                                                                              \
		.text = text_,                                                                     \
		.section = section_,                                                               \
		.code = { CODE_OF(64, id_) },                                                      \
		##__VA_ARGS__ },
#define FORM32(id_, text_, section_, ...)                                                          \
	{ .id = #id_,                                                                              \
		.text = text_,                                                                     \
		.section = section_,                                                               \
		.code = { [FORM_CODE32] = CODE_OF(32, id_) },                                      \
		##__VA_ARGS__ },

const struct form forms[] = {
#include "spec/instructions.def"
};
const unsigned int form_count = ARRAY_SIZE(forms);
