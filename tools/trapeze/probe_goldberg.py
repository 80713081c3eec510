"""Popek and Goldberg's theorem by experiment: classifies the instruction forms from what the probe
observed, never from a list, and draws the verdicts. Running the probe and showing the result are others'."""

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .probe_compare import explain

GPRS = set("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split())
PLAIN = GPRS | {"rip", "flags", "ss", "ds", "es", "fs", "gs", "cs", "cr2", "ticks"}
CONTROL_FLAGS = 0x3200  # IF, IOPL
EXIT_TICKS = 25  # more than this above the native count: it did not run without the monitor
SETUP_READS_SELECTOR = re.compile(r"mov %[cds]s, [^;]*;")
RETURNS = re.compile(r"\b(iret|lret|ret)[lqw]?( \$\d+)?$")
WIDTHS = (("64/0", "64/3"), ("compat/0", "compat/3"), ("protected/0", "protected/3"))

# Robin and Irvine, USENIX Security 2000: the mnemonics, and the forms of spec/instructions.def that are theirs.
SEVENTEEN = {
    "SGDT": ("sgdt",), "SIDT": ("sidt",), "SLDT": ("sldt",), "SMSW": ("smsw",), "PUSHF": ("pushf",),
    "POPF": ("popf",), "LAR": ("lar",), "LSL": ("lsl",), "VERR/VERW": ("verr", "verw"),
    "POP": ("pop_",), "PUSH": ("push_",), "CALL": ("call_far",), "JMP": ("jmp_far",), "INT n": ("int_",),
    "RET": ("ret_far",), "STR": ("str",), "MOV": ("mov_from_cs", "mov_from_ss"),
}
# Those that a CPU traps at CPL 3 once CR4.UMIP is set (2017).
UMIP = ("sgdt_umip", "sidt_umip", "sldt_umip", "smsw_umip", "str_umip")
# Why forms are found that the list does not have, by their names.
WHY_BEYOND = (
    (("*_umip",), "an instruction of the list; this CPU lacks UMIP, or its set-up has no effect"),
    (("sgdt*", "sidt*", "sldt*", "smsw*", "str*", "pushf*", "popf*", "lar*", "lsl*", "verr*", "verw*", "pop_*",
      "push_*", "call_far*", "jmp_far*", "int_*", "ret_far*", "mov_from_*"),
     "another form of an instruction of the list"),
    (("iret*",), "returns to the privilege that the stack names: the list has RET and not IRET"),
    (("cli_*", "sti_*"), "with IOPL 3 they change IF at CPL 3: the list takes IOPL 0 for granted"),
    (("mov_to_*", "lfs", "lgs", "lds", "les", "lss", "wr?sbase"),
     "loads segment state, which a monitor keeps its own of: the list counts reads only"),
    (("syscall", "sysenter"), "a way into the kernel younger than the Pentium of the list"),
    (("rdtscp", "rdpid"), "shows IA32_TSC_AUX, which the kernel sets: younger than the list"),
)


@dataclass
class Verdict:
    """One form, classified."""

    form: str
    section: str
    text: str
    privileged: bool = False
    control: list = field(default_factory=list)  # why it is control-sensitive
    behaviour: list = field(default_factory=list)  # why it is behaviour-sensitive
    evidence: list = field(default_factory=list)  # what was seen, as sentences
    modes: list = field(default_factory=list)  # in which it violates the theorem
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
    """The same without what the form's own preparation has put into the data, RAX and the stack: it reads
    selectors there, to have valid ones."""
    outcome, state = observed(record)
    # At CPL 0 of protected mode a trap's own frame covers what lies below the stack.
    if RETURNS.search(text) or record.mode.startswith("protected"):
        state = {name: value for name, value in state.items() if "stack+" not in name}
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


def changed_name(before, after):
    """The first name in which two effects differ, with both values; of memory only the first word."""
    for name in [*before[1], *(name for name in after[1] if name not in before[1])]:
        values = [effects[1].get(name, "as before").partition("/")[0] for effects in (before, after)]
        if values[0] != values[1]:
            return name, *values
    return None


def spoken(name):
    """The name of a piece of state, as one says it."""
    return {"data": "memory", "stack": "the stack", "rip": "the end"}.get(name.partition("+")[0], name.upper())


def evidence(kernel, user, moved, text):
    """Sentences on what was seen of one mode."""
    found = []
    mode = user.mode.partition("/")[0]
    if kernel is not None and not is_fault(kernel) and not is_fault(user):
        change = changed_name(effect(kernel, text), effect(user, text))
        if change:
            found.append(f"{mode}: {spoken(change[0])} is {change[1]} in ring 0, {change[2]} in ring 3")
    if moved is not None and not is_fault(user) and not is_same_moved(user, moved):
        change = changed_name(observed(user), observed(moved))
        if change:
            found.append(f"{mode}: {spoken(change[0])} is {change[1]} here, {change[2]} where the tables lie "
                         "elsewhere")
    for name in control_reasons(user):
        if name in user.state:
            found.append(f"{mode}: ring 3 sets {spoken(name)} to {user.state[name]}")
    if user.outcome.startswith("int"):
        found.append(f"{mode}: ring 3 arrives at vector {user.outcome[3:]} of the IDT")
    return found


def why_beyond(form):
    """Why the experiment finds a form that the published list does not have, or "" ."""
    return next((reason for patterns, reason in WHY_BEYOND
                 if any(fnmatchcase(form, pattern) for pattern in patterns)), "")


def listed(form):
    """The mnemonic of the published list that the form is of, or ""."""
    return next((mnemonic for mnemonic, prefixes in SEVENTEEN.items() if form in prefixes), "")


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
        if not privileged and (control or not is_fault(user) and behaviour_reasons(kernel, user, moved,
                                                                                   form.text)):
            verdict.modes.append(user_mode.partition("/")[0])
            verdict.evidence += evidence(kernel, user, moved, form.text)
    return verdict


def native_cell(record):
    """(class, text) of a native column."""
    if record is None:
        return "none", "does not exist"
    return ("trap", f"traps: {record.outcome}") if is_fault(record) else ("run", told(record))


def told(record):
    """What it did, in few words."""
    names = sorted((name for name in record.state if name not in ("rip", "ticks")),
                   key=lambda name: (name in GPRS or "+" in name, name in GPRS))
    words = [f"{name} = {record.state[name].partition('/')[0]}" for name in names]
    ending = "runs" if record.outcome == "end" else f"runs: {record.outcome}"
    return ending + (": " + ", ".join(words[:3]) if words else "")


def extra_ticks(native, guest, form, mode):
    """How much longer a form takes in the guest."""
    records = [log.records.get((form, mode)) for log in (native, guest)]
    ticks = [int(record.state.get("ticks", "0")) if record else 0 for record in records]
    return ticks[1] - ticks[0]


def does_exit(native, guest, form, mode):
    """Does it run into the monitor, beyond what the way into its mode takes? NOP tells that."""
    return extra_ticks(native, guest, form, mode) - extra_ticks(native, guest, "nop", mode) > EXIT_TICKS


def guest_cell(native, guest, form, platform, exits):
    """(class, text) of a guest's column: does it exit, and does it see its own machine?"""
    if native is None or guest is None:
        return "none", "not run"
    same = observed(native) == observed(guest)
    if same and is_fault(guest):
        return ("exit", f"exits, and the monitor injects {guest.outcome}") if exits else (
            "own", f"traps in the guest: {guest.outcome}")
    if same:
        return ("exit", "exits; the monitor does the same") if exits else ("own", "runs on the guest's own state")
    why = explain(platform, form, native, guest)[0]
    how = "exits" if exits else "runs"
    if why:
        return "differs", f"{how}: {guest.outcome}, by design: {why}"
    return "wrong", f"{how}: {guest.outcome} instead of {native.outcome}"


def add_cells(verdict, columns, form):
    """Fills the cells, from a mode in which the form violates the theorem if there is one.
    columns: {name: (native log, guest log or None, platform's name)}."""
    telling = [pair for pair in WIDTHS if pair[0].partition("/")[0] in verdict.modes]
    mode = next((pair for pair in [*telling, *WIDTHS] if any((form.name, m) in log.records for m in pair
                                                             for log, *_ in columns.values())), WIDTHS[0])
    for name, (native, guest, platform) in columns.items():
        for cpl, one in enumerate(mode):
            record = native.records.get((form.name, one))
            label = f"{name} ring {0 if cpl == 0 else 3}"
            verdict.cells[label] = native_cell(record) if guest is None else guest_cell(
                record, guest.records.get((form.name, one)), form, platform,
                does_exit(native, guest, form.name, one))


def seventeen(verdicts):
    """{mnemonic of the published list: the Verdicts of its forms that violate the theorem}."""
    return {mnemonic: [verdict for verdict in verdicts if verdict.violates and verdict.form.startswith(prefixes)]
            for mnemonic, prefixes in SEVENTEEN.items()}


def missing_of_seventeen(verdicts):
    """The mnemonics of the published list that the experiment does not find."""
    return [mnemonic for mnemonic, found in seventeen(verdicts).items() if not found]


def beyond_the_list(verdicts):
    """{form that violates the theorem and is not in the list in so many words: why}."""
    return {verdict.form: why_beyond(verdict.form) for verdict in verdicts
            if verdict.violates and not listed(verdict.form)}


def gone_with_umip(verdicts):
    """The instructions that trap at CPL 3 when CR4.UMIP is set."""
    return [verdict.form.removesuffix("_umip").upper() for verdict in verdicts
            if verdict.form in UMIP and verdict.privileged]
