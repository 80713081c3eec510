/* Attempts to take the machine over, each a few steps from a table: to turn virtualization on, to
   change the clock, to disable caches, to send INIT, NMI and SMI, to reset or leave the machine. To
   keep the CPU is sweep_loop.c's. */
#include "guests/probe/sweep_step.h"

#include "runtime/x86.h"
#include "spec/apic.h"
#include "spec/chipset.h"
#include "spec/cmos.h"
#include "spec/pic.h"
#include "spec/pit.h"
#include "spec/reset.h"
#include "spec/uart.h"

#define ONES8            UINT8_MAX
#define ONES32           UINT32_MAX
#define VMXON_REGION     4096

/* Virtualization. */
static uint64_t set_vmxe(void)
{
	write_cr4(read_cr4() | CR4_VMXE);
	return 0;
}

static uint64_t execute_vmxon(void)
{
	static uint8_t region[VMXON_REGION] __aligned(VMXON_REGION);
	uint64_t address = (uintptr_t)region;

	__asm__ volatile("vmxon %0" : : "m"(address) : "cc", "memory");
	return 0;
}

static uint64_t execute_vmclear(void)
{
	uint64_t address = PAGE_SIZE;

	__asm__ volatile("vmclear %0" : : "m"(address) : "cc", "memory");
	return 0;
}

static uint64_t execute_vmrun(void)
{
	__asm__ volatile("vmrun" : : "a"(PAGE_SIZE) : "memory");
	return 0;
}

static uint64_t execute_clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
	return 0;
}

static const struct step vmx_on[] = {
	{ "cr4_vmxe", DO(set_vmxe), .fault = VECTOR_GP },
	{ "feature_control", FROM(READ_MSR, MSR_IA32_FEATURE_CONTROL), .fault = VECTOR_GP },
	{ "feature_control_on", TO(WRITE_MSR, MSR_IA32_FEATURE_CONTROL, 5), .fault = VECTOR_GP },
	{ "vmx_basic", FROM(READ_MSR, MSR_IA32_VMX_BASIC), .fault = VECTOR_GP },
	{ "vmxon", DO(execute_vmxon), .fault = VECTOR_UD, .stays = true, .intel = true },
	{ "vmclear", DO(execute_vmclear), .fault = VECTOR_UD, .stays = true, .intel = true },
};

static const struct step svm_on[] = {
	{ "efer_svme",
		TO(WRITE_MSR, MSR_IA32_EFER, EFER_SVME | EFER_NXE | EFER_LME | EFER_LMA | EFER_SCE),
		.fault = VECTOR_GP },
	{ "vm_cr", FROM(READ_MSR, MSR_AMD_VM_CR), .fault = VECTOR_GP },
	{ "vm_hsave_pa", TO(WRITE_MSR, MSR_AMD_VM_HSAVE_PA, PAGE_SIZE), .fault = VECTOR_GP },
	{ "vmrun", DO(execute_vmrun), .fault = VECTOR_UD, .stays = true },
	{ "clgi", DO(execute_clgi), .fault = VECTOR_UD, .stays = true },
};

/* The clock. 2^40 ticks are minutes: the witness and the hypervisor would see it. */
static uint64_t set_tsc(void)
{
	uint64_t now = rdtsc();

	wrmsr(MSR_IA32_TSC, now + BIT(44));
	return rdtsc() - now >= BIT(44) ? 0 : rdtsc();
}

static uint64_t put_tsc_back(void)
{
	wrmsr(MSR_IA32_TSC, rdtsc() - BIT(44));
	return 0;
}

static const struct step clock[] = {
	{ "tsc", DO(set_tsc) },
	{ "tsc_back", DO(put_tsc_back) },
	{ "tsc_adjust", TO(WRITE_MSR, MSR_IA32_TSC_ADJUST, BIT(44)), .fault = VECTOR_GP },
	{ "tsc_deadline", TO(WRITE_MSR, MSR_IA32_TSC_DEADLINE, 1), .fault = VECTOR_GP },
	{ "tsc_ratio", TO(WRITE_MSR, MSR_AMD_TSC_RATIO, 1), .fault = VECTOR_GP },
	{ "pit_mode", TO(OUT8, PIT_CONTROL, PIT_RW_BOTH << PIT_RW_SHIFT | 2 << PIT_MODE_SHIFT) },
	{ "pit_count_low", TO(OUT8, PIT_CHANNEL_0, 2) },
	{ "pit_count_high", TO(OUT8, PIT_CHANNEL_0, 0) },
	{ "pit_stop", TO(OUT8, PIT_CONTROL, PIT_RW_BOTH << PIT_RW_SHIFT) },
	{ "pic_mask", TO(OUT8, PIC_MASTER_DATA, 0) },
	{ "pic_mask_back", TO(OUT8, PIC_MASTER_DATA, ONES8) },
	{ "hpet", FROM(READ32, HPET_ADDRESS), .expect = ONES32 },
	{ "hpet_stop", TO(WRITE32, HPET_ADDRESS + HPET_CONFIGURATION, 0) },
	{ "cmos_index", TO(OUT8, CMOS_INDEX, CMOS_NO_NMI | RTC_REGISTER_B) },
	{ "cmos_data", FROM(IN8, CMOS_DATA), .expect = ONES8 },
	{ "cmos_write", TO(OUT8, CMOS_DATA, ONES8) },
};

