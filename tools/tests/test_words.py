"""The words that make's targets take on their command line. Nothing is built: make only reads its files."""

import shutil
import subprocess

import pytest
from trapeze import ROOT


def make(*arguments, folder=ROOT):
    """make -n in a folder."""
    return subprocess.run(["make", "-n", *arguments], cwd=folder, capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("words", [["run", "CPU=intel", "WORDS=a=b c"], ["grade", "N=1", "TESTS=a b", "VENDOR=amd"],
                                   ["lab", "N=3", "OUT=x", "BASE=y"], ["doctor", "PYTHON=p"], ["clean", "BUILD=b"],
                                   ["vmx-tests-selftest", "SEEDS=3", "SUITE=vmx-tests"]])
def test_words_that_are_known(words):
    done = make(*words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words,name,known", [
    (["run", "VENDR=intel"], "VENDR=", "CPU="), (["run", "cpu=intel"], "cpu=", "CPU="),
    (["run", "VENDOR=amd"], "VENDOR=", "CPU="), (["grade", "CPU=amd"], "CPU=", "VENDOR="),
    (["probe", "FORM=nop", "CPU=amd"], "FORM=", "FORMS="), (["bench", "SMP=2"], "SMP=", "no words")])
def test_words_that_are_not(words, name, known):
    done = make(*words)
    assert done.returncode == 2
    assert f"does not know {name}; it takes" in done.stderr and known in done.stderr


def test_help_names_every_word():
    text = (ROOT / "tools/help.txt").read_text()
    words = {word for line in (ROOT / "tools/words.mk").read_text().splitlines() if line.startswith("WORDS_")
             and ":=" in line and not line.startswith(("WORDS_ALL", "WORDS_GIVEN", "WORDS_TAKEN", "WORDS_UNKNOWN"))
             for word in line.partition(":=")[2].split()}
    assert len(words) > 25
    for word in words:
        assert f"{word}=" in text, word


@pytest.fixture
def handout(tmp_path):
    """As much of a hand-out as make reads."""
    for name in ("Makefile", "tools/words.mk", "guests/tinyos/programs.mk"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "handout.toml").write_text('lab = 1\nvendor = "intel"\n')
    return tmp_path


@pytest.mark.parametrize("target", ["docs", "lab", "check", "vmx-tests", "matrix", "check-labs", "grade-all"])
def test_targets_of_the_finished_tree(handout, target):
    done = make(target, folder=handout)
    assert done.returncode == 2
    assert f"make {target}: only in the finished tree" in done.stderr


@pytest.mark.parametrize("target", ["run", "grade", "hint", "progress", "probe", "doctor"])
def test_targets_of_a_handout(handout, target):
    assert make(target, folder=handout).returncode == 0
