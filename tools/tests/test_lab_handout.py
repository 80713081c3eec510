"""Hand-outs: what a student's tree holds, and what it must not."""

import shutil
import subprocess
import sys
from functools import cache

import pytest
from trapeze import ROOT, HostError
from trapeze.c_source import parse
from trapeze.handout import (blank_text, carry_text, files_of, make_repository, set_blanked, solution_lines,
                             telling_lines, write_handout)
from trapeze.lab import VENDORS, all_exercises, load_labs, read_handout

LABS = load_labs()
KNOWN = all_exercises(LABS)
FILES = sorted({exercise.file for exercise in KNOWN})
FORMS = [(0, ""), (0, "intel"), (0, "amd"), (2, "intel"), (3, "amd"), (5, "")]  # checks/labs.py has all


@pytest.fixture(scope="module")
def handouts(tmp_path_factory):
    """A hand-out of each lab and vendor, written once."""
    folder, written = tmp_path_factory.mktemp("handouts"), {}
    for number, vendor in FORMS:
        written[number, vendor] = folder / f"{number}{vendor}"
        write_handout(written[number, vendor], number, vendor)
    yield written
    shutil.rmtree(folder)


@pytest.fixture
def tree(tmp_path):
    """A copy of what the labs are read from, to be broken."""
    for name in (*FILES, *(str(lab.folder.relative_to(ROOT) / "lab.toml") for lab in LABS),
                 *{name for lab in LABS for name in lab.reading}):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def is_blanked(number, vendor):
    """The exercises that are stubs in that hand-out."""
    return [exercise for exercise in all_exercises(LABS, vendor) if exercise.lab >= number]


@pytest.mark.parametrize("number, vendor", FORMS)
def test_no_trace(handouts, number, vendor):
    """No line of a body that was taken out is in its file, nor on a page of the book."""
    out = handouts[number, vendor]
    lines = solution_lines(ROOT, is_blanked(number, vendor), KNOWN)
    assert len(lines) > 10
    for file in out.rglob("*"):
        name = str(file.relative_to(out))
        if file.is_file() and not file.is_symlink():
            found = telling_lines(file.read_text(errors="replace")) & set(lines)
            everywhere = file.suffix in (".md", ".html", ".dox", ".toml", ".py", ".txt")
            assert not {line for line in found if everywhere or lines[line] == name}, name


@pytest.mark.parametrize("number, vendor", FORMS)
def test_what_is_left_out(handouts, number, vendor):
    """Suites, tests of the finished hypervisor, mistakes, later labs, binaries, history."""
    out = handouts[number, vendor]
    names = {str(file.relative_to(out)) for file in out.rglob("*")}
    assert {"Makefile", "README.md", "handout.toml", "kernel/backend.h", "tools/run.py"} <= names
    bad = [name for name in names if name.startswith(("vmx-tests", "svm-tests", "tests/", ".git/", "build"))
           or "mistakes" in name or name.endswith((".o", ".elf", ".pyc"))]
    assert not bad
    assert {name.split("/")[1] for name in names if name.startswith("labs/") and name.count("/") > 1} == \
        {lab.folder.name for lab in LABS if lab.number <= number}
    assert read_handout(out) == (number, vendor)
    assert load_labs(out)[-1].number == number


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_twin_stays(handouts, vendor):
    """The other vendor's files are the reference's."""
    twin = {"intel": "kernel/svm", "amd": "kernel/vmx"}[vendor]
    for file in (ROOT / twin).iterdir():
        assert (handouts[0, vendor] / twin / file.name).read_text() == file.read_text()


@cache
def compile_flags():
    """The Makefile's, with less optimization: the warnings are the same."""
    done = subprocess.run(["make", "-s", "-f", "-", "flags"], cwd=ROOT, capture_output=True, text=True, check=True,
                          input="include Makefile\nflags:\n\t@echo $(CFLAGS)\n")
    return [*done.stdout.split(), "-O1"]


