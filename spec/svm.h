/* What AMD APM volume 2 declares about AMD-V: the VMCB, intercepts, exit codes and features (each a
   .def table, expanded here into types and constants), and the layouts of the words in those
   fields. What a hypervisor does with them is left to kernel/svm/. */
#ifndef SPEC_SVM_H
#define SPEC_SVM_H

#include "spec/cpu.h"

/* ---- Intercepts ---- */

/* INTERCEPT_<NAME>: an intercept's number: 32 * vector + bit. Groups: their first. */
enum svm_intercept {
#define INTERCEPT(vector, bit, name, title)         INTERCEPT_##name = (vector)*32 + (bit),
#define INTERCEPTS(vector, bit, count, name, title) INTERCEPT_##name = (vector)*32 + (bit),
#include "spec/svm_intercepts.def"
};

#define SVM_INTERCEPT_VECTORS 6

struct svm_intercept_row {
	const char *name; /* without INTERCEPT_ */
	uint8_t first;    /* enum svm_intercept */
	uint8_t count;
	const char *section;
};

/* SVM_INTERCEPT_ROWS rows, in ascending order. */
enum svm_intercept_index {
#define INTERCEPT(vector, bit, name, title)         SVM_INTERCEPT_ROW_##name,
#define INTERCEPTS(vector, bit, count, name, title) SVM_INTERCEPT_ROW_##name,
#include "spec/svm_intercepts.def"
	SVM_INTERCEPT_ROWS
};
extern const struct svm_intercept_row svm_intercept_rows[SVM_INTERCEPT_ROWS];

/* ---- Exit codes ---- */

/* VMEXIT_<NAME>; groups: their first (VMEXIT_EXCP + vector). Compare the low 32 bits of EXITCODE
   with these: not all implementations write the negative ones as 64 bits. */
enum svm_exit_code {
#define INTERCEPT(vector, bit, name, title)         VMEXIT_##name = (vector)*32 + (bit),
#define INTERCEPTS(vector, bit, count, name, title) VMEXIT_##name = (vector)*32 + (bit),
#include "spec/svm_intercepts.def"
#define EXIT_CODE(code, name, title) VMEXIT_##name = (code),
#include "spec/svm_exits.def"
};

/* "VMEXIT_CPUID"; a group's name for all of its codes, e.g. "VMEXIT_EXCP"; else "reserved exit
 * code". */
const char *svm_exit_name(uint64_t exitcode);

/* ---- The virtual machine control block ---- */

/* "Segment State in the VMCB" */
struct svm_segment {
	uint16_t selector;
	uint16_t attributes; /* SVM_SEGMENT_* */
	uint32_t limit;      /* bytes less 1, expanded */
	uint64_t base;
};

/* Bits 55:52 and 47:40 of a descriptor, put together */
#define SVM_SEGMENT_TYPE     BITS(3, 0)
#define SVM_SEGMENT_S        BIT(4) /* code or data */
#define SVM_SEGMENT_DPL      BITS(6, 5)
#define SVM_SEGMENT_P        BIT(7)
#define SVM_SEGMENT_LOW      BITS(7, 0)  /* bits 47:40 */
#define SVM_SEGMENT_HIGH     BITS(11, 8) /* bits 55:52 */
#define SVM_SEGMENT_AVL      BIT(8)
#define SVM_SEGMENT_L        BIT(9) /* 64-bit code */
#define SVM_SEGMENT_DB       BIT(10)
#define SVM_SEGMENT_G        BIT(11)
#define SVM_SEGMENT_RESERVED BITS(15, 12)

enum svm_segment_index { /* of svm_vmcb.segment, in the order of the save area */
	SVM_ES,
	SVM_CS,
	SVM_SS,
	SVM_DS,
	SVM_FS,
	SVM_GS,
	SVM_GDTR,
	SVM_LDTR,
	SVM_IDTR,
	SVM_TR,
	SVM_SEGMENTS
};

#define SVM_STATE_SAVE_AREA 0x400 /* its offset in the VMCB */

