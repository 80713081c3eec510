/* Threads of the kernel: the one CPU is given to each in turn, and taken away by the timer from
   those that run with interrupts on. What a process adds to its thread is process.h's. */
#ifndef TINYOS_THREAD_H
#define TINYOS_THREAD_H

#include "runtime/x86.h"

struct process;
struct trap_frame;

enum thread_state { THREAD_READY, THREAD_WAITING, THREAD_ENDED };

struct thread {
	uint64_t rsp; /* while it does not run; below it lies what switch_stacks() saved */
	uint64_t *stack;
	enum thread_state state;
	const void *channel;     /* what it waits for */
	uint64_t deadline;       /* TSC at which it waits no longer */
	struct process *process; /* whose thread it is, or NULL: the kernel's own */
	struct thread *next;     /* in the queue of its state */
};

#define THREAD_NO_DEADLINE UINT64_MAX

/* Makes the caller the idle thread, which runs when no other can. */
void thread_init(void);

/* Lets other threads run for ever; for the idle thread. */
void thread_idle(void) __noreturn;

/* A thread of the kernel's that runs main() with interrupts on. 0 or -ENOMEM. */
int thread_create(struct thread *thread, void (*main)(void));

/* A thread that starts in user mode with those registers. 0 or -ENOMEM. */
int thread_create_user(
	struct thread *thread, struct process *process, const struct trap_frame *frame);

/* Gives back the memory of a thread that has ended. */
void thread_destroy(struct thread *thread);

struct thread *thread_current(void);

/* Kernel data belongs to whoever runs with interrupts off: system calls and traps do, the kernel's
   own threads put what they share between these two. The one's result is passed to the other. */
static inline bool critical_enter(void)
{
	bool on = read_rflags() & RFLAGS_IF;

	interrupts_off();
	return on;
}

static inline void critical_leave(bool on)
{
	if (on)
		interrupts_on();
}

/* All of these are called with interrupts off. */

/* Lets the next ready thread run. */
void thread_yield(void);

/* Waits for thread_wake(channel), any address but NULL, thread_interrupt(), or the TSC to reach
   deadline. It may return early: the caller looks again whether what it waits for has come. */
void thread_wait(const void *channel, uint64_t deadline);
void thread_wake(const void *channel);

/* Ends a thread's wait, whatever it waits for. */
void thread_interrupt(struct thread *thread);

/* The timer's tick: wakes whose deadline has passed, then lets the next thread run. */
void thread_tick(void);

/* Ends the calling thread. */
void thread_exit(void) __noreturn;

#endif
