/* The 8254 interval timer as a guest sees it, and system control port B, which gates its channel 2.
   All times are TSC ticks that the caller passes; raising IRQ 0 is left to the VM. */
#ifndef KERNEL_DEV_PIT_H
#define KERNEL_DEV_PIT_H

#include "runtime/compiler.h"
#include "spec/pit.h"

struct pit_channel {
	uint8_t control;     /* the control word's mode, BCD and access bits */
	bool counting;       /* a count was loaded and counts, or waits for the gate */
	bool waiting;        /* modes 1 and 5: no trigger since the count was written */
	bool paused;         /* the gate is low in a mode that then stops counting */
	uint32_t count;      /* the initial count being counted: 1 ... 65536 */
	uint32_t reload;     /* modes 1, 2, 3, 5: the count for the next period; 0: count */
	uint64_t start;      /* TSC at which count was loaded */
	uint64_t pause;      /* clocks counted when paused */
	uint8_t write_low;   /* first byte of a two-byte count */
	bool write_second;   /* the next byte written is the high one */
	bool read_second;    /* the next byte read is the high one */
	uint16_t latch;      /* the latched count, as its bytes are read */
	uint8_t latch_bytes; /* of it not yet read */
	bool status_latched;
	uint8_t status;
};

struct pit {
	struct pit_channel channel[PIT_CHANNELS];
	uint64_t deadline; /* TSC of OUT0's next rising edge, or UINT64_MAX */
	uint64_t tsc_hz;   /* 0 until a count is first programmed */
	uint8_t port61;    /* the bits the guest wrote */
};

void pit_init(struct pit *pit);

/* Guest IN and OUT at PIT_CHANNEL_0 ... PIT_CONTROL; now: the TSC. */
uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now);
void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now);

/* Guest IN and OUT at PORT61: gate of channel 2, speaker, refresh toggle, OUT2. */
uint8_t pit_port61_read(struct pit *pit, uint64_t now);
void pit_port61_write(struct pit *pit, uint8_t value, uint64_t now);

/* TSC of the next rising edge of OUT0; UINT64_MAX when none is coming. */
static inline uint64_t pit_deadline(const struct pit *pit)
{
	return pit->deadline;
}

/* Moves the deadline past now. */
void pit_advance(struct pit *pit, uint64_t now);

/* Has OUT0 risen since the last call? Several edges that were missed count as one: the VM pulses
   IRQ 0 once. */
static inline bool pit_update(struct pit *pit, uint64_t now)
{
	if (likely(now < pit->deadline))
		return false;
	pit_advance(pit, now);
	return true;
}

#endif
