"""What guests of labs 3 to 5 are asked for, and what their answers come to. No emulator runs: what a guest said is
given."""

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import pytest
from trapeze import ROOT, grade_points, grade_report, lab_guest, lab_probe, probe_log
from trapeze.grade_points import State
from trapeze.lab import find_lab
from trapeze.lab_job import Ended, Job
from trapeze.lab_probe import Native, selection_of
from trapeze.lab_result import FAILED, NOT_REACHED, PASSED
from trapeze.platforms import PLATFORMS

NONCE = 7
RECORDS = ("@ nop 64/0 end rip=+1", "@ wbinvd 64/0 end rip=+2")
DIGESTS = tuple(f"# {first}: " + " ".join(f"{first + i:08x}" for i in range(16)) for first in range(0, 160, 16))
NATIVE_TICKS = 1000


def workload_line(ticks, workload="integer"):
    """As the probe prints it."""
    return f"& {workload:<16} {ticks:>16}"


def native_of(lab):
    """What the bare machine is taken to have done."""
    return Native(probe_log.parse([*RECORDS, *DIGESTS]),
                  dict.fromkeys(selection_of(lab).workloads, NATIVE_TICKS))


class Guests:
    """Boots that say what they are told to, by the first part of what was asked for."""

    def __init__(self, monkeypatch, number, said):
        self.lab, self.said, self.booted = find_lab(number), said, []
        monkeypatch.setattr(lab_guest, "run_natively", lambda *_: native_of(self.lab))
        monkeypatch.setattr(lab_guest, "image_file", lambda _, name: Path(name))
        monkeypatch.setattr(lab_guest, "boot", self.boot)

    def boot(self, job, what, machine, name, *_, **__):
        """One boot."""
        self.booted.append((name, what))
        lines = self.said.get(name.rstrip("0123456789"), [])
        passed = "*** END passed" in lines
        return Ended("EARLY_EXIT", "the image ended before its tests did", list(lines), SimpleNamespace(passed=passed))

    def run(self, *patterns, missing=()):
        """{name: TestResult}"""
        job = Job(ROOT, Path("build"), Path("build"), self.lab, "amd", NONCE, PLATFORMS["tcg-amd"], patterns or ("*",))
        return {result.name: result for result in lab_guest.run(job, list(missing))}


GOOD = [*RECORDS, *DIGESTS, workload_line(NATIVE_TICKS + 100), "*** END passed"]
REACHED = ["^ read_hypervisor 1badb002", "^ write_hypervisor 5ca1ab1e", "^ read_device 1ff", "*** END passed"]


def test_a_guest_that_is_like_the_bare_machine_passes(monkeypatch):
    results = Guests(monkeypatch, 3, {"probe": GOOD, "reach": REACHED}).run("probe/*")
    assert len(results) == 2 + 4 + 1
    assert {result.status for result in results.values()} == {PASSED}


@pytest.mark.parametrize("change,failed", [
    (("@ wbinvd 64/0 end rip=+2", "@ wbinvd 64/0 end rip=+0"), "probe/wbinvd/64-0"),
    (("00000029", "00000030"), "probe/programs/40-79"),
    ((workload_line(1100), workload_line(1251)), "probe/efficiency/integer"),
])
def test_each_property_is_looked_at(monkeypatch, change, failed):
    said = [line.replace(*change) for line in GOOD]
    results = Guests(monkeypatch, 3, {"probe": said}).run("probe/*")
    assert [name for name, result in results.items() if not result.good] == [failed]
    assert results[failed].status == FAILED and results[failed].cause and results[failed].expected


def test_what_did_not_come_is_not_passed(monkeypatch):
    results = Guests(monkeypatch, 3, {"probe": ["*** END passed"]}).run("probe/*")
    assert not any(result.good for result in results.values())
    assert results["probe/nop/64-0"].end == "EARLY_EXIT"


def test_isolation_is_the_lesson_of_the_labs_before_stage_2(monkeypatch):
    guests = Guests(monkeypatch, 4, {"reach": REACHED})
    results = guests.run("isolation/*")
    assert len(results) == 3 and all(result.is_lesson for result in results.values())
    assert "0x1badb002" in results["isolation/read_hypervisor"].got
    grade = grade_points.grade(guests.lab, "amd", results.values(), State())
    text = grade_report.text(grade)
    assert text.count("from lab 5, no points") == 3 and "isolation/write_hypervisor" in text


