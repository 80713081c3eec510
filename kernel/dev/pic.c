/* The pair of 8259A interrupt controllers (Intel 8259A data sheet), each a priority resolver over
   three registers: requests (IRR), in service (ISR), masks (IMR). Who drives the inputs and when
   the guest takes an interrupt is left to the VM. */
#include "kernel/dev/pic.h"

#include "spec/pic.h"

#define NO_INPUT (-1)

enum { MASTER, SLAVE };

/* Inputs that a PC never has level-triggered: timer, keyboard, cascade; clock, coprocessor. */
static const uint8_t elcr_fixed_edge[] = {
	[MASTER] = BIT(0) | BIT(1) | BIT(PIC_CASCADE), [SLAVE] = BIT(0) | BIT(5)
};

/* The input of highest priority in mask, or NO_INPUT: the search starts after the lowest one. */
static int find_highest(const struct pic_chip *chip, uint8_t mask)
{
	unsigned int first = (chip->lowest + 1) & 7;
	unsigned int rotated = mask >> first | mask << (8 - first);

	if (!mask)
		return NO_INPUT;
	return (int)(((unsigned int)__builtin_ctz(rotated) + first) & 7);
}

/* How far input is from the highest priority, 0 ... 7. */
static unsigned int find_rank(const struct pic_chip *chip, int input)
{
	return ((unsigned int)input - chip->lowest - 1) & 7;
}

/* The request that the chip's INT output stands for, or NO_INPUT ("Interrupt Sequence", "Fully
   Nested Mode", "Special Mask Mode", "The Special Fully Nested Mode"). */
static int find_request(const struct pic *pic, unsigned int which)
{
	const struct pic_chip *chip = &pic->chip[which];
	int request = find_highest(chip, chip->irr & ~chip->imr);
	uint8_t blocking = chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
	int serving = find_highest(chip, blocking);
	bool nested = which == MASTER && (chip->icw4 & PIC_ICW4_SFNM) && request == PIC_CASCADE;

	if (request == NO_INPUT || chip->next_icw)
		return NO_INPUT;
	if (serving == NO_INPUT || find_rank(chip, request) < find_rank(chip, serving))
		return request;
	return nested && request == serving ? request : NO_INPUT;
}

static uint8_t level_triggered(const struct pic_chip *chip)
{
	return chip->icw1 & PIC_ICW1_LTIM ? 0xff : chip->elcr;
}

/* Brings what follows from the registers up to date: level-triggered requests, the slave's output
   on the master's input, the master's output. */
static void update_outputs(struct pic *pic)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(pic->chip); i++)
		pic->chip[i].irr |= pic->chip[i].lines & level_triggered(&pic->chip[i]);
	if (find_request(pic, SLAVE) != NO_INPUT)
		pic->chip[MASTER].irr |= BIT(PIC_CASCADE);
	else
		pic->chip[MASTER].irr &= (uint8_t)~BIT(PIC_CASCADE);
	pic->intr = find_request(pic, MASTER) != NO_INPUT;
}

void pic_init(struct pic *pic)
{
	*pic = (struct pic){ 0 };
	for (unsigned int i = 0; i < ARRAY_SIZE(pic->chip); i++) {
		pic->chip[i].imr = 0xff;
		pic->chip[i].lowest = PIC_SPURIOUS;
	}
}

void pic_set_irq(struct pic *pic, unsigned int irq, bool level)
{
	struct pic_chip *chip = &pic->chip[irq >> 3 & 1];
	uint8_t bit = (uint8_t)BIT(irq & 7);

	if (level == !!(chip->lines & bit))
		return;
	chip->lines ^= bit;
	if (level)
		chip->irr |= bit;
	else
		chip->irr &= ~bit;
	update_outputs(pic);
}

/* One chip's part in the acknowledge cycle; the input it names, or NO_INPUT. */
static int acknowledge_chip(struct pic *pic, unsigned int which)
{
	struct pic_chip *chip = &pic->chip[which];
	int input = find_request(pic, which);

	if (input == NO_INPUT)
		return NO_INPUT;
	chip->irr &= (uint8_t)~BIT(input);
	if (!(chip->icw4 & PIC_ICW4_AEOI))
		chip->isr |= (uint8_t)BIT(input);
	else if (chip->rotate_aeoi)
		chip->lowest = (uint8_t)input;
	return input;
}

