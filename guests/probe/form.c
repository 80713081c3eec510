/* spec/instructions.def as machine code and as a table. The rows are included once for each size of
   code and once for the table. */
#include "guests/probe/form.h"

#include "guests/probe/legacy_low.h"
#include "guests/probe/segments.h"
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
#define CALL_GATE   TEXT(SELECTOR_CALL_GATE)
#define TASK_GATE   TEXT(SELECTOR_TASK_GATE)
#define TASK        TEXT(SELECTOR_TASK)
#define LANDING     CODE_AT(2048)

#define FORM64(id, text, section, ...) CODE(64, id, text)
#define FORM32(id, text, section, ...)
#define FORM(id, text, section, ...) CODE(64, id, text)
#define M                            "(%rdi)"
#define AT(offset)                   #offset "(%rdi)"
#define SEL                          AT(4)
#define A                            "rax"
#define C                            "rcx"
#define B                            "rbx"
#define DI                           "rdi"
#define SP                           "rsp"
#define WA                           A
#define WC                           C
#define WDI                          DI
#define PUSHW                        "push"
#define POPFW                        "popf"
#define LRET                         "lretq"
#define USER_CODE                    TEXT(SELECTOR_USER_CODE64)
#define CONFORMING                   TEXT(SELECTOR_CONFORMING64)
#define CODE_AT(offset)              "engine_code+" #offset
#define DATA_AT(offset)              "engine_data+" #offset
#define STACK_AT(offset)             "engine_stack+" #offset
#define LINEAR(address)              address
#include "spec/instructions.def"
#include "guests/probe/form_undef.h"

#define FORM64(id, text, section, ...)
#define FORM32(id, text, section, ...) CODE(16, id, text)
#define FORM(id, text, section, ...)   CODE(16, id, text)
#define M                              "(%di)"
#define AT(offset)                     #offset "(%di)"
#define SEL                            AT(2)
#define A                              "ax"
#define C                              "cx"
#define B                              "bx"
#define DI                             "di"
#define SP                             "esp"
#define WA                             "eax"
#define WC                             "ecx"
#define WDI                            "edi"
#define PUSHW                          "pushl"
#define POPFW                          "popfl"
#define LRET                           "lretw"
#define CONFORMING                     TEXT(SELECTOR_CONFORMING32)
#define USER_CODE                      TEXT(SELECTOR_USER_CODE32)
#define CODE_AT(offset)                TEXT(LEGACY_CODE) "+" #offset
#define DATA_AT(offset)                TEXT(LEGACY_DATA) "+" #offset
#define STACK_AT(offset)               TEXT(LEGACY_STACK) "+" #offset
#define LINEAR(address)                TEXT(LEGACY_LOW) "+" address
#include "spec/instructions.def"
#include "guests/probe/form_undef.h"

#define FORM64(id, text, section, ...)
#define FORM32(id, text, section, ...) CODE(32, id, text)
#define FORM(id, text, section, ...)   CODE(32, id, text)
#define M                              "(%edi)"
#define AT(offset)                     #offset "(%edi)"
#define SEL                            AT(4)
#define A                              "eax"
#define C                              "ecx"
#define B                              "ebx"
#define DI                             "edi"
#define SP                             "esp"
#define WA                             A
#define WC                             C
#define WDI                            DI
#define PUSHW                          "push"
#define POPFW                          "popf"
#define LRET                           "lretl"
#define CONFORMING                     TEXT(SELECTOR_CONFORMING32)
#define USER_CODE                      TEXT(SELECTOR_USER_CODE32)
#define CODE_AT(offset)                "engine_code+" #offset
#define DATA_AT(offset)                "engine_data+" #offset
#define STACK_AT(offset)               "engine_stack+" #offset
#define LINEAR(address)                address
#include "spec/instructions.def"
#undef FORM64
#undef FORM32
#undef FORM

#define RAX                    BIT(0)
#define RCX                    BIT(1)
#define RDX                    BIT(2)
#define RBX                    BIT(3)
#define NOT_IN(bits)           .modes = (bits)
#define INTEL_IN(bits)         .intel = (bits)
#define SETUP(bits)            .setup = (bits)
#define RANDOM(gprs)           .masked = (gprs)
#define DIFFERS(in, what, why) .differs = { in, what, why }
#define IN_64_0                BIT(ENGINE_64_CPL0)
#define IN_COMPAT_0            BIT(ENGINE_COMPAT_CPL0)
#define IN_PROTECTED           (BIT(ENGINE_PROTECTED_CPL0) | BIT(ENGINE_PROTECTED_CPL3))
#define IN_ANY                 UINT32_MAX
#define IN_REAL                BIT(ENGINE_REAL)
#define IN_16                  (IN_REAL | BIT(ENGINE_V8086) | BIT(ENGINE_V8086_IOPL3) | BIT(ENGINE_V8086_VME))
#define CODE_OF(size, id)                                                                          \
	{                                                                                          \
		form##size##_##id, form##size##_##id##_end                                         \
	}

#define FORM(id_, text_, section_, ...)                                                            \
	{ .id = #id_,                                                                              \
		.text = text_,                                                                     \
		.section = section_,                                                               \
		.code = { CODE_OF(64, id_), CODE_OF(32, id_), CODE_OF(16, id_) },                  \
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
		.code = { [FORM_CODE32] = CODE_OF(32, id_), CODE_OF(16, id_) },                    \
		##__VA_ARGS__ },

const struct form forms[] = {
#include "spec/instructions.def"
};
const unsigned int form_count = ARRAY_SIZE(forms);
