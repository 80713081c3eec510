/* The 16550A UART's registers (National Semiconductor PC16550D data sheet), for the runtime that
   drives one and for the hypervisor that emulates one. */
#ifndef SPEC_UART_H
#define SPEC_UART_H

/* Offsets from the base port; with LCR_DLAB set, 0 and 1 are the divisor. */
#define UART_RBR 0 /* read */
#define UART_THR 0 /* write */
#define UART_IER 1
#define UART_IIR 2 /* read */
#define UART_FCR 2 /* write */
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7
#define UART_DLL 0
#define UART_DLM 1
#define UART_PORTS 8

#define UART_COM1 0x3f8 /* the first of a PC's, at I/O port */

#define UART_IER_RX   0x01
#define UART_IER_THRE 0x02
#define UART_IER_LINE 0x04
#define UART_IER_MODEM 0x08

#define UART_IIR_NONE	 0x01
#define UART_IIR_MODEM	 0x00
#define UART_IIR_THRE	 0x02
#define UART_IIR_RX	 0x04
#define UART_IIR_LINE	 0x06
#define UART_IIR_TIMEOUT 0x0c
#define UART_IIR_FIFO	 0xc0

#define UART_FCR_ENABLE	  0x01
#define UART_FCR_CLEAR_RX 0x02
#define UART_FCR_CLEAR_TX 0x04
#define UART_FCR_TRIGGER  0xc0 /* 1, 4, 8 or 14 bytes */

#define UART_LCR_8N1  0x03
#define UART_LCR_BREAK 0x40
#define UART_LCR_DLAB 0x80

#define UART_MCR_DTR  0x01
#define UART_MCR_RTS  0x02
#define UART_MCR_OUT1 0x04
#define UART_MCR_OUT2 0x08 /* lets the interrupt out of the chip on a PC */
#define UART_MCR_LOOP 0x10

#define UART_LSR_DATA	 0x01
#define UART_LSR_OVERRUN 0x02
#define UART_LSR_BREAK	 0x10
#define UART_LSR_THRE	 0x20
#define UART_LSR_TEMT	 0x40

#define UART_MSR_DCTS 0x01 /* changes since the last read */
#define UART_MSR_DDSR 0x02
#define UART_MSR_TERI 0x04
#define UART_MSR_DDCD 0x08
#define UART_MSR_CTS 0x10
#define UART_MSR_DSR 0x20
#define UART_MSR_RI  0x40
#define UART_MSR_DCD 0x80

#define UART_FIFO_BYTES 16
#define UART_CLOCK_BAUD 115200 /* bits per second at divisor 1 */

#endif
