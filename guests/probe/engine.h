/* Executes one piece of code in a chosen mode and at a chosen privilege, from a state that is known
   to the last bit, and brings back the state it left, whatever happened: the probe's microscope. It
   has an IDT and an exit path of its own, so that the code under test may do almost anything. */
#ifndef PROBE_ENGINE_H
#define PROBE_ENGINE_H

#include "runtime/compiler.h"

/* Where code runs. How it gets to the modes outside IA-32e mode is legacy.h's. */
enum engine_mode {
	ENGINE_64_CPL0,
	ENGINE_64_CPL3,
	ENGINE_COMPAT_CPL0, /* 32-bit code in IA-32e mode */
	ENGINE_COMPAT_CPL3,
	ENGINE_PROTECTED_CPL0, /* 32-bit protected mode without paging */
	ENGINE_PROTECTED_CPL3,
	ENGINE_REAL,
	ENGINE_V8086,       /* IOPL 0 */
	ENGINE_V8086_IOPL3, /* and the TSS permits all ports */
	ENGINE_V8086_VME,   /* IOPL 0, CR4.VME, and the TSS permits all ports */
	ENGINE_MODES
};

/* "64/0", "64/3", "compat/0", ..., "protected/3", "real", "v8086", "v8086/iopl3", "v8086/vme" */
const char *engine_mode_name(enum engine_mode mode);

bool engine_mode_is_user(enum engine_mode mode);   /* CPL 3? */
bool engine_mode_is_64bit(enum engine_mode mode);  /* 64-bit code? */
bool engine_mode_is_16bit(enum engine_mode mode);  /* real or virtual-8086 mode? */
bool engine_mode_is_legacy(enum engine_mode mode); /* outside IA-32e mode? */

/* The registers that code starts with and ends with. Indices of gpr: as instructions encode them.
 */
struct engine_registers {
	uint64_t gpr[16]; /* RSP among them */
	uint64_t rip, rflags;
	uint16_t cs, ss, ds, es, fs, gs;
};

/* What ended it. */
struct engine_result {
	struct engine_registers after;
	uint64_t
		vector; /* of the exception or interrupt; ENGINE_END when the code ran to its end */
	uint64_t error; /* its error code, or 0 */
	uint64_t cr2;   /* for #PF, else 0 */
};
#define ENGINE_END 256

/* The memory that code may use: pages at fixed addresses below 2 GiB, readable, writable and
   executable at any CPL. engine_reset() fills them with a fixed pattern. */
#define ENGINE_CODE_BYTES  4096
#define ENGINE_DATA_BYTES  8192
#define ENGINE_STACK_BYTES 4096
extern uint8_t engine_code[ENGINE_CODE_BYTES], engine_data[ENGINE_DATA_BYTES],
	engine_stack[ENGINE_STACK_BYTES];

/* Once per boot: IDT, segments, rights of the pages above. 0, or -ENOMEM. */
int engine_init(void);

/* The same for one who maps the pages himself. */
void engine_init_tables(void);

/* Pattern into data and stack, terminators into the code page, and `code` to its start. */
void engine_reset(const uint8_t *code, size_t bytes);

/* The registers that code starts with by default in a mode: each GPR a recognisable value, RDI and
   RSI pointing into engine_data, RSP to the end of engine_stack, RIP at the code, flags clear. */
struct engine_registers engine_default(enum engine_mode mode);

/* Lets later runs end on the stack that has its top there. */
void engine_set_exit_stack(uint64_t top);

/* Lets later runs use an IDT of the same contents at another address. */
void engine_move_idt(void);

/* For those who run code in their own way: tells a terminator that was reached from other ends, and
   makes FS and GS what they were. code: what RIP is at the start of the code page. */
struct engine_result engine_finish(const struct engine_result *captured, uint64_t code);

/* Runs it. Machine state outside the registers (control registers, MSRs, tables) is left as the
   code left it: see machine.h. */
struct engine_result engine_run(const struct engine_registers *before);

#endif
