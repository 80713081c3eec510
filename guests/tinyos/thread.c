/* Switches between threads, round robin. Address spaces, the FPU's state and the stack for traps
   go with the thread; when the timer ticks is timer.c's. */
#include "guests/tinyos/thread.h"

#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/trap.h"

#include "guests/tinyos/process.h"

#define STACK_WORDS (PAGE_SIZE / 8)
#define SAVED_WORDS 6 /* what switch_stacks() saves: RBP, RBX, R12-R15 */

/* The lowest word of a stack: found changed when it overflowed. */
#define STACK_MAGIC UINT64_C(0x7461636b2074696e)

struct queue {
	struct thread *first, *last;
};

/* entry.S */
void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp);
void thread_start(void);
extern uint64_t syscall_stack;

static struct thread idle;
static struct thread *current = &idle;
static struct queue ready, waiting;

static void append(struct queue *queue, struct thread *thread)
{
	thread->next = NULL;
	if (queue->first == NULL)
		queue->first = thread;
	else
		queue->last->next = thread;
	queue->last = thread;
}

static struct thread *take_first(struct queue *queue)
{
	struct thread *thread = queue->first;

	if (thread != NULL)
		queue->first = thread->next;
	return thread;
}

void thread_init(void)
{
	static uint64_t magic = STACK_MAGIC;

	idle.stack = &magic; /* it runs on the boot stack */
}

struct thread *thread_current(void)
{
	return current;
}

static uint64_t *stack_top(const struct thread *thread)
{
	return thread->stack + STACK_WORDS;
}

/* Makes `to` run; returns when the caller is made to run again. */
static void switch_to(struct thread *to)
{
	struct thread *from = current;

	assert(*from->stack == STACK_MAGIC);
	if (to == from)
		return;
	current = to;
	if (to->process != NULL) {
		process_load(to->process);
		syscall_stack = (uintptr_t)stack_top(to);
		trap_set_stack(syscall_stack);
	}
	switch_stacks(&from->rsp, to->rsp);
}

/* Runs the next thread; the caller has put itself where it belongs. */
static void run_next(void)
{
	struct thread *next = take_first(&ready);

	switch_to(next != NULL ? next : &idle);
}

void thread_idle(void)
{
	for (;;) {
		interrupts_off();
		if (ready.first != NULL)
			run_next();
		else
			interrupts_wait();
	}
}

/* Leaves `words` words on a new thread's stack for what it starts with, and below them what
   switch_stacks() takes off, so that it returns to start. NULL when memory has run out. */
static uint64_t *prepare_stack(struct thread *thread, size_t words, void (*start)(void))
{
	uint64_t *top;

	thread->stack = page_alloc(PAGE_ORDER_4K);
	if (thread->stack == NULL)
		return NULL;
	thread->stack[0] = STACK_MAGIC;
	top = stack_top(thread) - words;
	top[-1] = (uintptr_t)start;
	for (unsigned int i = 2; i < 2 + SAVED_WORDS; i++)
		top[-(int)i] = 0;
	thread->rsp = (uintptr_t)(top - 1 - SAVED_WORDS);
	thread->state = THREAD_READY;
	return top;
}

int thread_create(struct thread *thread, void (*main)(void))
{
	uint64_t *top;

	*thread = (struct thread){ 0 };
	top = prepare_stack(thread, 2, thread_start);
	if (top == NULL)
		return -ENOMEM;
	top[0] = (uintptr_t)main;
	append(&ready, thread);
	return 0;
}

int thread_create_user(
	struct thread *thread, struct process *process, const struct trap_frame *frame)
{
	uint64_t *top;

	*thread = (struct thread){ .process = process };
	top = prepare_stack(thread, sizeof(*frame) / 8, trap_return);
	if (top == NULL)
		return -ENOMEM;
	*(struct trap_frame *)top = *frame;
	append(&ready, thread);
	return 0;
}

void thread_destroy(struct thread *thread)
{
	assert(thread->state == THREAD_ENDED);
	page_free(thread->stack, PAGE_ORDER_4K);
}

void thread_yield(void)
{
	if (ready.first == NULL)
		return;
	if (current != &idle)
		append(&ready, current);
	run_next();
}

void thread_wait(const void *channel, uint64_t deadline)
{
	current->state = THREAD_WAITING;
	current->channel = channel;
	current->deadline = deadline;
	append(&waiting, current);
	run_next();
}

/* Makes the waiting threads ready that wait for channel, or for a time up to now, or are `one`. */
static void wake(const void *channel, uint64_t now, const struct thread *one)
{
	struct queue before = waiting;
	struct thread *thread;

	waiting = (struct queue){ 0 };
	while ((thread = take_first(&before)) != NULL) {
		if (thread->channel == channel || thread->deadline <= now || thread == one) {
			thread->state = THREAD_READY;
			append(&ready, thread);
		} else {
			append(&waiting, thread);
		}
	}
}

void thread_wake(const void *channel)
{
	wake(channel, 0, NULL);
}

void thread_interrupt(struct thread *thread)
{
	wake(NULL, 0, thread);
}

void thread_tick(void)
{
	wake(NULL, rdtsc(), NULL);
	thread_yield();
}

void thread_exit(void)
{
	current->state = THREAD_ENDED;
	run_next();
	panic("a thread that ended runs again");
}
