/* What the tests of loading guest state share: a 64-bit guest that looks at one register. */
#ifndef VMX_TESTS_ENTRY_LOAD_H
#define VMX_TESTS_ENTRY_LOAD_H

#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define TITLE_REGISTERS "SDM Loading Guest Control Registers, Debug Registers, and MSRs"
#define TITLE_SEGMENTS  "SDM Loading Guest Segment Registers and Descriptor-Table Registers"
#define TITLE_RIP       "SDM Loading Guest RIP, RSP, RFLAGS, and SSP"

/* SEEN(name, "assembly"): see_name is that code and a VMCALL. */
#define SEEN(name, text) GUEST_CODE64(see_##name, text "; vmcall; 1: jmp 1b")

/* A guest in its good state, at the start of the code. */
void load_start(const void *code, size_t bytes);

/* Enters it; where it ends in VMCALL, RAX must have the value. */
outcome load_see(uint64_t expected);

#endif
