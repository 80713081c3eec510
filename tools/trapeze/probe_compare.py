"""Compares what the probe saw natively with what it saw as a guest: which differences are violations
of equivalence, which are meant, and what the likely cause of a violation is."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

RESUME_FLAG = 1 << 16
GPRS = set("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split())
UNAVAILABLE = "not available on this CPU: without unrestricted guests a guest cannot leave paging"
SELECTORS = {"cs", "ss", "ds", "es", "fs", "gs"}


@dataclass(frozen=True)
class Difference:
    """One form in one mode that did not do the same."""

    form: str
    mode: str
    native: str  # the record, "" when there is none
    guest: str
    what: str  # the names of what differs
    rule: str
    cause: str
    explained: str = ""  # why it must be so, or ""


def changed(native, guest):
    """The names of the state in which two records differ, in the order of the lines."""
    names = [*native.state, *(name for name in guest.state if name not in native.state)]
    return [name for name in names if native.state.get(name) != guest.state.get(name)]


def flag_bits(native, guest):
    """The bits of RFLAGS in which two records differ, or None when that cannot be told: a record has flags
    only when the code changed them, so a missing one stands for all but the other's RF."""
    values = [int(record.state["flags"], 16) for record in (native, guest) if "flags" in record.state]
    if len(values) == 2:
        return values[0] ^ values[1]
    return RESUME_FLAG if values and values[0] & RESUME_FLAG else None


def is_resume_flag_only(native, guest):
    """Do they differ in RFLAGS.RF alone?"""
    return (native.outcome == guest.outcome and changed(native, guest) == ["flags"]
            and flag_bits(native, guest) == RESUME_FLAG)


def is_bits_of(name, mask, native, guest):
    """Do two records differ in `name` in bits of `mask` only?"""
    values = [record.state.get(name) for record in (native, guest)]
    if not all(value and re.fullmatch("[0-9a-f]+", value) for value in values):
        return False
    return not (int(values[0], 16) ^ int(values[1], 16)) & ~mask


@dataclass(frozen=True)
class Part:
    """A row's words on what a monitor must make differ."""

    outcomes: tuple  # of (natively, as a guest)
    masks: dict  # name: bits, or None for the whole

    @classmethod
    def parse(cls, words):
        """From the text of spec/instructions.def."""
        outcomes, masks = [], {}
        for word in words.split():
            name, _, mask = word.partition("&")
            if ">" in word:
                outcomes.append(tuple(word.split(">", 1)))
            else:
                masks[name] = int(mask, 16) if mask else None
        return cls(tuple(outcomes), masks)

    def allows(self, name, native, guest):
        """May the state `name` differ as it does? After another outcome RIP and RF follow from that."""
        if native.outcome != guest.outcome and (
                name == "rip" or name == "flags" and flag_bits(native, guest) == RESUME_FLAG):
            return True
        plain = name.partition("+")[0]
        if plain not in self.masks:
            return False
        mask = self.masks[plain]
        return mask is None or is_bits_of(name, mask, native, guest)

    def rest(self, native, guest):
        """What differs beyond it: names, "outcome" among them."""
        beyond = [name for name in changed(native, guest) if not self.allows(name, native, guest)]
        if native.outcome != guest.outcome and (native.outcome, guest.outcome) not in self.outcomes:
            return ["outcome", *beyond]
        return beyond


def not_the_resume_flag(native, guest, names):
    """All but RFLAGS.RF."""
    if native.outcome == guest.outcome and flag_bits(native, guest) == RESUME_FLAG:
        return [name for name in names if name != "flags"]
    return names


def not_the_memory_type(native, guest, names):
    """All but that only the guest refuses a memory type that does not exist."""
    refused = native.form == "wrmsr_pat_bad" and (native.outcome, guest.outcome) == ("end", "#GP(0)")
    return [] if refused else names


# What a platform does natively against the manual: its prefix, the reason, and a function of two records and
# of the names that differ for no other reason yet, which returns those for which this is none either.
PLATFORM_REASONS = (
    ("tcg", "QEMU's TCG pushes RFLAGS without RF when it delivers a fault; the manual wants it set",
     not_the_resume_flag),
    ("tcg", "QEMU's TCG takes a memory type in IA32_PAT that does not exist; the manual wants #GP",
     not_the_memory_type),
)


def is_declared(form, mode):
    """Does the form's row say that it must differ in this mode?"""
    return bool(form and form.differs) and any(fnmatchcase(mode, pattern)
                                               for pattern in form.differs_in.split())


