/* The instructions that C has no word for, one function each. What their operands mean is
   declared in spec/. */
#ifndef RUNTIME_X86_H
#define RUNTIME_X86_H

#include "runtime/compiler.h"
#include "spec/cpu.h"

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %w1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %w1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %w1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %w1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %w1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %w1" : : "a"(value), "Nd"(port));
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t number)
{
	uint64_t low, high; /* the CPU clears their upper halves */

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return high << 32 | low;
}

static inline void wrmsr(uint32_t number, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

/* rdmsr() and wrmsr() that survive #GP: they return 0, or -EFAULT when the instruction faulted
   (*value is then 0). */
int rdmsr_safe(uint32_t number, uint64_t *value);
int wrmsr_safe(uint32_t number, uint64_t value);

static inline uint64_t rdtsc(void)
{
	uint64_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return high << 32 | low;
}

#define X86_CR_ACCESSORS(n)                                                                        \
	static inline uint64_t read_cr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
		__asm__ volatile("movq %%cr" #n ", %0" : "=r"(value));                             \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_cr##n(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("movq %0, %%cr" #n : : "r"(value) : "memory");                    \
	}
X86_CR_ACCESSORS(0)
X86_CR_ACCESSORS(2)
X86_CR_ACCESSORS(3)
X86_CR_ACCESSORS(4)
X86_CR_ACCESSORS(8)

#define X86_DR_ACCESSORS(n)                                                                        \
	static inline uint64_t read_dr##n(void)                                                    \
	{                                                                                          \
		uint64_t value;                                                                    \
		__asm__ volatile("movq %%dr" #n ", %0" : "=r"(value));                             \
		return value;                                                                      \
	}                                                                                          \
	static inline void write_dr##n(uint64_t value)                                             \
	{                                                                                          \
		__asm__ volatile("movq %0, %%dr" #n : : "r"(value));                               \
	}
X86_DR_ACCESSORS(0)
X86_DR_ACCESSORS(1)
X86_DR_ACCESSORS(2)
X86_DR_ACCESSORS(3)
X86_DR_ACCESSORS(6)
X86_DR_ACCESSORS(7)

static inline uint64_t read_rflags(void)
{
	uint64_t value;

	__asm__ volatile("pushfq; popq %0" : "=r"(value));
	return value;
}

#define X86_SELECTOR_ACCESSORS(seg)                                                                \
	static inline uint16_t read_##seg(void)                                                    \
	{                                                                                          \
		uint16_t value;                                                                    \
		__asm__ volatile("movw %%" #seg ", %0" : "=r"(value));                             \
		return value;                                                                      \
	}
X86_SELECTOR_ACCESSORS(cs)
X86_SELECTOR_ACCESSORS(ds)
X86_SELECTOR_ACCESSORS(es)
X86_SELECTOR_ACCESSORS(fs)
X86_SELECTOR_ACCESSORS(gs)
X86_SELECTOR_ACCESSORS(ss)

static inline uint16_t read_tr(void)
{
	uint16_t value;

	__asm__ volatile("str %0" : "=r"(value));
	return value;
}

static inline uint16_t read_ldtr(void)
{
	uint16_t value;

	__asm__ volatile("sldt %0" : "=r"(value));
	return value;
}

/* The operand of LGDT, SGDT, LIDT and SIDT in 64-bit mode. */
struct descriptor_table {
	uint16_t limit; /* bytes less 1 */
	uint64_t base;
} __packed;

static inline struct descriptor_table read_gdtr(void)
{
	struct descriptor_table table;

	__asm__ volatile("sgdt %0" : "=m"(table));
	return table;
}

static inline struct descriptor_table read_idtr(void)
{
	struct descriptor_table table;

	__asm__ volatile("sidt %0" : "=m"(table));
	return table;
}

static inline void write_gdtr(struct descriptor_table table)
{
	__asm__ volatile("lgdt %0" : : "m"(table));
}

static inline void write_idtr(struct descriptor_table table)
{
	__asm__ volatile("lidt %0" : : "m"(table));
}

static inline uint64_t xgetbv(uint32_t index)
{
	uint64_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline void interrupts_on(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void interrupts_off(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Waits in HLT for one interrupt with interrupts on, and returns with them off. */
static inline void interrupts_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Lets a pending interrupt in, and returns with interrupts off. */
static inline void interrupts_window(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

static inline void halt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause");
}

static inline void invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

#endif
