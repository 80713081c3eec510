"""What the tools make of the probe's logs, from forged lines."""

import pytest

from trapeze import probe_compare, probe_goldberg, probe_log, probe_random

NATIVE = """% in_dx8 | IN | movw $0x21, %dx; inb %dx, %al
% vmcall | VMCALL | vmcall
~ vmcall | 64/0 real | #UD(0)>end rax&ff rcx | it calls the monitor
@ in_dx8 64/0 end rip=+5 rax=ff rdx=21
@ in_dx8 64/3 #GP(0) rip=+4 rdx=21 flags=10002
@ vmcall 64/0 #UD(0) rip=+0
# 0: 11111111 22222222
# 2: 33333333
probe: 3 programs
probe: 3 records"""


def parse(text):
    """A log from text."""
    return probe_log.parse(text.split("\n"))


def compare(change, platform="bochs-intel"):
    """The differences after replacing one text in the log."""
    return probe_compare.compare(platform, parse(NATIVE), parse(NATIVE.replace(*change)))


def test_log():
    log = parse(NATIVE)
    assert log.complete and len(log.records) == 3 and log.digests[2] == "33333333"
    assert log.forms["vmcall"].differs == "it calls the monitor" and log.forms["in_dx8"].differs == ""
    assert log.forms["vmcall"].differs_in == "64/0 real" and "rcx" in log.forms["vmcall"].differs_what
    record = log.records["in_dx8", "64/3"]
    assert record.outcome == "#GP(0)" and record.state["flags"] == "10002"


def test_log_joins_long_records():
    log = parse("@ cpuid 64/0 end rax=1\n+ rbx=2\nprobe: 1 records")
    assert log.complete and log.records["cpuid", "64/0"].state == {"rax": "1", "rbx": "2"}


@pytest.mark.parametrize("text", ["@ nop 64/0", "@ nop 64/0 end rip", "@ nop 64/0 end\n@ nop 64/0 end"])
def test_log_broken_record(text):
    assert not parse(text).complete


def test_log_missing_record():
    assert not parse("@ nop 64/0 end\nprobe: 2 records").complete


def test_same():
    assert compare(("nothing", "")) == []


@pytest.mark.parametrize("change, what, cause", [
    (("rip=+5 rax=ff", "rip=+4 rax=ff"), "rip", "RIP was not advanced"),
    (("rax=ff", "rax=ffffffff"), "rax", "wrong value or width"),
    (("rax=ff rdx=21", "rax=ff rdx=21 flags=46"), "flags", "changes flags"),
    (("#GP(0) rip=+4", "end rip=+5"), "outcome", "without the checks"),
    (("end rip=+5", "#GP(0) rip=+4"), "outcome", "intercept too many"),
    (("#GP(0)", "#GP(8)"), "outcome", "wrong error code"),
    (("flags=10002", "flags=2"), "flags", "without RFLAGS.RF"),
    (("rdx=21 flags", "rdx=21 data+0=1/2 flags"), "data+0", "memory"),
    (("rdx=21 flags", "rdx=21 cr2=4 flags"), "cr2", "CR2"),
    (("rdx=21 flags", "rdx=21 star=4 flags"), "star", "register"),
    (("@ in_dx8 64/0 end rip=+5 rax=ff rdx=21\n", ""), "the record", "ended here"),
])
def test_violation(change, what, cause):
    difference, = compare(change)
    assert difference.what == what and cause in difference.cause and not difference.explained


def test_only_the_first_missing_record():
    guest = parse(NATIVE.split("@ in_dx8 64/3")[0])
    difference, = probe_compare.compare("bochs-intel", parse(NATIVE), guest)
    assert (difference.form, difference.mode) == ("in_dx8", "64/3")


def vmcall(native, guest, mode="64/0", platform="bochs-intel"):
    """The one difference of a form that may end natively in #UD(0), as a guest well, and then change RCX and
    the low byte of RAX: in 64-bit mode at CPL 0 and in real mode."""
    native, guest = (NATIVE.replace("@ vmcall 64/0 #UD(0) rip=+0", f"@ vmcall {mode} {record}")
                     for record in (native, guest))
    difference, = probe_compare.compare(platform, parse(native), parse(guest))
    return difference