/* A union of fields, each behind as many bytes as its offset says: so every offset of the table is
   the one the compiler uses, and nothing in between needs a name. */
struct svm_vmcb {
	union {
		uint8_t byte[4096];
		uint32_t intercept[SVM_INTERCEPT_VECTORS];
		struct {
			uint8_t before_segment[SVM_STATE_SAVE_AREA];
			struct svm_segment segment[SVM_SEGMENTS];
		};
#define VMCB_FIELD(name, NAME, offset, type, title)                                                \
	struct {                                                                                   \
		uint8_t before_##name[offset];                                                     \
		type name;                                                                         \
	};
#define VMCB_SEGMENT(name, NAME, offset, title)                                                    \
	VMCB_FIELD(name, NAME, offset, struct svm_segment, title)
#include "spec/svm_vmcb.def"
	};
};

/* VMCB_<NAME>: a field's row in the table; a segment has four. */
enum svm_vmcb_index {
	VMCB_NONE,
#define VMCB_FIELD(name, NAME, offset, type, title) VMCB_##NAME,
#include "spec/svm_vmcb.def"
	VMCB_FIELDS
};

struct svm_vmcb_field {
	const char *name;
	uint16_t offset; /* bytes from the start of the VMCB */
	uint8_t size;    /* bytes: 1, 2, 4, 8 */
	const char *section;
};

/* By enum svm_vmcb_index; the row of VMCB_NONE has size 0. */
extern const struct svm_vmcb_field svm_vmcb_fields[VMCB_FIELDS];

/* A field's value, and setting it to the low bytes of value. VMCB_NONE reads as 0. */
uint64_t svm_vmcb_read(const struct svm_vmcb *vmcb, enum svm_vmcb_index field);
void svm_vmcb_write(struct svm_vmcb *vmcb, enum svm_vmcb_index field, uint64_t value);

/* ---- The words of the control area ---- */

/* TLB_CONTROL ("TLB Flush") */
enum svm_tlb_control {
	TLB_CONTROL_NONE = 0,
	TLB_CONTROL_FLUSH_ALL = 1,
	TLB_CONTROL_FLUSH_ASID = 3, /* with SVM_EDX_FLUSH_BY_ASID, as the next one */
	TLB_CONTROL_FLUSH_ASID_NON_GLOBAL = 7,
};

/* V_INTR, at 060h ("Injecting Virtual (INTR) Interrupts", "NMI Virtualization", "x2AVIC") */
#define V_INTR_TPR           BITS(7, 0)
#define V_INTR_IRQ           BIT(8)
#define V_INTR_GIF           BIT(9)
#define V_INTR_NMI           BIT(11)
#define V_INTR_NMI_MASK      BIT(12)
#define V_INTR_PRIO          BITS(19, 16)
#define V_INTR_IGN_TPR       BIT(20)
#define V_INTR_MASKING       BIT(24)
#define V_INTR_GIF_ENABLE    BIT(25)
#define V_INTR_NMI_ENABLE    BIT(26)
#define V_INTR_X2AVIC_ENABLE BIT(30)
#define V_INTR_AVIC_ENABLE   BIT(31)
#define V_INTR_VECTOR        BITS(39, 32)

/* INTERRUPT_SHADOW, at 068h ("Interrupt Shadows") */
#define INTERRUPT_SHADOW_ACTIVE BIT(0)
#define INTERRUPT_SHADOW_IF     BIT(1) /* GUEST_INTERRUPT_MASK; encrypted guests only */

/* NESTED_CONTROL, at 090h ("Enabling Nested Paging") */
#define NESTED_NP_ENABLE BIT(0)
#define NESTED_SEV       BIT(1)
#define NESTED_SEV_ES    BIT(2)
#define NESTED_GMET      BIT(3)
#define NESTED_SSS_CHECK BIT(4)
#define NESTED_VTE       BIT(5)
#define NESTED_ROGPT     BIT(6)
#define NESTED_INVLPGB   BIT(7)

