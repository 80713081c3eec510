/* Drives the 8259 pair: only the first chip's lines are used here. */
#include "guests/tinyos/interrupt.h"

#include "runtime/apic.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/pic.h"

#include "guests/tinyos/process.h"

#define VECTOR_BASE 0x20 /* the first vector behind the exceptions' */
#define LINES       8    /* of one chip */

static void (*handlers[LINES])(void);

void interrupt_init(void)
{
	apic_pass_pic();
	out8(PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	out8(PIC_SLAVE_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	out8(PIC_MASTER_DATA, VECTOR_BASE);
	out8(PIC_SLAVE_DATA, VECTOR_BASE + LINES);
	out8(PIC_MASTER_DATA, BIT(PIC_CASCADE));
	out8(PIC_SLAVE_DATA, PIC_CASCADE);
	out8(PIC_MASTER_DATA, PIC_ICW4_UPM);
	out8(PIC_SLAVE_DATA, PIC_ICW4_UPM);
	out8(PIC_MASTER_DATA, 0xff);
	out8(PIC_SLAVE_DATA, 0xff);
}

/* The end of interrupt comes first: the handler may switch to another thread. Line 7 is never
   enabled, so a spurious interrupt, which must not be acknowledged, does not come here. */
static void handle(struct trap_frame *frame)
{
	unsigned int line = (unsigned int)frame->vector - VECTOR_BASE;

	out8(PIC_MASTER_COMMAND, (uint8_t)(PIC_OCW2_EOI | PIC_OCW2_SL | line));
	handlers[line]();
	process_leave_kernel(frame);
}

void interrupt_enable(unsigned int line, void (*handler)(void))
{
	handlers[line] = handler;
	trap_set_handler((uint8_t)(VECTOR_BASE + line), handle);
	out8(PIC_MASTER_DATA, in8(PIC_MASTER_DATA) & (uint8_t)~BIT(line));
}
