/* What Intel SDM volume 3 declares about VT-x: VMCS fields, controls, capabilities, exit reasons,
   instruction errors (each a .def table, expanded here into constants), and the layouts of the
   words in those fields. What a hypervisor does with them is left to kernel/vmx/. */
#ifndef SPEC_VMX_H
#define SPEC_VMX_H

#include "spec/cpu.h"

/* The part of value under mask, moved down to bit 0; and the other way round. */
#define FIELD_GET(value, mask) (((uint64_t)(value) & (mask)) / ((mask) & -(uint64_t)(mask)))
#define FIELD_PUT(value, mask) ((uint64_t)(value) * ((mask) & -(uint64_t)(mask)))

/* ---- VMCS fields ---- */

/* VMCS_<NAME>: a field's encoding ("Field Encoding in VMCS"). */
enum vmcs_encoding {
#define FIELD(name, encoding, width, area, citation) VMCS_##name = (encoding),
#include "spec/vmx_fields.def"
#undef FIELD
};

/* FIELD_<NAME>: its row in the table. */
enum vmcs_index {
#define FIELD(name, encoding, width, area, citation) FIELD_##name,
#include "spec/vmx_fields.def"
#undef FIELD
	VMCS_FIELDS
};

/* Layout of an encoding ("VMREAD, VMWRITE, and Encodings of VMCS Fields"). */
#define ENCODING_HIGH  BIT(0) /* access to the upper 32 bits of a 64-bit field */
#define ENCODING_INDEX BITS(9, 1)
#define ENCODING_AREA  BITS(11, 10) /* enum vmcs_area */
#define ENCODING_WIDTH BITS(14, 13) /* enum vmcs_width */

enum vmcs_area { AREA_CONTROL, AREA_READONLY, AREA_GUEST, AREA_HOST };
enum vmcs_width { WIDTH_16, WIDTH_64, WIDTH_32, WIDTH_NATURAL };

struct vmcs_field {
	const char *name; /* without VMCS_ */
	uint16_t encoding;
	uint8_t width; /* enum vmcs_width */
	uint8_t area;  /* enum vmcs_area */
	const char *section;
};

extern const struct vmcs_field vmcs_fields[VMCS_FIELDS];

/* The row of the field with that encoding (full access), or -1. */
int vmcs_field_index(uint32_t encoding);

/* Its name, e.g. "GUEST_RIP", or "unknown VMCS field". */
const char *vmcs_field_name(uint32_t encoding);

/* ---- Controls ---- */

/* The words that hold controls; CONTROL_WORD_<WORD>. */
enum vmx_control_word {
	CONTROL_WORD_PIN,
	CONTROL_WORD_PROC,
	CONTROL_WORD_PROC2,
	CONTROL_WORD_PROC3, /* 64 bits wide */
	CONTROL_WORD_VM_EXIT,
	CONTROL_WORD_VM_EXIT2, /* 64 bits wide */
	CONTROL_WORD_VM_ENTRY,
	CONTROL_WORDS
};

/* <WORD>_<NAME>: a control's bit in its word, e.g. PIN_NMI_EXITING, VM_EXIT_SAVE_PAT. */
enum vmx_control_bit {
#define CONTROL(word, bit, name, citation) word##_##name = (int64_t)BIT(bit),
#include "spec/vmx_controls.def"
#undef CONTROL
};

/* CONTROL_<WORD>_<NAME>: its row in the table. */
enum vmx_control_index {
#define CONTROL(word, bit, name, citation) CONTROL_##word##_##name,
#include "spec/vmx_controls.def"
#undef CONTROL
	VMX_CONTROLS
};

struct vmx_control {
	const char *name; /* with its word: "PIN_NMI_EXITING" */
	uint8_t word;     /* enum vmx_control_word */
	uint8_t bit;
	const char *section;
};

extern const struct vmx_control vmx_controls[VMX_CONTROLS];

/* The name of bit `bit` of a control word, or NULL for a reserved one. */
const char *vmx_control_name(enum vmx_control_word word, unsigned int bit);

/* A field exists only where the CPU supports the 1-setting of a control; where a field has several
   rows, of one of them. Fields without a row always exist. */
