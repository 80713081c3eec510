"""A class: what is kept, what is done again, and the generated submissions that test the grader."""

import csv
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from trapeze import HostError, ROOT, grade_class, grade_generate, grade_gradescope, grade_local, grade_points, \
    grade_progress, grade_run, grade_sandbox, handout, mistakes
from trapeze.grade_build import Base
from trapeze.grade_class import Class, Session
from trapeze.grade_generate import Expected
from trapeze.grade_points import State
from trapeze.lab import find_lab, load_labs
from trapeze.lab_result import FAILED, PASSED, TestResult


@pytest.fixture(scope="module")
def labs():
    """The labs of this tree."""
    return load_labs()


@pytest.fixture(scope="module")
def lab():
    """Lab 1."""
    return find_lab(1)


@pytest.fixture
def session(tmp_path, labs, lab):
    """A session whose tree is never built."""
    folder = tmp_path / "out"
    for name in ("results", "reports", "work"):
        (folder / name).mkdir(parents=True)
    return Session(folder, grade_run.Task(tuple(labs), lab, "amd", 5),
                   Base(folder / "base", "digest", {}, ROOT, True))


@pytest.fixture
def submissions(tmp_path, session):
    """Five students."""
    for name in ("alice", "bob", "eve", "\udcff", "zoe"):
        for path in session.task.wanted:
            file = tmp_path / "in" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((ROOT / path).read_bytes())
    return tmp_path / "in"


def fake_worker(calls, **bad):
    """A worker that grades nothing: everything is passed but what `bad` says of a submission."""
    def work(session, _folder, submission, _running):
        calls.append(submission.name)
        if bad.get(submission.name) == "stop":
            raise KeyboardInterrupt
        results = [TestResult(f"lab1/{exercise.name}/x", PASSED) for exercise in session.task.lab.of_vendor("amd")]
        if submission.name in bad:
            results[0] = results[0].with_(status=FAILED)
        return [grade_points.grade(session.task.lab, "amd", results, State())]
    return work


def run(session, submissions, calls, jobs=1, **bad):
    """Grades the class."""
    return Class(session, submissions, grade_progress.PlainClass(5), jobs, fake_worker(calls, **bad)).run()


def test_class(session, submissions, capsys):
    calls = []
    rows = run(session, submissions, calls, 2, bob="wrong")
    assert [name for name, _ in rows] == ["alice", "bob", "eve", "zoe", "\udcff"]
    table = list(csv.DictReader((session.folder / "grades.csv").open()))
    assert [row["points"] for row in table] == ["12", "10", "12", "12", "12"]
    assert table[4]["submission"] == "\\xff" and sorted(calls) == sorted(name for name, _ in rows)
    assert "[5/5]" in capsys.readouterr().out
    assert (session.folder / "reports/bob/grade.txt").read_text().startswith("lab 1")
    json.loads((session.folder / "reports/bob/results.json").read_text())


def test_goes_on_after_an_interruption(session, submissions):
    calls = []
    with pytest.raises(KeyboardInterrupt):
        run(session, submissions, calls, eve="stop")
    assert calls[:3] == ["alice", "bob", "eve"]
    kept = {file.name for file in session.results.glob("*.json")}
    assert {"alice.json", "bob.json"} <= kept and "eve.json" not in kept
    calls.clear()
    assert len(run(session, submissions, calls)) == 5 and len(calls) == 5 - len(kept) and "eve" in calls
    calls.clear()
    assert len(run(session, submissions, calls)) == 5 and not calls


def test_a_changed_submission_is_graded_again(session, submissions):
    run(session, submissions, [])
    (submissions / "bob" / session.task.wanted[0]).write_text("int changed;\n")
    (submissions / "eve/Makefile").write_text("not asked for\n")
    calls = []
    run(session, submissions, calls)
    assert calls == ["bob"]


@pytest.mark.parametrize("damage", ["", "{", "[]x", '{"key": "other", "grades": []}'])
def test_a_damaged_result_is_made_again(session, submissions, damage):
    run(session, submissions, [])
    (session.results / "bob.json").write_text(damage)
    calls = []
    run(session, submissions, calls)
    assert calls == ["bob"]


def test_another_nonce_is_another_class(session, submissions):
    run(session, submissions, [])
    other = Session(session.folder, grade_run.Task(session.task.labs, session.task.lab, "amd", 6), session.base)
    calls = []
    run(other, submissions, calls)
    assert len(calls) == 5