def complaint(tree, file):
    """What the compiler says of a file in a tree."""
    return subprocess.run(["gcc", *compile_flags(), "-c", "-o", "/dev/null", file], cwd=tree, capture_output=True,
                          text=True, check=False).stderr


def stub_sets():
    """What is made of stubs: in every hand-out; each exercise alone; and all others of its file."""
    for lab in LABS:
        for vendor in ("", *VENDORS):
            yield is_blanked(lab.number, vendor)
    for exercise in KNOWN:
        yield [exercise]
        yield [other for other in KNOWN if other.file == exercise.file and other != exercise]


def test_stubs_compile(tmp_path):
    """Each file in each form that it can have, without a warning."""
    for folder in ("kernel", "runtime", "spec"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    flags, seen = compile_flags(), set()
    for stubs in stub_sets():
        for file in {exercise.file for exercise in stubs}:
            text = blank_text((ROOT / file).read_text(), file, stubs, KNOWN)
            assert text.count("EXERCISE_MISSING") == sum(exercise.file == file for exercise in stubs)
            if (file, text) not in seen:
                seen.add((file, text))
                (tmp_path / file).write_text(text)
                done = subprocess.run(["gcc", *flags, "-c", "-o", "/dev/null", file], cwd=tmp_path,
                                      capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
    assert len(seen) > 100


def test_put_back(tree, tmp_path):
    """Without stubs the files are the reference's, byte for byte."""
    out = tmp_path / "out"
    set_blanked(tree, out, KNOWN)
    assert all("EXERCISE_MISSING" in (out / file).read_text() for file in FILES)
    set_blanked(tree, out, ())
    assert all((out / file).read_text() == (ROOT / file).read_text() for file in FILES)


@pytest.mark.parametrize("vendor", VENDORS)
def test_work_is_carried_on(tmp_path, handouts, vendor):
    """From a tree with the reference's functions of labs 0 to 3 (a good student's) to lab 4's hand-out."""
    student, out = tmp_path / "student", tmp_path / "out"
    shutil.copytree(handouts[0, vendor], student)
    set_blanked(ROOT, student, [exercise for exercise in all_exercises(LABS, vendor) if exercise.lab > 3])
    write_handout(out, 4, vendor, student)
    for exercise in all_exercises(LABS, vendor):
        text, reference = (out / exercise.file).read_text(), (ROOT / exercise.file).read_text()
        if exercise.file.endswith(".c"):
            mine, theirs = parse(text).functions(exercise.name)[0], parse(reference).functions(exercise.name)[0]
            same = text[slice(*mine.body)] == reference[slice(*theirs.body)]
            assert same == (exercise.lab < 4), exercise.key
    assert [complaint(out, file) for file in FILES] == [""] * len(FILES)


def test_nothing_is_carried_on(tmp_path, handouts):
    """A student who wrote nothing has stubs of the earlier labs too, and a tree that compiles."""
    out = tmp_path / "out"
    write_handout(out, 3, "amd", handouts[0, "amd"])
    for file in FILES:
        assert complaint(out, file) == ""
    assert (out / "kernel/svm/on.c").read_text().count("EXERCISE_MISSING") == 6


STUDENT = """/* A file. */
#include "kernel/x.h"
#include "runtime/string.h"

#define TWICE(x) (2 * (x))

struct pair {
	int a, b;
};

/* My table. */
static const int table[] = { 1, 2 };

static int unused(void)
{
	return 0;
}

/* My helper. */
static int helper(struct pair *pair)
{
	return TWICE(table[pair->a]);
}

int first(void)
{
	struct pair pair = { 1, 2 };

	return helper(&pair);
}

int second(void)
{
	return 0;
}
"""
SKELETON = """/* A file. */
#include "kernel/x.h"

/* The contract. */
int first(void)
{
	return -ENOSYS;
}

int second(void)
{
	return -ENOSYS;
}
"""


def test_helpers_come_along():
    """What a body uses, near and far, and nothing else."""
    text = carry_text(SKELETON, "x.c", STUDENT, "student/x.c", ["first"])
    for part in ("#define TWICE", "struct pair {", "/* My table. */", "/* My helper. */", "/* The contract. */",
                 '#include "runtime/string.h"', "return helper(&pair);"):
        assert text.count(part) == 1, part
    assert "unused" not in text and text.count("return -ENOSYS") == 1
    assert text.index("#define TWICE") < text.index("int helper") < text.index("int first")
    parse(text)


@pytest.mark.parametrize("broken, words", [
    (lambda text: text.replace("int first(void)\n{", "int first(void)\n"), "closes nothing|not one"),
    (lambda text: text.replace("int first", "int fist"), "0 functions are called first"),
    (lambda text: text + "int first(void)\n{\n}\n", "2 functions are called first"),
    (lambda text: text + "/*", "does not end"),
])
def test_work_that_cannot_be_read(broken, words):
    """Is refused, by file and line or name."""
    with pytest.raises(HostError, match=words):
        carry_text(SKELETON, "x.c", broken(STUDENT), "student/x.c", ["first"])


def change(tree, old, new, lab="01-on"):
    """Changes a lab.toml."""
    file = tree / "labs" / lab / "lab.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("old, new, words", [
    ('name = "on_fix_bits"', 'name = "on_fix_bites"', "on_fix_bites: no function of that name in kernel/vmx/on.c"),
    ('file = "kernel/vmx/on.c"', 'file = "kernel/vmx/off.c"', "there is no kernel/vmx/off.c"),
    ('vendor = "intel"', 'vendor = "amd"', "is 'intel''s"),
    ('keep = ["vmxon_regions"]', 'keep = ["vmxon_region"]', "has no static vmxon_region"),
    ('needs = ["on_feature_control"]', 'needs = ["nobody"]', "needs nobody"),
    ('needs = ["on_feature_control"]', 'needs = ["vmx_cpu_off"]', "needs vmx_cpu_off"),
    ("points = 2", "points = 0", "worth nothing"),
    ("points = 2", 'points = "2"', "is not of type int"),
    ("points = 2", "point = 2", "unknown key 'point'|has no 'points'"),
    ("number = 1", "number = 2", "the folder's name says otherwise"),
    ('name = "on_unlock"', 'name = "on_fix_bits"', "two exercises of intel are called on_fix_bits"),
    ("title =", "title = =", "lab.toml"),
])
def test_names_that_do_not_match(tree, old, new, words):
    """Are refused."""
    change(tree, old, new)
    with pytest.raises(HostError, match=words):
        load_labs(tree)


