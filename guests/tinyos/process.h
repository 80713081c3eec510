/* Processes: a program in an address space of its own, run at CPL 3 by one thread. The system
   calls that lead here are declared in abi.h. All functions are called with interrupts off. */
#ifndef TINYOS_PROCESS_H
#define TINYOS_PROCESS_H

#include "guests/tinyos/fpu.h"
#include "guests/tinyos/thread.h"
#include "guests/tinyos/vm.h"

#define PROCESS_MAX      64
#define PROCESS_NAME_MAX 12
#define LINE_MAX         120 /* characters of output after which a line is broken */

enum process_state { PROCESS_UNUSED, PROCESS_ALIVE, PROCESS_ZOMBIE };

struct process {
	int pid; /* never used again */
	char name[PROCESS_NAME_MAX];
	enum process_state state;
	struct process *parent; /* NULL: the shell, or nobody any more */
	bool killed;            /* ends before it runs another instruction of its program */
	int status;             /* of a zombie, as abi.h has it */
	struct thread thread;
	struct vm vm;
	struct fpu fpu; /* while another process has the FPU */
	unsigned int line_length;
	char line[LINE_MAX]; /* output not yet written: the line is not complete */
};

/* The one that is running, or NULL in a thread of the kernel's own. */
struct process *process_current(void);

/* Starts command as a child of the shell's. The pid, an error of program_load(), or -EAGAIN when
   there are too many processes. */
int process_spawn(const char *command);

/* The same process once more, returning 0 there. The child's pid, -EAGAIN, or -ENOMEM. */
int process_fork(const struct trap_frame *frame);

/* The caller becomes command's program, to start with frame; it goes on as it was when an error of
   program_load() is returned. */
int process_exec(const char *command, struct trap_frame *frame);

/* Ends the caller. */
void process_exit(int status) __noreturn;

/* Waits until a child of parent's has ended (NULL: the shell's), and frees it. Its pid, -ENOENT
   when there are no children, or -EAGAIN when the caller was killed meanwhile. */
int process_wait(struct process *parent, int *status);

/* Ends that process before it runs another instruction. 0 or -ENOENT. */
int process_kill(int pid);
void process_kill_all(void);

/* True while there is a process that Ctrl-C should end. */
bool process_running(void);

/* Output of the caller's: it reaches the console by whole lines, with the process's pid and name
   before them; but lines that begin with "# ", which describe the machine, as they are. */
void process_write(const char *text, size_t bytes);

/* Called before a trap returns to frame: a killed process does not return. */
void process_leave_kernel(const struct trap_frame *frame);

/* Gives the CPU's address space and FPU to process. For thread.c. */
void process_load(struct process *process);

/* Prints a table of all processes. */
void process_print(void);

#endif