/* VIRTUALIZATION_CONTROL, at 0B8h */
#define VIRTUALIZATION_LBR    BIT(0)
#define VIRTUALIZATION_VMSAVE BIT(1)
#define VIRTUALIZATION_IBS    BIT(2)
#define VIRTUALIZATION_PMC    BIT(3)

/* EXITINTINFO and EVENTINJ ("Intercepts During IDT Interrupt Delivery", "Event Injection") */
#define EVENT_VECTOR      BITS(7, 0)
#define EVENT_TYPE        BITS(10, 8)
#define EVENT_TYPE_SHIFT  8
#define EVENT_HAS_ERROR   BIT(11)
#define EVENT_VALID       BIT(31)
#define EVENT_ERROR       BITS(63, 32)
#define EVENT_ERROR_SHIFT 32
enum svm_event_type {
	SVM_EVENT_INTR = 0,
	SVM_EVENT_NMI = 2,
	SVM_EVENT_EXCEPTION = 3,
	SVM_EVENT_SOFTWARE = 4, /* INTn */
};

/* CLEAN ("VMCB Clean Field"): a set bit says that the CPU may use what it remembers. */
#define CLEAN_INTERCEPTS BIT(0) /* and TSC offset, pause filter */
#define CLEAN_IOPM       BIT(1) /* and MSRPM */
#define CLEAN_ASID       BIT(2)
#define CLEAN_TPR        BIT(3) /* V_INTR */
#define CLEAN_NP         BIT(4)
#define CLEAN_CR         BIT(5) /* and EFER */
#define CLEAN_DR         BIT(6)
#define CLEAN_DT         BIT(7)
#define CLEAN_SEG        BIT(8) /* and CPL */
#define CLEAN_CR2        BIT(9)
#define CLEAN_LBR        BIT(10)
#define CLEAN_AVIC       BIT(11)
#define CLEAN_CET        BIT(12)

/* AVIC_PHYSICAL_TABLE ("VMCB Changes for AVIC") */
#define AVIC_MAX_INDEX        BITS(11, 0)
#define AVIC_ADDRESS          BITS(51, 12)
#define AVIC_MAX_INDEX_XAPIC  255
#define AVIC_MAX_INDEX_X2APIC 511

/* ---- EXITINFO1 ---- */

/* "MOV CRx/DRx Intercepts", with SVM_EDX_DECODE_ASSISTS */
#define CR_INTERCEPT_GPR BITS(3, 0)
#define CR_INTERCEPT_MOV BIT(63) /* else: LMSW, CLTS, SMSW, without more information */

/* "I/O Intercept Information"; EXITINFO2 is the next RIP */
#define IOIO_IN         BIT(0)
#define IOIO_STRING     BIT(2)
#define IOIO_REP        BIT(3)
#define IOIO_SIZES      BITS(6, 4) /* one bit each: 8, 16, 32 */
#define IOIO_SIZE_SHIFT 4
#define IOIO_ADDRESSES  BITS(9, 7) /* one bit each: 16, 32, 64 */
#define IOIO_SEGMENT    BITS(12, 10)
#define IOIO_PORT_SHIFT 16
#define IOIO_PORT       BITS(31, 16)

/* "MSR Intercept Information" */
#define MSR_INTERCEPT_WRITE BIT(0)

/* "Nested versus Guest Page Faults, Fault Ordering"; bits 4:0 as in #PF's error code, EXITINFO2 is
   the guest-physical address */
#define NPF_PRESENT      PF_PRESENT
#define NPF_WRITE        PF_WRITE
#define NPF_USER         PF_USER
#define NPF_RSVD         PF_RSVD
#define NPF_FETCH        PF_FETCH
#define NPF_SHADOW_STACK BIT(6)
#define NPF_FINAL        BIT(32) /* translating the final address */
#define NPF_TABLE        BIT(33) /* translating a guest page table's address */
#define NPF_SSS          BIT(37)

/* ---- Permission maps ---- */

/* "I/O Permissions Map": 64K + 3 bits, set: intercepted */
#define IOPM_BYTES (3 * 4096)
#define IOPM_USED  (0x10000 / 8 + 1) /* bytes that hold a bit; the last has three */