/* The caches. CR0.CD is the guest's own to see. */
static uint64_t disable_caches(void)
{
	uint64_t before = read_cr0(), after;

	write_cr0(before | CR0_CD);
	after = read_cr0();
	wbinvd();
	write_cr0(before);
	return after ^ before;
}

static uint64_t write_back_caches(void)
{
	wbinvd();
	return 0;
}

/* What was written before must still be there: other guests' too. */
static uint64_t drop_caches(void)
{
	static volatile uint64_t word;

	word = BIT(44);
	__asm__ volatile("invd" : : : "memory");
	return word;
}

static const struct step caches[] = {
	{ "cr0_cd", DO(disable_caches), .expect = CR0_CD },
	{ "wbinvd", DO(write_back_caches) },
	{ "invd", DO(drop_caches), .expect = BIT(44) },
	{ "mtrr", FROM(READ_MSR, MSR_IA32_MTRR_DEF_TYPE), .fault = VECTOR_GP },
	{ "mtrr_off", TO(WRITE_MSR, MSR_IA32_MTRR_DEF_TYPE, 0), .fault = VECTOR_GP },
	{ "syscfg", TO(WRITE_MSR, MSR_AMD_SYSCFG, 0), .fault = VECTOR_GP },
	{ "misc_enable", TO(WRITE_MSR, MSR_IA32_MISC_ENABLE, BIT(34)), .fault = VECTOR_GP },
};

/* Signals to the machine's CPUs, by a local APIC that the virtual machine does not have. */
#define ICR (APIC_BASE_RESET + APIC_REG_ICR_LOW)

static const struct step apic[] = {
	{ "base", FROM(READ_MSR, MSR_IA32_APIC_BASE), .fault = VECTOR_GP },
	{ "base_off", TO(WRITE_MSR, MSR_IA32_APIC_BASE, 0), .fault = VECTOR_GP },
	{ "id", FROM(READ32, APIC_BASE_RESET + APIC_REG_ID), .expect = ONES32 },
	{ "destination", TO(WRITE32, APIC_BASE_RESET + APIC_REG_ICR_HIGH, 0) },
	{ "init", TO(WRITE32, ICR, APIC_ICR_INIT | APIC_ICR_ASSERT) },
	{ "init_self", TO(WRITE32, ICR, APIC_ICR_INIT | APIC_ICR_ASSERT | APIC_ICR_SELF) },
	{ "init_all", TO(WRITE32, ICR, APIC_ICR_INIT | APIC_ICR_ASSERT | APIC_ICR_ALL) },
	{ "init_others", TO(WRITE32, ICR, APIC_ICR_INIT | APIC_ICR_ASSERT | APIC_ICR_OTHERS) },
	{ "startup_others", TO(WRITE32, ICR, APIC_ICR_STARTUP | APIC_ICR_OTHERS | 8) },
	{ "nmi", TO(WRITE32, ICR, APIC_ICR_NMI | APIC_ICR_ASSERT) },
	{ "nmi_all", TO(WRITE32, ICR, APIC_ICR_NMI | APIC_ICR_ASSERT | APIC_ICR_ALL) },
	{ "smi", TO(WRITE32, ICR, APIC_ICR_SMI | APIC_ICR_ASSERT) },
	{ "smi_all", TO(WRITE32, ICR, APIC_ICR_SMI | APIC_ICR_ASSERT | APIC_ICR_ALL) },
	{ "disable", TO(WRITE32, APIC_BASE_RESET + APIC_REG_SVR, 0) },
	{ "lint1", TO(WRITE32, APIC_BASE_RESET + APIC_REG_LVT_LINT1, APIC_LVT_MASKED) },
	{ "x2apic_init", TO(WRITE_MSR, MSR_IA32_X2APIC_ICR, APIC_ICR_INIT | APIC_ICR_ASSERT),
		.fault = VECTOR_GP },
	{ "ioapic", FROM(READ32, IOAPIC_ADDRESS), .expect = ONES32 },
	{ "ioapic_select", TO(WRITE32, IOAPIC_ADDRESS + IOAPIC_SELECT, IOAPIC_REDIRECTION_0) },
	{ "ioapic_nmi", TO(WRITE32, IOAPIC_ADDRESS + IOAPIC_WINDOW, APIC_ICR_NMI) },
};

static const struct step smi[] = {
	{ "apm", TO(OUT8, APM_CONTROL, 1) },
	{ "apm_ones", TO(OUT8, APM_CONTROL, ONES8) },
	{ "apm_status", TO(OUT8, APM_STATUS, 0) },
	{ "apm_read", FROM(IN8, APM_CONTROL), .expect = ONES8 },
};

