/* The 8254 interval timer (Intel 8254 data sheet): nothing ticks, each question is answered from
   the time since a count was loaded. The edge that a control word itself can make on OUT is left
   out. */
#include "kernel/dev/pit.h"

#include "runtime/clock.h"

enum { MODE_TERMINAL_COUNT, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_STROBE, MODE_TRIGGERED };

static unsigned int mode_of(const struct pit_channel *channel)
{
	unsigned int mode = (channel->control & PIT_MODE) >> PIT_MODE_SHIFT;

	return mode > MODE_TRIGGERED ? mode & MODE_SQUARE : mode; /* 6 and 7 are 2 and 3 */
}

static unsigned int access_of(const struct pit_channel *channel)
{
	return (channel->control & PIT_RW) >> PIT_RW_SHIFT;
}

/* Modes whose count is reloaded at its end. */
static bool is_periodic(const struct pit_channel *channel)
{
	return mode_of(channel) == MODE_RATE || mode_of(channel) == MODE_SQUARE;
}

/* Modes in which only a rising gate starts the count. */
static bool is_triggered(const struct pit_channel *channel)
{
	return mode_of(channel) == MODE_ONE_SHOT || mode_of(channel) == MODE_TRIGGERED;
}

static bool gate_of(const struct pit *pit, const struct pit_channel *channel)
{
	return channel != &pit->channel[2] || (pit->port61 & PORT61_GATE2);
}

/* The least number of TSC ticks in which `clocks` clocks of the 8254 pass. */
static uint64_t ticks_of(const struct pit *pit, uint64_t clocks)
{
	uint64_t ticks = clock_scale(clocks, pit->tsc_hz, PIT_HZ);

	return clock_scale(ticks, PIT_HZ, pit->tsc_hz) < clocks ? ticks + 1 : ticks;
}

/* Clocks that the channel has counted since its count was loaded. */
static uint64_t clocks_counted(
	const struct pit *pit, const struct pit_channel *channel, uint64_t now)
{
	if (channel->paused)
		return channel->pause;
	return now > channel->start ? clock_scale(now - channel->start, PIT_HZ, pit->tsc_hz) : 0;
}

/* Takes a new count of a periodic mode into use once the period it was written in is over. */
static void settle(struct pit *pit, struct pit_channel *channel, uint64_t now)
{
	if (!channel->reload || !channel->counting || !is_periodic(channel) || channel->paused)
		return;
	if (clocks_counted(pit, channel, now) < channel->count)
		return;
	channel->start += ticks_of(pit, channel->count);
	channel->count = channel->reload;
	channel->reload = 0;
}

/* OUT after `clocks` clocks ("Mode Definitions"). */
static bool output_of(const struct pit *pit, const struct pit_channel *channel, uint64_t now)
{
	uint64_t clocks, count = channel->count;

	if (!channel->counting)
		return mode_of(channel) != MODE_TERMINAL_COUNT;
	clocks = clocks_counted(pit, channel, now);
	switch (mode_of(channel)) {
	case MODE_RATE:
		return channel->paused || clocks % count != count - 1;
	case MODE_SQUARE:
		return channel->paused || clocks % count < (count + 1) / 2;
	case MODE_STROBE:
	case MODE_TRIGGERED:
		return clocks != count;
	default:
		return clocks >= count;
	}
}

/* The counting element in mode 3, which goes down by two: twice through for each period; an odd
   count starts one lower, and its first half is one clock longer. */
static uint64_t count_square(uint64_t count, uint64_t clocks)
{
	uint64_t first = (count + 1) / 2, position = clocks % count;

	return (count & ~UINT64_C(1)) - 2 * (position < first ? position : position - first);
}

/* What the guest reads: the counting element, in BCD if so programmed. */
static uint16_t value_of(const struct pit *pit, const struct pit_channel *channel, uint64_t now)
{
	uint64_t clocks, value, modulus = channel->control & PIT_BCD ? 10000 : 65536;

	if (!channel->counting)
		return 0;
	clocks = clocks_counted(pit, channel, now);
	if (mode_of(channel) == MODE_SQUARE)
		value = count_square(channel->count, clocks);
	else if (mode_of(channel) == MODE_RATE)
		value = channel->count - clocks % channel->count;
	else
		value = channel->count + modulus - clocks % modulus;
	value %= modulus;
	if (modulus == 65536)
		return (uint16_t)value;
	return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
			  value % 10);
}

