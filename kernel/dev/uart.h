/* A 16550A as a guest sees it, on a line without speed: bytes leave at once, and those received
   wait in a backlog behind the FIFO. Where the bytes go and come from is left to the VM. */
#ifndef KERNEL_DEV_UART_H
#define KERNEL_DEV_UART_H

#include "runtime/compiler.h"
#include "spec/uart.h"

#define UART_PORT    UART_COM1 /* where a guest finds it */
#define UART_IRQ     4
#define UART_BACKLOG 256 /* bytes; a power of two */

struct uart {
	uint8_t ier, lcr, mcr, scr;
	uint8_t lsr;     /* UART_LSR_OVERRUN and UART_LSR_BREAK; the rest is computed */
	uint8_t msr;     /* the changes, low 4 bits; the rest is computed */
	uint8_t fcr;     /* UART_FCR_ENABLE and the trigger level */
	uint8_t trigger; /* bytes in the FIFO that make UART_IIR_RX */
	uint16_t divisor;
	bool thre_pending; /* the THRE interrupt is due */
	bool irq;          /* the level of the IRQ output */
	bool irq_fell;     /* it was low in between, however short */
	uint8_t fifo[UART_FIFO_BYTES];
	uint8_t fifo_first, fifo_count;
	uint8_t backlog[UART_BACKLOG];
	uint32_t backlog_in,
		backlog_out; /* counts since the start; their difference is what waits */
	void (*transmit)(struct uart *uart, uint8_t byte); /* set by the VM before the guest runs */
};

/* As after a reset; transmit is where bytes that the guest sends go. */
void uart_init(struct uart *uart, void (*transmit)(struct uart *uart, uint8_t byte));

/* Guest IN and OUT at offset 0 ... UART_PORTS - 1. */
uint8_t uart_read(struct uart *uart, unsigned int offset);
void uart_write(struct uart *uart, unsigned int offset, uint8_t value);

/* A byte for the guest to receive. Returns 0, or -EAGAIN when the backlog is full: try later. */
int uart_receive(struct uart *uart, uint8_t byte);

/* The level of the IRQ output. */
static inline bool uart_irq(const struct uart *uart)
{
	return uart->irq;
}

/* True once after the output was low for a moment, even if it is high again: an edge-triggered
   input must then be driven low before it is driven to uart_irq(). */
static inline bool uart_irq_fell(struct uart *uart)
{
	bool fell = uart->irq_fell;

	uart->irq_fell = false;
	return fell;
}

#endif