@pytest.mark.parametrize("native, guest", [
    ("#UD(0) rip=+0", "end rip=+3"),
    ("#UD(0) rip=+0 flags=10002", "end rip=+3 rcx=7"),
    ("end rip=+3 rax=1234", "end rip=+3 rax=1256"),
    ("end rip=+3 rcx=5", "end rip=+3"),
])
def test_explained_by_the_table(native, guest):
    assert vmcall(native, guest).explained == "it calls the monitor"
    assert vmcall(native, guest, "real").explained == "it calls the monitor"


@pytest.mark.parametrize("native, guest, what", [
    ("#UD(0) rip=+0", "#GP(0) rip=+0", "outcome"),
    ("end rip=+3", "#UD(0) rip=+0", "outcome"),  # the other way
    ("#UD(0) rip=+0", "end rip=+3 rdx=1", "rdx"),
    ("#UD(0) rip=+0", "end rip=+3 flags=46", "flags"),
    ("#UD(0) rip=+0", "end rip=+3 data+0=1/2", "data+0"),
    ("#UD(0) rip=+0", "end rip=+3 cr4=20", "cr4"),
    ("end rip=+3 rax=1234", "end rip=+3 rax=1334", "rax"),  # a bit beyond the mask
    ("end rip=+3 rcx=1 rdx=1", "end rip=+3 rcx=2 rdx=2", "rdx"),
    ("end rip=+3", "end rip=+2", "rip"),
    ("#UD(0) rip=+0", "#UD(0) rip=+0 flags=10002", "flags"),
])
def test_beyond_what_the_table_explains(native, guest, what):
    difference = vmcall(native, guest)
    assert not difference.explained and difference.what == what


def test_in_a_mode_that_the_table_does_not_name():
    difference = vmcall("#UD(0) rip=+0", "end rip=+3", "64/3")
    assert not difference.explained and difference.what == "outcome"


def test_the_table_and_the_platform_together():
    guest = "end rip=+3 rcx=1 flags=10002"
    assert "RF" in vmcall("end rip=+3 flags=2", guest, platform="tcg-amd").explained
    assert not vmcall("end rip=+3 flags=2", guest, platform="bochs-intel").explained


def test_explained_by_the_platform():
    native = NATIVE.replace(" flags=10002", "")
    found = probe_compare.compare("tcg-amd", parse(native), parse(NATIVE))
    assert "RF" in found[0].explained


def test_modes_that_the_cpu_does_not_have():
    found = probe_compare.compare("bochs-intel", parse(NATIVE), parse(""), ("64/3", "real"))
    assert [(one.mode, one.explained == probe_compare.UNAVAILABLE) for one in found] == [
        ("64/0", False), ("64/3", True)]


def test_programs():
    other = parse(NATIVE.replace("22222222", "deadbeef"))
    assert probe_compare.different_programs(parse(NATIVE), other) == [1]


def test_shrink_to_a_window():
    """Instructions 3 and 5 together differ."""
    def run(words, as_guest):
        def digest(start, last):
            return "bad00000" if as_guest and start <= 3 and last >= 5 else "00000000"
        prefix = "[p] " if as_guest else ""
        if "prefixes" in words:
            return [prefix + "# 0: " + " ".join(digest(0, last) for last in range(9))]
        if "suffixes=5" in words:
            return [prefix + "# 0: " + " ".join(digest(start, 5) for start in range(6))]
        assert "show=3,5" in words
        return [prefix + line for line in ("!  3 64/0 90", "@ random 64/0 end")]

    assert probe_random.shrink(run, 1, 7)[0] == "!  3 64/0 90"