/* TSC of OUT's first rising edge after now, or UINT64_MAX. */
static uint64_t next_edge(const struct pit *pit, const struct pit_channel *channel, uint64_t now)
{
	uint64_t clocks, edge = channel->count;

	if (!channel->counting || channel->paused)
		return UINT64_MAX;
	clocks = clocks_counted(pit, channel, now);
	if (is_periodic(channel))
		edge = (clocks / channel->count + 1) * channel->count;
	else if (mode_of(channel) == MODE_STROBE || mode_of(channel) == MODE_TRIGGERED)
		edge++;
	return clocks < edge ? channel->start + ticks_of(pit, edge) : UINT64_MAX;
}

void pit_advance(struct pit *pit, uint64_t now)
{
	settle(pit, &pit->channel[0], now);
	pit->deadline = next_edge(pit, &pit->channel[0], now);
}

/* After a change to channel 0: an edge that has come but was not reported yet stays. */
static void update_deadline(struct pit *pit, uint64_t now)
{
	if (pit->deadline > now)
		pit_advance(pit, now);
}

void pit_init(struct pit *pit)
{
	*pit = (struct pit){ .deadline = UINT64_MAX };
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		pit->channel[i].control = PIT_RW_BOTH << PIT_RW_SHIFT;
}

/* A count as written: 0 stands for the greatest one. */
static uint32_t decode_count(const struct pit_channel *channel, uint16_t raw)
{
	if (!(channel->control & PIT_BCD))
		return raw ? raw : 65536;
	if (!raw)
		return 10000;
	return (raw >> 12 & 15) * 1000u + (raw >> 8 & 15) * 100u + (raw >> 4 & 15) * 10u +
	       (raw & 15);
}

static void start_count(struct pit *pit, struct pit_channel *channel, uint32_t count, uint64_t now)
{
	channel->count = count;
	channel->reload = 0;
	channel->start = now;
	channel->counting = true;
	channel->waiting = false;
	channel->pause = 0;
	channel->paused = !is_triggered(channel) && !gate_of(pit, channel);
}

/* A whole count was written. */
static void load_count(struct pit *pit, struct pit_channel *channel, uint16_t raw, uint64_t now)
{
	uint32_t count = decode_count(channel, raw);

	if (!pit->tsc_hz)
		pit->tsc_hz = clock_tsc_hz();
	if (is_triggered(channel)) {
		channel->reload = count;
		channel->waiting = true;
	} else if (is_periodic(channel) && channel->counting) {
		uint64_t clocks = clocks_counted(pit, channel, now);

		if (!channel->paused)
			channel->start += ticks_of(pit, clocks - clocks % channel->count);
		channel->reload = count;
	} else {
		start_count(pit, channel, count, now);
	}
}

static void write_count(struct pit *pit, struct pit_channel *channel, uint8_t value, uint64_t now)
{
	switch (access_of(channel)) {
	case PIT_RW_LOW:
		load_count(pit, channel, value, now);
		break;
	case PIT_RW_HIGH:
		load_count(pit, channel, (uint16_t)(value << 8), now);
		break;
	default:
		channel->write_second = !channel->write_second;
		if (channel->write_second) {
			channel->write_low = value;
			if (mode_of(channel) == MODE_TERMINAL_COUNT)
				channel->counting = false;
		} else {
			load_count(pit, channel, (uint16_t)(value << 8 | channel->write_low), now);
		}
	}
}

static void latch_count(const struct pit *pit, struct pit_channel *channel, uint64_t now)
{
	if (channel->latch_bytes)
		return; /* the first one stays until it was read */
	channel->latch = value_of(pit, channel, now);
	channel->latch_bytes = access_of(channel) == PIT_RW_BOTH ? 2 : 1;
	channel->read_second = false;
}

static void latch_status(const struct pit *pit, struct pit_channel *channel, uint64_t now)
{
	if (channel->status_latched)
		return;
	channel->status = channel->control & (PIT_RW | PIT_MODE | PIT_BCD);
	if (output_of(pit, channel, now))
		channel->status |= PIT_STATUS_OUT;
	if (!channel->counting || channel->reload || channel->waiting)
		channel->status |= PIT_STATUS_NULL;
	channel->status_latched = true;
}

