"""Makes the images to be graded: the pristine tree of a lab once for a class, and for each submission a
copy of it with the student's files, compiled in the sandbox. Running the images is lab_run's."""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import HostError, grade_object, grade_sandbox
from .grade_points import FAILURES, plain

MAKE = ("make", "--no-print-directory", "--silent", "-k", "BUILD=build", "PYTHON=/usr/bin/python3")
BASE_LIMITS = grade_sandbox.Limits(seconds=600, cpu=300, memory=4 << 30, output=4 << 20)
LIMITS = grade_sandbox.Limits()
NOT_COPIED = ("*.elf", "*.elf32", "native", "logs")  # of the base: what a submission makes itself, or never sees
SHOWN = 3  # complaints of a compiler
TELLING = re.compile(r"error:|Error:|multiple definition|undefined reference|overflow|truncated")


@dataclass(frozen=True)
class Base:
    """A tree with a stub for each exercise, built."""

    tree: Path
    digest: str  # of its sources
    owners: dict  # grade_object.owners()
    reference: Path  # the tree whose files are the reference
    isolated: bool  # this host is a sandbox already

    @property
    def build(self):
        """Its build folder: pristine tests and guests."""
        return self.tree / "build"


class BuildFailed(Exception):
    """The images cannot be made; the text says why."""


def digest_of(tree):
    """Of all files of a tree but its build folder."""
    known = hashlib.sha256()
    for file in sorted(Path(tree).rglob("*")):
        if file.is_file() and "build" not in file.relative_to(tree).parts:
            known.update(f"{file.relative_to(tree)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return known.hexdigest()


def make(tree, targets, limits, isolated, jobs=1):
    """Runs make in the sandbox; a grade_sandbox.Done."""
    cross = f"CROSS={os.environ.get('CROSS', '')}"  # another compiler for hosts that are not x86-64
    return grade_sandbox.run([*MAKE, cross, f"-j{jobs}", *targets], tree, limits, "build", isolated)


def build_base(tree, targets, reference, isolated=False, jobs=2):
    """Builds the pristine tree."""
    (tree / "build").mkdir(exist_ok=True)
    done = make(tree, targets, BASE_LIMITS, isolated, jobs)
    if not done.good:
        raise HostError(f"the pristine tree does not build: {done.why}\n{done.output[-3000:]}")
    return Base(tree, digest_of(tree), grade_object.owners(tree / "build/obj"), Path(reference), isolated)


def build_submission(base, submission, tree, targets):
    """Makes `tree`: a copy of the base with the submission's files, built. Returns {path: (class of failure,
    why)} of files that the base's stubs had to replace. Raises BuildFailed when there is no image."""
    copy_base(base, tree)
    changed = {path: data for path, data in submission.files.items() if (tree / path).read_bytes() != data}
    for path, data in changed.items():
        write_source(tree, path, data)
    compile_together(base, tree, changed)
    broken = {}
    for path in changed:
        why = compile_file(base, tree, path)
        if why:
            broken[path] = why
            put_back(base, tree, path)
    done = make(tree, targets, LIMITS, base.isolated)
    if not done.good:
        raise BuildFailed("the submission cannot be linked: " + complaint(done))
    return broken


def copy_base(base, tree):
    """A copy, with the times of all files, so that only what differs is compiled again."""
    if tree.exists():
        shutil.rmtree(tree)
    shutil.copytree(base.tree, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))


def object_of(path):
    """What a file is compiled to, in its tree."""
    return Path("build/obj") / Path(path).with_suffix(".o")


def write_source(tree, path, data):
    """A submission's file in place of the base's, with a time of its own, so that make sees it."""
    file = tree / path
    file.unlink()
    file.write_bytes(data)
    (tree / object_of(path)).unlink(missing_ok=True)


def compile_together(base, tree, paths):
    """Compiles all files, which is quicker than one by one. When it is not good none of it counts: each file then
    has limits and complaints of its own."""
    if len(paths) > 1 and not make(tree, [str(object_of(path)) for path in paths], LIMITS, base.isolated).good:
        for path in paths:
            (tree / object_of(path)).unlink(missing_ok=True)


def compile_file(base, tree, path):
    """Compiles one file of the submission unless that is done; None, or (class of failure, why)."""
    compiled = tree / object_of(path)
    if not compiled.exists() or compiled.is_symlink():
        done = make(tree, [str(object_of(path))], LIMITS, base.isolated)
        if not done.good:
            return FAILURES["BUILD"][0], f"{path} does not compile: {complaint(done)}"
    if compiled.is_symlink() or not compiled.is_file():
        return FAILURES["BUILD"][0], f"{path} did not become an object"
    reference = base.reference / path
    text = reference.read_text() if reference.is_file() else ""
    found = grade_object.complaints(path, compiled.read_bytes(), base.owners, text)
    if found:
        return FAILURES["REFUSED"][0], plain("; ".join(found[:SHOWN]))
    return None


def put_back(base, tree, path):
    """The stubs again in place of a file that cannot be used."""
    compiled = object_of(path)
    for name in (Path(path), compiled, compiled.with_suffix(".d")):
        (tree / name).unlink(missing_ok=True)
        if (base.tree / name).exists():
            shutil.copy2(base.tree / name, tree / name)


def complaint(done):
    """Why a command of make's failed, in a line."""
    lines = [plain(line.strip()) for line in done.output.splitlines() if line.strip()]
    telling = [line for line in lines if TELLING.search(line)] or lines
    told = "; ".join(telling[:SHOWN])
    return plain("; ".join(part for part in (done.why, told) if part) or f"make's status is {done.status}")