struct vmcs_existence {
	uint16_t field;   /* enum vmcs_index */
	uint16_t control; /* enum vmx_control_index */
};

enum vmcs_existence_row {
#define EXISTS(field, word, control) EXISTS_##field##_BY_##word##_##control,
#include "spec/vmx_exists.def"
#undef EXISTS
	VMCS_EXISTENCES
};

extern const struct vmcs_existence vmcs_existences[VMCS_EXISTENCES];

/* ---- Capabilities ---- */

/* CPUID leaf 1, ECX: the CPU has VMX ("Discovering Support for VMX"). */
#define CPUID_1_ECX_VMX BIT(5)

/* <MSR>_<NAME>: a mask, e.g. VMX_BASIC_REVISION, VMX_EPT_VPID_CAP_WALK_4, FEATURE_CONTROL_LOCK. */
enum vmx_capability_mask {
#define CAP(msr, high, low, name, citation) msr##_##name = BITS(high, low),
#include "spec/vmx_caps.def"
#undef CAP
};

struct vmx_capability {
	const char *name; /* with its MSR: "VMX_BASIC_REVISION" */
	uint32_t msr;
	uint8_t high, low;
	const char *section;
};

enum vmx_capability_index {
#define CAP(msr, high, low, name, citation) CAP_##msr##_##name,
#include "spec/vmx_caps.def"
#undef CAP
	VMX_CAPABILITIES
};

extern const struct vmx_capability vmx_capabilities[VMX_CAPABILITIES];

/* A capability MSR of a 32-bit control word: a control may be 0 where the low half has 0, and may
   be 1 where the high half has 1 ("VMX Capability Reporting Facility"). */
#define CAPABILITY_MUST_BE_1 BITS(31, 0)
#define CAPABILITY_MAY_BE_1  BITS(63, 32)

/* ---- Exit reasons and instruction errors ---- */

/* EXIT_REASON_<NAME>: basic exit reasons. */
enum vmx_exit_reason {
#define EXIT_REASON(number, name, title) EXIT_REASON_##name = (number),
#include "spec/vmx_exits.def"
#undef EXIT_REASON
};

/* The exit-reason field ("Basic VM-Exit Information"). */
#define EXIT_REASON_BASIC             BITS(15, 0)
#define EXIT_REASON_BUSY_SHADOW_STACK BIT(25)
#define EXIT_REASON_WITH_BUS_LOCK     BIT(26)
#define EXIT_REASON_ENCLAVE           BIT(27)
#define EXIT_REASON_PENDING_MTF       BIT(28)
#define EXIT_REASON_FROM_ROOT         BIT(29)
#define EXIT_REASON_ENTRY_FAILURE     BIT(31)

/* "EXIT_REASON_CPUID", or "reserved exit reason". basic: bits 15:0. */
const char *vmx_exit_reason_name(uint32_t basic);

/* VMX_ERROR_<NAME>: what an instruction that failed leaves in VM_INSTRUCTION_ERROR. */
enum vmx_error {
#define VMX_ERROR(number, name, text) VMX_ERROR_##name = (number),
#include "spec/vmx_errors.def"
#undef VMX_ERROR
};

/* The manual's words, or "reserved VM-instruction error". */
const char *vmx_error_text(uint32_t error);

/* VMX-abort indicators ("VMX Aborts"). */
enum vmx_abort {
	VMX_ABORT_SAVING_GUEST_MSRS = 1,
	VMX_ABORT_HOST_PDPTE = 2,
	VMX_ABORT_VMCS_CORRUPTED = 3,
	VMX_ABORT_LOADING_HOST_MSRS = 4,
	VMX_ABORT_MACHINE_CHECK = 5,
	VMX_ABORT_HOST_NOT_64BIT = 6,
};

/* ---- Memory that the CPU reads and writes itself ---- */

/* "VMCS Region", "VMXON Region": one page each. */
struct vmcs_region {
	uint32_t revision; /* bits 30:0; VMCS_SHADOW for a shadow VMCS */
	uint32_t abort;    /* enum vmx_abort */
	uint8_t data[];    /* format of the implementation's own */
};
#define VMCS_SHADOW BIT(31)

/* The value of VMCS_LINK_POINTER and others when there is no such VMCS. */
#define VMCS_NO_POINTER UINT64_C(0xffffffffffffffff)

