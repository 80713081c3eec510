/* The polled serial console. Lines that come in are left to who asks for them. */
#include "runtime/console.h"

#include "runtime/errno.h"
#include "runtime/spinlock.h"
#include "runtime/x86.h"
#include "spec/uart.h"

/* Reads of the line status before a silent transmitter is given up: a 16-byte FIFO at 300 baud
   takes half a second, and a port read at least half a microsecond. */
#define TRANSMIT_TRIES 1000000

static uint16_t console_port; /* 0: no console */
static unsigned int console_burst = 1; /* bytes the empty transmitter takes */
static unsigned int console_room;      /* of which are still free for sure */
static struct spinlock console_spinlock;

int console_init(uint16_t port, uint32_t baud)
{
	uint16_t divisor = (uint16_t)(UART_CLOCK_BAUD / baud);

	console_port = 0;
	out8(port + UART_SCR, 0x5a);
	if (in8(port + UART_SCR) != 0x5a)
		return -ENODEV;
	out8(port + UART_IER, 0);
	out8(port + UART_LCR, UART_LCR_DLAB | UART_LCR_8N1);
	out8(port + UART_DLL, (uint8_t)divisor);
	out8(port + UART_DLM, (uint8_t)(divisor >> 8));
	out8(port + UART_LCR, UART_LCR_8N1);
	out8(port + UART_FCR, UART_FCR_ENABLE);
	out8(port + UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
	console_burst = (in8(port + UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO ? UART_FIFO_BYTES : 1;
	console_room = 0;
	console_port = port;
	return 0;
}

uint16_t console_uart(void)
{
	return console_port;
}

static void put_byte(uint8_t byte)
{
	unsigned int tries = 0;

	if (console_room == 0) {
		while (!(in8(console_port + UART_LSR) & UART_LSR_THRE))
			if (++tries == TRANSMIT_TRIES)
				return;
		console_room = console_burst;
	}
	out8(console_port + UART_THR, byte);
	console_room--;
}

void console_write(const char *text, size_t bytes)
{
	if (console_port == 0)
		return;
	for (; bytes > 0; bytes--, text++) {
		if (*text == '\n')
			put_byte('\r');
		put_byte((uint8_t)*text);
	}
}

void console_drain(void)
{
	unsigned int tries = 0;

	if (console_port == 0)
		return;
	while (!(in8(console_port + UART_LSR) & UART_LSR_TEMT) && ++tries < TRANSMIT_TRIES)
		;
}

int console_getc(void)
{
	if (console_port == 0 || !(in8(console_port + UART_LSR) & UART_LSR_DATA))
		return -EAGAIN;
	return in8(console_port + UART_RBR);
}

void console_lock(void)
{
	spinlock_lock(&console_spinlock);
}

void console_unlock(void)
{
	spinlock_unlock(&console_spinlock);
}

void console_break_lock(void)
{
	console_spinlock = (struct spinlock){ 0 };
}