def test_nobody_there_is_a_pass_and_nothing_said_is_no_lesson(monkeypatch):
    lines = ["^ read_hypervisor ffffffff", "^ write_hypervisor 5ca1ab1e"]
    results = Guests(monkeypatch, 3, {"reach": lines}).run("isolation/*")
    assert [results[f"isolation/{name}"].status for name in selection_of(find_lab(3)).reach] == [
        PASSED, FAILED, NOT_REACHED]
    assert not results["isolation/read_device"].is_lesson


def test_no_points_hang_on_a_lesson_and_lab_5_has_none():
    for number in (3, 4):
        for exercise in find_lab(number).exercises:
            assert not any(fnmatchcase("isolation/read_device", glob) for glob in exercise.tests)
    assert any("isolation/*" in exercise.tests for exercise in find_lab(5).exercises)
    assert not selection_of(find_lab(5)).reach


def test_lab_5_believes_sweeps_only_when_they_are_whole(monkeypatch):
    sweeps = ["% memory_2m | a rule | a text |", "probe: sweep memory_2m", "probe: sweep memory_2m: 99 accesses, 0 wrong",
              "probe: 1 sweeps"]
    said = [f"[p] {line}" for line in sweeps]
    ends = ["[w] probe: witness: 5 rounds, unchanged", "trapeze: vm p powered off, status 0",
            "trapeze: vm w powered off, status 0"]
    good = Guests(monkeypatch, 5, {"sweeps": said + ends}).run("isolation/memory_2m")
    assert good["isolation/memory_2m"].good
    cut = Guests(monkeypatch, 5, {"sweeps": said[:2] + ends}).run("isolation/memory_2m")
    assert cut["isolation/memory_2m"].status == FAILED
    unwell = Guests(monkeypatch, 5, {"sweeps": said + ["trapeze: vm w died: triple fault"]}).run("isolation/memory_2m")
    assert unwell["isolation/memory_2m"].status == FAILED and "witness" in unwell["isolation/memory_2m"].cause


def test_nothing_boots_while_an_exercise_is_missing(monkeypatch):
    guests = Guests(monkeypatch, 3, {})
    results = guests.run(missing=["vmx_run"])
    assert not guests.booted and {result.status for result in results.values()} == {NOT_REACHED}


def test_the_plain_probe_is_told_how_to_power_off(monkeypatch):
    guests = Guests(monkeypatch, 3, {"probe": GOOD, "reach": REACHED})
    guests.run()
    modules = [what.modules[0] for _, what in guests.booted]
    assert len(modules) == 2 and all("end=vmmcall" in str(module) for module in modules)


@pytest.mark.parametrize("number", sorted(lab_probe.SELECTIONS))
def test_the_words_fit_and_the_forms_are_there(number):
    selection = selection_of(find_lab(number))
    assert len(",".join(selection.forms)) < lab_guest.WORDS_MAX
    known = re.findall(r"^FORM\w*\((\w+)", (ROOT / "spec/instructions.def").read_text(), re.MULTILINE)
    for form in selection.forms:
        assert any(fnmatchcase(name, form) for name in known), form


@pytest.mark.parametrize("number,name,command", [
    (3, "probe/nop/64-0", "make probe CPU=amd ON=tcg FORMS=nop PLAIN=1 GDB=1234"),
    (4, "probe/nop/64-0", "make probe CPU=amd ON=tcg FORMS=nop STAGE2=off GDB=1234"),
    (5, "probe/nop/64-0", "make probe CPU=amd ON=tcg FORMS=nop GDB=1234"),
    (5, "isolation/memory_2m", "make probe CPU=amd ON=tcg SWEEPS=memory_2m GDB=1234"),
    (3, "isolation/read_device", "make grade N=3 VENDOR=amd TESTS=isolation/read_device"),
    (3, "probe/efficiency/integer", "make grade N=3 VENDOR=amd TESTS=probe/efficiency/integer"),
])
def test_the_command_that_runs_it_again(monkeypatch, number, name, command):
    assert Guests(monkeypatch, number, {}).run(name, missing=["vmx_run"])[name].rerun == command


def test_what_hangs_is_tried_once_more_and_then_believed(monkeypatch):
    guests = Guests(monkeypatch, 3, {"probe": [RECORDS[0]], "reach": []})
    monkeypatch.setattr(lab_guest, "boot", lambda *args, **words: replace(guests.boot(*args, **words), end="HANG"))
    results = guests.run("probe/*")
    assert [name for name, _ in guests.booted] == ["probe0", "probe0"]
    assert results["probe/nop/64-0"].good and results["probe/wbinvd/64-0"].end == "HANG"