def call(*arguments):
    """tools/lab.py."""
    return subprocess.run([sys.executable, str(ROOT / "tools/lab.py"), *arguments], capture_output=True,
                          text=True, check=False)


@pytest.mark.parametrize("arguments, words", [
    (("--lab", "77"), "there is no lab 77"),
    (("--lab", "x"), "not the number of a lab"),
    (("--lab", "1", "--vendor", "via"), "must be intel or amd"),
    (("--lab", "1", "--base", "/nonexistent"), "is no folder"),
])
def test_words_that_are_wrong(tmp_path, arguments, words):
    """A sentence, no traceback, nothing written."""
    done = call(*arguments, "--out", str(tmp_path / "out"))
    assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it(tmp_path):
    """Is not overwritten."""
    (tmp_path / "mine").write_text("work")
    done = call("--lab", "1", "--out", str(tmp_path))
    assert done.returncode == 1 and "not empty" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_history(tmp_path):
    """One commit, which is not ours."""
    write_handout(tmp_path / "out", 1, "intel")
    assert make_repository(tmp_path / "out")
    log = subprocess.run(["git", "log", "--format=%s"], cwd=tmp_path / "out", capture_output=True, text=True,
                         check=True).stdout
    assert log == "labs: hand-out\n"
    status = subprocess.run(["git", "status", "--short"], cwd=tmp_path / "out", capture_output=True, text=True,
                            check=True).stdout
    assert status == ""
    assert files_of(tmp_path / "out")
