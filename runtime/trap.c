/* Exceptions and interrupts of the image itself: GDT, TSS and IDT, and who handles a vector. What a
   panic prints is panic.c's. */
#include "runtime/trap.h"

#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/segments.h"
#include "runtime/smp.h"
#include "runtime/x86.h"

#define VECTORS	       256
#define EXCEPTIONS     32
#define GDT_ENTRIES    9
#define GATE_INTERRUPT UINT64_C(0x8e00) /* present, DPL 0, interrupt gate ("IDT Descriptors") */
#define GATE_USER      UINT64_C(0x6000) /* DPL 3 */
#define TSS_AVAILABLE  UINT64_C(0x890000000000)

/* Intel SDM, "64-Bit Mode Task State Segment". */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* 1-7 */
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __packed;

struct gate {
	uint64_t low, high;
};

struct trap_cpu {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
};

/* What trap_catch_call() saves (trap_entry.S knows the offsets). */
struct trap_catch {
	uint64_t rsp, rbp;
	struct trap_catch *outer;
	struct trap_info info;
};

/* Exceptions with a stack of their own, since they may come when RSP cannot be trusted. */
static const uint8_t ist_vectors[] = { VECTOR_DF, VECTOR_NMI, VECTOR_MC };

extern char trap_entries[], trap_catch_resume[];
int trap_catch_call(struct trap_catch *catch, void (*body)(void *), void *arg);
void trap_dispatch(struct trap_frame *frame);

static struct gate idt[VECTORS] __aligned(16);
static trap_handler *handlers[VECTORS];
static struct trap_cpu boot_trap_cpu;
static uint8_t boot_ist[ARRAY_SIZE(ist_vectors)][4096] __aligned(16);
static struct trap_cpu *trap_cpus[SMP_MAX_CPUS] = { &boot_trap_cpu };

static uint8_t ist_index(unsigned int vector)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ist_vectors); i++)
		if (ist_vectors[i] == vector)
			return (uint8_t)(i + 1);
	return 0;
}

void trap_init(void)
{
	unsigned int v;

	for (v = 0; v < VECTORS; v++) {
		uint64_t entry = (uintptr_t)trap_entries + v * 16;
		uint64_t dpl = v == VECTOR_BP || v == VECTOR_OF ? GATE_USER : 0;

		idt[v].low = (entry & BITS(15, 0)) | SELECTOR_CODE64 << 16 |
			(uint64_t)ist_index(v) << 32 | (GATE_INTERRUPT | dpl) << 32 |
			(entry & BITS(31, 16)) << 32;
		idt[v].high = entry >> 32;
	}
}

