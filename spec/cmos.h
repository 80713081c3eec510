/* The real-time clock's registers in CMOS memory (Motorola MC146818A data sheet) and a PC's ports for it. */
#ifndef SPEC_CMOS_H
#define SPEC_CMOS_H

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71
#define CMOS_NO_NMI 0x80 /* in the index: NMIs are masked */

#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS_ALARM	  0x05
#define RTC_REGISTER_B	  0x0b

#endif
