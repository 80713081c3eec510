/* The 8254 against its data sheet, with a TSC of ten ticks per clock.
   Links: kernel/dev/pit.c
*/
#include "tests/host/tap.h"

#include "kernel/dev/pit.h"
#include "runtime/clock.h"

#define TICKS 10 /* per clock of the 8254 */

static unsigned int clock_questions;
static struct pit pit;

uint64_t clock_tsc_hz(void)
{
	clock_questions++;
	return (uint64_t)PIT_HZ * TICKS;
}

static uint8_t control(unsigned int channel, unsigned int access, unsigned int mode)
{
	return (uint8_t)(channel << PIT_SELECT_SHIFT | access << PIT_RW_SHIFT |
			 mode << PIT_MODE_SHIFT);
}

/* Programs channel in mode with a 16-bit count at time now. */
static void program(unsigned int channel, unsigned int mode, uint16_t count, uint64_t now)
{
	pit_write(&pit, PIT_CONTROL, control(channel, PIT_RW_BOTH, mode), now);
	pit_write(&pit, PIT_CHANNEL_0 + channel, (uint8_t)count, now);
	pit_write(&pit, PIT_CHANNEL_0 + channel, (uint8_t)(count >> 8), now);
}

static uint16_t read_both(unsigned int channel, uint64_t now)
{
	uint8_t low = pit_read(&pit, PIT_CHANNEL_0 + channel, now);

	return (uint16_t)(low | pit_read(&pit, PIT_CHANNEL_0 + channel, now) << 8);
}

/* The status byte by the read-back command. */
static uint8_t status(unsigned int channel, uint64_t now)
{
	pit_write(&pit, PIT_CONTROL,
		(uint8_t)(PIT_SELECT | PIT_RB_NO_COUNT | PIT_RB_CHANNEL(channel)), now);
	return pit_read(&pit, PIT_CHANNEL_0 + channel, now);
}

static bool out(unsigned int channel, uint64_t now)
{
	return status(channel, now) & PIT_STATUS_OUT;
}

static void silent_until_programmed(void)
{
	pit_init(&pit);
	CHECK_EQ(pit_deadline(&pit), UINT64_MAX);
	CHECK(!pit_update(&pit, UINT64_MAX - 1));
	CHECK_EQ(read_both(0, 5), 0);
	CHECK_EQ(clock_questions, 0);
	program(0, 2, 100, 0);
	program(0, 3, 100, 0);
	CHECK_EQ(clock_questions, 1);
}

struct edge_row {
	unsigned int mode;
	uint16_t count;
	uint64_t first, second; /* clocks; 0: none */
};

static const struct edge_row edge_rows[] = {
	{ 0, 100, 100, 0 },
	{ 0, 0, 65536, 0 },
	{ 1, 100, 0, 0 }, /* no trigger on channel 0 */
	{ 2, 100, 100, 200 },
	{ 2, 0, 65536, 131072 },
	{ 3, 100, 100, 200 },
	{ 3, 101, 101, 202 },
	{ 4, 100, 101, 0 },
	{ 5, 100, 0, 0 },
	{ 6, 50, 50, 100 },
	{ 7, 50, 50, 100 },
};

static void rising_edges(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(edge_rows); i++) {
		const struct edge_row *row = &edge_rows[i];
		uint64_t first = row->first ? 1000 + row->first * TICKS : UINT64_MAX;
		uint64_t second = row->second ? 1000 + row->second * TICKS : UINT64_MAX;

		pit_init(&pit);
		program(0, row->mode, row->count, 1000);
		CHECK_ROW(i, pit_deadline(&pit), first);
		CHECK_ROW(i, pit_update(&pit, first - 1), false);
		if (first == UINT64_MAX)
			continue;
		CHECK_ROW(i, pit_update(&pit, first), true);
		CHECK_ROW(i, pit_deadline(&pit), second);
		CHECK_ROW(i, pit_update(&pit, first), false);
	}
}

static void missed_edges_are_one(void)
{
	pit_init(&pit);
	program(0, 2, 100, 0);
	CHECK(pit_update(&pit, 100 * TICKS * 7 + 5));
	CHECK(!pit_update(&pit, 100 * TICKS * 7 + 6));
	CHECK_EQ(pit_deadline(&pit), 100 * TICKS * 8);
}

static void edge_survives_reprogramming(void)
{
	pit_init(&pit);
	program(0, 0, 100, 0);
	program(0, 0, 50, 2000);
	CHECK(pit_update(&pit, 2000));
	CHECK_EQ(pit_deadline(&pit), 2000 + 50 * TICKS);
}

static void no_drift(void)
{
	uint64_t edges = 0, now = 0;

	pit_init(&pit);
	program(0, 2, 11932, 0);
	while (pit_deadline(&pit) <= (uint64_t)60 * PIT_HZ * TICKS) {
		now = pit_deadline(&pit);
		CHECK(pit_update(&pit, now));
		edges++;
	}
	CHECK_EQ(edges, (uint64_t)60 * PIT_HZ / 11932);
	CHECK_EQ(now, edges * 11932 * TICKS);
}

