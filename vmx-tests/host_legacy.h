/* Runs a few bytes of machine code on the host outside IA-32e mode: the way down from 64-bit mode
   and back, with segments that have limits. What the bytes are is the tests'. */
#ifndef VMX_TESTS_HOST_LEGACY_H
#define VMX_TESTS_HOST_LEGACY_H

#include "runtime/trap.h"
#include "vmx-tests/guest.h"

enum legacy_mode {
	LEGACY_PROTECTED,    /* 32-bit paging, 32-bit segments, CPL 0 */
	LEGACY_PROTECTED16,  /* the same with a 16-bit code segment */
	LEGACY_USER,         /* CPL 3 */
	LEGACY_UNPAGED,      /* CR0.PG = 0: VMX operation is not possible */
	LEGACY_VIRTUAL_8086, /* CPL 3 */
	LEGACY_REAL,         /* VMX operation is not possible */
	LEGACY_MODES
};

/* Segments to choose from. The small ones start at legacy_area and have 4 KiB; the others are flat.
 */
enum {
	LEGACY_SELECTOR_NULL = 0,
	LEGACY_SELECTOR_DATA = 0x10,
	LEGACY_SELECTOR_CODE = 0x30,
	LEGACY_SELECTOR_SMALL = 0x40,
	LEGACY_SELECTOR_READ_ONLY = 0x48,
	LEGACY_SELECTOR_EXECUTE_ONLY = 0x50,
	LEGACY_SELECTOR_EXPAND_DOWN = 0x58, /* offsets from 4 KiB on are good */
};

/* Two pages; the stack is in the middle of the first one. */
extern uint8_t legacy_area[2 * 4096];

struct legacy_state {
	uint32_t gpr[8]; /* in: loaded, but ESP; out: as the code left them (protected mode at CPL 0
			    only) */
	uint32_t eflags;
	uint16_t ds, es, fs, gs, ss, cs; /* 0: DS, ES, SS flat data, CS flat code, FS and GS null */
	bool null_ds;                    /* DS null instead */
	bool vmx;                        /* in VMX root operation, with the suite's VMCS current */
};

/* Leaves VMX operation, goes to that mode (and into VMX operation there when asked), runs
   code[bytes], comes back. Returns OK when the end was reached, else FAULT; *fault may be NULL. VMX
   operation is off afterwards. */
#define LEGACY_CODE_MAX 64
outcome legacy_execute(enum legacy_mode mode, const uint8_t *code, size_t bytes,
	struct legacy_state *state, struct trap_info *fault);

/* Writes the host-state area of the current VMCS for a VM exit in LEGACY_PROTECTED: it ends the
   code. Before legacy_execute(), in VMX operation. */
void legacy_set_host(void);

#endif
