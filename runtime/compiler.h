/* Shorthands for the compiler's attributes, and the few macros that every file uses.
   What they mean to the CPU is left to x86.h. */
#ifndef RUNTIME_COMPILER_H
#define RUNTIME_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))
#define BIT(n)        (UINT64_C(1) << (n))
/* Bits hi down to lo of a 64-bit word, set; 63 >= hi >= lo. */
#define BITS(hi, lo)  ((~UINT64_C(0) >> (63 - (hi) + (lo))) << (lo))

/* Round x to a multiple of a, which is a power of two. */
#define ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a) - 1))
#define ALIGN_UP(x, a)   ALIGN_DOWN((x) + (uint64_t)(a) - 1, a)
#define IS_ALIGNED(x, a) (((x) & ((uint64_t)(a) - 1)) == 0)

#define PAGE_SIZE    UINT64_C(4096)
#define PAGE_SIZE_2M (UINT64_C(2) << 20)
#define PAGE_SIZE_1G (UINT64_C(1) << 30)

#define __noreturn        __attribute__((noreturn))
#define __packed          __attribute__((packed))
#define __aligned(n)      __attribute__((aligned(n)))
#define __printf(fmt, va) __attribute__((format(printf, fmt, va)))
#define __unused          __attribute__((unused))
#define likely(x)         __builtin_expect(!!(x), 1)
#define unlikely(x)       __builtin_expect(!!(x), 0)

#endif