struct value_row {
	unsigned int mode;
	uint16_t count;
	uint64_t clocks;
	uint16_t value;
	bool out;
};

static const struct value_row value_rows[] = {
	{ 0, 10, 0, 10, false },
	{ 0, 10, 9, 1, false },
	{ 0, 10, 10, 0, true },
	{ 0, 10, 11, 0xffff, true },
	{ 0, 0, 1, 0xffff, false },
	{ 2, 10, 0, 10, true },
	{ 2, 10, 8, 2, true },
	{ 2, 10, 9, 1, false },
	{ 2, 10, 10, 10, true },
	{ 2, 10, 25, 5, true },
	{ 3, 10, 0, 10, true },
	{ 3, 10, 4, 2, true },
	{ 3, 10, 5, 10, false },
	{ 3, 10, 9, 2, false },
	{ 3, 10, 10, 10, true },
	{ 3, 11, 0, 10, true },
	{ 3, 11, 5, 0, true },
	{ 3, 11, 6, 10, false },
	{ 3, 11, 10, 2, false },
	{ 3, 11, 11, 10, true },
	{ 4, 10, 9, 1, true },
	{ 4, 10, 10, 0, false },
	{ 4, 10, 11, 0xffff, true },
};

static void values_and_output(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(value_rows); i++) {
		const struct value_row *row = &value_rows[i];
		uint64_t now = 77 + row->clocks * TICKS + TICKS / 2;

		pit_init(&pit);
		program(0, row->mode, row->count, 77);
		CHECK_ROW(i, read_both(0, now), row->value);
		CHECK_ROW(i, out(0, now), row->out);
	}
}

static void decimal(void)
{
	pit_init(&pit);
	pit_write(&pit, PIT_CONTROL, control(0, PIT_RW_BOTH, 2) | PIT_BCD, 0);
	pit_write(&pit, PIT_CHANNEL_0, 0x34, 0);
	pit_write(&pit, PIT_CHANNEL_0, 0x12, 0);
	CHECK_EQ(pit_deadline(&pit), 1234 * TICKS);
	CHECK_EQ(read_both(0, 35 * TICKS), 0x1199);
	pit_write(&pit, PIT_CONTROL, control(0, PIT_RW_BOTH, 0) | PIT_BCD, 0);
	pit_write(&pit, PIT_CHANNEL_0, 0, 0);
	pit_write(&pit, PIT_CHANNEL_0, 0, 0);
	CHECK_EQ(pit_deadline(&pit), 10000 * TICKS);
	CHECK_EQ(read_both(0, TICKS), 0x9999);
	CHECK_EQ(read_both(0, 10001 * TICKS), 0x9999);
}

static void latch_holds(void)
{
	pit_init(&pit);
	program(0, 2, 0x1234, 0);
	pit_write(&pit, PIT_CONTROL, 0, 4 * TICKS);
	pit_write(&pit, PIT_CONTROL, 0, 9 * TICKS); /* the first latch stays */
	CHECK_EQ(read_both(0, 50 * TICKS), 0x1230);
	CHECK_EQ(read_both(0, 50 * TICKS), 0x1234 - 50);
}

static void one_byte_access(void)
{
	pit_init(&pit);
	pit_write(&pit, PIT_CONTROL, control(0, PIT_RW_LOW, 2), 0);
	pit_write(&pit, PIT_CHANNEL_0, 0x20, 0);
	CHECK_EQ(pit_deadline(&pit), 0x20 * TICKS);
	CHECK_EQ(pit_read(&pit, PIT_CHANNEL_0, TICKS), 0x1f);
	CHECK_EQ(pit_read(&pit, PIT_CHANNEL_0, TICKS), 0x1f);
	pit_write(&pit, PIT_CONTROL, control(0, PIT_RW_HIGH, 2), 0);
	pit_write(&pit, PIT_CHANNEL_0, 0x20, 0);
	CHECK_EQ(pit_deadline(&pit), 0x2000 * TICKS);
	CHECK_EQ(pit_read(&pit, PIT_CHANNEL_0, TICKS), 0x1f);
}

static void read_back(void)
{
	pit_init(&pit);
	program(0, 2, 100, 0);
	program(2, 3, 60, 0);
	pit_write(&pit, PIT_CONTROL, (uint8_t)(PIT_SELECT | PIT_RB_CHANNEL(0) | PIT_RB_CHANNEL(2)),
		10 * TICKS);
	CHECK_EQ(pit_read(&pit, PIT_CHANNEL_0, 20 * TICKS),
		PIT_STATUS_OUT | PIT_RW_BOTH << PIT_RW_SHIFT | 2 << PIT_MODE_SHIFT);
	CHECK_EQ(read_both(0, 20 * TICKS), 90);
	pit_write(&pit, PIT_CONTROL, control(0, PIT_RW_BOTH, 0), 0);
	CHECK_EQ(status(0, 0), PIT_STATUS_NULL | PIT_RW_BOTH << PIT_RW_SHIFT);
}