static void read_back(struct pit *pit, uint8_t command, uint64_t now)
{
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		if (!(command & PIT_RB_CHANNEL(i)))
			continue;
		settle(pit, &pit->channel[i], now);
		if (!(command & PIT_RB_NO_COUNT))
			latch_count(pit, &pit->channel[i], now);
		if (!(command & PIT_RB_NO_STATUS))
			latch_status(pit, &pit->channel[i], now);
	}
}

static void write_control(struct pit *pit, uint8_t value, uint64_t now)
{
	unsigned int select = (value & PIT_SELECT) >> PIT_SELECT_SHIFT;
	struct pit_channel *channel;

	if (select == PIT_READ_BACK) {
		read_back(pit, value, now);
		return;
	}
	channel = &pit->channel[select];
	settle(pit, channel, now);
	if ((value & PIT_RW) >> PIT_RW_SHIFT == PIT_RW_LATCH)
		latch_count(pit, channel, now);
	else
		*channel = (struct pit_channel){ .control = value & (PIT_RW | PIT_MODE | PIT_BCD) };
}

void pit_write(struct pit *pit, uint16_t port, uint8_t value, uint64_t now)
{
	unsigned int number = port - PIT_CHANNEL_0;

	if (port == PIT_CONTROL) {
		write_control(pit, value, now);
	} else if (number < PIT_CHANNELS) {
		settle(pit, &pit->channel[number], now);
		write_count(pit, &pit->channel[number], value, now);
	}
	update_deadline(pit, now);
}

/* One byte of a latched or live count, low before high. */
static uint8_t read_count(struct pit *pit, struct pit_channel *channel, uint64_t now)
{
	uint16_t value = channel->latch_bytes ? channel->latch : value_of(pit, channel, now);
	bool high = access_of(channel) == PIT_RW_HIGH;

	if (access_of(channel) == PIT_RW_BOTH) {
		high = channel->read_second;
		channel->read_second = !channel->read_second;
	}
	if (channel->latch_bytes)
		channel->latch_bytes--;
	return (uint8_t)(high ? value >> 8 : value);
}

uint8_t pit_read(struct pit *pit, uint16_t port, uint64_t now)
{
	unsigned int number = port - PIT_CHANNEL_0;
	struct pit_channel *channel;

	if (number >= PIT_CHANNELS)
		return 0xff; /* the control word cannot be read */
	channel = &pit->channel[number];
	settle(pit, channel, now);
	if (channel->status_latched) {
		channel->status_latched = false;
		return channel->status;
	}
	return read_count(pit, channel, now);
}

/* A change of the gate ("Gate Pin Operations Summary"). */
static void set_gate(struct pit *pit, struct pit_channel *channel, bool level, uint64_t now)
{
	bool restart = is_periodic(channel) || is_triggered(channel);

	if (level && restart && (channel->counting || channel->waiting)) {
		start_count(pit, channel, channel->reload ? channel->reload : channel->count, now);
	} else if (level && channel->paused) {
		channel->paused = false;
		channel->start = now - ticks_of(pit, channel->pause);
	} else if (!level && channel->counting && !is_triggered(channel)) {
		channel->pause = clocks_counted(pit, channel, now);
		channel->paused = true;
	}
}

uint8_t pit_port61_read(struct pit *pit, uint64_t now)
{
	uint8_t value = pit->port61;

	settle(pit, &pit->channel[2], now);
	if (output_of(pit, &pit->channel[2], now))
		value |= PORT61_OUT2;
	pit->port61 ^= PORT61_REFRESH; /* every look finds it changed */
	return value;
}

void pit_port61_write(struct pit *pit, uint8_t value, uint64_t now)
{
	uint8_t before = pit->port61, writable = PORT61_GATE2 | PORT61_SPEAKER;

	settle(pit, &pit->channel[2], now);
	pit->port61 = (value & writable) | (before & ~writable);
	if ((before ^ value) & PORT61_GATE2)
		set_gate(pit, &pit->channel[2], value & PORT61_GATE2, now);
}
