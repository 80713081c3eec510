"""From results to points, and a grade in all its formats."""

import csv
import io
import json
from datetime import datetime, timezone
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from trapeze import HostError, grade_hint, grade_points, grade_progress, grade_report
from trapeze.grade_points import Grade, State, Verdict
from trapeze.lab import Exercise, Lab, resolve_needs
from trapeze.lab_result import ERROR, FAILED, MISSING, PASSED, SKIPPED, TestResult

HINTS = ("look at the contract", "which bit?", "an OR, then an AND")


def exercise(name, points, needs=(), vendor="intel", tests=None, lab=1):
    """An exercise of a file of its own."""
    return Exercise(name, f"kernel/vmx/{name}.c", lab, points, tests or (f"lab{lab}/{name}/*",), f"lab_{name}",
                    HINTS, vendor, tuple(needs))


LAB, = resolve_needs([Lab(1, "Turning it on", 4, (), (
    exercise("bits", 2), exercise("unlock", 1, ["bits"]), exercise("on", 3, ["unlock"]),
    exercise("both", 2, vendor=""), exercise("svme", 4, vendor="amd"),
    exercise("halves", 3, tests=("lab1/halves/a*", "lab1/halves/b*", "lab1/halves/c*"))), Path("labs/01-on"))])
NAMES = ["lab1/bits/a", "lab1/bits/b", "lab1/unlock/a", "lab1/on/a", "lab1/both/a", "lab1/halves/a1",
         "lab1/halves/a2", "lab1/halves/b", "lab1/halves/c"]


def results(**changes):
    """All passed but what the changes say, with _ for /: status or TestResult's arguments."""
    found = []
    for name in NAMES:
        change = changes.get(name.removeprefix("lab1/").replace("/", "_"), PASSED)
        if change:
            found.append(TestResult(name, change) if isinstance(change, str) else TestResult(name, **change))
    return found


def grade(state=State(), **changes):
    """The Grade on VT-x."""
    return grade_points.grade(LAB, "intel", results(**changes), state)


def verdict(graded, name):
    """One of its verdicts."""
    return next(found for found in graded.verdicts if found.name == name)


def stubs(*names):
    """A State in which these are not written."""
    return State(frozenset(f"intel/{name}" for name in names))


def test_full_marks():
    graded = grade()
    assert (graded.earned, graded.points) == (11, 11)
    assert [found.status for found in graded.verdicts] == ["earned"] * 5
    assert "svme" not in [found.name for found in graded.verdicts]


def test_wrong():
    failed = {"status": FAILED, "rule": "must be 1", "expected": "0x1", "got": "0x2", "cause": "the bit is lost",
              "rerun": "make lab-test TESTS=lab1/on/a"}
    graded = grade(on_a=failed)
    found = verdict(graded, "on")
    assert (found.earned, found.status, found.why, found.failure) == (0, "wrong", "came 0x2", "")
    assert graded.earned == 8
    shown = grade_report.text([graded][0])
    for words in failed.values():
        assert words in shown
    assert "likely cause: the bit is lost" in shown
    assert 'labs/01-on/README.md, "' in shown and "make hint EXERCISE=on" in shown


@pytest.mark.parametrize("ended", [{"status": ERROR, "end": "HANG", "got": "it never came back"},
                                   {"status": ERROR, "end": "SHUTDOWN", "got": "a triple fault"},
                                   {"status": FAILED, "got": "FAULT(PF, 0x2) in f (a.c:13): a write to address 0"},
                                   {"status": FAILED, "got": "row: FAULT(DE) in f (a.c:13)"}])
def test_what_came_otherwise_has_not_the_planted_cause(ended):
    graded = grade(on_a=ended | {"cause": "the bit is lost"})
    shown = grade_report.text(graded)
    assert "the bit is lost" not in shown and ended["got"] in verdict(graded, "on").why
    assert verdict(graded, "on").details[0]["looked_for"] == "the bit is lost"