/* "VM-Exit Controls for MSRs": an entry of an MSR-store or MSR-load area. */
struct vmx_msr_entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

/* "MSR-Bitmap Address": byte offsets of the four bitmaps in their page, and the MSRs they cover. */
#define MSR_BITMAP_READ_LOW   0
#define MSR_BITMAP_READ_HIGH  1024
#define MSR_BITMAP_WRITE_LOW  2048
#define MSR_BITMAP_WRITE_HIGH 3072
#define MSR_BITMAP_LOW_FIRST  UINT32_C(0x00000000)
#define MSR_BITMAP_HIGH_FIRST UINT32_C(0xc0000000)
#define MSR_BITMAP_MSRS       UINT32_C(0x2000) /* in each range */

/* "INVEPT" and "INVVPID": types and descriptors. */
enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXT = 2 };
enum invvpid_type {
	INVVPID_ADDRESS = 0,
	INVVPID_SINGLE_CONTEXT = 1,
	INVVPID_ALL_CONTEXT = 2,
	INVVPID_SINGLE_CONTEXT_KEEP_GLOBAL = 3,
};

struct invept_descriptor {
	uint64_t eptp;
	uint64_t reserved;
};

struct invvpid_descriptor {
	uint64_t vpid; /* bits 15:0; the rest reserved */
	uint64_t linear_address;
};

/* ---- Extended page tables ("The Extended Page Table Mechanism (EPT)") ---- */

/* "Format of Extended-Page-Table Pointer" */
#define EPTP_MEMORY_TYPE    BITS(2, 0)
#define EPTP_WALK_LENGTH    BITS(5, 3) /* less 1 */
#define EPTP_ACCESSED_DIRTY BIT(6)
#define EPTP_SHADOW_STACK   BIT(7)
#define EPTP_ADDRESS        BITS(51, 12)

/* Entries of all levels */
#define EPT_READ         BIT(0)
#define EPT_WRITE        BIT(1)
#define EPT_EXECUTE      BIT(2) /* with mode-based execute control: for supervisor-mode addresses */
#define EPT_MEMORY_TYPE  BITS(5, 3) /* leaves only */
#define EPT_IGNORE_PAT   BIT(6)     /* leaves only */
#define EPT_PAGE         BIT(7)     /* a leaf, at levels 2 and 3 */
#define EPT_ACCESSED     BIT(8)
#define EPT_DIRTY        BIT(9)  /* leaves only */
#define EPT_EXECUTE_USER BIT(10) /* with mode-based execute control */
#define EPT_VERIFY_GUEST BIT(57) /* guest-paging verification; leaves only */
#define EPT_PAGING_WRITE BIT(58) /* leaves only */
#define EPT_SHADOW_STACK BIT(60) /* supervisor shadow stack; leaves only */
#define EPT_SUB_PAGE     BIT(61) /* sub-page write permissions; 4 KiB leaves only */
#define EPT_SUPPRESS_VE  BIT(63) /* leaves and absent entries */
#define EPT_ADDRESS      BITS(51, 12)

/* Sub-page-permission tables ("Determining an Access's Sub-Page Write Permission"): entries of levels 4 to 2,
   and the vector at level 1, whose even bits are the rights of the page's 32 sub-pages. */
#define SPP_VALID    BIT(0)
#define SPP_RESERVED BITS(11, 1)
#define SPP_SUB_PAGE 128 /* bytes */

/* Memory types, as EPT, EPTP, IA32_PAT and IA32_VMX_BASIC number them ("Memory Types and
   Their Properties", "Page Attribute Table (PAT)") */
enum memory_type {
	MEMORY_TYPE_UC = 0,
	MEMORY_TYPE_WC = 1,
	MEMORY_TYPE_WT = 4,
	MEMORY_TYPE_WP = 5,
	MEMORY_TYPE_WB = 6,
	MEMORY_TYPE_UC_MINUS = 7, /* IA32_PAT only */
};