GOLDBERG = """% sgdt | SGDT | sgdt (%rdi)
% popf | POPF | push $2; popf
% cli | CLI | cli
% nop | NOP | nop
% push_cs | PUSH | push %cs
% jmp_far | JMP | mov %cs, 4(%rdi); ljmp *(%rdi)
@ sgdt 64/0 end rip=+3 data+0=1/2
@ sgdt 64/3 end rip=+3 data+0=1/2
@ sgdt 64/3/moved end rip=+3 data+0=3/4 flags=202
@ popf 64/0 end rip=+3 flags=202
@ popf 64/3 end rip=+3
@ cli 64/0 end rip=+1
@ cli 64/3 #GP(0) rip=+0
@ nop 64/0 end rip=+1
@ nop 64/3 end rip=+1
@ nop 64/3/moved end rip=+1 flags=202
@ push_cs compat/0 end stack+f=8/1
@ push_cs compat/3 end stack+f=1b/2
@ jmp_far 64/0 end rip=+800 data+0=8/1
@ jmp_far 64/3 end rip=+800 data+0=2b/2"""


def test_classification():
    log = parse(GOLDBERG)
    verdicts = {name: probe_goldberg.classify(log, form) for name, form in log.forms.items()}
    assert {name for name, verdict in verdicts.items() if verdict.violates} == {"sgdt", "popf", "push_cs"}
    assert [name for name, verdict in verdicts.items() if verdict.privileged] == ["cli"]
    assert verdicts["popf"].control == ["IF or IOPL"] and verdicts["sgdt"].control == []


def verdicts_of(text):
    """The verdicts of a native log."""
    log = parse(text)
    return [probe_goldberg.classify(log, form) for form in log.forms.values()]


def test_the_seventeen():
    assert len(probe_goldberg.SEVENTEEN) == 17
    missing = probe_goldberg.missing_of_seventeen(verdicts_of(GOLDBERG))
    assert len(missing) == 14 and {"JMP", "STR"} < set(missing)


def test_evidence():
    popf, = (verdict for verdict in verdicts_of(GOLDBERG) if verdict.form == "popf")
    assert popf.modes == ["64"] and popf.evidence == ["64: FLAGS is 202 in ring 0, as before in ring 3"]


@pytest.mark.parametrize("text, found", [
    ("% jmp_far_conforming | JMP | ljmp *(%rdi)\n@ jmp_far_conforming 64/0 end rip=+800 cs=48\n"
     "@ jmp_far_conforming 64/3 end rip=+800 cs=4b", "JMP"),
    ("% ret_far_user | RET | push $27; lret\n@ ret_far_user 64/0 end rip=+800 cs=1b\n"
     "@ ret_far_user 64/3 end rip=+800", "RET"),
])
def test_found_by_what_was_observed(text, found):
    assert found not in probe_goldberg.missing_of_seventeen(verdicts_of(text))


def test_preparation_is_no_evidence():
    assert not [verdict for verdict in verdicts_of(
        "% ret_far | RET | mov %cs, %eax; push %rax; lretq\n@ ret_far 64/0 end rip=+8 stack+0=8/1 rax=8\n"
        "@ ret_far 64/3 end rip=+8 stack+0=2b/2 rax=2b") if verdict.violates]


def test_beyond_the_list():
    text = "\n".join(f"% {form} | X | x\n@ {form} 64/0 end rip=+1 rax=1\n@ {form} 64/3 end rip=+1 rax=2"
                     for form in ("sgdt", "smsw_reg", "syscall", "invented"))
    beyond = probe_goldberg.beyond_the_list(verdicts_of(text))
    assert set(beyond) == {"smsw_reg", "syscall", "invented"} and not beyond["invented"] and beyond["syscall"]


def test_umip():
    text = "% sgdt_umip | SGDT | sgdt\n@ sgdt_umip 64/0 end rip=+3\n@ sgdt_umip 64/3 #GP(0) rip=+0"
    assert probe_goldberg.gone_with_umip(verdicts_of(text)) == ["SGDT"]


def test_an_exit_is_more_than_the_way_there():
    native, guest = (parse("\n".join(f"@ {form} 64/0 end rip=+1 ticks={count}"
                                     for form, count in zip(("nop", "in", "cli"), ticks)))
                     for ticks in ((10, 12, 12), (100, 180, 105)))
    assert probe_goldberg.does_exit(native, guest, "in", "64/0")
    assert not probe_goldberg.does_exit(native, guest, "cli", "64/0")
