/* The architecture on one page. A back end turns one vendor's virtualization on, runs a virtual
   CPU until its next exit, and says what happened in the neutral words below; what a guest gets is
   decided in exit.c alone. vmx/ and svm/ are twins behind this interface. */
#ifndef KERNEL_BACKEND_H
#define KERNEL_BACKEND_H

#include "runtime/compiler.h"

struct vcpu;
struct stage2;

/* Why a guest stopped running. */
enum exit_kind {
	EXIT_CPUID,
	EXIT_HLT,
	EXIT_IO,	 /* exit.io */
	EXIT_RDMSR,	 /* MSR number in guest RCX */
	EXIT_WRMSR,
	EXIT_CR,	 /* exit.cr */
	EXIT_HYPERCALL,	 /* VMCALL or VMMCALL */
	EXIT_EXCEPTION,	 /* exit.exception */
	EXIT_INTERRUPT,	 /* an interrupt or NMI for the host; already handled */
	EXIT_TICK,	 /* vcpu.deadline has passed */
	EXIT_IRQ_WINDOW, /* the guest can take an interrupt now */
	EXIT_STAGE2,	 /* exit.stage2 */
	EXIT_XSETBV,
	EXIT_CACHE,	 /* INVD or WBINVD */
	EXIT_TASK,	 /* exit.task: a task switch; VT-x only. What went through the IDT is in vcpu->inject */
	EXIT_UNDEFINED,	 /* an instruction this virtual CPU does not have (VMX, SVM, ...) */
	EXIT_SHUTDOWN,	 /* triple fault */
	EXIT_REFUSED,	 /* the hardware refused the guest's state; nothing ran */
	EXIT_OTHER,	 /* no neutral meaning: see raw */
	EXIT_KINDS
};

/* An event as both vendors number it (Intel SDM, "VM-Entry Controls for Event Injection";
   AMD APM, "Event Injection"). */
enum event_type {
	EVENT_INTERRUPT = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_SOFTWARE = 4,	       /* INT n */
	EVENT_PRIVILEGED_SOFTWARE = 5, /* INT1; VT-x only */
	EVENT_SOFTWARE_EXCEPTION = 6,  /* INT3, INTO; VT-x only */
};

struct event {
	bool valid;
	uint8_t type; /* enum event_type */
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint8_t len; /* bytes of the instruction, for software events */
};

/* 64 bytes, so that a CPU's ring of last exits (stats.h) can hold exits as they are. */
struct exit {
	enum exit_kind kind;
	uint8_t len;   /* of the instruction, when the exit is one's; else 0 */
	uint8_t vm;    /* number of the VM; filled in by vcpu.c, as is tsc */
	uint64_t tsc;  /* when it came */
	uint64_t raw;  /* the vendor's exit reason or exit code */
	uint64_t info; /* its qualification or EXITINFO1, for dumps */
	uint64_t rip;
	union {
		struct {
			uint16_t port;
			uint8_t size; /* 1, 2 or 4 bytes */
			bool in, string, rep;
		} io;
		struct {
			uint8_t number; /* CR0, 3, 4, 8 */
			bool write, clts, lmsw;
			uint8_t gpr;	   /* index in vcpu.gpr of the MOV's other operand */
			uint16_t lmsw_src; /* LMSW's operand */
		} cr;
		struct event exception;
		struct {
			uint16_t selector; /* of the new task's TSS */
			uint8_t source;	   /* enum task_switch_source */
		} task;
		struct {
			uint64_t gpa; /* guest-physical address, bytes */
			bool read, write, fetch;
			bool present; /* the address was mapped, but not with that right */
		} stage2;
	};
} __aligned(64);
_Static_assert(sizeof(struct exit) == 64, "an exit is one cache line");

/* Guest state that lives in the hardware's structure. Segments: REG_SEGMENT(seg, part). */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEGMENTS };
enum segment_part {
	PART_SELECTOR,
	PART_BASE,
	PART_LIMIT,  /* bytes less 1 */
	PART_ACCESS, /* as VT-x has it (SDM, "Guest Register State"): type 3:0, S 4, DPL 6:5, P 7,
			AVL 12, L 13, D/B 14, G 15, unusable 16 */
	PARTS
};