/* "Exit Qualification for EPT Violations" */
#define EPT_VIOLATION_READ            BIT(0)
#define EPT_VIOLATION_WRITE           BIT(1)
#define EPT_VIOLATION_FETCH           BIT(2)
#define EPT_VIOLATION_READABLE        BIT(3) /* these four: what all the entries used allow */
#define EPT_VIOLATION_WRITABLE        BIT(4)
#define EPT_VIOLATION_EXECUTABLE      BIT(5)
#define EPT_VIOLATION_USER_EXECUTABLE BIT(6)
#define EPT_VIOLATION_LINEAR_VALID    BIT(7) /* GUEST_LINEAR_ADDRESS holds */
#define EPT_VIOLATION_FINAL           BIT(8) /* access to the translation, not to a paging structure */
#define EPT_VIOLATION_USER            BIT(9) /* bits 11:9 with advanced information only */
#define EPT_VIOLATION_PAGE_WRITABLE   BIT(10)
#define EPT_VIOLATION_PAGE_NX         BIT(11)
#define EPT_VIOLATION_NMI_UNBLOCKING  BIT(12)
#define EPT_VIOLATION_SHADOW_STACK    BIT(13)
#define EPT_VIOLATION_SSS             BIT(14)
#define EPT_VIOLATION_VERIFICATION    BIT(15)
#define EPT_VIOLATION_ASYNCHRONOUS    BIT(16)

/* "Virtualization Exceptions": the information area, at the start of its page. */
struct ve_information {
	uint32_t reason; /* EXIT_REASON_EPT_VIOLATION */
	uint32_t busy;	 /* VE_BUSY once written; while it is not 0, EPT violations exit */
	uint64_t qualification, linear_address, physical_address;
	uint16_t eptp_index;
};
#define VE_BUSY UINT32_MAX

#define EPTP_LIST_ENTRIES 512 /* "EPTP Switching" */

/* "Exit Qualification for SPP-Related Events" */
#define SPP_EVENT_MISS BIT(11) /* else a misconfiguration */

/* ---- Exit qualifications ("Basic VM-Exit Information") ---- */

/* "Exit Qualification for Control-Register Accesses" */
#define CR_ACCESS_NUMBER      BITS(3, 0)
#define CR_ACCESS_TYPE        BITS(5, 4)
#define CR_ACCESS_LMSW_MEMORY BIT(6)
#define CR_ACCESS_GPR         BITS(11, 8)
#define CR_ACCESS_LMSW_SOURCE BITS(31, 16)
enum cr_access_type { CR_ACCESS_MOV_TO, CR_ACCESS_MOV_FROM, CR_ACCESS_CLTS, CR_ACCESS_LMSW };

/* "Exit Qualification for MOV DR" */
#define DR_ACCESS_NUMBER BITS(2, 0)
#define DR_ACCESS_FROM   BIT(4) /* MOV from DR */
#define DR_ACCESS_GPR    BITS(11, 8)

/* "Exit Qualification for I/O Instructions" */
#define IO_ACCESS_SIZE      BITS(2, 0) /* bytes less 1 */
#define IO_ACCESS_IN        BIT(3)
#define IO_ACCESS_STRING    BIT(4)
#define IO_ACCESS_REP       BIT(5)
#define IO_ACCESS_IMMEDIATE BIT(6)
#define IO_ACCESS_PORT      BITS(31, 16)

/* "Exit Qualification for Debug Exceptions"; "Guest Non-Register State", pending debug exceptions
 */
#define DEBUG_EXCEPTION_BREAKPOINTS BITS(3, 0)
#define DEBUG_EXCEPTION_BUS_LOCK    BIT(11)
#define DEBUG_EXCEPTION_ENABLED     BIT(12) /* pending only: an enabled breakpoint was met */
#define DEBUG_EXCEPTION_BD          BIT(13) /* qualification only */
#define DEBUG_EXCEPTION_BS          BIT(14)
#define DEBUG_EXCEPTION_RTM         BIT(16)

/* "Exit Qualification for Task Switches" */
#define TASK_SWITCH_SELECTOR BITS(15, 0)
#define TASK_SWITCH_SOURCE   BITS(31, 30)
enum task_switch_source { TASK_SWITCH_CALL, TASK_SWITCH_IRET, TASK_SWITCH_JMP, TASK_SWITCH_GATE };

