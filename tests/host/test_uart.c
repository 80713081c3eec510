/* The 16550A against its data sheet.
   Links: kernel/dev/uart.c
*/
#include "tests/host/tap.h"

#include "kernel/dev/uart.h"
#include "runtime/errno.h"

static struct uart uart;
static uint8_t sent[64];
static unsigned int sent_count;

static void collect(struct uart *from, uint8_t byte)
{
	if (from == &uart && sent_count < sizeof(sent))
		sent[sent_count++] = byte;
}

/* After a reset, 8n1, with the interrupts of ier let out. */
static void reset(uint8_t ier)
{
	sent_count = 0;
	uart_init(&uart, collect);
	uart_write(&uart, UART_LCR, UART_LCR_8N1);
	uart_write(&uart, UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	uart_read(&uart, UART_MSR);
	uart_write(&uart, UART_IER, ier);
}

static uint8_t iir(void)
{
	return uart_read(&uart, UART_IIR) & 0x0f;
}

static void registers_hold(void)
{
	reset(0);
	for (unsigned int value = 0; value < 256; value++) {
		uart_write(&uart, UART_SCR, (uint8_t)value);
		CHECK_EQ(uart_read(&uart, UART_SCR), value);
	}
	uart_write(&uart, UART_IER, 0xff);
	CHECK_EQ(uart_read(&uart, UART_IER), 0x0f);
	uart_write(&uart, UART_LCR, UART_LCR_8N1 | UART_LCR_DLAB);
	uart_write(&uart, UART_DLL, 0x0c);
	uart_write(&uart, UART_DLM, 0x01);
	CHECK_EQ(uart_read(&uart, UART_DLL), 0x0c);
	CHECK_EQ(uart_read(&uart, UART_DLM), 0x01);
	CHECK_EQ(sent_count, 0);
	uart_write(&uart, UART_LCR, UART_LCR_8N1);
	CHECK_EQ(uart_read(&uart, UART_IER), 0x0f);
	CHECK_EQ(uart_read(&uart, UART_LCR), UART_LCR_8N1);
	uart_write(&uart, UART_MCR, 0xff);
	CHECK_EQ(uart_read(&uart, UART_MCR), 0x1f);
	CHECK_EQ(uart_read(&uart, 8), 0);
}

static void sends(void)
{
	reset(0);
	for (unsigned int i = 0; i < 20; i++) {
		CHECK_EQ(uart_read(&uart, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
		uart_write(&uart, UART_THR, (uint8_t)(i + 'a'));
	}
	CHECK_EQ(sent_count, 20);
	CHECK_EQ(sent[19], 'a' + 19);
	CHECK(!uart_irq(&uart));
}

static void thre_interrupt(void)
{
	reset(0);
	uart_write(&uart, UART_IER, UART_IER_THRE);
	CHECK(uart_irq(&uart)); /* enabling it while empty raises it */
	CHECK_EQ(iir(), UART_IIR_THRE);
	CHECK(!uart_irq(&uart)); /* reading the IIR ended it */
	CHECK_EQ(iir(), UART_IIR_NONE);
	CHECK(uart_irq_fell(&uart));
	uart_write(&uart, UART_THR, 'x');
	CHECK(uart_irq(&uart));
	CHECK(!uart_irq_fell(&uart));
	uart_write(&uart, UART_THR, 'y'); /* without looking: the line dips */
	CHECK(uart_irq(&uart));
	CHECK(uart_irq_fell(&uart));
	uart_write(&uart, UART_IER, 0);
	CHECK(!uart_irq(&uart));
	uart_write(&uart, UART_IER, UART_IER_THRE);
	CHECK(uart_irq(&uart));
}

static void receives_one(void)
{
	reset(UART_IER_RX);
	CHECK_EQ(uart_receive(&uart, 'q'), 0);
	CHECK(uart_irq(&uart));
	CHECK_EQ(iir(), UART_IIR_RX);
	CHECK(uart_read(&uart, UART_LSR) & UART_LSR_DATA);
	CHECK_EQ(uart_read(&uart, UART_RBR), 'q');
	CHECK(!uart_irq(&uart));
	CHECK(!(uart_read(&uart, UART_LSR) & UART_LSR_DATA));
}

static void backlog_keeps_order(void)
{
	unsigned int taken = 0;

	reset(UART_IER_RX);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE);
	while (uart_receive(&uart, (uint8_t)taken) == 0)
		taken++;
	CHECK_EQ(taken, UART_BACKLOG + UART_FIFO_BYTES);
	CHECK_EQ(uart_receive(&uart, 0), -EAGAIN);
	for (unsigned int i = 0; i < taken; i++)
		CHECK_ROW(i, uart_read(&uart, UART_RBR), i & 0xff);
	CHECK(!uart_irq(&uart));
	CHECK(!(uart_read(&uart, UART_LSR) & UART_LSR_OVERRUN));
}

static void triggers(void)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	for (unsigned int i = 0; i < ARRAY_SIZE(levels); i++) {
		reset(UART_IER_RX);
		uart_write(&uart, UART_FCR, (uint8_t)(UART_FCR_ENABLE | i << 6));
		CHECK_ROW(i, uart_read(&uart, UART_IIR), UART_IIR_FIFO | UART_IIR_NONE);
		for (unsigned int n = 1; n < levels[i]; n++) {
			uart_receive(&uart, 'a');
			CHECK_ROW(i, iir(), UART_IIR_TIMEOUT);
		}
		uart_receive(&uart, 'a');
		CHECK_ROW(i, iir(), UART_IIR_RX);
		CHECK_ROW(i, uart_irq(&uart), true);
	}
}

static void fifo_control_clears(void)
{
	reset(UART_IER_RX);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE);
	uart_receive(&uart, 'a');
	uart_write(&uart, UART_FCR,
		UART_FCR_CLEAR_RX); /* counts only with the enable bit; turns it off */
	CHECK_EQ(uart_read(&uart, UART_IIR), UART_IIR_NONE);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE);
	uart_receive(&uart, 'b');
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
	CHECK(!(uart_read(&uart, UART_LSR) & UART_LSR_DATA));
	CHECK(!uart_irq(&uart));
}

