/* The 16550's driver. What a line is, and what Ctrl-C means to whom, is terminal.c's. */
#include "guests/tinyos/serial.h"

#include "runtime/console.h"
#include "runtime/errno.h"
#include "runtime/panic.h"
#include "runtime/print.h"
#include "runtime/x86.h"
#include "spec/uart.h"

#include "guests/tinyos/interrupt.h"
#include "guests/tinyos/process.h"
#include "guests/tinyos/terminal.h"
#include "guests/tinyos/thread.h"

#define RING_SIZE 2048 /* bytes, a power of two */
#define WRITE_MAX 512  /* of one serial_write(); a newline becomes two bytes */

struct ring {
	unsigned int put, taken; /* bytes so far */
	uint8_t data[RING_SIZE];
};

static struct ring transmit, receive;
static uint16_t port;
static unsigned int burst; /* bytes that an empty transmitter takes */
static bool transmitting;  /* an interrupt will come when the transmitter is empty */

/* True once an interrupt has come. While none has, the driver polls: with stage2=off Trapeze passes
   the UART through to its guest, but not its interrupts. */
static bool interrupts_come;

static unsigned int ring_used(const struct ring *ring)
{
	return ring->put - ring->taken;
}

static void ring_put(struct ring *ring, uint8_t byte)
{
	ring->data[ring->put++ % RING_SIZE] = byte;
}

static uint8_t ring_take(struct ring *ring)
{
	return ring->data[ring->taken++ % RING_SIZE];
}

/* The transmitter is empty: gives it as much as it takes. */
static void fill_transmitter(void)
{
	unsigned int count = MIN(burst, ring_used(&transmit));

	transmitting = count > 0;
	while (count-- > 0)
		out8(port + UART_THR, ring_take(&transmit));
}

static void wait_empty(void)
{
	while (!(in8(port + UART_LSR) & UART_LSR_THRE))
		cpu_pause();
}

static void poll_transmitter(void)
{
	while (ring_used(&transmit) > 0) {
		wait_empty();
		fill_transmitter();
	}
}

static void take_received(void)
{
	while (in8(port + UART_LSR) & UART_LSR_DATA) {
		uint8_t byte = in8(port + UART_RBR);

		if (!terminal_interrupt(byte) && ring_used(&receive) < RING_SIZE)
			ring_put(&receive, byte);
	}
	thread_wake(&receive);
}

/* The line is edge-triggered: every cause must be gone before it can rise again. */
static void handle_interrupt(void)
{
	uint8_t cause;

	interrupts_come = true;
	while (!((cause = in8(port + UART_IIR)) & UART_IIR_NONE)) {
		switch (cause & ~UART_IIR_FIFO) {
		case UART_IIR_THRE:
			fill_transmitter();
			thread_wake(&transmit);
			break;
		case UART_IIR_RX:
		case UART_IIR_TIMEOUT:
			take_received();
			break;
		case UART_IIR_LINE:
			in8(port + UART_LSR);
			break;
		default:
			in8(port + UART_MSR);
		}
	}
}

/* The runtime has programmed the UART and started its FIFO. */
void serial_init(void)
{
	port = console_uart();
	if (port == 0)
		return;
	burst = (in8(port + UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO ? UART_FIFO_BYTES : 1;
	wait_empty();
	out8(port + UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	interrupt_enable(port & BIT(8) ? INTERRUPT_SERIAL1 : INTERRUPT_SERIAL2, handle_interrupt);
	out8(port + UART_IER, UART_IER_RX | UART_IER_THRE);
}

void serial_write(const char *text, size_t bytes)
{
	bool on = critical_enter();

	assert(bytes <= WRITE_MAX);
	while (port != 0 && RING_SIZE - ring_used(&transmit) < 2 * bytes)
		thread_wait(&transmit, THREAD_NO_DEADLINE);
	for (; port != 0 && bytes > 0; bytes--, text++) {
		if (*text == '\n')
			ring_put(&transmit, '\r');
		ring_put(&transmit, (uint8_t)*text);
	}
	if (!transmitting)
		fill_transmitter();
	if (!interrupts_come)
		poll_transmitter();
	critical_leave(on);
}

void serial_print(const char *format, ...)
{
	char text[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	serial_write(text, MIN((size_t)length, sizeof(text) - 1));
}

void serial_tick(void)
{
	uint8_t status = port != 0 ? in8(port + UART_LSR) : 0;

	if (status & UART_LSR_DATA)
		take_received();
	if ((status & UART_LSR_THRE) && transmitting) {
		fill_transmitter();
		thread_wake(&transmit);
	}
}

int serial_read(void)
{
	struct process *process = process_current();
	bool on = critical_enter();
	int result = -EAGAIN;

	while (ring_used(&receive) == 0 && !(process != NULL && process->killed))
		thread_wait(&receive, THREAD_NO_DEADLINE);
	if (ring_used(&receive) > 0)
		result = ring_take(&receive);
	critical_leave(on);
	return result;
}

void serial_flush(void)
{
	if (port != 0)
		wait_empty();
	while (ring_used(&transmit) > 0) {
		char byte = (char)ring_take(&transmit);

		if (byte != '\r') /* the console adds its own */
			console_write(&byte, 1);
	}
}

uint16_t serial_scratch_port(void)
{
	return port + UART_SCR;
}
