/* Ports of a PC's chipset that whoever owns the machine must keep to itself (Intel 82371SB data
   sheet, "Register Descriptions"; PCI Local Bus Specification, "Configuration Mechanism"; ACPI),
   and the doors by which emulators are left. The reset control register is in reset.h. */
#ifndef SPEC_CHIPSET_H
#define SPEC_CHIPSET_H

#define KEYBOARD_DATA         0x60
#define KEYBOARD_COMMAND      0x64
#define KEYBOARD_RESET_CPU    0xfe /* pulses the output line that resets the CPU */
#define KEYBOARD_WRITE_OUTPUT 0xd1 /* the next data byte: bit 0 clear resets, bit 1 is A20 */

#define SYSTEM_CONTROL_A      0x92
#define SYSTEM_CONTROL_A_INIT 0x01 /* 0 to 1: resets the CPU */
#define SYSTEM_CONTROL_A_A20  0x02

#define APM_CONTROL 0xb2 /* a write makes an SMI */
#define APM_STATUS  0xb3

#define PCI_CONFIG_ADDRESS 0xcf8
#define PCI_CONFIG_DATA    0xcfc
#define PCI_CONFIG_ENABLE  0x80000000 /* of bus 0, device 0, function 0, register 0 */

/* PM1a control of the machines that Bochs and QEMU emulate; S5 is off. */
#define BOCHS_PM1A_CONTROL 0xb004
#define QEMU_PM1A_CONTROL  0x604
#define PM1_CONTROL_OFF    0x2000 /* SLP_EN, SLP_TYP 0 */

#define QEMU_DEBUG_EXIT_PORT 0xf4 /* -device isa-debug-exit,iobase=0xf4: status (value << 1) | 1   \
				   */
#define QEMU_DEBUG_EXIT_PASSED 0x10
#define QEMU_DEBUG_EXIT_FAILED 0x11
#define BOCHS_SHUTDOWN_PORT    0x8900 /* 'D' stops in the debugger, "Shutdown" ends Bochs */

#endif
