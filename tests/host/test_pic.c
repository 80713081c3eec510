/* The 8259A pair against its data sheet.
   Links: kernel/dev/pic.c
*/
#include "tests/host/tap.h"

#include "kernel/dev/pic.h"
#include "spec/pic.h"

#define NONSPECIFIC_EOI PIC_OCW2_EOI
#define SPECIFIC_EOI(n) (PIC_OCW2_EOI | PIC_OCW2_SL | (n))
#define READ_ISR        (PIC_OCW3 | PIC_OCW3_RR | PIC_OCW3_RIS)
#define READ_IRR        (PIC_OCW3 | PIC_OCW3_RR)

static struct pic pic;

/* ICW1-4 as PCs do, all inputs unmasked. */
static void initialize(uint8_t icw4_master, uint8_t icw4_slave)
{
	pic_init(&pic);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	pic_write(&pic, PIC_MASTER_DATA, 0x20);
	pic_write(&pic, PIC_MASTER_DATA, BIT(PIC_CASCADE));
	pic_write(&pic, PIC_MASTER_DATA, PIC_ICW4_UPM | icw4_master);
	pic_write(&pic, PIC_SLAVE_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	pic_write(&pic, PIC_SLAVE_DATA, 0x28);
	pic_write(&pic, PIC_SLAVE_DATA, PIC_CASCADE);
	pic_write(&pic, PIC_SLAVE_DATA, PIC_ICW4_UPM | icw4_slave);
}

static void pulse(unsigned int irq)
{
	pic_set_irq(&pic, irq, false);
	pic_set_irq(&pic, irq, true);
}

static uint8_t read_isr(uint16_t port)
{
	pic_write(&pic, port, READ_ISR);
	return pic_read(&pic, port);
}

static uint8_t read_irr(uint16_t port)
{
	pic_write(&pic, port, READ_IRR);
	return pic_read(&pic, port);
}

static void nothing_before_initialization(void)
{
	pic_init(&pic);
	pulse(0);
	CHECK(!pic_pending(&pic));
	CHECK_EQ(pic_read(&pic, PIC_MASTER_DATA), 0xff);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	pulse(1);
	CHECK(!pic_pending(&pic));
}

static void every_vector(void)
{
	for (unsigned int irq = 0; irq < PIC_IRQS; irq++) {
		if (irq == PIC_CASCADE)
			continue;
		initialize(0, 0);
		pulse(irq);
		CHECK_ROW(irq, pic_pending(&pic), true);
		CHECK_ROW(irq, pic_acknowledge(&pic), 0x20 + irq);
		CHECK_ROW(irq, pic_pending(&pic), false);
		CHECK_ROW(irq, read_isr(PIC_MASTER_COMMAND), irq < 8 ? 1 << irq : 4);
		CHECK_ROW(irq, read_isr(PIC_SLAVE_COMMAND), irq < 8 ? 0 : 1 << (irq - 8));
	}
}

static void single_chip_without_icw4(void)
{
	pic_init(&pic);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_SNGL);
	pic_write(&pic, PIC_MASTER_DATA, 0x47); /* low bits are not the base's */
	pic_write(&pic, PIC_MASTER_DATA, 0xfe); /* already the IMR */
	pulse(0);
	CHECK_EQ(pic_acknowledge(&pic), 0x40);
}

static void masks(void)
{
	initialize(0, 0);
	pic_write(&pic, PIC_MASTER_DATA, BIT(3));
	pulse(3);
	CHECK(!pic_pending(&pic));
	CHECK_EQ(read_irr(PIC_MASTER_COMMAND), BIT(3));
	pic_write(&pic, PIC_MASTER_DATA, 0);
	CHECK(pic_pending(&pic));
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	pic_write(&pic, PIC_MASTER_DATA, BIT(PIC_CASCADE)); /* the whole slave */
	pulse(9);
	CHECK(!pic_pending(&pic));
}

static void priorities_nest(void)
{
	initialize(0, 0);
	pulse(5);
	CHECK_EQ(pic_acknowledge(&pic), 0x25);
	pulse(6);
	CHECK(!pic_pending(&pic));
	pulse(9);
	CHECK(pic_pending(&pic)); /* by input 2 */
	CHECK_EQ(pic_acknowledge(&pic), 0x29);
	pulse(0);
	CHECK_EQ(pic_acknowledge(&pic), 0x20);
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	CHECK_EQ(read_isr(PIC_MASTER_COMMAND), BIT(5) | BIT(2));
	pic_write(&pic, PIC_SLAVE_COMMAND, NONSPECIFIC_EOI);
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	CHECK(!pic_pending(&pic));
	pic_write(&pic, PIC_MASTER_COMMAND, SPECIFIC_EOI(5));
	CHECK_EQ(pic_acknowledge(&pic), 0x26);
}

static void edge_needs_a_fall(void)
{
	initialize(0, 0);
	pulse(4);
	CHECK_EQ(pic_acknowledge(&pic), 0x24);
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	pic_set_irq(&pic, 4, true);
	CHECK(!pic_pending(&pic));
	pulse(4);
	CHECK(pic_pending(&pic));
}

static void level_comes_again(void)
{
	initialize(0, 0);
	pic_write(&pic, PIC_MASTER_ELCR, 0xff);
	pic_write(&pic, PIC_SLAVE_ELCR, 0xff);
	CHECK_EQ(pic_read(&pic, PIC_MASTER_ELCR), 0xf8); /* 0, 1, 2 stay edge-triggered */
	CHECK_EQ(pic_read(&pic, PIC_SLAVE_ELCR), 0xde);
	pic_set_irq(&pic, 11, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x2b);
	CHECK(!pic_pending(&pic));
	pic_write(&pic, PIC_SLAVE_COMMAND, NONSPECIFIC_EOI);
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	CHECK(pic_pending(&pic));
	pic_set_irq(&pic, 11, false);
	CHECK(!pic_pending(&pic));
}

