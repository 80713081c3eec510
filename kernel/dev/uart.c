/* A 16550A (National Semiconductor PC16550D data sheet) whose line has no speed: a byte sent has
   left at once, and the FIFO is filled from the backlog as fast as it empties. Where bytes come
   from and go to is left to the VM. */
#include "kernel/dev/uart.h"

#include "runtime/errno.h"

#define DIVISOR_RESET 1 /* 115200 bits per second */

static const uint8_t trigger_levels[] = { 1, 4, 8, 14 };

static uint8_t fifo_size(const struct uart *uart)
{
	return uart->fcr & UART_FCR_ENABLE ? UART_FIFO_BYTES : 1;
}

/* The interrupt of highest priority as the IIR names it ("Interrupt Identification Register").
   Bytes below the trigger level time out at once: more of them are not on their way. */
static uint8_t find_interrupt(const struct uart *uart)
{
	uint8_t ier = uart->ier;

	if ((ier & UART_IER_LINE) && uart->lsr)
		return UART_IIR_LINE;
	if ((ier & UART_IER_RX) && uart->fifo_count)
		return uart->fifo_count >= uart->trigger ? UART_IIR_RX : UART_IIR_TIMEOUT;
	if ((ier & UART_IER_THRE) && uart->thre_pending)
		return UART_IIR_THRE;
	if ((ier & UART_IER_MODEM) && uart->msr)
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

/* On a PC the chip's output OUT2 lets the interrupt out; loopback holds that output off. */
static void update_irq(struct uart *uart)
{
	bool gate = (uart->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;
	bool irq = gate && find_interrupt(uart) != UART_IIR_NONE;

	uart->irq_fell |= uart->irq && !irq;
	uart->irq = irq;
}

void uart_init(struct uart *uart, void (*transmit)(struct uart *uart, uint8_t byte))
{
	*uart = (struct uart){
		.divisor = DIVISOR_RESET,
		.trigger = trigger_levels[0],
		.transmit = transmit,
	};
}

/* Puts a byte into the FIFO; without room it is lost ("Line Status Register", overrun). */
static void push_fifo(struct uart *uart, uint8_t byte)
{
	if (uart->fifo_count == fifo_size(uart)) {
		uart->lsr |= UART_LSR_OVERRUN;
		return;
	}
	uart->fifo[(uart->fifo_first + uart->fifo_count) % UART_FIFO_BYTES] = byte;
	uart->fifo_count++;
}

static void clear_fifo(struct uart *uart)
{
	uart->fifo_first = 0;
	uart->fifo_count = 0;
}

static void refill_fifo(struct uart *uart)
{
	while (uart->fifo_count < fifo_size(uart) && uart->backlog_out != uart->backlog_in &&
		!(uart->mcr & UART_MCR_LOOP))
		push_fifo(uart, uart->backlog[uart->backlog_out++ % UART_BACKLOG]);
}

int uart_receive(struct uart *uart, uint8_t byte)
{
	if (uart->backlog_in - uart->backlog_out == UART_BACKLOG)
		return -EAGAIN;
	uart->backlog[uart->backlog_in++ % UART_BACKLOG] = byte;
	refill_fifo(uart);
	update_irq(uart);
	return 0;
}

static uint8_t read_data(struct uart *uart)
{
	uint8_t byte = uart->fifo[uart->fifo_first];

	if (uart->fifo_count) {
		uart->fifo_first = (uart->fifo_first + 1) % UART_FIFO_BYTES;
		uart->fifo_count--;
	}
	refill_fifo(uart);
	return byte;
}

/* Reading the IIR ends the THRE interrupt when it is the one named. */
static uint8_t read_iir(struct uart *uart)
{
	uint8_t interrupt = find_interrupt(uart);

	if (interrupt == UART_IIR_THRE)
		uart->thre_pending = false;
	return interrupt | (uart->fcr & UART_FCR_ENABLE ? UART_IIR_FIFO : 0);
}

static uint8_t read_lsr(struct uart *uart)
{
	uint8_t lsr = uart->lsr | UART_LSR_THRE | UART_LSR_TEMT;

	uart->lsr = 0;
	return lsr | (uart->fifo_count ? UART_LSR_DATA : 0);
}

/* The modem inputs: a cable with everything on, or in loopback the chip's own outputs. */
static uint8_t modem_inputs(const struct uart *uart)
{
	uint8_t mcr = uart->mcr;

	if (!(mcr & UART_MCR_LOOP))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	return (mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) | (mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
	       (mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) | (mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
}

static uint8_t read_msr(struct uart *uart)
{
	uint8_t msr = uart->msr | modem_inputs(uart);

	uart->msr = 0;
	return msr;
}

uint8_t uart_read(struct uart *uart, unsigned int offset)
{
	bool dlab = uart->lcr & UART_LCR_DLAB;
	uint8_t value = 0;

	switch (offset) {
	case UART_RBR:
		value = dlab ? (uint8_t)uart->divisor : read_data(uart);
		break;
	case UART_IER:
		return dlab ? (uint8_t)(uart->divisor >> 8) : uart->ier;
	case UART_IIR:
		value = read_iir(uart);
		break;
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		if (likely(!uart->lsr))
			return read_lsr(uart);
		value = read_lsr(uart);
		break;
	case UART_MSR:
		value = read_msr(uart);
		break;
	case UART_SCR:
		return uart->scr;
	}
	update_irq(uart);
	return value;
}

/* The byte leaves at once, so the THRE interrupt ends and comes again. */
static void write_data(struct uart *uart, uint8_t byte)
{
	if (uart->mcr & UART_MCR_LOOP)
		push_fifo(uart, byte);
	else
		uart->transmit(uart, byte);
	if (uart->thre_pending) {
		uart->thre_pending = false;
		update_irq(uart);
	}
	uart->thre_pending = true;
}

static void write_ier(struct uart *uart, uint8_t value)
{
	if (value & ~uart->ier & UART_IER_THRE)
		uart->thre_pending = true;
	uart->ier = value & (UART_IER_RX | UART_IER_THRE | UART_IER_LINE | UART_IER_MODEM);
}

/* Without the enable bit the others are not programmed; a change of it empties the FIFOs. */
static void write_fcr(struct uart *uart, uint8_t value)
{
	bool enable = value & UART_FCR_ENABLE;

	if (enable != (bool)(uart->fcr & UART_FCR_ENABLE) ||
		(enable && (value & UART_FCR_CLEAR_RX)))
		clear_fifo(uart);
	uart->fcr = enable ? value & (UART_FCR_ENABLE | UART_FCR_TRIGGER) : 0;
	uart->trigger = trigger_levels[uart->fcr / (UART_FCR_TRIGGER & -UART_FCR_TRIGGER)];
	refill_fifo(uart);
}

static void write_lcr(struct uart *uart, uint8_t value)
{
	bool starts = value & ~uart->lcr & UART_LCR_BREAK;

	uart->lcr = value;
	if (starts && (uart->mcr & UART_MCR_LOOP)) {
		push_fifo(uart, 0);
		uart->lsr |= UART_LSR_BREAK;
	}
}

/* In loopback the outputs are the inputs: note what changed ("Modem Status Register"). */
static void write_mcr(struct uart *uart, uint8_t value)
{
	uint8_t before = modem_inputs(uart), after;

	uart->mcr = value &
		    (UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP);
	after = modem_inputs(uart);
	uart->msr |= ((before ^ after) & UART_MSR_CTS ? UART_MSR_DCTS : 0) |
		     ((before ^ after) & UART_MSR_DSR ? UART_MSR_DDSR : 0) |
		     (before & ~after & UART_MSR_RI ? UART_MSR_TERI : 0) |
		     ((before ^ after) & UART_MSR_DCD ? UART_MSR_DDCD : 0);
	refill_fifo(uart);
}

static void write_divisor(struct uart *uart, unsigned int offset, uint8_t value)
{
	unsigned int shift = offset == UART_DLM ? 8 : 0;

	uart->divisor =
		(uint16_t)((uart->divisor & ~(0xffu << shift)) | (unsigned int)value << shift);
}

void uart_write(struct uart *uart, unsigned int offset, uint8_t value)
{
	if ((uart->lcr & UART_LCR_DLAB) && offset <= UART_DLM) {
		write_divisor(uart, offset, value);
		return;
	}
	switch (offset) {
	case UART_THR:
		write_data(uart, value);
		break;
	case UART_IER:
		write_ier(uart, value);
		break;
	case UART_FCR:
		write_fcr(uart, value);
		break;
	case UART_LCR:
		write_lcr(uart, value);
		break;
	case UART_MCR:
		write_mcr(uart, value);
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	}
	update_irq(uart);
}
