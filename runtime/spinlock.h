/* A ticket spinlock: CPUs get it in the order they asked. Not recursive. It does not turn
   interrupts off; what an interrupt handler takes, others take with interrupts off. */
#ifndef RUNTIME_SPINLOCK_H
#define RUNTIME_SPINLOCK_H

#include "runtime/compiler.h"

struct spinlock {
	uint32_t next;	  /* the next ticket to hand out */
	uint32_t serving; /* the ticket that holds the lock */
};

static inline void spinlock_lock(struct spinlock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
}

static inline void spinlock_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

#endif