/* "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses" */
#define APIC_ACCESS_OFFSET BITS(11, 0)
#define APIC_ACCESS_TYPE   BITS(15, 12)
enum apic_access_type {
	APIC_ACCESS_LINEAR_READ = 0,
	APIC_ACCESS_LINEAR_WRITE = 1,
	APIC_ACCESS_LINEAR_FETCH = 2,
	APIC_ACCESS_LINEAR_DELIVERY = 3,
	APIC_ACCESS_LINEAR_MONITORING = 4,
	APIC_ACCESS_PHYSICAL_DELIVERY = 10,
	APIC_ACCESS_PHYSICAL_MONITORING = 11,
	APIC_ACCESS_PHYSICAL_INSTRUCTION = 15,
};

/* Qualification of an entry failure due to invalid guest state ("VM-Entry Failures During or
   After Loading Guest State") */
enum entry_failure {
	ENTRY_FAILURE_PDPTE = 2,
	ENTRY_FAILURE_NMI = 3, /* injection of an NMI with blocking by STI */
	ENTRY_FAILURE_LINK_POINTER = 4,
};

/* VM-exit instruction information ("Information for VM Exits Due to Instruction Execution"); the
   parts that its formats have in common */
#define INSTRUCTION_SCALING      BITS(1, 0)
#define INSTRUCTION_REGISTER1    BITS(6, 3)
#define INSTRUCTION_ADDRESS_SIZE BITS(9, 7)   /* 0: 16, 1: 32, 2: 64 bits */
#define INSTRUCTION_IS_REGISTER  BIT(10)      /* the operand is a register, not memory */
#define INSTRUCTION_OPERAND_SIZE BITS(12, 11) /* 0: 16, 1: 32, 2: 64 bits */
#define INSTRUCTION_SEGMENT      BITS(17, 15) /* ES CS SS DS FS GS */
#define INSTRUCTION_INDEX        BITS(21, 18)
#define INSTRUCTION_NO_INDEX     BIT(22)
#define INSTRUCTION_BASE         BITS(26, 23)
#define INSTRUCTION_NO_BASE      BIT(27)
#define INSTRUCTION_REGISTER2    BITS(31, 28)

/* ---- Events ("Information for VM Exits Due to Vectored Events", "VM-Entry Controls for
   Event Injection") ---- */

#define INTERRUPTION_VECTOR         BITS(7, 0)
#define INTERRUPTION_TYPE           BITS(10, 8)
#define INTERRUPTION_HAS_ERROR      BIT(11)
#define INTERRUPTION_NMI_UNBLOCKING BIT(12) /* exits only: NMI unblocking due to IRET */
#define INTERRUPTION_NESTED         BIT(13)
#define INTERRUPTION_VALID          BIT(31)
enum interruption_type {
	INTERRUPTION_EXTERNAL = 0,
	INTERRUPTION_NMI = 2,
	INTERRUPTION_HARDWARE_EXCEPTION = 3,
	INTERRUPTION_SOFTWARE = 4,
	INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
	INTERRUPTION_SOFTWARE_EXCEPTION = 6,
	INTERRUPTION_OTHER = 7, /* vector 0: a pending MTF VM exit */
};

/* ---- Guest state ("Guest Register State", "Guest Non-Register State") ---- */

#define ACCESS_RIGHTS_TYPE     BITS(3, 0)
#define ACCESS_RIGHTS_S        BIT(4) /* code or data */
#define ACCESS_RIGHTS_DPL      BITS(6, 5)
#define ACCESS_RIGHTS_P        BIT(7)
#define ACCESS_RIGHTS_AVL      BIT(12)
#define ACCESS_RIGHTS_L        BIT(13) /* 64-bit code */
#define ACCESS_RIGHTS_DB       BIT(14)
#define ACCESS_RIGHTS_G        BIT(15)
#define ACCESS_RIGHTS_UNUSABLE BIT(16)
#define ACCESS_RIGHTS_RESERVED (BITS(11, 8) | BITS(31, 17))

enum activity_state { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_FOR_SIPI };

#define INTERRUPTIBILITY_STI     BIT(0)
#define INTERRUPTIBILITY_MOV_SS  BIT(1)
#define INTERRUPTIBILITY_SMI     BIT(2)
#define INTERRUPTIBILITY_NMI     BIT(3)
#define INTERRUPTIBILITY_ENCLAVE BIT(4)

#endif