static void fill_gdt(struct trap_cpu *cpu)
{
	uint64_t base = (uintptr_t)&cpu->tss, limit = sizeof(cpu->tss) - 1;
	uint64_t *gdt = cpu->gdt;

	gdt[SELECTOR_CODE64 / 8] = DESCRIPTOR_CODE64;
	gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
	gdt[SELECTOR_USER_CODE32 / 8] = DESCRIPTOR_USER_CODE32;
	gdt[SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
	gdt[SELECTOR_USER_CODE64 / 8] = DESCRIPTOR_USER_CODE64;
	gdt[SELECTOR_CODE32 / 8] = DESCRIPTOR_CODE32;
	gdt[SELECTOR_TSS / 8] = limit | (base & BITS(23, 0)) << 16 | TSS_AVAILABLE |
		(base & BITS(31, 24)) << 32;
	gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

/* The calling CPU's tables: the boot CPU's are static, since it needs them before any memory. */
static struct trap_cpu *new_trap_cpu(unsigned int number)
{
	unsigned int i;

	if (number == 0) {
		for (i = 0; i < ARRAY_SIZE(ist_vectors); i++)
			boot_trap_cpu.tss.ist[i] = (uintptr_t)boot_ist[i + 1];
		return &boot_trap_cpu;
	}
	if (trap_cpus[number] != NULL)
		return trap_cpus[number]; /* started again */
	trap_cpus[number] = page_alloc_zeroed(PAGE_ORDER_4K);
	if (trap_cpus[number] == NULL)
		panic("no memory for CPU %u's descriptor tables", number);
	for (i = 0; i < ARRAY_SIZE(ist_vectors); i++) {
		uint8_t *stack = page_alloc(PAGE_ORDER_4K);

		if (stack == NULL)
			panic("no memory for CPU %u's exception stacks", number);
		trap_cpus[number]->tss.ist[i] = (uintptr_t)stack + PAGE_SIZE;
	}
	return trap_cpus[number];
}

static void load_segments(void)
{
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
			 "movl %1, %%eax; movl %%eax, %%ds; movl %%eax, %%es; movl %%eax, %%ss;"
			 "movl %2, %%eax; ltr %%ax"
			 :
			 : "i"(SELECTOR_CODE64), "i"(SELECTOR_DATA), "i"(SELECTOR_TSS)
			 : "rax", "memory");
}

void trap_init_cpu(void)
{
	struct trap_cpu *cpu = new_trap_cpu(smp_this()->number);

	cpu->tss.io_map = sizeof(cpu->tss);
	fill_gdt(cpu);
	write_gdtr((struct descriptor_table){ sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt });
	load_segments();
	write_idtr((struct descriptor_table){ sizeof(idt) - 1, (uintptr_t)idt });
}

void trap_set_stack(uint64_t rsp)
{
	trap_cpus[smp_this()->number]->tss.rsp[0] = rsp;
}

void trap_set_ist(unsigned int index, uint64_t top)
{
	trap_cpus[smp_this()->number]->tss.ist[index - 1] = top;
}

trap_handler *trap_set_handler(uint8_t vector, trap_handler *handler)
{
	trap_handler *before = handlers[vector];

	handlers[vector] = handler;
	return before;
}

/* Leaves the innermost trap_catch() body: the frame resumes in trap_catch_resume. */
static void resume_catch(struct trap_frame *frame, struct trap_catch *catch)
{
	catch->info = (struct trap_info){ (int)frame->vector, (uint32_t)frame->error,
		frame->vector == VECTOR_PF ? read_cr2() : 0, frame->rip };
	frame->rip = (uintptr_t)trap_catch_resume;
	frame->rsp = catch->rsp;
	frame->rbp = catch->rbp;
	frame->cs = SELECTOR_CODE64;
	frame->ss = SELECTOR_DATA;
	frame->rflags &= ~(RFLAGS_TF | RFLAGS_AC | RFLAGS_NT | RFLAGS_DF | RFLAGS_RF);
}

void trap_dispatch(struct trap_frame *frame)
{
	struct trap_catch *catch = smp_this()->catch;

	if (frame->vector < EXCEPTIONS && frame->vector != VECTOR_NMI && catch != NULL)
		resume_catch(frame, catch);
	else if (handlers[frame->vector] != NULL)
		handlers[frame->vector](frame);
	else if (frame->vector < EXCEPTIONS)
		panic_trap(frame);
}

int trap_catch(void (*body)(void *arg), void *arg, struct trap_info *info)
{
	struct smp_cpu *cpu = smp_this();
	struct trap_catch catch = { .outer = cpu->catch, .info = { .vector = TRAP_NONE } };

	cpu->catch = &catch;
	trap_catch_call(&catch, body, arg);
	cpu->catch = catch.outer;
	if (info != NULL)
		*info = catch.info;
	return catch.info.vector;
}

const char *trap_name(uint8_t vector)
{
	static const char *const names[EXCEPTIONS] = { "#DE", "#DB", "NMI", "#BP", "#OF", "#BR",
		"#UD", "#NM", "#DF", "", "#TS", "#NP", "#SS", "#GP", "#PF", "", "#MF", "#AC",
		"#MC", "#XM", "#VE", "#CP", "", "", "", "", "", "", "#HV", "#VC", "#SX", "" };

	return vector < EXCEPTIONS ? names[vector] : "";
}

struct msr_access {
	uint32_t number;
	uint64_t value;
};

static void read_msr(void *arg)
{
	struct msr_access *access = arg;

	access->value = rdmsr(access->number);
}

static void write_msr(void *arg)
{
	struct msr_access *access = arg;

	wrmsr(access->number, access->value);
}

int rdmsr_safe(uint32_t number, uint64_t *value)
{
	struct msr_access access = { number, 0 };
	int vector = trap_catch(read_msr, &access, NULL);

	*value = access.value;
	return vector == TRAP_NONE ? 0 : -EFAULT;
}

int wrmsr_safe(uint32_t number, uint64_t value)
{
	struct msr_access access = { number, value };

	return trap_catch(write_msr, &access, NULL) == TRAP_NONE ? 0 : -EFAULT;
}