static void interrupts_have_priorities(void)
{
	reset(UART_IER_RX | UART_IER_THRE | UART_IER_LINE | UART_IER_MODEM);
	uart_write(&uart, UART_MCR, UART_MCR_LOOP);
	uart_read(&uart, UART_MSR);
	uart_write(&uart, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS);
	uart_write(&uart, UART_THR, 'a');
	uart_write(&uart, UART_THR, 'b'); /* overrun: no FIFO */
	CHECK_EQ(iir(), UART_IIR_LINE);
	CHECK_EQ(uart_read(&uart, UART_LSR),
		UART_LSR_DATA | UART_LSR_OVERRUN | UART_LSR_THRE | UART_LSR_TEMT);
	CHECK_EQ(iir(), UART_IIR_RX);
	CHECK_EQ(uart_read(&uart, UART_RBR), 'a');
	CHECK_EQ(iir(), UART_IIR_THRE);
	CHECK_EQ(iir(), UART_IIR_MODEM);
	CHECK_EQ(uart_read(&uart, UART_MSR), UART_MSR_DCTS | UART_MSR_CTS);
	CHECK_EQ(iir(), UART_IIR_NONE);
	CHECK_EQ(sent_count, 0);
}

static void loopback(void)
{
	reset(0);
	uart_write(&uart, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	CHECK_EQ(uart_read(&uart, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	uart_write(&uart, UART_FCR, UART_FCR_ENABLE);
	CHECK_EQ(uart_receive(&uart, 'z'), 0); /* the line is cut off: it waits */
	uart_write(&uart, UART_THR, 'a');
	CHECK_EQ(uart_read(&uart, UART_RBR), 'a');
	CHECK(!(uart_read(&uart, UART_LSR) & UART_LSR_DATA));
	uart_write(&uart, UART_IER, UART_IER_THRE);
	CHECK(!uart_irq(&uart)); /* OUT2 is held off */
	uart_write(&uart, UART_LCR, UART_LCR_8N1 | UART_LCR_BREAK);
	CHECK(uart_read(&uart, UART_LSR) & UART_LSR_BREAK);
	CHECK_EQ(uart_read(&uart, UART_RBR), 0);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	CHECK(uart_irq(&uart));
	CHECK_EQ(uart_read(&uart, UART_RBR), 'z');
	CHECK_EQ(sent_count, 0);
}

static void out2_gates(void)
{
	reset(UART_IER_RX);
	uart_write(&uart, UART_MCR, UART_MCR_DTR);
	uart_receive(&uart, 'a');
	CHECK(!uart_irq(&uart));
	CHECK_EQ(iir(), UART_IIR_RX);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2);
	CHECK(uart_irq(&uart));
}

TAP_MAIN(TAP_TEST(registers_hold), TAP_TEST(sends), TAP_TEST(thre_interrupt),
	TAP_TEST(receives_one), TAP_TEST(backlog_keeps_order), TAP_TEST(triggers),
	TAP_TEST(fifo_control_clears), TAP_TEST(interrupts_have_priorities), TAP_TEST(loopback),
	TAP_TEST(out2_gates))