enum reg {
	REG_RIP,
	REG_RSP,
	REG_RFLAGS,
	REG_CR0, /* what the guest reads, not what the hardware runs with */
	REG_CR2,
	REG_CR3,
	REG_CR4, /* what the guest reads */
	REG_EFER, /* what the guest reads */
	REG_PAT,
	REG_DR7,
	REG_GDTR_BASE,
	REG_GDTR_LIMIT,
	REG_IDTR_BASE,
	REG_IDTR_LIMIT,
	REG_SYSENTER_CS,
	REG_SYSENTER_ESP,
	REG_SYSENTER_EIP,
	REG_TSC_OFFSET,	     /* added to the TSC that the guest reads */
	REG_INTERRUPT_SHADOW, /* 1: blocked by STI or MOV SS for one instruction */
	REG_SEGMENTS,	     /* first of SEGMENTS * PARTS */
	REGS = REG_SEGMENTS + SEGMENTS * PARTS
};
#define REG_SEGMENT(seg, part) ((enum reg)(REG_SEGMENTS + (seg) * PARTS + (part)))

/* Rights of a stage-2 mapping. */
#define STAGE2_READ    BIT(0)
#define STAGE2_WRITE   BIT(1)
#define STAGE2_EXECUTE BIT(2)
#define STAGE2_DEVICE  BIT(3) /* uncacheable */

/* How a vendor's stage-2 tables are written; the walk is stage2.c's. Both have 4 levels of 512
   entries of 8 bytes; level 1 maps 4 KiB, 2 maps 2 MiB, 3 maps 1 GiB. */
struct stage2_format {
	uint64_t (*leaf)(uint64_t hpa, uint64_t rights, unsigned int level);
	uint64_t (*table)(uint64_t hpa);
	bool (*present)(uint64_t entry);
	bool (*is_leaf)(uint64_t entry, unsigned int level);
	uint64_t (*rights)(uint64_t entry);
	/* The largest level at which this CPU takes a leaf: 1, 2 or 3. */
	unsigned int (*max_level)(void);
};

struct backend {
	const char *name; /* "VT-x" or "AMD-V" */
	/* These CPUs show SYSCALL in 64-bit mode only ("CPUID - CPU Identification"). */
	bool hides_syscall;
	const struct stage2_format *stage2_format;

	/* Can this CPU run guests? 0, or -ENODEV (it has not what is needed), -EPERM (firmware
	   locked it off): the reason was then printed. stage2: with second-level paging. */
	int (*check)(bool stage2);

	/* Turns virtualization on or off on the calling CPU. 0, or an error that was printed. */
	int (*cpu_on)(void);
	void (*cpu_off)(void);

	/* Gives vcpu its hardware structure, all guest state zero but what reset makes otherwise.
	   0 or -ENOMEM. The vCPU must afterwards run on the CPU that is calling. */
	int (*vcpu_create)(struct vcpu *vcpu);
	void (*vcpu_destroy)(struct vcpu *vcpu);

	/* Before a run of enter() calls: makes vcpu the calling CPU's current one. Interrupts are off, and
	   stay off to the last enter(), which lets the host's in itself. */
	void (*load)(struct vcpu *vcpu);

	/* Enters the guest, with vcpu->inject delivered if valid, and returns at the next exit,
	   described in *exit; an event cut short by the exit is put back into vcpu->inject. */
	void (*enter)(struct vcpu *vcpu, struct exit *exit);

	uint64_t (*get)(struct vcpu *vcpu, enum reg reg);
	void (*set)(struct vcpu *vcpu, enum reg reg, uint64_t value);

	/* Steps over the instruction that made the exit: RIP, the interrupt shadow, single-step. */
	void (*advance)(struct vcpu *vcpu, const struct exit *exit);

	/* Asks for EXIT_IRQ_WINDOW as soon as the guest can take an interrupt; or no longer. */
	void (*irq_window)(struct vcpu *vcpu, bool wanted);

	/* Makes the CPUs forget translations of a changed stage-2 table before the guest's next entry. */
	void (*stage2_flush)(struct stage2 *stage2);

	/* The vendor's name of exit->raw. */
	const char *(*exit_name)(const struct exit *exit);

	/* Prints, for a refused entry, every rule of the manual that the state breaks. */
	void (*explain)(struct vcpu *vcpu);

	/* Breaks the state of vcpu, created and ready to be entered, in many ways, one at a time, and
	   looks whether the hardware refuses and explain() would name the right rule. Prints a line for
	   each; returns the number that went wrong. vcpu is as it was. */
	int (*explain_test)(struct vcpu *vcpu);
};

extern const struct backend vmx_backend, svm_backend;

/* The one chosen at boot from CPUID. */
extern const struct backend *backend;

/* Chooses it: Intel's interface where CPUID has VMX, AMD's where it has SVM.
   0, or -ENODEV / -EPERM as check() says, after printing why. */
int backend_choose(bool stage2);

/* "cpuid", "port I/O", ...: for statistics and dumps. */
const char *exit_kind_name(enum exit_kind kind);

/* The vendor's own name of a raw exit reason, e.g. "EXIT_REASON_CPUID", "VMEXIT_CPUID". */
const char *exit_raw_name(const struct exit *exit);

#endif