def test_a_worker_that_dies_is_told(session, submissions, monkeypatch, tmp_path):
    broken = tmp_path / "tools"
    broken.mkdir()
    (broken / "grade.py").write_text("raise SystemExit('the disc is full')\n")
    monkeypatch.setattr(grade_class, "ROOT", tmp_path)
    rows = Class(session, submissions, grade_progress.PlainClass(5), 2).run()
    assert {grades[0].failure for _, grades in rows} == {"grading failed"}
    assert "the disc is full" in (session.folder / "reports/alice/grade.txt").read_text()


def test_a_worker_that_never_ends(session, submissions, monkeypatch, tmp_path):
    slow = tmp_path / "tools"
    slow.mkdir()
    (slow / "grade.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(grade_class, "ROOT", tmp_path)
    monkeypatch.setattr(grade_class, "WORKER_LIMIT", 0.5)
    started = time.monotonic()
    rows = Class(session, submissions, grade_progress.PlainClass(5), 2).run()
    assert time.monotonic() - started < 20 and rows[0][1][0].failure == "grading failed"


def test_no_submissions(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(HostError, match="SUBMISSIONS"):
            grade_class.find_submissions(folder)


def test_replies_while_others_work(session, submissions):
    """Two at a time are two at a time."""
    barrier = threading.Barrier(2, timeout=20)
    work = fake_worker([])

    def wait(*arguments):
        if arguments[2].name in ("alice", "bob"):
            barrier.wait()
        return work(*arguments)

    assert len(Class(session, submissions, grade_progress.PlainClass(5), 2, wait).run()) == 5


# ---- What a class is made of ----

@pytest.fixture(scope="module")
def pristine(tmp_path_factory, labs, lab):
    """The tree with a stub for each exercise."""
    out = tmp_path_factory.mktemp("pristine") / "tree"
    grade_class.write_pristine(out, labs, lab, ROOT)
    return out


def test_pristine_tree_has_no_solution(pristine, labs, lab):
    task = grade_run.Task(tuple(labs), lab)
    submission = grade_class.grade_submission.take(pristine, task.wanted)
    state = grade_run.state_of(task, submission)
    assert {exercise.key for exercise in lab.exercises} <= state.stubs
    assert grade_run.vendors_of(task, state) == ["intel"]
    assert not (pristine / ".git").exists() and not (pristine / "labs/hostile").exists()


def test_whitelist(labs, lab):
    wanted = grade_run.Task(tuple(labs), lab).wanted
    assert "kernel/vmx/on.c" in wanted and "kernel/svm/on.c" in wanted
    assert all(name.startswith("kernel/") for name in wanted)


def test_generated_class(tmp_path, pristine, labs, lab):
    expected = grade_generate.Generator(ROOT, pristine, labs, lab, tmp_path / "in").all()
    assert set(expected) == set(grade_class.find_submissions(tmp_path / "in"))
    assert len(expected) >= 60 and {"reference-intel", "reference-amd", "empty"} <= set(expected)
    planted = {mistake.name for mistake in mistakes.load(ROOT / "labs/hostile") if mistake.file in lab.files}
    assert len(planted) >= 30
    for name in planted:
        assert any(found.startswith(f"hostile-{name}") for found in expected), name


def test_vendors_of_a_submission(tmp_path, pristine, labs, lab):
    generator = grade_generate.Generator(ROOT, pristine, labs, lab, tmp_path / "in")
    generator.plain_ones()
    for vendor in ("intel", "amd"):
        task = grade_run.Task(tuple(labs), lab)
        submission = grade_class.grade_submission.take(tmp_path / f"in/reference-{vendor}", task.wanted)
        assert grade_run.vendors_of(task, grade_run.state_of(task, submission)) == [vendor]


def test_what_a_hand_out_gives_away_is_nobodys_work(tmp_path, pristine, labs, lab):
    """A hand-out for one vendor has the other's files, complete."""
    task = grade_run.Task(tuple(labs), lab)
    base = Base(pristine, "digest", {}, ROOT, True)
    folder = grade_generate.Generator(ROOT, pristine, labs, lab, tmp_path / "in").copy("student")
    file = folder / "kernel/vmx/on.c"
    file.write_text(file.read_text().replace("bool failed;", "bool bad;"))
    submission = grade_class.grade_submission.take(folder, task.wanted)
    state = grade_run.state_of(task, submission)
    assert grade_run.vendors_of(task, state) == ["intel", "amd"]
    assert grade_run.vendors_of(task, state, grade_run.given(base, submission)) == ["intel"]
    assert grade_run.vendors_of(grade_run.Task(tuple(labs), lab, "amd"), state) == ["amd"]


def graded(lab, failed=()):
    """A grade on AMD-V in which these exercises are wrong."""
    results = [TestResult(f"lab1/{exercise.name}/x", FAILED if exercise.name in failed else PASSED)
               for exercise in lab.of_vendor("amd")]
    return [grade_points.grade(lab, "amd", results, State())]


@pytest.mark.parametrize("expected, failed, complaint", [
    (Expected("amd", full=True), (), ""), (Expected("amd", full=True), ("svm_cpu_off",), "earned 11 of 12"),
    (Expected("amd", nothing=True), (), "earned 12, not nothing"),
    (Expected("amd", lost="svm_cpu_off", points=1), ("svm_cpu_off",), ""),
    (Expected("amd", lost="lab1/svm_cpu_off/*"), ("svm_cpu_off",), ""),
    (Expected("amd", lost="svm_cpu_on"), ("svm_cpu_off",), "lost nothing of svm_cpu_on"),
    (Expected("amd", lost="svm_cpu_off", points=2), ("svm_cpu_off",), "lost 1 points, not 2"),
    (Expected("amd", words="hang"), (), "the report has no 'hang'")])
def test_complaints(lab, expected, failed, complaint):
    assert grade_generate.complaint(expected, graded(lab, failed), "the report").startswith(complaint)
    assert bool(complaint) == bool(grade_generate.complaint(expected, graded(lab, failed), "the report"))


# ---- Gradescope ----

def test_zip(tmp_path, labs, lab):
    file = tmp_path / "autograder.zip"
    said = grade_gradescope.write(file, labs, lab, "amd", tmp_path / "work")
    assert "Ubuntu 24.04" in said
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert {"setup.sh", "run_autograder", "trapeze/tools/grade.py", "trapeze/tools/trapeze/grade_class.py",
                "trapeze/handout.toml", "trapeze/tools/setup"} <= set(names)
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111
        assert b"wrmsr(MSR_AMD_VM_HSAVE_PA" not in archive.read("trapeze/kernel/svm/on.c"), "a solution"
        assert not [name for name in names if "mistakes/" in name or "hostile" in name or "/.git/" in name]
        for script in ("setup.sh", "run_autograder"):
            subprocess.run(["bash", "-n"], input=archive.read(script), check=True)


def test_hand_out_is_recognised(tmp_path):
    assert grade_local.handout_of(tmp_path) == (None, "")
    (tmp_path / "handout.toml").write_text('lab = 3\nvendor = "amd"\n')
    assert grade_local.handout_of(tmp_path) == (3, "amd")
    (tmp_path / "handout.toml").write_text("lab = = 3")
    with pytest.raises(HostError, match="handout.toml"):
        grade_local.handout_of(tmp_path)


# ---- The command ----

def call(*arguments, **environment):
    """tools/grade.py, as a process."""
    return subprocess.run([sys.executable, ROOT / "tools/grade.py", *arguments], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False, env={**os.environ, **environment})


@pytest.mark.parametrize("arguments, words", [
    ((), "which lab? Say N="), (("--lab", "99"), "there is no such lab"), (("--lab", "x"), "N=x: not a number"),
    (("--lab", "1", "--vendor", "via"), "VENDOR=via"), (("--lab", "1", "--format", "pdf"), "FORMAT=pdf"),
    (("--lab", "1", "--seed", "-1"), "SEED=-1"), (("--hint", "nothing"), "there is no such exercise"),
    (("--lab", "1", "--submissions", "/nowhere", "--already-isolated"), "SUBMISSIONS=/nowhere")])
def test_errors_are_sentences(arguments, words):
    done = call(*arguments)
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr


def test_refuses_to_run_unconfined(tmp_path):
    """Without a bwrap that works nothing of a submission is compiled."""
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    done = call("--lab", "1", "--submissions", str(tmp_path), "--out", str(tmp_path / "out"),
                PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 1 and "unconfined" in done.stderr and "ISOLATED=1" in done.stderr
    assert "Permission denied" in done.stderr and not (tmp_path / "out").exists()


def test_doctor_tells():
    done = subprocess.run([sys.executable, ROOT / "tools/doctor.py"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False)
    assert ("grade-all    yes: bubblewrap" in done.stdout) == (not grade_sandbox.problem())


def test_modules_of_a_students_tree():
    """What `make grade` and `make hint` load is in a hand-out."""
    code = ("import sys; sys.path.insert(0, 'tools'); import grade; print('\\n'.join(sys.modules))")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.removeprefix("trapeze.") for name in done.stdout.split() if name.startswith("trapeze.")}
    files = {f"tools/trapeze/{name}.py" for name in loaded if (Path(ROOT) / f"tools/trapeze/{name}.py").exists()}
    assert not [name for name in files if not handout.is_for_student(name, load_labs(), 1)]
    assert "handout" not in loaded and "grade_class" not in loaded