@pytest.mark.parametrize("got", ["FAULT(GP, 0) in on_vmxon (on.c:70)", "FAULT(UD) in f (a.c:1)", "0x2", "FAIL_VALID(7)"])
def test_what_an_instruction_of_virtualization_says_has_it(got):
    assert "likely cause: the bit is lost" in grade_report.text(
        grade(on_a={"status": FAILED, "got": got, "cause": "the bit is lost"}))


def test_missing_and_what_needs_it():
    graded = grade(stubs("bits"), bits_a=MISSING, bits_b=MISSING)
    assert [(found.name, found.status, found.earned) for found in graded.verdicts][:3] == [
        ("bits", "missing", 0), ("unlock", "not reached", 0), ("on", "not reached", 0)]
    assert verdict(graded, "unlock").why == "needs bits first"
    assert graded.earned == 5


def test_missing_earns_nothing_even_if_its_tests_pass():
    assert verdict(grade(stubs("on")), "on").earned == 0


def test_an_exercise_of_an_earlier_lab_is_needed():
    alloc = exercise("alloc", 2, ["on"], lab=2)
    lab = Lab(2, "State", 3, (), (alloc,), Path("labs/02-state"), {"intel": (alloc,)})
    found = [TestResult("lab2/alloc/a", PASSED)]
    graded = grade_points.grade(lab, "intel", found, stubs("on"), LAB.exercises)
    assert [found.status for found in graded.verdicts] == ["not reached"]
    assert grade_points.grade(lab, "intel", found, State(), LAB.exercises).earned == 2


def test_wrong_need_is_named():
    graded = grade(bits_a=FAILED, unlock_a=FAILED)
    assert "mend bits first" in verdict(graded, "unlock").why
    assert verdict(grade(bits_a=FAILED), "unlock").earned == 1, "what works counts"


def test_shares():
    graded = grade(halves_b=FAILED)
    assert (verdict(graded, "halves").earned, verdict(graded, "halves").status) == (2, "partly")
    own = verdict(grade(halves_a1=FAILED), "halves")
    assert (own.earned, own.status) == (0, "wrong"), "guests that run on without the function pay nothing"
    assert graded.earned == 10


def test_no_result_earns_nothing():
    found = verdict(grade(on_a=None), "on")
    assert (found.earned, found.status, found.failure) == (0, "wrong", "no report")


def test_skip_is_shown_apart_and_worth_nothing():
    graded = grade(on_a={"status": SKIPPED, "cause": "no second CPU"})
    assert (verdict(graded, "on").status, verdict(graded, "on").earned) == ("skipped", 0)
    assert "on                              0/3   skipped" in grade_report.text(graded)


@pytest.mark.parametrize("end, failure", [
    ("HANG", "hang"), ("FLOOD", "flood"), ("PANIC", "crash"), ("SHUTDOWN", "triple fault"),
    ("EARLY_EXIT", "early exit"), ("EMPTY", "empty report"), ("CUT", "cut report"), ("RESET", "reset"),
    ("FORGED", "forged report"), ("EMULATOR_ERROR", "emulator error")])
def test_classes_of_failure(end, failure):
    graded = grade(on_a={"status": ERROR, "end": end, "got": "at the end"})
    found = verdict(graded, "on")
    assert found.failure == failure and found.why.startswith(f"{failure}: ") and "at the end" in found.why
    assert f'type="{failure}"' in grade_report.junit([graded])


@pytest.mark.parametrize("failure", ["BUILD", "REFUSED"])
def test_broken_file(failure):
    name = grade_points.FAILURES[failure][0]
    state = State(frozenset(), {"kernel/vmx/bits.c": (name, "line 7")})
    graded = grade(state, bits_a=MISSING, bits_b=MISSING)
    assert (verdict(graded, "bits").failure, verdict(graded, "bits").why) == (name, "line 7")
    assert verdict(graded, "unlock").status == "not reached" and graded.earned == 5


