/* Keeps the number in the clock's alarm time: three bytes of CMOS memory that no checksum covers, that survive
   a reset, and that mean nothing while the alarm's interrupt is off. */
#include "runtime/harness_resume.h"

#include "runtime/boot.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cmos.h"

#define GUARD 0xa5 /* so that a real alarm time is not taken for a number */

static bool on;

static uint8_t cmos_read(uint8_t index)
{
	out8(CMOS_INDEX, index);
	return in8(CMOS_DATA);
}

static void cmos_write(uint8_t index, uint8_t value)
{
	out8(CMOS_INDEX, index);
	out8(CMOS_DATA, value);
}

unsigned int harness_resume_init(void)
{
	uint8_t low, high;
	char word[8] = "";

	boot_word(boot.cmdline, "resume", word, sizeof(word));
	on = strcmp(word, "on") == 0;
	if (!on)
		return 0;
	low = cmos_read(RTC_SECONDS_ALARM);
	high = cmos_read(RTC_MINUTES_ALARM);
	if (cmos_read(RTC_HOURS_ALARM) != (uint8_t)(low ^ high ^ GUARD))
		return 0;
	return low | (unsigned int)high << 8;
}

void harness_resume_mark(unsigned int number)
{
	uint8_t low = (uint8_t)number, high = (uint8_t)(number >> 8);

	if (!on)
		return;
	cmos_write(RTC_SECONDS_ALARM, low);
	cmos_write(RTC_MINUTES_ALARM, high);
	cmos_write(RTC_HOURS_ALARM, low ^ high ^ GUARD);
}