static const struct step reset[] = {
	{ "keyboard", TO(OUT8, KEYBOARD_COMMAND, KEYBOARD_RESET_CPU) },
	{ "keyboard_output", TO(OUT8, KEYBOARD_COMMAND, KEYBOARD_WRITE_OUTPUT) },
	{ "keyboard_data", TO(OUT8, KEYBOARD_DATA, 0) },
	{ "keyboard_status", FROM(IN8, KEYBOARD_COMMAND), .expect = ONES8 },
	{ "port92", TO(OUT8, SYSTEM_CONTROL_A, SYSTEM_CONTROL_A_INIT) },
	{ "port92_a20", TO(OUT8, SYSTEM_CONTROL_A, 0) },
	{ "port92_read", FROM(IN8, SYSTEM_CONTROL_A), .expect = ONES8 },
	{ "control", TO(OUT8, RESET_CONTROL_PORT, RESET_CONTROL_HARD) },
	{ "control_reset", TO(OUT8, RESET_CONTROL_PORT, RESET_CONTROL_HARD | RESET_CONTROL_CPU) },
	{ "control_read", FROM(IN8, RESET_CONTROL_PORT), .expect = ONES8 },
};

static const struct step power[] = {
	{ "qemu_exit", TO(OUT32, QEMU_DEBUG_EXIT_PORT, QEMU_DEBUG_EXIT_PASSED) },
	{ "bochs_debugger", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'D') },
	{ "bochs_S", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'S') },
	{ "bochs_h", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'h') },
	{ "bochs_u", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'u') },
	{ "bochs_t", TO(OUT8, BOCHS_SHUTDOWN_PORT, 't') },
	{ "bochs_d", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'd') },
	{ "bochs_o", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'o') },
	{ "bochs_w", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'w') },
	{ "bochs_n", TO(OUT8, BOCHS_SHUTDOWN_PORT, 'n') },
	{ "acpi_bochs", TO(OUT16, BOCHS_PM1A_CONTROL, PM1_CONTROL_OFF) },
	{ "acpi_qemu", TO(OUT16, QEMU_PM1A_CONTROL, PM1_CONTROL_OFF) },
};

static const struct step pci[] = {
	{ "address", TO(OUT32, PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE) },
	{ "address_read", FROM(IN32, PCI_CONFIG_ADDRESS), .expect = ONES32 },
	{ "data", FROM(IN32, PCI_CONFIG_DATA), .expect = ONES32 },
	{ "command", TO(OUT32, PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE | 4) },
	{ "command_off", TO(OUT32, PCI_CONFIG_DATA, 0) },
};

/* The devices that it does have keep what it writes. */
static const struct step own_devices[] = {
	{ "pic_mask", TO(OUT8, PIC_MASTER_DATA, 0xa5) },
	{ "pic_mask_read", FROM(IN8, PIC_MASTER_DATA), .expect = 0xa5 },
	{ "pic_slave_mask", TO(OUT8, PIC_SLAVE_DATA, 0x5a) },
	{ "pic_slave_mask_read", FROM(IN8, PIC_SLAVE_DATA), .expect = 0x5a },
	{ "pic_mask_back", TO(OUT8, PIC_MASTER_DATA, ONES8) },
	{ "pic_slave_mask_back", TO(OUT8, PIC_SLAVE_DATA, ONES8) },
	{ "scratch", TO(OUT8, UART_COM1 + UART_SCR, 0x69) },
	{ "scratch_read", FROM(IN8, UART_COM1 + UART_SCR), .expect = 0x69 },
};

#define ATTEMPT(id, what, rule)                                                                    \
	{                                                                                          \
#id, what, rule, &sweep_step_kind, 0, id, ARRAY_SIZE(id)                                      \
	}

static const struct sweep sweeps[] = {
	ATTEMPT(vmx_on, "turning VT-x on",
		"CPUID shows no VMX: #GP for its bits and MSRs, #UD for it"),
	ATTEMPT(svm_on, "turning AMD-V on",
		"CPUID shows no SVM: #GP for its bits and MSRs, #UD for it"),
	ATTEMPT(clock, "changing the clock", "a guest's TSC and timer are its own, others' go on"),
	ATTEMPT(caches, "disabling caches", "a guest sees CR0.CD, the machine's caches stay on"),
	ATTEMPT(apic, "sending INIT, NMI and SMI",
		"there is no local APIC: the bus answers nothing"),
	ATTEMPT(smi, "making an SMI by the APM port",
		"there is no such port: the bus answers nothing"),
	ATTEMPT(reset, "resetting the machine", "there is no such port: the bus answers nothing"),
	ATTEMPT(power, "leaving the emulator, turning the machine off",
		"there is no such port: the bus answers nothing"),
	ATTEMPT(pci, "configuring PCI devices", "there is no PCI bus: the ports answer nothing"),
	ATTEMPT(own_devices, "using its own devices", "a guest's devices keep what it writes"),
	{ "loops", "keeping the CPU", "a guest's time ends, whatever it does; the others go on",
		&sweep_step_kind, 0, sweep_loops, SWEEP_LOOPS },
};

const struct sweep_list sweep_attempts = { sweeps, ARRAY_SIZE(sweeps) };
