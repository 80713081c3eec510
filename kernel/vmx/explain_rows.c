/* The broken states of the explainer's test, and the good ones that they come from. Every value is
   written from Intel SDM volume 3, chapter "VM Entries": the table knows nothing of the predicates
   in spec/, which would make the same mistake twice. */
#include "kernel/vmx/explain_test.h"

#define SET(FIELD, value)                                                                          \
	{                                                                                          \
		FIELD_##FIELD, OP_SET, value                                                       \
	}
#define OR(FIELD, bits)                                                                            \
	{                                                                                          \
		FIELD_##FIELD, OP_OR, bits                                                         \
	}
#define CLEAR(FIELD, bits)                                                                         \
	{                                                                                          \
		FIELD_##FIELD, OP_CLEAR, bits                                                      \
	}

/* ---- Good states ---- */

#define SEGMENT(SEG, selector, base, limit, rights)                                                \
	SET(GUEST_##SEG##_SELECTOR, selector), SET(GUEST_##SEG##_BASE, base),                      \
		SET(GUEST_##SEG##_LIMIT, limit), SET(GUEST_##SEG##_ACCESS_RIGHTS, rights)
#define DATA_SEGMENTS(selector, base, limit, rights)                                               \
	SEGMENT(SS, selector, base, limit, rights), SEGMENT(DS, selector, base, limit, rights),    \
		SEGMENT(ES, selector, base, limit, rights),                                        \
		SEGMENT(FS, selector, base, limit, rights),                                        \
		SEGMENT(GS, selector, base, limit, rights)
#define SYSTEM_SEGMENTS SEGMENT(TR, 0x18, 0, 0x67, 0x8b), SEGMENT(LDTR, 0x20, 0, 0x27, 0x82)
#define FLAT_SEGMENTS(code)                                                                        \
	SEGMENT(CS, 0x08, 0, 0xffffffff, code), DATA_SEGMENTS(0x10, 0, 0xffffffff, 0xc093),        \
		SYSTEM_SEGMENTS

/* As the guest was loaded. */
static const struct explain_start loaded = { "loaded", {} };

/* 64-bit mode, without unrestricted guest. */
static const struct explain_start long_mode = { "64-bit",
	{ OR(VM_ENTRY_CONTROLS, BIT(9)), CLEAR(PROC2_CONTROLS, BIT(7)), SET(GUEST_CR0, 0x80000031),
		SET(GUEST_CR4, 0x2020), SET(GUEST_IA32_EFER, 0x500), SET(GUEST_RIP, 0x1000),
		SET(GUEST_RFLAGS, 0x202), FLAT_SEGMENTS(0xa09b) } };

/* 32-bit protected mode with PAE paging, its PDPTEs in the VMCS. */
static const struct explain_start pae = { "PAE",
	{ CLEAR(VM_ENTRY_CONTROLS, BIT(9)), CLEAR(PROC2_CONTROLS, BIT(7)),
		SET(GUEST_CR0, 0x80000031), SET(GUEST_CR4, 0x2020), SET(GUEST_IA32_EFER, 0),
		SET(GUEST_RIP, 0x1000), SET(GUEST_RFLAGS, 0x202), SET(GUEST_PDPTE0, 0x1001),
		SET(GUEST_PDPTE1, 0), SET(GUEST_PDPTE2, 0), SET(GUEST_PDPTE3, 0x2001),
		FLAT_SEGMENTS(0xc09b) } };

/* Virtual-8086 mode. */
static const struct explain_start v8086 = { "v8086",
	{ CLEAR(VM_ENTRY_CONTROLS, BIT(9)), CLEAR(PROC2_CONTROLS, BIT(7)),
		SET(GUEST_CR0, 0x80000031), SET(GUEST_CR4, 0x2000), SET(GUEST_IA32_EFER, 0),
		SET(GUEST_RIP, 0x1000), SET(GUEST_RFLAGS, 0x20202),
		SEGMENT(CS, 0x100, 0x1000, 0xffff, 0xf3),
		DATA_SEGMENTS(0x200, 0x2000, 0xffff, 0xf3), SYSTEM_SEGMENTS } };

/* Real-address mode, which takes an unrestricted guest. */
static const struct explain_start real_mode = { "real",
	{ CLEAR(VM_ENTRY_CONTROLS, BIT(9)), OR(PROC2_CONTROLS, BIT(7)), SET(GUEST_CR0, 0x30),
		SET(GUEST_CR4, 0x2000), SET(GUEST_IA32_EFER, 0), SET(GUEST_RIP, 0x1000),
		SET(GUEST_RFLAGS, 0x202), SEGMENT(CS, 0x100, 0x1000, 0xffff, 0x93),
		DATA_SEGMENTS(0x200, 0x2000, 0xffff, 0x93), SYSTEM_SEGMENTS } };

const struct explain_start *const explain_starts[EXPLAIN_STARTS] = { &loaded, &long_mode, &pae,
	&v8086, &real_mode };

/* ---- The broken states ---- */

#define CONTROL(name, start, id, ...)                                                              \
	{                                                                                          \
		name, &start, VMX_CHECK_CONTROL, VMX_CHECK_##id, 0, { __VA_ARGS__ }, 0             \
	}
#define FEATURE(control, name, start, id, ...)                                                     \
	{                                                                                          \
		name, &start, VMX_CHECK_CONTROL, VMX_CHECK_##id, 0, { __VA_ARGS__ }, control       \
	}
#define HOST(name, id, ...)                                                                        \
	{                                                                                          \
		name, &loaded, VMX_CHECK_HOST, VMX_CHECK_##id, 0, { __VA_ARGS__ }, 0               \
	}
#define GUEST(name, start, id, ...)                                                                \
	{                                                                                          \
		name, &start, VMX_CHECK_GUEST, VMX_CHECK_##id, 0, { __VA_ARGS__ }, 0               \
	}
#define QUALIFIED(qualification, name, start, id, ...)                                             \
	{                                                                                          \
		name, &start, VMX_CHECK_GUEST, VMX_CHECK_##id, qualification, { __VA_ARGS__ }, 0   \
	}

#define NOT_CANONICAL BIT(63)
#define TOO_WIDE      BIT(60) /* beyond any physical-address width */
#define EVENT(bits)   SET(ENTRY_INTERRUPTION_INFORMATION, BIT(31) | (bits))
#define ACTIVITY(n)   SET(GUEST_ACTIVITY_STATE, n)
#define BLOCKING(n)   SET(GUEST_INTERRUPTIBILITY_STATE, n)

const struct explain_row explain_rows[] = {
	CONTROL("pin-based default1 bit 0", loaded, pin_allowed0, CLEAR(PIN_CONTROLS, BIT(1))),
	CONTROL("pin-based reserved bit 1", loaded, pin_allowed1, OR(PIN_CONTROLS, BIT(31))),
	CONTROL("processor-based default1 bit 0", loaded, proc_allowed0,
		CLEAR(PROC_CONTROLS, BIT(1))),
	CONTROL("processor-based reserved bit 1", loaded, proc_allowed1, OR(PROC_CONTROLS, BIT(0))),
	CONTROL("secondary reserved bit 1", loaded, proc2_allowed1, OR(PROC2_CONTROLS, BIT(29))),
	CONTROL("600 CR3-target values", loaded, cr3_target_count, SET(CR3_TARGET_COUNT, 600)),
	CONTROL("I/O bitmap A unaligned", loaded, io_bitmap_a_aligned, OR(PROC_CONTROLS, BIT(25)),
		OR(IO_BITMAP_A, 0x800)),
	CONTROL("I/O bitmap B too wide", loaded, io_bitmap_b_width, OR(PROC_CONTROLS, BIT(25)),
		OR(IO_BITMAP_B, TOO_WIDE)),
	CONTROL("MSR bitmap unaligned", loaded, msr_bitmap_aligned, OR(PROC_CONTROLS, BIT(28)),
		OR(MSR_BITMAP, 0x1)),
	CONTROL("virtual APIC too wide", loaded, virtual_apic_width, OR(PROC_CONTROLS, BIT(21)),
		SET(VIRTUAL_APIC_ADDRESS, TOO_WIDE), SET(TPR_THRESHOLD, 0),
		OR(PROC2_CONTROLS, BIT(0))),
	CONTROL("virtual NMIs alone", loaded, virtual_nmis, OR(PIN_CONTROLS, BIT(5)),
		CLEAR(PIN_CONTROLS, BIT(3))),
	CONTROL("NMI window alone", loaded, nmi_window, OR(PROC_CONTROLS, BIT(22)),
		CLEAR(PIN_CONTROLS, BIT(5))),
	FEATURE(BIT(0), "APIC-access page unaligned", loaded, apic_access_aligned,
		OR(PROC2_CONTROLS, BIT(0)), SET(APIC_ACCESS_ADDRESS, 0x7008)),
	FEATURE(BIT(4), "x2APIC without TPR shadow", loaded, x2apic_needs_tpr_shadow,
		OR(PROC2_CONTROLS, BIT(4)), CLEAR(PROC_CONTROLS, BIT(21))),
	FEATURE(BIT(8), "APIC registers without TPR shadow", loaded, apic_registers_need_tpr_shadow,
		OR(PROC2_CONTROLS, BIT(8)), CLEAR(PROC_CONTROLS, BIT(21))),
	FEATURE(BIT(5), "VPID 0", loaded, vpid, OR(PROC2_CONTROLS, BIT(5)), SET(VPID, 0)),
	CONTROL("EPTP with memory type 1", loaded, eptp_memory_type, CLEAR(EPTP, 7), OR(EPTP, 1)),
	CONTROL("EPTP with a walk of three", loaded, eptp_walk_length, CLEAR(EPTP, 0x38),
		OR(EPTP, 0x10)),
	CONTROL("EPTP with bit 11", loaded, eptp_reserved, OR(EPTP, BIT(11))),
	CONTROL("EPTP too wide", loaded, eptp_width, OR(EPTP, TOO_WIDE)),
	CONTROL("unrestricted guest without EPT", long_mode, unrestricted_needs_ept,
		OR(PROC2_CONTROLS, BIT(7)), CLEAR(PROC2_CONTROLS, BIT(1))),
	FEATURE(BIT(17), "PML without EPT", long_mode, pml_needs_ept, OR(PROC2_CONTROLS, BIT(17)),
		CLEAR(PROC2_CONTROLS, BIT(1)), SET(PML_ADDRESS, 0)),
	FEATURE(BIT(13), "VM function 63", loaded, vm_functions_reserved,
		OR(PROC2_CONTROLS, BIT(13)), SET(VM_FUNCTION_CONTROLS, BIT(63))),
	FEATURE(BIT(14), "VMREAD bitmap unaligned", loaded, vmread_bitmap_aligned,
		OR(PROC2_CONTROLS, BIT(14)), SET(VMREAD_BITMAP_ADDRESS, 0x10)),
	FEATURE(BIT(25), "TSC multiplier 0", loaded, tsc_multiplier, OR(PROC2_CONTROLS, BIT(25)),
		SET(TSC_MULTIPLIER, 0)),
	CONTROL("VM-exit default1 bit 0", loaded, exit_allowed0, CLEAR(VM_EXIT_CONTROLS, BIT(0))),
	CONTROL("saved timer without timer", loaded, save_preemption_timer,
		OR(VM_EXIT_CONTROLS, BIT(22)), CLEAR(PIN_CONTROLS, BIT(6))),
	CONTROL("MSR-store area unaligned", loaded, exit_msr_store_aligned,
		SET(EXIT_MSR_STORE_COUNT, 1), SET(EXIT_MSR_STORE_ADDRESS, 0x7008)),
	CONTROL("VM-entry default1 bit 0", loaded, entry_allowed0,
		CLEAR(VM_ENTRY_CONTROLS, BIT(0))),
	CONTROL("event of type 1", long_mode, event_type, EVENT(0x100)),
	CONTROL("NMI with vector 3", long_mode, event_nmi_vector, EVENT(0x203)),
	CONTROL("exception 32", long_mode, event_exception_vector, EVENT(0x320)),
	CONTROL("interrupt with error code", long_mode, event_error_code_type, EVENT(0x830)),
	CONTROL("error code in real mode", real_mode, event_error_code_real, EVENT(0xb0d)),
	CONTROL("event with bit 12", long_mode, event_reserved, EVENT(0x1303)),
	CONTROL("error code of 17 bits", long_mode, event_error_code_high, EVENT(0xb0d),
		SET(ENTRY_EXCEPTION_ERROR_CODE, 0x10000)),
	CONTROL("INT of 16 bytes", long_mode, event_length, EVENT(0x480),
		SET(ENTRY_INSTRUCTION_LENGTH, 16)),
	CONTROL("MSR-load area unaligned", loaded, entry_msr_load_aligned,
		SET(ENTRY_MSR_LOAD_COUNT, 1), SET(ENTRY_MSR_LOAD_ADDRESS, 0x7004)),
	CONTROL("dual monitor outside SMM", loaded, deactivate_outside,
		OR(VM_ENTRY_CONTROLS, BIT(11))),

	HOST("host CR0.PG 0", host_cr0_fixed0, CLEAR(HOST_CR0, BIT(31))),
	HOST("host CR0 bit 32", host_cr0_fixed1, OR(HOST_CR0, BIT(32))),
	HOST("host CR4.VMXE 0", host_cr4_fixed0, CLEAR(HOST_CR4, BIT(13))),
	HOST("host CR4 bit 15", host_cr4_fixed1, OR(HOST_CR4, BIT(15))),
	HOST("host CR3 too wide", host_cr3_width, OR(HOST_CR3, TOO_WIDE)),
	HOST("host SYSENTER_ESP", host_sysenter_esp, SET(HOST_IA32_SYSENTER_ESP, NOT_CANONICAL)),
	HOST("host PAT with type 2", host_pat, OR(VM_EXIT_CONTROLS, BIT(19)),
		SET(HOST_IA32_PAT, 2)),
	HOST("host EFER bit 1", host_efer_reserved, OR(VM_EXIT_CONTROLS, BIT(21)),
		OR(HOST_IA32_EFER, BIT(1))),
	HOST("host EFER.LMA 0", host_efer_lma, OR(VM_EXIT_CONTROLS, BIT(21)),
		CLEAR(HOST_IA32_EFER, BIT(10))),
	HOST("host CS with RPL 3", host_cs_rpl_ti, OR(HOST_CS_SELECTOR, 3)),
	HOST("host GS with TI 1", host_gs_rpl_ti, SET(HOST_GS_SELECTOR, 4)),
	HOST("host CS null", host_cs_null, SET(HOST_CS_SELECTOR, 0)),
	HOST("host TR null", host_tr_null, SET(HOST_TR_SELECTOR, 0)),
	HOST("host FS base", host_fs_base, SET(HOST_FS_BASE, NOT_CANONICAL)),
	HOST("host IDTR base", host_idtr_base, SET(HOST_IDTR_BASE, NOT_CANONICAL)),
	HOST("host TR base", host_tr_base, SET(HOST_TR_BASE, NOT_CANONICAL)),
	HOST("host CR4.PAE 0", host64_pae, CLEAR(HOST_CR4, BIT(5) | BIT(17))),
	HOST("host RIP", host64_rip, SET(HOST_RIP, NOT_CANONICAL)),

	GUEST("CR0.NE 0", loaded, guest_cr0_fixed0, CLEAR(GUEST_CR0, BIT(5))),
	GUEST("CR0 bit 32", long_mode, guest_cr0_fixed1, OR(GUEST_CR0, BIT(32))),
	GUEST("PG without PE", real_mode, guest_cr0_pg_pe, OR(GUEST_CR0, BIT(31))),
	GUEST("CR4.VMXE 0", loaded, guest_cr4_fixed0, CLEAR(GUEST_CR4, BIT(13))),
	GUEST("CR4 bit 15", loaded, guest_cr4_fixed1, OR(GUEST_CR4, BIT(15))),
	GUEST("IA-32e without PAE", long_mode, guest_ia32e_pae, CLEAR(GUEST_CR4, BIT(5))),
	GUEST("PCIDE outside IA-32e", pae, guest_pcide, OR(GUEST_CR4, BIT(17))),
	GUEST("CR3 too wide", long_mode, guest_cr3_width, OR(GUEST_CR3, TOO_WIDE)),
	GUEST("DR7 bit 32", long_mode, guest_dr7_high, OR(VM_ENTRY_CONTROLS, BIT(2)),
		OR(GUEST_DR7, BIT(32))),
	GUEST("SYSENTER_EIP", long_mode, guest_sysenter_eip,
		SET(GUEST_IA32_SYSENTER_EIP, NOT_CANONICAL)),
	GUEST("PAT with type 3", long_mode, guest_pat, OR(VM_ENTRY_CONTROLS, BIT(14)),
		SET(GUEST_IA32_PAT, 3)),
	GUEST("EFER.LMA outside IA-32e", real_mode, guest_efer_lma, OR(VM_ENTRY_CONTROLS, BIT(15)),
		OR(GUEST_IA32_EFER, BIT(10))),
	GUEST("TR in an LDT", long_mode, guest_tr_ti, SET(GUEST_TR_SELECTOR, 0x1c)),
	GUEST("RPL of CS not that of SS", long_mode, guest_ss_rpl, SET(GUEST_CS_SELECTOR, 0xb)),
	GUEST("v8086 DS base", v8086, guest_ds_base_v8086, SET(GUEST_DS_BASE, 0x2010)),
	GUEST("v8086 ES limit", v8086, guest_es_limit_v8086, SET(GUEST_ES_LIMIT, 0xfffff)),
	GUEST("v8086 SS rights", v8086, guest_ss_access_v8086, SET(GUEST_SS_ACCESS_RIGHTS, 0x93)),
	GUEST("FS base", long_mode, guest_fs_base, SET(GUEST_FS_BASE, NOT_CANONICAL)),
	GUEST("CS base above 4 GiB", long_mode, guest_cs_base, SET(GUEST_CS_BASE, BIT(32))),
	GUEST("CS not accessed", long_mode, guest_cs_type_restricted,
		SET(GUEST_CS_ACCESS_RIGHTS, 0xa09a)),
	GUEST("CS of type 1", real_mode, guest_cs_type_unrestricted,
		SET(GUEST_CS_ACCESS_RIGHTS, 0x91)),
	GUEST("SS read-only", long_mode, guest_ss_type, SET(GUEST_SS_ACCESS_RIGHTS, 0xc091)),
	GUEST("DS not accessed", long_mode, guest_ds_accessed, SET(GUEST_DS_ACCESS_RIGHTS, 0xc092)),
	GUEST("CS a system segment", long_mode, guest_cs_s, SET(GUEST_CS_ACCESS_RIGHTS, 0xa08b)),
	GUEST("CS with DPL 3", long_mode, guest_cs_dpl_nonconforming,
		SET(GUEST_CS_ACCESS_RIGHTS, 0xa0fb)),
	GUEST("GS not present", long_mode, guest_gs_p, SET(GUEST_GS_ACCESS_RIGHTS, 0xc013)),
	GUEST("CS with L and D/B", long_mode, guest_cs_db, SET(GUEST_CS_ACCESS_RIGHTS, 0xe09b)),
	GUEST("ES with G, limit 0", long_mode, guest_es_g_clear, SET(GUEST_ES_LIMIT, 0)),
	GUEST("SS without G, limit 4 GiB", long_mode, guest_ss_g_set,
		SET(GUEST_SS_ACCESS_RIGHTS, 0x4093)),
	GUEST("TR not busy", long_mode, guest_tr_type_ia32e, SET(GUEST_TR_ACCESS_RIGHTS, 0x89)),
	GUEST("TR unusable", long_mode, guest_tr_usable, SET(GUEST_TR_ACCESS_RIGHTS, 0x1008b)),
	GUEST("LDTR of type 3", long_mode, guest_ldtr_type, SET(GUEST_LDTR_ACCESS_RIGHTS, 0x83)),
	GUEST("GDTR base", long_mode, guest_gdtr_base, SET(GUEST_GDTR_BASE, NOT_CANONICAL)),
	GUEST("IDTR limit of 17 bits", long_mode, guest_idtr_limit, SET(GUEST_IDTR_LIMIT, 0x10000)),
	GUEST("RIP above 4 GiB", pae, guest_rip_32, SET(GUEST_RIP, BIT(32))),
	GUEST("RFLAGS bit 15", loaded, guest_rflags_reserved, OR(GUEST_RFLAGS, BIT(15))),
	GUEST("RFLAGS bit 1 clear", loaded, guest_rflags_fixed, CLEAR(GUEST_RFLAGS, BIT(1))),
	GUEST("interrupt with IF 0", long_mode, guest_rflags_if, EVENT(0x30),
		CLEAR(GUEST_RFLAGS, BIT(9))),
	GUEST("activity state 4", loaded, guest_activity_known, ACTIVITY(4)),
	GUEST("HLT blocked by STI", long_mode, guest_activity_blocking, ACTIVITY(1), BLOCKING(1)),
	GUEST("shutdown with #DB", long_mode, guest_activity_shutdown_event, ACTIVITY(2),
		EVENT(0x301)),
	GUEST("interruptibility bit 31", loaded, guest_interruptibility_reserved,
		BLOCKING(BIT(31))),
	GUEST("STI and MOV SS", long_mode, guest_sti_and_mov_ss, BLOCKING(3)),
	GUEST("STI with IF 0", long_mode, guest_sti_if, BLOCKING(1), CLEAR(GUEST_RFLAGS, BIT(9))),
	GUEST("interrupt after MOV SS", long_mode, guest_mov_ss_interrupt, BLOCKING(2),
		EVENT(0x30)),
	GUEST("SMI outside SMM", long_mode, guest_smi_outside, BLOCKING(4)),
	GUEST("pending bit 4", loaded, guest_pending_reserved,
		SET(GUEST_PENDING_DEBUG_EXCEPTIONS, BIT(4))),
	/* Beyond memory: a revision identifier that is not there is not judged. */
	QUALIFIED(4, "link pointer unaligned", loaded, guest_link_aligned,
		SET(VMCS_LINK_POINTER, 0xf00000001)),
	QUALIFIED(4, "link pointer too wide", loaded, guest_link_width,
		SET(VMCS_LINK_POINTER, TOO_WIDE)),
	QUALIFIED(2, "PDPTE with bit 1", pae, guest_pdpte3, SET(GUEST_PDPTE3, 0x2003)),
};

const unsigned int explain_row_count = ARRAY_SIZE(explain_rows);