static void new_count_waits_for_the_period(void)
{
	pit_init(&pit);
	program(0, 2, 100, 0);
	CHECK(pit_update(&pit, 100 * TICKS));
	pit_write(&pit, PIT_CHANNEL_0, 40, 130 * TICKS);
	pit_write(&pit, PIT_CHANNEL_0, 0, 130 * TICKS);
	CHECK_EQ(read_both(0, 130 * TICKS), 70);
	CHECK_EQ(pit_deadline(&pit), 200 * TICKS);
	CHECK(pit_update(&pit, 200 * TICKS));
	CHECK_EQ(pit_deadline(&pit), 240 * TICKS);
	CHECK_EQ(read_both(0, 210 * TICKS), 30);
}

static void first_byte_stops_mode_0(void)
{
	pit_init(&pit);
	program(0, 0, 100, 0);
	pit_write(&pit, PIT_CHANNEL_0, 50, 10 * TICKS);
	CHECK_EQ(pit_deadline(&pit), UINT64_MAX);
	CHECK(!out(0, 500 * TICKS));
	pit_write(&pit, PIT_CHANNEL_0, 0, 600 * TICKS);
	CHECK_EQ(pit_deadline(&pit), 650 * TICKS);
}

/* The way a kernel measures the TSC: channel 2 in mode 0, started by its gate. */
static void gate_of_channel_2(void)
{
	pit_init(&pit);
	program(2, 0, 100, 0);
	CHECK_EQ(read_both(2, 50 * TICKS), 100);
	pit_port61_write(&pit, PORT61_GATE2, 1000 * TICKS);
	CHECK(!(pit_port61_read(&pit, 1099 * TICKS) & PORT61_OUT2));
	CHECK_EQ(read_both(2, 1060 * TICKS), 40);
	pit_port61_write(&pit, 0, 1060 * TICKS);
	CHECK_EQ(read_both(2, 5000 * TICKS), 40);
	pit_port61_write(&pit, PORT61_GATE2 | PORT61_SPEAKER, 6000 * TICKS);
	CHECK(!(pit_port61_read(&pit, 6039 * TICKS) & PORT61_OUT2));
	CHECK_EQ(pit_port61_read(&pit, 6040 * TICKS) & ~PORT61_REFRESH,
		PORT61_OUT2 | PORT61_GATE2 | PORT61_SPEAKER);
	CHECK((pit_port61_read(&pit, 0) ^ pit_port61_read(&pit, 0)) & PORT61_REFRESH);
}

static void gate_triggers(void)
{
	pit_init(&pit);
	program(2, 1, 100, 0);
	CHECK(out(2, 500 * TICKS));
	CHECK(status(2, 0) & PIT_STATUS_NULL);
	pit_port61_write(&pit, PORT61_GATE2, 1000 * TICKS);
	CHECK(!out(2, 1099 * TICKS));
	CHECK(out(2, 1100 * TICKS));
	pit_port61_write(&pit, 0, 1100 * TICKS);
	pit_port61_write(&pit, PORT61_GATE2, 2000 * TICKS); /* again */
	pit_port61_write(&pit, 0, 2001 * TICKS);
	CHECK(!out(2, 2099 * TICKS));
	CHECK(out(2, 2100 * TICKS));
	program(2, 5, 100, 3000 * TICKS);
	pit_port61_write(&pit, PORT61_GATE2, 4000 * TICKS);
	CHECK(out(2, 4099 * TICKS));
	CHECK(!out(2, 4100 * TICKS));
	CHECK(out(2, 4101 * TICKS));
}

static void gate_restarts_periods(void)
{
	pit_init(&pit);
	pit_port61_write(&pit, PORT61_GATE2, 0);
	program(2, 3, 100, 0);
	CHECK(!out(2, 60 * TICKS));
	pit_port61_write(&pit, 0, 60 * TICKS);
	CHECK(out(2, 60 * TICKS));
	pit_port61_write(&pit, PORT61_GATE2, 500 * TICKS);
	CHECK(out(2, 549 * TICKS));
	CHECK(!out(2, 550 * TICKS));
}

TAP_MAIN(TAP_TEST(silent_until_programmed), TAP_TEST(rising_edges), TAP_TEST(missed_edges_are_one),
	TAP_TEST(edge_survives_reprogramming), TAP_TEST(no_drift), TAP_TEST(values_and_output),
	TAP_TEST(decimal), TAP_TEST(latch_holds), TAP_TEST(one_byte_access), TAP_TEST(read_back),
	TAP_TEST(new_count_waits_for_the_period), TAP_TEST(first_byte_stops_mode_0),
	TAP_TEST(gate_of_channel_2), TAP_TEST(gate_triggers), TAP_TEST(gate_restarts_periods))
