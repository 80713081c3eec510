/* VMRUN's checks as data: the rules of spec/svm_checks.def with their predicates over a saved
   state. Pure functions of values, for the kernel, the suites and the host's tests alike; what to
   do about a broken rule is left to the caller. */
#ifndef SPEC_SVM_CHECKS_H
#define SPEC_SVM_CHECKS_H

#include "spec/svm.h"

/* What the CPU is and how it runs at the time of the VMRUN. */
struct svm_cpu {
	uint8_t physical_width; /* bits of a physical address */
	bool long_mode;         /* supports it */
	uint64_t cr4_reserved;  /* bits that must be zero */
	uint64_t efer_reserved;
	uint32_t nasid;        /* CPUID Fn8000_000A EBX; 0: not known */
	uint32_t features;     /* ... EDX: SVM_EDX_* */
	uint32_t features_ecx; /* ... ECX: SVM_ECX_* */
	uint64_t host_cr0;
	uint64_t u_cet; /* the MSR, which VMRUN leaves to the guest; 0 without shadow stacks */
};

#define SVM_PDPES 4

struct svm_state {
	struct svm_vmcb vmcb;
	struct svm_cpu cpu;
	bool pdpes_known; /* the four entries at CR3 could be read */
	uint64_t pdpe[SVM_PDPES];
};

/* CPUID as the caller has it: EAX, EBX, ECX, EDX of a leaf. */
struct svm_cpuid_source {
	void (*cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t regs[4]);
};

/* Fills *cpu from CPUID; host_cr0 and u_cet are left as they were. */
void svm_cpu_read(struct svm_cpu *cpu, const struct svm_cpuid_source *source);

/* SVM_SECTION_<NAME>, SVM_CHECK_<id>: the rows of spec/svm_checks.def. */
enum svm_check_section {
#define SECTION(name, title) SVM_SECTION_##name,
#include "spec/svm_checks.def"
	SVM_SECTIONS
};
enum svm_check_index {
#define CHECK(id, section, rule, ...) SVM_CHECK_##id,
#include "spec/svm_checks.def"
	SVM_CHECKS
};

#define SVM_CHECK_FIELDS 3

struct svm_check {
	const char *id;
	const char *rule;                /* what must hold */
	uint8_t section;                 /* enum svm_check_section */
	uint8_t field[SVM_CHECK_FIELDS]; /* enum svm_vmcb_index; VMCB_NONE after the last */
	bool (*holds)(const struct svm_state *state);
};

/* By enum svm_check_index. */
extern const struct svm_check svm_checks[SVM_CHECKS];

/* The title of a row's section. */
const char *svm_check_section(const struct svm_check *check);

/* The lowest-numbered row from `first` on that the state breaks, or SVM_CHECKS. So one loop visits
   all: for (i = svm_check_next(state, 0); i < SVM_CHECKS; i = svm_check_next(state, i + 1)) */
unsigned int svm_check_next(const struct svm_state *state, unsigned int first);

#endif
