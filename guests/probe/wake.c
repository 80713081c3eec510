/* Programs the 8259 pair and the 8254 for one interrupt. Who waits for it is table.c's. */
#include "guests/probe/wake.h"

#include "runtime/x86.h"
#include "spec/pic.h"
#include "spec/pit.h"

#define COUNT          (PIT_HZ / 50)
#define PIT_MODE_RATE  2
#define ALL_MASKED     0xff
#define TIMER_UNMASKED 0xfe

static void write_pics(uint8_t master_mask)
{
	static const struct {
		uint16_t port;
		uint8_t value;
	} words[] = {
		{ PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_IC4 },
		{ PIC_MASTER_DATA, WAKE_VECTOR },
		{ PIC_MASTER_DATA, BIT(PIC_CASCADE) },
		{ PIC_MASTER_DATA, PIC_ICW4_UPM },
		{ PIC_SLAVE_COMMAND, PIC_ICW1 | PIC_ICW1_IC4 },
		{ PIC_SLAVE_DATA, WAKE_VECTOR + 8 },
		{ PIC_SLAVE_DATA, PIC_CASCADE },
		{ PIC_SLAVE_DATA, PIC_ICW4_UPM },
		{ PIC_SLAVE_DATA, ALL_MASKED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		out8(words[i].port, words[i].value);
	out8(PIC_MASTER_DATA, master_mask);
}

void wake_arm_periodic(uint16_t count)
{
	out8(PIT_CONTROL, PIT_RW_BOTH << PIT_RW_SHIFT | PIT_MODE_RATE << PIT_MODE_SHIFT);
	out8(PIT_CHANNEL_0, count & 0xff);
	out8(PIT_CHANNEL_0, count >> 8);
	write_pics(TIMER_UNMASKED);
}

/* Mode 0 starts with OUT low, so the edge is still to come when the 8259 is initialised. */
void wake_arm(void)
{
	out8(PIT_CONTROL, PIT_RW_BOTH << PIT_RW_SHIFT);
	out8(PIT_CHANNEL_0, COUNT & 0xff);
	write_pics(TIMER_UNMASKED);
	out8(PIT_CHANNEL_0, COUNT >> 8);
}

/* Ends what is in service: initialising does not forget that everywhere (KVM). */
void wake_disarm(void)
{
	out8(PIC_MASTER_COMMAND, PIC_OCW2_EOI);
	write_pics(ALL_MASKED);
}
