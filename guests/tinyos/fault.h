/* Exceptions: a page fault may be part of the plan, any other ends the program that raised it. */
#ifndef TINYOS_FAULT_H
#define TINYOS_FAULT_H

/* Takes over the exceptions that programs can raise. */
void fault_init(void);

#endif
