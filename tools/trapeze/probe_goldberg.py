"""Popek and Goldberg's theorem by experiment: classifies the instruction forms from what the probe
observed, never from a list, and draws the verdicts. Running the probe and showing the result are others'."""

import re
from dataclasses import dataclass, field

from .probe_compare import explain

GPRS = set("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split())
PLAIN = GPRS | {"rip", "flags", "ss", "ds", "es", "fs", "gs", "cs", "cr2", "ticks"}
CONTROL_FLAGS = 0x3200  # IF, IOPL
EXIT_TICKS = 25  # more than this above the native count: it did not run without the monitor
SETUP_READS_SELECTOR = re.compile(r"mov %[cds]s, [^;]*;")
WIDTHS = (("64/0", "64/3"), ("compat/0", "compat/3"))

# Robin and Irvine, USENIX Security 2000: the mnemonics, and the forms of spec/instructions.def that are theirs.
SEVENTEEN = {
    "SGDT": ("sgdt",), "SIDT": ("sidt",), "SLDT": ("sldt",), "SMSW": ("smsw",), "PUSHF": ("pushf",),
    "POPF": ("popf",), "LAR": ("lar",), "LSL": ("lsl",), "VERR/VERW": ("verr", "verw"),
    "POP": ("pop_",), "PUSH": ("push_",), "CALL": ("call_far",), "JMP": ("jmp_far",), "INT n": ("int_",),
    "RET": ("ret_far",), "STR": ("str",), "MOV": ("mov_from_cs", "mov_from_ss"),
}
# Where the experiment may say otherwise than the list, and why.
WHY_NOT = {
    "POP": "loading a segment register with a selector of higher privilege faults: what is left of POP traps",
    "JMP": "a far JMP pushes nothing, and one to a segment of higher privilege faults",
}


@dataclass
class Verdict:
    """One form, classified."""

    form: str
    section: str
    text: str
    privileged: bool = False
    control: list = field(default_factory=list)  # why it is control-sensitive
    behaviour: list = field(default_factory=list)  # why it is behaviour-sensitive
    cells: dict = field(default_factory=dict)  # column: (class, text)

    @property
    def sensitive(self):
        """Control- or behaviour-sensitive."""
        return bool(self.control or self.behaviour)

    @property
    def violates(self):
        """Sensitive without being privileged: the theorem's condition does not hold."""
        return self.sensitive and not self.privileged


def is_fault(record):
    """Did it end in a fault?"""
    return record.outcome.startswith("#")


def observed(record):
    """What a program could see of it: all but the time."""
    return record.outcome, {name: value for name, value in record.state.items() if name != "ticks"}


def effect(record, text):
    """The same without what the form's own preparation has put into the data and RAX: it reads selectors
    there, to have valid ones."""
    outcome, state = observed(record)
    if SETUP_READS_SELECTOR.search(text):
        state = {name: value for name, value in state.items() if name != "rax" and "data+" not in name}
    return outcome, state


def is_privileged(kernel, user):
    """Does it trap at CPL 3, and only there?"""
    if not is_fault(user):
        return False
    return kernel is None or (kernel.outcome, kernel.state.get("rip")) != (user.outcome,
                                                                           user.state.get("rip"))


def flags_of(record):
    """RFLAGS after it; 2 is the value that is not told."""
    return int(record.state.get("flags", "2"), 16)


def control_reasons(record):
    """What it changed that belongs to whoever controls the machine."""
    if is_fault(record):
        return []
    reasons = [name for name in record.state if name not in PLAIN and "+" not in name]
    if flags_of(record) & CONTROL_FLAGS and record.outcome == "end":
        reasons.append("IF or IOPL")
    if "cs" in record.state and int(record.state["cs"], 16) & 3 != (0 if record.mode.endswith("/0") else 3):
        reasons.append("CPL")
    if record.outcome.startswith("int") and record.outcome != "int32":
        reasons.append("enters the kernel through the IDT")
    return reasons


def behaviour_reasons(kernel, user, moved, text):
    """How its result depends on where it runs, where it did not trap."""
    if is_fault(user):
        return []
    reasons = []
    if kernel is not None and not is_fault(kernel) and effect(kernel, text) != effect(user, text):
        reasons.append("CPL")
    if moved is not None and not is_same_moved(user, moved):
        reasons.append("the machine's tables and flags")
    return reasons


def is_same_moved(user, moved):
    """The same at CPL 3 on the machine that was moved? RFLAGS.IF is set there, in the register itself."""
    outcome, state = observed(moved)
    before, plain = observed(user)
    flags = flags_of(moved) & ~0x200, flags_of(user) & ~0x200
    return outcome == before and flags[0] == flags[1] and (
        {k: v for k, v in state.items() if k != "flags"} == {k: v for k, v in plain.items() if k != "flags"})


def classify(log, form):
    """The Verdict over all sizes of code that the form exists in."""
    verdict = Verdict(form.name, form.section, form.text)
    for kernel_mode, user_mode in WIDTHS:
        kernel, user = (log.records.get((form.name, mode)) for mode in (kernel_mode, user_mode))
        moved = log.records.get((form.name, f"{user_mode}/moved"))
        if user is None:
            continue
        privileged = is_privileged(kernel, user)
        control = control_reasons(kernel) if kernel else []
        control += [reason for reason in control_reasons(user) if reason not in control]
        verdict.privileged |= privileged
        if not privileged and not is_fault(user):
            verdict.behaviour += [r for r in behaviour_reasons(kernel, user, moved, form.text)
                                  if r not in verdict.behaviour]
        verdict.control += [r for r in control if r not in verdict.control]
    return verdict


def native_cell(record):
    """(class, text) of a native column."""
    if record is None:
        return "none", "does not exist"
    return ("trap" if is_fault(record) else "run"), record.outcome


def guest_cell(native, guest, form):
    """(class, text) of a guest's column: does it exit, and does it see its own machine?"""
    if native is None or guest is None:
        return "none", "not run"
    exits = int(guest.state.get("ticks", "0")) - int(native.state.get("ticks", "0")) > EXIT_TICKS
    how = "exits" if exits else "runs"
    if observed(native) == observed(guest):
        return ("exit" if exits else "own"), f"{how}: {guest.outcome}"
    why = explain("", form, native, guest)[0]
    if why:
        return "differs", f"{how}: {guest.outcome} ({why})"
    return "wrong", f"{how}: {guest.outcome} instead of {native.outcome}"


def add_cells(verdict, columns, form):
    """Fills the cells. columns: {name: (native log, guest log or None)}."""
    mode = next((pair for pair in WIDTHS if any((form.name, m) in log.records for m in pair
                                                for log, _ in columns.values())), WIDTHS[0])
    for name, (native, guest) in columns.items():
        for cpl, one in enumerate(mode):
            record = native.records.get((form.name, one))
            label = f"{name} ring {0 if cpl == 0 else 3}"
            verdict.cells[label] = native_cell(record) if guest is None else guest_cell(
                record, guest.records.get((form.name, one)), form)


def missing_of_seventeen(verdicts):
    """The mnemonics of the published list that the experiment does not find, with the reason or ""."""
    found = {verdict.form for verdict in verdicts if verdict.violates}
    missing = {}
    for mnemonic, prefixes in SEVENTEEN.items():
        if not any(form.startswith(prefixes) for form in found):
            missing[mnemonic] = WHY_NOT.get(mnemonic, "")
    return missing
