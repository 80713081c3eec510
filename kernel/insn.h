/* Decodes an x86 instruction and carries out those that access memory-mapped registers: pure
   functions of bytes and registers. Fetching the bytes and reaching memory is left to others. */
#ifndef KERNEL_INSN_H
#define KERNEL_INSN_H

#include "kernel/backend.h"

#define INSN_MAX_LEN 15 /* bytes ("Instruction Format") */

/* The code segment's default size: CS.L ? 64 : CS.D ? 32 : 16. */
enum insn_mode { INSN_16 = 16, INSN_32 = 32, INSN_64 = 64 };

/* Opcode maps. */
enum insn_map { INSN_MAP_1, INSN_MAP_0F, INSN_MAP_0F38, INSN_MAP_0F3A };

/* Instructions known by name; of all others the decoder gives the parts and the length. */
enum insn_op {
	INSN_OTHER,
	/* those that can be intercepted */
	INSN_CLI,
	INSN_CLTS,
	INSN_CPUID,
	INSN_HLT,
	INSN_IN,
	INSN_INS,
	INSN_INT,
	INSN_INT1,
	INSN_INT3,
	INSN_INTO,
	INSN_INVD,
	INSN_INVLPG,
	INSN_IRET,
	INSN_LGDT,
	INSN_LIDT,
	INSN_LLDT,
	INSN_LMSW,
	INSN_LTR,
	INSN_MONITOR,
	INSN_MOV_FROM_CR,
	INSN_MOV_FROM_DR,
	INSN_MOV_TO_CR,
	INSN_MOV_TO_DR,
	INSN_MWAIT,
	INSN_OUT,
	INSN_OUTS,
	INSN_PAUSE,
	INSN_POPF,
	INSN_PUSHF,
	INSN_RDMSR,
	INSN_RDPMC,
	INSN_RDTSC,
	INSN_RDTSCP,
	INSN_RSM,
	INSN_SGDT,
	INSN_SIDT,
	INSN_SLDT,
	INSN_SMSW,
	INSN_STI,
	INSN_STR,
	INSN_SWAPGS,
	INSN_UD,
	INSN_WBINVD,
	INSN_WRMSR,
	INSN_XGETBV,
	INSN_XSETBV,
	/* VT-x and AMD-V */
	INSN_CLGI,
	INSN_INVEPT,
	INSN_INVLPGA,
	INSN_INVVPID,
	INSN_SKINIT,
	INSN_STGI,
	INSN_VMCALL,
	INSN_VMCLEAR,
	INSN_VMFUNC,
	INSN_VMLAUNCH,
	INSN_VMLOAD,
	INSN_VMMCALL,
	INSN_VMPTRLD,
	INSN_VMPTRST,
	INSN_VMREAD,
	INSN_VMRESUME,
	INSN_VMRUN,
	INSN_VMSAVE,
	INSN_VMWRITE,
	INSN_VMXOFF,
	INSN_VMXON,
	/* those that insn_emulate_mmio() carries out */
	INSN_ADC,
	INSN_ADD,
	INSN_AND,
	INSN_BT,
	INSN_BTC,
	INSN_BTR,
	INSN_BTS,
	INSN_CALL, /* near, relative */
	INSN_CMP,
	INSN_CMPXCHG,
	INSN_DEC,
	INSN_INC,
	INSN_LODS,
	INSN_MOV,
	INSN_MOVS,
	INSN_MOVSX,
	INSN_MOVZX,
	INSN_NEG,
	INSN_NOT,
	INSN_OR,
	INSN_POP,  /* a register */
	INSN_PUSH, /* a register or an immediate */
	INSN_RET,  /* near, without operand */
	INSN_SBB,
	INSN_STOS,
	INSN_SUB,
	INSN_TEST,
	INSN_XADD,
	INSN_XCHG,
	INSN_XOR
};

#define INSN_NO_REGISTER 0xff

struct insn {
	uint8_t len; /* bytes, prefixes included */
	enum insn_mode mode;
	enum insn_map map;
	uint8_t opcode; /* the last byte of it */
	enum insn_op op;

	bool lock, rep, repne; /* prefixes F0, F3, F2 */
	uint8_t rex;           /* or 0 */
	uint8_t segment;       /* enum segment of the memory operand, overrides counted in */
	uint8_t operand_size;  /* bytes: 1, 2, 4, 8 */
	uint8_t memory_size;   /* bytes of the memory operand where it has that size */
	uint8_t address_size;  /* bytes: 2, 4, 8 */

	bool has_modrm;
	uint8_t mod;
	uint8_t reg;      /* ModRM.reg with REX.R, or the register an opcode byte names: enum gpr */
	uint8_t rm;       /* ModRM.rm with REX.B; a register when mod is 3 */
	bool to_register; /* the operation's destination is reg, not the memory operand */

	bool memory;         /* has a memory operand, described by the next five */
	uint8_t base, index; /* enum gpr, or INSN_NO_REGISTER */
	uint8_t scale;       /* 1, 2, 4, 8 */
	bool rip_relative;
	int64_t displacement; /* or the absolute offset of MOV AL/eAX,moffs */

	uint8_t immediate_size; /* bytes in the instruction; 0: none */
	int64_t immediate;      /* sign-extended */
};

/* Decodes the instruction at bytes, of which `available` can be looked at (more than 15 never
   are). Returns 0; -EINVAL when it is not a legacy-encoded instruction or is longer than 15 bytes;
   -EAGAIN when it does not end within `available`. */
int insn_decode(const uint8_t *bytes, size_t available, enum insn_mode mode, struct insn *insn);

/* The registers that an instruction works with. */
struct insn_state {
	uint64_t gpr[16]; /* enum gpr; RSP too */
	uint64_t rip;     /* of the instruction */
	uint64_t rflags;
	uint64_t segment_base[6]; /* ES ... GS as enum segment has them; 0 for ES, CS, SS, DS in
				     64-bit mode */
};

/* The linear address of insn's memory operand ("Specifying an Offset"); for string instructions
   that of DS:rSI (INS, STOS, MOVS: see insn_string_destination()). */
uint64_t insn_address(const struct insn *insn, const struct insn_state *state);

/* The linear address of a string instruction's ES:rDI. */
uint64_t insn_string_destination(const struct insn *insn, const struct insn_state *state);

/* A register operand of size bytes; without REX, 4 ... 7 of size 1 are AH, CH, DH, BH.
   A 4-byte write clears the upper half. */
uint64_t insn_register(
	const struct insn *insn, const struct insn_state *state, uint8_t number, uint8_t size);
void insn_set_register(const struct insn *insn, struct insn_state *state, uint8_t number,
	uint8_t size, uint64_t value);

/* Memory as the instruction reaches it. Both are called with a linear address and 1, 2, 4 or 8
   bytes, and return 0 or an error, which ends the instruction. Embed it to add a context. */
struct insn_bus {
	int (*read)(struct insn_bus *bus, uint64_t address, unsigned int size, uint64_t *value);
	int (*write)(struct insn_bus *bus, uint64_t address, unsigned int size, uint64_t value);
};

/* Carries out insn, one of the last group of enum insn_op or PUSHF, and sets registers, flags and
   RIP. Of those with a ModRM only the ones with a memory operand. A repeated string instruction does one iteration, and RIP stays until
   its last. Returns 0; -EINVAL for an instruction outside the group; or the bus's error with *state
   as it was. */
int insn_emulate_mmio(const struct insn *insn, struct insn_state *state, struct insn_bus *bus);

#endif