def test_nothing_could_run():
    graded = grade_points.grade_nothing(LAB, "intel", stubs("on"), "BUILD", "it cannot be linked\nmore")
    assert graded.earned == 0 and graded.failure == "does not build"
    assert [found.status for found in graded.verdicts] == ["wrong", "wrong", "missing", "wrong", "wrong"]


NASTY = "\x1b[2J\x00\r\n\u202e</script>]]>&\ud800" + "9" * 5000


def test_texts_of_a_submission_are_harmless_everywhere():
    graded = grade(on_a={"status": FAILED, "expected": NASTY, "got": NASTY, "cause": NASTY, "rule": NASTY},
                   bits_a={"status": ERROR, "end": "PANIC", "got": NASTY})
    for name, form in grade_report.FORMATS.items():
        text = form([graded])
        assert "\x1b" not in text and "\x00" not in text and "\r" not in text and "\u202e" not in text, name
        assert len(text) < 60_000
    xml.fromstring(grade_report.junit([graded]).encode("utf-8", "backslashreplace"))
    json.loads(grade_report.gradescope([graded]))


def test_json_comes_back():
    graded = grade(on_a=FAILED)
    table = json.loads(grade_report.as_json([graded]))
    again = Grade.from_table(table["grades"][0])
    assert again.earned == graded.earned == table["grades"][0]["earned"]
    assert grade_report.text(again) == grade_report.text(graded)


def test_gradescope():
    table = json.loads(grade_report.gradescope([grade(stubs("on"), halves_b=FAILED)]))
    assert table["score"] == 7 and sum(test["max_score"] for test in table["tests"]) == 11
    assert table["tests"][0] == {
        "name": "bits", "score": 2, "max_score": 2, "status": "passed", "output_format": "text",
        "name_format": "text", "visibility": "visible", "tags": ["earned"],
        "output": "+ bits                            2/2"} | {"output": table["tests"][0]["output"]}
    assert {test["status"] for test in table["tests"]} == {"passed", "failed"}


def test_classroom50():
    environment = {"CLASSROOM": "hv", "ASSIGNMENT": "lab1", "SUBMISSION_TAG": "submit/1", "COMMIT_URL": "https://c",
                   "RELEASE_URL": "https://r"}
    graded = grade(on_a=FAILED)
    verdict(graded, "halves").earned = 1.5
    table = json.loads(grade_report.classroom50([graded], environment, datetime(2026, 6, 1, tzinfo=timezone.utc)))
    assert table["schema"] == "classroom50/result/v1" and table["datetime"] == "2026-06-01T00:00:00Z"
    assert (table["classroom"], table["assignment"], table["submission"]) == ("hv", "lab1", "submit/1")
    assert (table["commit"], table["release"], table["review"]) == ("https://c", "https://r", "https://c")
    assert all(type(test["score"]) is int and type(test["max-score"]) is int for test in table["tests"])
    assert table["score"] == sum(test["score"] for test in table["tests"]) == 6 and table["max-score"] == 11


def test_junit():
    root = xml.fromstring(grade_report.junit([grade(stubs("bits"), on_a=FAILED)]))
    suite = root.find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("5", "0", "3")


def test_the_better_vendor_counts():
    amd = grade_points.grade(LAB, "amd", [TestResult("lab1/svme/a", PASSED)], State())
    assert grade_report.best_of([grade(bits_a=FAILED), amd]).vendor == "intel"
    assert grade_report.best_of([grade(bits_a=FAILED, on_a=FAILED, halves_a1=FAILED, both_a=FAILED), amd]).vendor == "amd"


def test_table():
    rows = [("alice", [grade()]), ("=bob", [grade(stubs("bits"), halves_c=FAILED)]), ("a,\udcff\n", [grade(on_a=FAILED)])]
    table = list(csv.DictReader(io.StringIO(grade_report.table(rows))))
    assert [row["points"] for row in table] == ["11", "4", "8"]
    assert table[1]["submission"] == "'=bob" and table[1]["bits"] == "missing" and table[1]["on"] == "not reached"
    assert table[2]["submission"] == "a,\\xff\\x0a" and table[2]["on"] == "0" and table[0]["on"] == "3"


