"""Grading one submission, with a compiler and a machine that only say what they are told to."""

import os

import pytest

from trapeze import ROOT, grade_build, grade_local, grade_run, lab_run
from trapeze.grade_build import Base, BuildFailed
from trapeze.grade_submission import take
from trapeze.lab import find_lab, load_labs
from trapeze.lab_result import ERROR, PASSED, TestResult


class Fake:
    """A compiler and a machine."""

    def __init__(self):
        self.broken, self.fails = {}, ""  # what build_submission() returns, or raises
        self.end = ""  # how the machine ends under svm_cpu_off's test
        self.builds = []  # BUILD, as the tests saw it
        self.nonces = []

    def build(self, _base, _submission, tree, _targets):
        """As grade_build.build_submission()."""
        (tree / "build/logs").mkdir(parents=True)
        (tree / "build/logs/boot1.log").write_text("the console")
        if self.fails:
            raise BuildFailed(self.fails)
        return self.broken

    def run(self, _root, _build, lab, vendor, nonce, _pristine, _listener, _patterns, progress):
        """As lab_run.run_lab()."""
        self.builds.append(os.environ["BUILD"])
        self.nonces.append(nonce)
        results = [TestResult(f"lab1/{exercise.name}/x", PASSED) for exercise in lab.of_vendor(vendor)]
        if self.end:
            results[-1] = results[-1].with_(status=ERROR, end=self.end)
        for result in results if progress else ():
            progress(result.name, result.good)
        return results


@pytest.fixture
def fake(monkeypatch):
    """In place of the real ones."""
    made = Fake()
    monkeypatch.setattr(grade_build, "build_submission", made.build)
    monkeypatch.setattr(lab_run, "run_lab", made.run)
    monkeypatch.setattr(lab_run, "planned", lambda build, lab, vendor, nonce: [
        f"lab1/{exercise.name}/x" for exercise in lab.of_vendor(vendor)])
    return made


@pytest.fixture
def task():
    """Lab 1 on AMD-V."""
    return grade_run.Task(tuple(load_labs()), find_lab(1), "amd", 77)


def grade(task, folder, submission=None):
    """The only Grade of the reference as a submission."""
    base = Base(folder / "base", "digest", {}, ROOT, True)
    found, = grade_run.grade(task, base, submission or take(ROOT, task.wanted, "me"), folder / "work")
    return found


def test_reference(fake, task, tmp_path):
    graded = grade(task, tmp_path)
    assert (graded.earned, graded.points, graded.failure, graded.nonce) == (12, 12, "", 77)
    assert fake.nonces == [77] and fake.builds == [str(tmp_path / "work/tree/build")]
    assert os.environ.get("BUILD") != fake.builds[0], "as before"
    assert (tmp_path / "work/logs/boot1.log").exists() and not (tmp_path / "work/tree").exists()


def test_what_does_not_link_does_not_run(fake, task, tmp_path):
    fake.fails = "the submission cannot be linked: undefined reference"
    graded = grade(task, tmp_path)
    assert (graded.earned, graded.failure, fake.builds) == (0, "does not build", [])
    assert "undefined reference" in graded.verdicts[0].why and not (tmp_path / "work/tree").exists()


def test_a_file_that_does_not_compile(fake, task, tmp_path):
    fake.broken = {"kernel/svm/on.c": ("does not build", "line 1")}
    graded = grade(task, tmp_path)
    assert graded.earned == 0 and graded.failure == "does not build"
    assert fake.builds == [], "nothing of it is left to run"


def test_failure_of_the_machine(fake, task, tmp_path):
    fake.end = "SHUTDOWN"
    graded = grade(task, tmp_path)
    assert (graded.earned, graded.failure) == (11, "triple fault")


def test_nothing_is_taken(fake, task, tmp_path):
    (tmp_path / "file").write_text("")
    graded = grade(task, tmp_path, take(tmp_path / "file", task.wanted))
    assert (graded.earned, graded.failure, fake.builds) == (0, "refused", [])
    assert graded.notes == ["the submission is not a folder: nothing is taken from it"]


def test_an_empty_submission_is_not_run(fake, task, tmp_path):
    (tmp_path / "empty").mkdir()
    graded = grade(task, tmp_path, take(tmp_path / "empty", task.wanted))
    assert {verdict.status for verdict in graded.verdicts} == {"missing"} and fake.builds == []
    assert "kernel/svm/on.c is not in the submission" in graded.notes


def test_own_tree(fake, task, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("BUILD", str(tmp_path))
    graded, = grade_local.grade(task)
    assert graded.earned == 12 and fake.builds == [str(tmp_path)]
    assert capsys.readouterr().out == "[6/6] 12 of 12 points\n"


def test_progress_over_all_labs(fake, task, monkeypatch):
    lines = list(grade_local.progress([task.lab], "amd", 1))
    assert lines[0].startswith("lab 1  [########################]   12/12") and "in all" in lines[1]
    fake.end = "HANG"
    assert "1 exercise to go" in next(grade_local.progress([task.lab], "amd", 1))


def test_bar():
    assert grade_local.bar(0, 0) == "[" + "." * 24 + "]" and grade_local.bar(1, 2).count("#") == 12