def explain(platform, form, native, guest):
    """(why the difference is meant or "", the names of what differs beyond that)."""
    if not native or not guest:
        return "", ["the record"]
    part = Part.parse(form.differs_what if is_declared(form, native.mode) else "")
    everything = Part.parse("").rest(native, guest)
    rest = part.rest(native, guest)
    reasons = [form.differs] if rest != everything else []
    for prefix, reason, others in PLATFORM_REASONS:
        left = others(native, guest, rest) if platform.startswith(prefix) else rest
        if left != rest:
            rest, reasons = left, [*reasons, reason]
    return ("" if rest else "; ".join(reasons)), rest


def fault_of(outcome):
    """"#GP" of "#GP(0)", or ""."""
    match = re.match(r"#\w+", outcome)
    return match[0] if match else ""


def outcome_cause(native, guest):
    """The likely cause of different ends."""
    before, after = fault_of(native.outcome), fault_of(guest.outcome)
    if before and before == after:
        return f"the monitor injects {before} with the wrong error code"
    if after and not before:
        return (f"the monitor answers with {after} what the bare machine executes: an intercept too "
                "many, a permission bit missed, or a feature that CPUID shows and policy refuses")
    if before and not after:
        return (f"the monitor executes what faults with {before} on the bare machine: it emulates "
                "without the checks (CPL, reserved bits, operands) that come first")
    if native.outcome.startswith("int") != guest.outcome.startswith("int"):
        return "an interrupt was lost, came too late, or came where it was blocked"
    return "the monitor injects another vector"


def state_cause(names, native, guest):
    """The likely cause of different states after the same end."""
    if "rip" in names and native.outcome.startswith("int"):
        return "an interrupt came too early or too late"
    if "rip" in names:
        return "RIP was not advanced by the length of the instruction, prefixes included"
    if names == ["flags"]:
        if is_resume_flag_only(native, guest):
            return "a fault was injected without RFLAGS.RF"
        return "the emulated instruction changes flags that the real one leaves (or the other way)"
    if "cr2" in names:
        return "an injected page fault leaves the wrong address in CR2"
    if any(name in SELECTORS for name in names):
        return "the guest's segment registers are not loaded or saved whole"
    if any(name.startswith(("data", "stack")) for name in names):
        return "memory written in the guest's stead: wrong value, width, address or number of elements"
    if names and all(name in GPRS | {"flags"} for name in names):
        return "the result is written with the wrong value or width, or to another register"
    return "a write to this register does not reach the guest's own, or cannot be read back"


def compare_records(platform, form, native, guest, known_cause=""):
    """A Difference, or None when they are the same. known_cause: what the probe itself says about one."""
    if native and guest and native.line == guest.line:
        return None
    some = native or guest
    section = f"section {form.section!r} of the manual" if form else "the manual"
    explained, names = explain(platform, form, native, guest)
    if not native or not guest:
        cause = "the virtual machine, or the probe in it, ended here or hangs" if native else "run only as a guest"
    elif native.outcome != guest.outcome:
        cause = (f"the virtual CPU must change it so: {form.differs_what}, for {form.differs}"
                 if is_declared(form, some.mode) else outcome_cause(native, guest))
    else:
        cause = state_cause(names, native, guest)
    what = form.differs_what if explained and is_declared(form, some.mode) else ", ".join(
        names[:1] if "outcome" in names else names)
    return Difference(some.form, some.mode, native.line if native else "", guest.line if guest else "",
                      what, f"{section}; a monitor must leave it as it is (equivalence)", known_cause or cause,
                      explained)


def not_available(form, record):
    """The Difference of a mode that no guest can be in on this CPU."""
    return Difference(record.form, record.mode, record.line, "", "the record",
                      f"section {form.section!r} of the manual", "", UNAVAILABLE)


def compare(platform, native, guest, unavailable=()):
    """All Differences between two logs of the instruction table; unavailable: patterns of modes that no
    guest can be in. Of the records that the guest did not give, only the first: it was the end of the
    guest."""
    keys = [*native.records, *(key for key in guest.records if key not in native.records)]
    found, ended = [], False
    for key in keys:
        if any(fnmatchcase(key[1], pattern) for pattern in unavailable):
            found.append(not_available(native.forms[key[0]], native.records[key]))
            continue
        missing = key not in guest.records
        difference = compare_records(platform, native.forms.get(key[0]), native.records.get(key),
                                     guest.records.get(key), native.causes.get(key[0], ""))
        if difference and not (missing and ended):
            found.append(difference)
        ended |= missing
    return found


def different_programs(native, guest):
    """The numbers of the random programs whose digests differ or are missing."""
    return [number for number in sorted(native.digests | guest.digests)
            if native.digests.get(number) != guest.digests.get(number)]