uint8_t pic_acknowledge(struct pic *pic)
{
	unsigned int which = MASTER;
	int input = acknowledge_chip(pic, MASTER);

	if (input == PIC_CASCADE) {
		which = SLAVE;
		input = acknowledge_chip(pic, SLAVE);
	}
	update_outputs(pic);
	return pic->chip[which].base + (uint8_t)(input == NO_INPUT ? PIC_SPURIOUS : input);
}

/* ICW1 starts the initialization ("Initialization Command Words"). */
static void start_initialization(struct pic_chip *chip, uint8_t icw1)
{
	*chip = (struct pic_chip){
		.lines = chip->lines,
		.elcr = chip->elcr,
		.base = chip->base,
		.lowest = PIC_SPURIOUS,
		.icw1 = icw1,
		.next_icw = 2,
	};
}

/* OCW2: ends of interrupts and rotation ("End of Interrupt (EOI)", "Automatic Rotation"). */
static void write_ocw2(struct pic_chip *chip, uint8_t value)
{
	bool specific = value & PIC_OCW2_SL, rotate = value & PIC_OCW2_R;
	uint8_t mask = chip->special_mask ? chip->imr : 0;
	int input = specific ? value & PIC_OCW2_LEVEL : find_highest(chip, chip->isr & ~mask);

	if (value & PIC_OCW2_EOI) {
		if (input == NO_INPUT)
			return;
		chip->isr &= (uint8_t)~BIT(input);
		if (rotate)
			chip->lowest = (uint8_t)input;
	} else if (specific) {
		if (rotate)
			chip->lowest = (uint8_t)input;
	} else {
		chip->rotate_aeoi = rotate;
	}
}

static void write_ocw3(struct pic_chip *chip, uint8_t value)
{
	if (value & PIC_OCW3_ESMM)
		chip->special_mask = value & PIC_OCW3_SMM;
	if (value & PIC_OCW3_POLL)
		chip->poll = true;
	else if (value & PIC_OCW3_RR)
		chip->read_isr = value & PIC_OCW3_RIS;
}

static void write_command(struct pic_chip *chip, uint8_t value)
{
	if (value & PIC_ICW1)
		start_initialization(chip, value);
	else if (value & PIC_OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

/* ICW2 to ICW4 in their order, then the IMR. ICW3 says how the chips are wired: as on a PC. */
static void write_data(struct pic_chip *chip, uint8_t value)
{
	uint8_t after_icw3 = chip->icw1 & PIC_ICW1_IC4 ? 4 : 0;

	switch (chip->next_icw) {
	case 2:
		chip->base = value & PIC_ICW2_BASE;
		chip->next_icw = chip->icw1 & PIC_ICW1_SNGL ? after_icw3 : 3;
		break;
	case 3:
		chip->next_icw = after_icw3;
		break;
	case 4:
		chip->icw4 = value;
		chip->next_icw = 0;
		break;
	default:
		chip->imr = value;
	}
}

void pic_write(struct pic *pic, uint16_t port, uint8_t value)
{
	switch (port) {
	case PIC_MASTER_COMMAND:
		write_command(&pic->chip[MASTER], value);
		break;
	case PIC_MASTER_DATA:
		write_data(&pic->chip[MASTER], value);
		break;
	case PIC_SLAVE_COMMAND:
		write_command(&pic->chip[SLAVE], value);
		break;
	case PIC_SLAVE_DATA:
		write_data(&pic->chip[SLAVE], value);
		break;
	case PIC_MASTER_ELCR:
	case PIC_SLAVE_ELCR:
		pic->chip[port & 1].elcr = value & ~elcr_fixed_edge[port & 1];
		break;
	}
	update_outputs(pic);
}

/* The read after a poll command is an acknowledge without the CPU ("Poll Command"). */
static uint8_t read_poll(struct pic *pic, unsigned int which)
{
	int input = acknowledge_chip(pic, which);

	pic->chip[which].poll = false;
	update_outputs(pic);
	return input == NO_INPUT ? 0 : (uint8_t)(PIC_POLL_ACTIVE | (unsigned int)input);
}

uint8_t pic_read(struct pic *pic, uint16_t port)
{
	unsigned int which = port == PIC_SLAVE_COMMAND || port == PIC_SLAVE_DATA ? SLAVE : MASTER;
	const struct pic_chip *chip = &pic->chip[which];

	switch (port) {
	case PIC_MASTER_ELCR:
	case PIC_SLAVE_ELCR:
		return pic->chip[port & 1].elcr;
	}
	if (chip->poll)
		return read_poll(pic, which);
	if (port & 1)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}
