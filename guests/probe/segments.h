/* The probe's own segments and gates, which code at CPL 3 may ask for: what it then gets depends on
   its privilege. They follow those of runtime/segments.h. Also read by the assembler. */
#ifndef PROBE_SEGMENTS_H
#define PROBE_SEGMENTS_H

#define SELECTOR_CONFORMING64 0x48 /* code that runs at the CPL of whoever jumps there */
#define SELECTOR_CONFORMING32 0x50
#define SELECTOR_CALL_GATE    0x58 /* to CPL 0; two entries long in IA-32e mode */
#define SELECTOR_TASK_GATE    0x68 /* outside IA-32e mode only, and the next */
#define SELECTOR_TASK         0x70 /* a task-state segment */
#define SELECTOR_PROBE_END    0x68 /* of the table in IA-32e mode */

#define DESCRIPTOR_CONFORMING64 0x00af9e000000ffff
#define DESCRIPTOR_CONFORMING32 0x00cf9e000000ffff

/* A call gate that CPL 3 may use ("Call-Gate Descriptors"), without offset and selector. */
#define DESCRIPTOR_CALL_GATE 0x0000ec0000000000
#define DESCRIPTOR_TASK_GATE 0x0000e50000000000

#endif