/* "MSR Permissions Map": two bits for each MSR, set: intercepted */
#define MSRPM_BYTES       (2 * 4096)
#define MSRPM_READ        BIT(0)
#define MSRPM_WRITE       BIT(1)
#define MSRPM_RANGES      3
#define MSRPM_RANGE_MSRS  0x2000
#define MSRPM_RANGE_BYTES 0x800
#define MSRPM_RANGE_FIRST                                                                          \
	{                                                                                          \
		0x00000000, 0xc0000000, 0xc0010000                                                 \
	}

/* ---- Registers ---- */

/* SVM_<REGISTER>_<NAME>: the fields of CPUID Fn8000_000A as masks */
enum svm_capability_mask {
#define CAP(reg, high, low, name, title) SVM_##reg##_##name = (int64_t)BITS(high, low),
#include "spec/svm_caps.def"
};

enum svm_cpuid_register { SVM_CPUID_EAX, SVM_CPUID_EBX, SVM_CPUID_ECX, SVM_CPUID_EDX };

struct svm_capability {
	const char *name;
	uint8_t reg; /* enum svm_cpuid_register */
	uint8_t high, low;
	const char *section;
};

enum svm_capability_index {
#define CAP(reg, high, low, name, title) SVM_CAP_##reg##_##name,
#include "spec/svm_caps.def"
	SVM_CAPABILITIES
};
extern const struct svm_capability svm_capabilities[SVM_CAPABILITIES];

/* "VM_CR MSR (C001_0114h)" */
#define VM_CR_DPD      BIT(0)
#define VM_CR_R_INIT   BIT(1)
#define VM_CR_DIS_A20M BIT(2)
#define VM_CR_LOCK     BIT(3)
#define VM_CR_SVMDIS   BIT(4)

/* "PAT Register": the types that a PAT field may have, one bit per value: UC WC WT WP WB UC- */
#define PAT_TYPES_VALID (BIT(0) | BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7))
#define PAT_FIELDS      8
#define PAT_FIELD_BITS  8
/* Its value at reset: WB WT UC- UC, twice */
#define PAT_RESET UINT64_C(0x0007040600070406)

/* "S_CET": enable bits; suppress and the tracker's state only with indirect-branch tracking, which
   AMD's processors do not have; the rest is reserved. */
#define S_CET_SH_STK_EN   BIT(0)
#define S_CET_WR_SHSTK_EN BIT(1)

/* CR3 in long mode ("CR3 Register"): bits 63:52 must be zero */
#define CR3_LONG_MBZ BITS(63, 52)

/* EFER's bits that only AMD has beyond those of spec/cpu.h ("Extended Feature Enable Register
   (EFER)"), and the CPUID bits that offer them */
#define EFER_TCE                BIT(15)
#define EFER_MCOMMIT            BIT(17)
#define EFER_INTWB              BIT(18)
#define EFER_UAIE               BIT(20)
#define EFER_AIBRSE             BIT(21)
#define CPUID_EXT_ECX_TCE       BIT(17) /* Fn8000_0001 */
#define CPUID_EXT8_EBX_MCOMMIT  BIT(8)  /* Fn8000_0008 */
#define CPUID_EXT8_EBX_INTWB    BIT(13)
#define CPUID_EXT8_EBX_NO_LMSLE BIT(20)
#define CPUID_EXT_FEATURES2     0x80000021
#define CPUID_EXT21_EAX_UAI     BIT(7)
#define CPUID_EXT21_EAX_AIBRS   BIT(8)

/* Exceptions of encrypted guests ("#HV", "#VC") */
#define VECTOR_HV 28
#define VECTOR_VC 29

/* Opcodes of the intercepted instructions that have two bytes, the first in the low half (APM
   volume 3, "Opcode and Operand Encodings") */
#define OPCODE_INVD   0x080f
#define OPCODE_WBINVD 0x090f
#define OPCODE_WRMSR  0x300f
#define OPCODE_RDMSR  0x320f
#define OPCODE_CPUID  0xa20f

#endif
