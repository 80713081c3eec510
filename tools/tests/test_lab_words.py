"""How a test's result is put into words. No emulator runs: what the image and the emulator said is given."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from trapeze import lab_checks, lab_job
from trapeze.suite_log import DIFFERENCE, Difference
from trapeze.verdict import TIMED_OUT, Result


@pytest.mark.parametrize("note,expected,came", [
    ("vcpu->host_rsp is 0x10, not vmread(VMCS_HOST_RSP) (0x20)", "vcpu->host_rsp = vmread(VMCS_HOST_RSP) (0x20)",
     "vcpu->host_rsp = 0x10"),
    ("ask(0, A, B) is 0, not MACHINE_SVM (0x2)", "ask(0, A, B) = MACHINE_SVM (0x2)", "ask(0, A, B) = 0"),
    ("memcmp(a, b, 4) is 0x1, not 0 (0)", "memcmp(a, b, 4) = 0", "memcmp(a, b, 4) = 0x1"),
    ("RBX is 0x1, not 0x2", "RBX = 0x2", "RBX = 0x1"),
    ("the name is Auth, not GenuineIntel", "the name = GenuineIntel", "the name = Auth"),
    ("on(x) returns -EBUSY, not 0", "on(x) returns 0", "it returns -EBUSY"),
    ('wanted: bit 1 is 1 ("Checks"); came: GUEST_RFLAGS = 0, which breaks the rule', 'bit 1 is 1 ("Checks")',
     "GUEST_RFLAGS = 0, which breaks the rule"),
    ("wanted: all registers as before; came: something else in R12, R13", "all registers as before",
     "something else in R12, R13")])
def test_values(note, expected, came):
    assert lab_checks.Runner.say_values(note) == (expected, came)


@pytest.fixture
def runner(monkeypatch):
    """A runner that boots nothing."""
    monkeypatch.setattr(lab_checks, "symbolise", lambda image, addresses: ["machine_vendor (machine.c:13)"])
    made = object.__new__(lab_checks.Runner)
    made.image = Path("lab0-tests.elf")
    return made


@pytest.mark.parametrize("line,expected,came", [
    ("expected OK, came FAULT(PF, 0x2): at RIP 0x1234, CR2 0x8", "no exception, and all values as they must be",
     "FAULT(PF, 0x2) in machine_vendor (machine.c:13): a write to address 0x8, where no page is"),
    ("expected OK, came FAULT(DE): at RIP 0x1234, CR2 0", "no exception, and all values as they must be",
     "FAULT(DE) in machine_vendor (machine.c:13): a division by 0, or with a quotient too large"),
    ("row 3: expected FAULT(UD), came OK", "row 3: FAULT(UD)", "row 3: OK"),
    ("expected OK, came a wrong value at line 7: sensitive_escapes(X)", "that sensitive_escapes(X)", "it is not so")])
def test_differences(runner, line, expected, came):
    said = runner.explain(Difference(**{key: text or "" for key, text in DIFFERENCE.fullmatch(line).groupdict().items()}))
    assert (said["expected"], said["got"]) == (expected, came)


def hang(tmp_path, detail, emulator=""):
    """What a boot that hung is told as."""
    (tmp_path / "boot.emulator.log").write_text(emulator)
    result = Result(TIMED_OUT, detail, [], 0, 1.0, tmp_path / "boot.log")
    return lab_job.describe("HANG", result, SimpleNamespace(modules=(), kernel=Path("k.elf")))


def test_a_hang_is_a_sentence(tmp_path):
    assert hang(tmp_path, "nothing was printed for 8 s; last line: # run lab0/a/b ~0123abcd") == \
        "it never came back: nothing was printed for 8 s"
    assert hang(tmp_path, "no end after 9 s; last line: my own words") == \
        "it never came back: no end after 9 s; last line: my own words"


def test_where_it_hung_if_the_emulator_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(lab_job, "symbolise", lambda kernel, addresses: [f"f ({addresses[0]})"])
    log = ("(0) [0x0000fffffff0] f000:fff0 (unk. ctxt): jmpf 0xf000:e05b ; ea5be000f0\n"
           "(0).[700000000] [0x000000105595] 0008:0000000000105595 (unk. ctxt): jmp .-2 ; ebfe\n"
           "(1).[700000000] [0x000000124e81] 0008:0000000000124e81 (unk. ctxt): jz .-19 ; 74ed\n")
    assert hang(tmp_path, "at the limit", log) == \
        "it never came back: at the limit; the CPU was in f (0x0000000000105595)"
