/* Canaries: what no guest may change, in the hypervisor's memory and in the machine around it,
   noted before the first guest runs and compared whenever a guest asks by hypercall. On with
   canaries=on. */
#ifndef KERNEL_CANARY_H
#define KERNEL_CANARY_H

#include "runtime/compiler.h"

/* Plants canary pages in free memory, leaves other words in some of the rest, and notes what the
   image's code and tables are. 0 or -ENOMEM. */
int canary_init(void);

bool canary_is_on(void);

/* Notes the calling CPU's own state, once its back end is on and before it runs guests; and looks
   at it no more, when it has run them. */
void canary_init_cpu(void);
void canary_end_cpu(void);

/* Looks at the calling CPU's state if another one has asked and it has not answered yet: called
   between two rounds of slices, so that the other waits no longer than one takes. */
void canary_answer(void);

/* Gives the canary pages back. */
void canary_end(void);

/* Is all as it was, on every CPU? 0; -EFAULT after printing a line "trapeze: error: canary NAME of
   CPU NUMBER: ..." for each that is not; -ENOSYS without canaries. */
int canary_check(void);

#endif