static void spurious(void)
{
	initialize(0, 0);
	pulse(3);
	pic_set_irq(&pic, 3, false);
	CHECK(!pic_pending(&pic));
	CHECK_EQ(pic_acknowledge(&pic), 0x27);
	CHECK_EQ(read_isr(PIC_MASTER_COMMAND), 0);
}

static void slave_keeps_its_output_up(void)
{
	initialize(0, 0);
	pulse(12);
	CHECK_EQ(pic_acknowledge(&pic), 0x2c);
	pulse(8); /* of higher priority on the slave, but the master serves input 2 */
	CHECK(!pic_pending(&pic));
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	CHECK(pic_pending(&pic));
	CHECK_EQ(pic_acknowledge(&pic), 0x28);
}

static void special_fully_nested(void)
{
	initialize(PIC_ICW4_SFNM, 0);
	pulse(12);
	CHECK_EQ(pic_acknowledge(&pic), 0x2c);
	pulse(13);
	CHECK(!pic_pending(&pic));
	pulse(3);
	CHECK(!pic_pending(&pic));
	pulse(8);
	CHECK_EQ(pic_acknowledge(&pic), 0x28);
}

static void automatic_eoi(void)
{
	initialize(PIC_ICW4_AEOI, PIC_ICW4_AEOI);
	pulse(1);
	CHECK_EQ(pic_acknowledge(&pic), 0x21);
	CHECK_EQ(read_isr(PIC_MASTER_COMMAND), 0);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW2_R); /* rotate at each automatic EOI */
	pulse(1);
	CHECK_EQ(pic_acknowledge(&pic), 0x21);
	pulse(0);
	pulse(1);
	pulse(3);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	CHECK_EQ(pic_acknowledge(&pic), 0x20);
	CHECK_EQ(pic_acknowledge(&pic), 0x21);
	pic_write(&pic, PIC_MASTER_COMMAND, 0);
	CHECK(!pic.chip[0].rotate_aeoi);
}

static void rotation(void)
{
	initialize(0, 0);
	pulse(3);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW2_R | NONSPECIFIC_EOI);
	pulse(3);
	pulse(0);
	CHECK_EQ(pic_acknowledge(&pic), 0x20); /* 3 is the lowest now, 4 the highest */
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW2_R | SPECIFIC_EOI(0));
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW2_R | PIC_OCW2_SL | 5); /* set priority */
	pulse(5);
	pulse(6);
	CHECK_EQ(pic_acknowledge(&pic), 0x26);
}

static void special_mask_mode(void)
{
	initialize(0, 0);
	pulse(1);
	CHECK_EQ(pic_acknowledge(&pic), 0x21);
	pulse(6);
	CHECK(!pic_pending(&pic));
	pic_write(&pic, PIC_MASTER_DATA, BIT(1));
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW3 | PIC_OCW3_ESMM | PIC_OCW3_SMM);
	CHECK_EQ(pic_acknowledge(&pic), 0x26);
	pic_write(&pic, PIC_MASTER_COMMAND, NONSPECIFIC_EOI);
	CHECK_EQ(read_isr(PIC_MASTER_COMMAND), BIT(1)); /* a masked one is not ended */
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW3 | PIC_OCW3_ESMM);
	pulse(6);
	CHECK(!pic_pending(&pic));
}

static void poll(void)
{
	initialize(0, 0);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW3 | PIC_OCW3_POLL);
	CHECK_EQ(pic_read(&pic, PIC_MASTER_COMMAND), 0);
	pulse(4);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_OCW3 | PIC_OCW3_POLL);
	CHECK_EQ(pic_read(&pic, PIC_MASTER_COMMAND), PIC_POLL_ACTIVE | 4);
	CHECK(!pic_pending(&pic));
	CHECK_EQ(pic_read(&pic, PIC_MASTER_COMMAND), 0); /* the IRR again */
	CHECK_EQ(read_isr(PIC_MASTER_COMMAND), BIT(4));
}

static void initialization_resets(void)
{
	initialize(0, 0);
	pic_write(&pic, PIC_MASTER_DATA, 0xff);
	pulse(4);
	initialize(0, 0);
	CHECK_EQ(pic_read(&pic, PIC_MASTER_DATA), 0);
	CHECK(!pic_pending(&pic));
	pic_set_irq(&pic, 4, true);
	pic_write(&pic, PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_SNGL);
	pic_write(&pic, PIC_MASTER_DATA, 0x20);
	CHECK(!pic_pending(&pic)); /* an edge before ICW1 is forgotten */
	pulse(4);
	CHECK(pic_pending(&pic));
}

TAP_MAIN(TAP_TEST(nothing_before_initialization), TAP_TEST(every_vector),
	TAP_TEST(single_chip_without_icw4), TAP_TEST(masks), TAP_TEST(priorities_nest),
	TAP_TEST(edge_needs_a_fall), TAP_TEST(level_comes_again), TAP_TEST(spurious),
	TAP_TEST(slave_keeps_its_output_up), TAP_TEST(special_fully_nested),
	TAP_TEST(automatic_eoi), TAP_TEST(rotation), TAP_TEST(special_mask_mode), TAP_TEST(poll),
	TAP_TEST(initialization_resets))