def test_replace_is_whole_or_not_at_all(tmp_path):
    file = tmp_path / "a"
    grade_report.replace(file, "one")
    with pytest.raises(TypeError):
        grade_report.replace(file, 2)
    assert file.read_text() == "one"


def test_points_so_far():
    points = grade_progress.Points(LAB, "intel", NAMES)
    earned = []
    for result in results(on_a=FAILED):
        points.add(result.name, result)
        earned.append(points.earned)
    assert earned == [0, 2, 3, 3, 5, 5, 5, 5, 8]


def test_points_wait_for_what_is_not_judged_yet():
    points = grade_progress.Points(LAB, "intel", NAMES)
    for result in results():
        points.add(result.name, None if result.name == "lab1/on/a" else result)
    assert points.earned == 8
    points.add("lab1/on/a", results()[3])
    assert points.earned == 11


def follow(progress, **changes):
    """What a run tells a display: first what comes, then what it is taken for."""
    with progress:
        for result in results(**changes):
            progress.seen(result.name, result.status == PASSED)
        progress.seen("lab1/nobody/asked", False)
        progress.seen("lab1/on/a", True)  # a second time
        progress.settle(results(**changes))


def test_plain_progress(capsys):
    follow(grade_progress.for_tests(len(NAMES), grade_progress.Points(LAB, "intel", NAMES), 11), on_a=FAILED)
    assert capsys.readouterr().out.splitlines() == ["[4/9] failed: lab1/on/a", "[9/9] 8 of 11 points"]


def test_progress_is_quiet_about_what_is_not_written(capsys):
    follow(grade_progress.PlainTests(9, grade_progress.Points(LAB, "intel", NAMES, stubs("on")), 11), on_a=FAILED)
    assert capsys.readouterr().out.splitlines() == ["[9/9] 8 of 11 points"]


@pytest.mark.parametrize("display", [grade_progress.RichTests, grade_progress.RichClass])
def test_rich_progress(display, capsys):
    if display is grade_progress.RichTests:
        follow(display(9, grade_progress.Points(LAB, "intel", NAMES), 11), on_a=FAILED)
        assert "failed: lab1/on/a" in capsys.readouterr().out
    else:
        with display(1) as progress:
            progress.start("[red]alice")
            progress.end("[red]alice", [grade()], False)
        assert "[red]alice" in capsys.readouterr().out


def test_hints(tmp_path):
    first = grade_hint.hint(tmp_path, [LAB], "on")
    assert "1. look at the contract" in first and "2." not in first and "2 more hints" in first
    assert "2. which bit?" in grade_hint.hint(tmp_path, [LAB], "on")
    assert "all the hints" in grade_hint.hint(tmp_path, [LAB], "on")
    assert "3. an OR" in grade_hint.hint(tmp_path, [LAB], "on")
    assert "1 more" not in grade_hint.hint(tmp_path, [LAB], "bits")


@pytest.mark.parametrize("state", ["", "{", "[]", '{"intel/on": "x"}', '{"intel/on": -5}', '{"intel/on": 99}'])
def test_hints_of_a_damaged_state(tmp_path, state):
    (tmp_path / grade_hint.STATE).write_text(state)
    assert "look at the contract" in grade_hint.hint(tmp_path, [LAB], "on")


def test_hint_for_what_is_not_there(tmp_path):
    with pytest.raises(HostError, match="there are both, svme|there are bits, unlock, on"):
        grade_hint.hint(tmp_path, [LAB], "nothing")
    with pytest.raises(HostError, match="there is no such exercise; there are unlock"):
        grade_hint.hint(tmp_path, [LAB], "lock")


def test_verdict_is_absent():
    assert Verdict("a", 1, "", 1, 0, "missing").is_absent and not Verdict("a", 1, "", 1, 0, "wrong").is_absent
