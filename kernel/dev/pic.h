/* The pair of 8259A interrupt controllers as a guest sees it: inputs, masks, priorities, vectors.
   Who drives the inputs and when the guest takes an interrupt is left to the VM. */
#ifndef KERNEL_DEV_PIC_H
#define KERNEL_DEV_PIC_H

#include "runtime/compiler.h"

#define PIC_IRQS 16

struct pic_chip {
	uint8_t irr;    /* latched requests */
	uint8_t isr;    /* in service */
	uint8_t imr;    /* masked */
	uint8_t lines;  /* the inputs' levels */
	uint8_t elcr;   /* inputs that are level-triggered */
	uint8_t base;   /* vector of input 0 */
	uint8_t lowest; /* the input of lowest priority; the next one up has the highest */
	uint8_t icw1;
	uint8_t icw4;
	uint8_t next_icw; /* the ICW that the next data byte is: 2, 3, 4; 0: an IMR */
	bool rotate_aeoi; /* rotate priorities at an automatic EOI */
	bool special_mask;
	bool read_isr; /* a command-port read gives the ISR, not the IRR */
	bool poll;     /* the next read is a poll */
};

struct pic {
	struct pic_chip chip[2]; /* master, slave */
	bool intr;               /* the master's INTR output, kept up to date */
};

/* All inputs low and masked, as after power-on: nothing is delivered before ICW1-4. */
void pic_init(struct pic *pic);

/* Guest IN and OUT at one of the ports PIC_* of spec/pic.h. */
uint8_t pic_read(struct pic *pic, uint16_t port);
void pic_write(struct pic *pic, uint16_t port, uint8_t value);

/* Drives input irq, 0 ... PIC_IRQS - 1 but PIC_CASCADE. An edge-triggered input makes one request
   for each change from low to high, which falls with the input if it was not acknowledged yet. */
void pic_set_irq(struct pic *pic, unsigned int irq, bool level);

/* Is an interrupt waiting to be acknowledged? */
static inline bool pic_pending(const struct pic *pic)
{
	return pic->intr;
}

/* The CPU's interrupt acknowledge cycle: puts the request of highest priority in service and
   returns its vector; input 7's when there is none left (8259A data sheet, "Interrupt Sequence").
 */
uint8_t pic_acknowledge(struct pic *pic);

#endif
