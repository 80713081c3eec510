"""What `make run` says of exercises in a hand-out. No emulator runs: what the console said is given."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import run
from trapeze import demo
from trapeze.lab_page import place_of
from trapeze.run_exercises import Exercises, Screen
from trapeze.verdict import FAILED, PANIC, PASSED, TIMED_OUT, Result

LAB_TOML = "labs/01-on/lab.toml"
TEXT = "# Lab 1: on {#lab_on}\n\n### The instruction: on_vmxon {#lab_on_on_vmxon}\n"
OWN = "exercise missing: on_vmxon (lab 1, page lab_on_on_vmxon)"
LATER = ["exercise missing: vmcs_clear (lab 2, page lab_state_vmcs_clear)",
         "exercise missing: vmx_run (lab 3, page lab_switch_vmx_run)"]
REACHED = "exercise reached: vmcs_clear (lab 2, page lab_state_vmcs_clear)"
PLACE = 'labs/01-on/README.md, "The instruction: on_vmxon"'


@pytest.fixture
def handout(tmp_path):
    """A hand-out of lab 1, as far as the runner looks at it."""
    (tmp_path / "handout.toml").write_text('lab = 1\nvendor = "intel"\n')
    (tmp_path / "labs/01-on").mkdir(parents=True)
    (tmp_path / "labs/01-on/README.md").write_text(TEXT)
    return tmp_path


def follow(exercises, *lines):
    """All that is shown of these lines."""
    return [shown for line in lines for shown in exercises.lines(line)]


def result(end, detail=""):
    """A verdict."""
    return Result(end, detail, [], 0, 1.0, Path("log"))


def test_this_labs_are_told_by_their_place_and_the_others_counted(handout):
    shown = follow(Exercises(handout), OWN, *LATER, "trapeze: VT-x", REACHED)
    assert shown == [f"exercise missing: on_vmxon (lab 1: {PLACE})", "exercise missing: and 2 of later labs",
                     "trapeze: VT-x", "exercise reached: vmcs_clear (lab 2: page lab_state_vmcs_clear of the book)"]


def test_the_finished_tree_tells_all(tmp_path):
    exercises = Exercises(tmp_path)
    assert len(follow(exercises, OWN, *LATER, "trapeze: VT-x")) == 4
    assert exercises.outcome(result(PASSED), []) == ("failed (exercises missing)", False, ["3 exercises are not written yet"])


def test_an_interface_that_nobody_looked_for(handout):
    shown = follow(Exercises(handout), "exercise missing: machine_interface (lab 0, page x)",
                   "trapeze: error: this CPU has neither VT-x (CPUID.1:ECX.VMX) nor AMD-V")
    assert "machine_interface() is not written yet" in shown[1] and "neither" not in shown[1]
    line = "trapeze: error: this CPU has neither VT-x"
    assert follow(Exercises(handout), line) == [line]


def test_full_marks_pass(handout):
    exercises = Exercises(handout)
    follow(exercises, *LATER, "*** END passed")
    assert exercises.outcome(result(PASSED), []) == ("passed", True, ["2 exercises of later labs are not written yet"])
    end, good, _ = exercises.outcome(result(PASSED), ["guest a printed nothing"])
    assert not good and end == "failed (results missing)"


def test_what_a_later_lab_lacks_is_no_failure_of_this_one(handout):
    exercises = Exercises(handout)
    follow(exercises, *LATER, REACHED)
    end, good, _ = exercises.outcome(result(FAILED, "status 1"), [])
    assert good and end == "passed as far as lab 1 goes: next is vmcs_clear of lab 2"
    for bad in (PANIC, TIMED_OUT):
        assert not exercises.outcome(result(bad), [])[1]


def test_what_is_not_written_is_a_failure(handout):
    exercises = Exercises(handout)
    follow(exercises, OWN, *LATER, REACHED)
    end, good, notes = exercises.outcome(result(FAILED, "status 1"), ["one", "two"])
    assert not good and end == "failed (status 1)"
    assert notes == ["1 exercise is not written yet", "2 exercises of later labs are not written yet"]


def test_many_complaints_do_not_bury_the_end(handout):
    complaints = [str(i) for i in range(16)]
    end, good, notes = Exercises(handout).outcome(result(PANIC, "page fault"), complaints)
    assert (end, good, notes) == ("panic (page fault)", False, ["16 results of the guests did not come"])
    end, good, notes = Exercises(handout).outcome(result(PASSED), complaints)
    assert (end, good, notes) == ("failed (results missing)", False, ["0", "1", "2", "and 13 more like it"])


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_terminal_shows_the_same(handout, size):
    sent = "\r\n".join([OWN, *LATER, "trapeze: VT-x", "\x1b[1mexercise"]).encode() + b"s> \x01"
    screen = Screen(Exercises(handout))
    shown = b"".join(screen(sent[at:at + size]) for at in range(0, len(sent), size)).decode()
    assert shown == (f"exercise missing: on_vmxon (lab 1: {PLACE})\r\nexercise missing: and 2 of later labs\r\n"
                     "trapeze: VT-x\r\n\x1b[1mexercises> \x01")


def test_places(handout):
    assert place_of("lab_on_on_vmxon", handout) == PLACE
    assert place_of("nowhere", handout) == "page nowhere of the book"


def test_a_guest_without_a_prefix_has_said_it_too():
    guest = demo.Guest("a", Path("tinyos-high.elf"))
    said = ["[1 sieve] 9592 primes below 100000"]
    assert len(demo.missing([guest], said)) == len(demo.missing([guest], [f"[a] {said[0]}"])) == len(demo.EXPECTED) - 1


@pytest.mark.parametrize("words,guests,wanted", [("", "", "tinyos-high"), ("selftest=sensitive", "", ""),
                                                 ("slice=500", "a=x", "a=x")])
def test_what_a_handout_boots(monkeypatch, words, guests, wanted):
    """The experiment of lab 0 needs no guest, and expects nothing of one."""
    monkeypatch.setattr(run, "read_handout", lambda: (0, "intel"))
    arguments = SimpleNamespace(words=words, guests=guests, image="")
    run.suit_handout(arguments)
    assert arguments.guests == wanted and "stage2=off" in arguments.words.split()
