/* Instructions that read the machine, and that a monitor may make exit. None of them differs by
   design. The others are program.c's. */
#include "guests/probe/maker.h"

#include "spec/cpu.h"
#include "spec/cpuid.h"

static void make_cpuid(struct maker *m)
{
	maker_put_load(m, RAX, maker_below(m, 2) ? 0 : CPUID_EXT_BRAND + maker_below(m, 3));
	PUT(m, 0x0f, 0xa2); /* CPUID */
}

static void make_in_pic(struct maker *m)
{
	PUT(m, 0xe4, 0x21); /* in $0x21, %al */
}

static void make_out_delay(struct maker *m)
{
	PUT(m, 0xe6, 0x80); /* out %al, $0x80 */
}

static void make_in_nowhere(struct maker *m)
{
	maker_put_load(m, RDX, NO_PORT);
	maker_put(m, 0xec | maker_below(m, 2), 1); /* in %dx */
}

static void make_ins(struct maker *m)
{
	maker_put_load(m, RDX, NO_PORT);
	maker_put_load(m, RDI, maker_data_address(m));
	maker_put_load(m, RCX, maker_below(m, 80));
	maker_put(m, 0xf3, 1);
	maker_put(m, 0x6c | maker_below(m, 2), 1); /* rep ins */
}

static void make_rdmsr(struct maker *m)
{
	maker_put_load(m, RCX,
		maker_below(m, 2) ? MSR_IA32_EFER + maker_below(m, 5)
				  : MSR_IA32_SYSENTER_CS + maker_below(m, 3));
	PUT(m, 0x0f, 0x32); /* RDMSR */
}

static void make_wrmsr(struct maker *m)
{
	maker_put_load(m, RCX, MSR_IA32_LSTAR + maker_below(m, 3));
	maker_put_load(m, RDX, 0);
	PUT(m, 0x0f, 0x30); /* WRMSR: LSTAR, CSTAR, FMASK */
}

static void make_from_cr(struct maker *m)
{
	PUT(m, 0x0f, 0x20);
	maker_put_registers(m, maker_below(m, 2) ? 0 : 4, maker_gpr(m)); /* from CR0 or CR4 */
}

static void make_show_tables(struct maker *m)
{
	PUT(m, 0x0f, 0x01);
	maker_put_memory(
		m, (uint8_t)(maker_below(m, 2) ? 4 : maker_below(m, 2))); /* SMSW, SGDT, SIDT */
}

static void make_show_selector(struct maker *m)
{
	PUT(m, 0x0f, 0x00);
	maker_put_registers(m, (uint8_t)maker_below(m, 2), maker_gpr(m)); /* SLDT, STR */
}

static void make_look_up(struct maker *m)
{
	maker_put_load(m, RCX, maker_below(m, 0x50));
	PUT(m, 0x0f);
	maker_put(m, 2 + maker_below(m, 2), 1); /* LAR, LSL */
	maker_put_registers(m, maker_gpr(m), RCX);
}

static void make_clts(struct maker *m)
{
	PUT(m, 0x0f, 0x06); /* CLTS */
}

static void make_from_segment(struct maker *m)
{
	PUT(m, 0x8c);
	maker_put_registers(
		m, (uint8_t)maker_below(m, 6), maker_gpr(m)); /* from a segment register */
}

static void make_from_dr(struct maker *m)
{
	PUT(m, 0x0f, 0x21);
	maker_put_registers(m, (uint8_t)(maker_below(m, 2) ? 7 : maker_below(m, 4)),
		maker_gpr(m)); /* from a DR */
}

/* Those that a monitor passes over: they exit, and no register tells of it. */
static void make_passed_over(struct maker *m)
{
	if (m->is_user) /* they fault there */
		PUT(m, 0x90);
	else if (maker_below(m, 3))
		PUT(m, 0x0f, 0x09); /* WBINVD */
	else
		PUT(m, 0x0f, 0x20, 0xe0, 0x0f, 0x22, 0xe0); /* CR4 to RAX and back */
}

/* Each as likely as the others. answered: only a monitor that emulates it can let its guest go on.
 */
static const struct {
	void (*make)(struct maker *m);
	bool answered;
} makers[] = {
	{ make_cpuid, true },
	{ make_in_pic, true },
	{ make_out_delay, true },
	{ make_in_nowhere, true },
	{ make_ins, true },
	{ make_rdmsr, true },
	{ make_wrmsr, false },
	{ make_from_cr, false },
	{ make_show_tables, false },
	{ make_show_selector, false },
	{ make_look_up, false },
	{ make_clts, true },
	{ make_from_segment, false },
	{ make_from_dr, false },
};

void maker_put_system(struct maker *m)
{
	unsigned int choice = maker_below(m, ARRAY_SIZE(makers));

	if (m->plain && makers[choice].answered)
		make_passed_over(m);
	else
		makers[choice].make(m);
}
