/* The PC's reference clocks: the 8254's and ACPI's PM timer's ports, rates and commands (Intel 8254
   data sheet; ACPI specification, "Power Management Timer"). */
#ifndef SPEC_TIMERS_H
#define SPEC_TIMERS_H

#define PIT_HZ		1193182
#define PIT_CHANNEL0	0x40
#define PIT_CHANNEL2	0x42
#define PIT_COMMAND	0x43
#define PIT_SELECT0	0x00
#define PIT_SELECT2	0x80
#define PIT_LATCH	0x00
#define PIT_LOW_HIGH	0x30
#define PIT_MODE0	0x00
#define PIT_MODE2	0x04
#define PIT_MODE3	0x06

#define PORT61		0x61 /* system control port B */
#define PORT61_GATE2	0x01
#define PORT61_SPEAKER	0x02
#define PORT61_OUT2	0x20

#define PM_TIMER_HZ	3579545

#endif
