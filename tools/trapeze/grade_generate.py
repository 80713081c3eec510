"""A class of submissions that nobody wrote: the reference, the empty hand-out, every planted mistake, and all
kinds of hostility. Each comes with what it must earn, so that the grader itself can be tested."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from . import HostError, grade_points, mistakes
from .grade_points import EARNED
from .grade_report import best_of
from .grade_run import Task
from .lab import all_exercises

HOSTILE = "labs/hostile"


@dataclass(frozen=True)
class Expected:
    """What a submission must earn."""

    vendor: str
    full: bool = False
    nothing: bool = False
    lost: str = ""  # a glob over the exercises (or their tests) of which one at least must not be earned
    points: int = 0  # that are lost, exactly; 0 for any number
    words: str = ""  # that its report must have


def complaint(expected, grades, text):
    """What is wrong with a grade, as a sentence, or ""."""
    grade = next((grade for grade in grades if grade.vendor == expected.vendor), best_of(grades))
    if expected.full and grade.earned != grade.points:
        return f"earned {grade.earned} of {grade.points}, not all"
    if expected.nothing and grade.earned:
        return f"earned {grade.earned}, not nothing"
    if expected.lost and not is_lost(expected.lost, grade):
        return f"lost nothing of {expected.lost}"
    if expected.points and grade.points - grade.earned != expected.points:
        return f"lost {grade_points.tidy(grade.points - grade.earned)} points, not {expected.points}"
    # A mistake that hangs or faults is told as that; what its test looks for stands in the JSON.
    text += "".join(detail.get("looked_for", "") for verdict in grade.verdicts for detail in verdict.details)
    if any(words not in text for words in expected.words.split(" ... ") if words):
        return f"the report has no {expected.words!r}"
    return ""


def is_lost(glob, grade):
    """Is one of the exercises or tests that the glob names without its points?"""
    for verdict in grade.verdicts:
        names = [verdict.name, *(name for name, status in verdict.tests if status != "passed")]
        if verdict.status != EARNED and any(fnmatchcase(name, glob) for name in names):
            return True
    return False


class Generator:
    """Writes submissions for a lab into a folder. pristine: the tree in which all exercises are stubs."""

    def __init__(self, root, pristine, labs, lab, out):
        self.root, self.pristine, self.out = Path(root), Path(pristine), Path(out)
        self.labs, self.lab = labs, lab
        self.wanted = Task(tuple(labs), lab).wanted
        self.expected = {}  # {name: Expected}
        self.vendors = ("intel", "amd")

    def copy(self, name, source=None):
        """A submission with the files of a tree, the reference's by default."""
        folder = self.out / name
        for path in self.wanted:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile((source or self.root) / path, folder / path)
        return folder

    def keep_only(self, folder, vendor):
        """The other vendor's files are stubs: the submission is graded on one."""
        other = {"intel": "kernel/svm/", "amd": "kernel/vmx/"}[vendor]
        for path in self.wanted:
            if path.startswith(other):
                shutil.copyfile(self.pristine / path, folder / path)

    def add(self, name, expected, source=None):
        """The same, for one vendor; the folder."""
        folder = self.copy(name, source)
        self.keep_only(folder, expected.vendor)
        self.expected[name] = expected
        return folder

    def plain_ones(self):
        """The reference and the empty hand-out, of each vendor."""
        for vendor in self.vendors:
            self.add(f"reference-{vendor}", Expected(vendor, full=True))
        self.copy("empty", self.pristine)
        self.expected["empty"] = Expected("intel", nothing=True, words="not written yet")

    def unfinished(self):
        """Of each vendor: the first exercise alone, the first two, ...; and all but one."""
        for vendor in self.vendors:
            own = self.lab.of_vendor(vendor)
            everything = all_exercises(self.labs)
            for count in range(1, len(own)):
                points = sum(exercise.points for exercise in own[count:])
                self.write_stubs(f"unfinished-{vendor}-{count}", vendor,
                                 [other for other in everything if other.lab > self.lab.number]
                                 + list(own[count:]), Expected(vendor, points=points, lost=own[count].name,
                                                               words="not written yet"))
            for exercise in own:
                self.write_stubs(f"without-{exercise.name}-{vendor}", vendor, [exercise],
                                 Expected(vendor, lost=exercise.name, words="not written yet"))

    def write_stubs(self, name, vendor, blanked, expected):
        """The reference in which these exercises are stubs."""
        from .handout import set_blanked
        folder = self.add(name, expected)
        with tempfile.TemporaryDirectory() as work:
            set_blanked(self.root, Path(work), blanked)
            for path in {exercise.file for exercise in blanked} & set(self.wanted):
                if self.is_of(path, vendor):
                    shutil.copyfile(Path(work) / path, folder / path)

    def many(self, total):
        """As many more as a class has: everybody has the reference, and nobody the same comment."""
        for number in range(len(self.expected), total):
            vendor = self.vendors[number % 10 == 0]  # most students have whatever is quick
            vendor = {"intel": "amd", "amd": "intel"}[vendor]
            folder = self.add(f"student-{number:03}", Expected(vendor, full=True))
            file = folder / next(exercise.file for exercise in self.lab.of_vendor(vendor))
            file.write_text(file.read_text() + f"/* student {number} */\n")

    def planted(self, folder, prefix):
        """A submission for each planted mistake of a folder, and each vendor that shows it."""
        if not any(Path(folder).glob("*.toml")):
            return
        for mistake in mistakes.load(folder):
            if mistake.file not in self.lab.files:
                continue  # of another lab
            vendors = [vendor for vendor in mistake.vendors if self.is_of(mistake.file, vendor)]
            for vendor in vendors:
                name = f"{prefix}-{mistake.name}" + (f"-{vendor}" if len(vendors) > 1 else "")
                tree = self.add(name, Expected(vendor, lost=mistake.expect, points=mistake.points,
                                               words=mistake.message))
                mistakes.apply(mistake, tree)

    @staticmethod
    def is_of(path, vendor):
        """Is the file a vendor's, or of both?"""
        return not path.startswith({"intel": "kernel/svm/", "amd": "kernel/vmx/"}[vendor])

    def strange_files(self, vendor="amd"):
        """What a folder may hold instead of a plain tree of text."""
        own = [exercise.file for exercise in self.lab.of_vendor(vendor) if exercise.vendor]
        path = own[0] if own else self.lab.exercises[0].file
        nothing_of = Expected(vendor, lost="*", words=path)
        for name, make in (("link", lambda file: file.symlink_to("/etc/passwd")),
                           ("link-to-reference", lambda file: file.symlink_to(self.root / path)),
                           ("pipe", os.mkfifo), ("folder", Path.mkdir), ("gigabyte", make_huge)):
            file = self.add(f"strange-{name}", nothing_of) / path
            file.unlink()
            make(file)
        (self.add("strange-missing", Expected(vendor, lost="*", words="is not in the submission")) / path).unlink()
        self.strange_texts(vendor, path)
        self.strange_folders(vendor, path)

    def strange_texts(self, vendor, path):
        """Bytes that are no usual text."""
        full, broken = Expected(vendor, full=True), Expected(vendor, lost="*", words="does not compile")
        for name, expected, change in (
                ("crlf", full, lambda data: data.replace(b"\n", b"\r\n")),
                ("bom", full, lambda data: b"\xef\xbb\xbf" + data),
                ("latin1", full, lambda data: b"/* M\xfcller, \xff\xfe */\n" + data),
                ("nul", broken, lambda data: data + b"\0\0\0"),
                ("utf16", broken, lambda data: data.decode().encode("utf-16")),
                ("cut", broken, lambda data: data[:len(data) // 2]),
                ("binary", broken, lambda data: bytes(range(256)) * 64),
                ("nothing", broken, lambda data: b"")):
            file = self.add(f"strange-{name}", expected) / path
            file.write_bytes(change(file.read_bytes()))
            if name == "nothing":  # it compiles, and then functions are missing
                self.expected[f"strange-{name}"] = Expected(vendor, lost="*", words="does not build")

    def strange_folders(self, vendor, path):
        """Trees that are not where they should be, and more than is asked for."""
        inner = self.add("strange-wrapped", Expected(vendor, full=True))
        inner.rename(self.out / "inner")
        (inner / "download").mkdir(parents=True)
        (self.out / "inner").rename(inner / "download/trapeze-main")
        extra = self.add("strange-extra", Expected(vendor, full=True))
        (extra / "Makefile").write_text("$(shell touch /tmp/trapeze-was-here)\nall:\n\tfalse\n")
        (extra / "tools").mkdir()
        (extra / "tools/grade.py").write_text("raise SystemExit(0)\n")
        (extra / "labs/01-on").mkdir(parents=True)
        (extra / "labs/01-on/tests_svm.c").write_text("#error mine\n")
        self.add("strange-\udcff\udcfe name\n\x1b[2J", Expected(vendor, full=True))
        (self.out / "strange-file").write_text("not a folder\n")
        (self.out / "strange-link-folder").symlink_to(self.root)
        (self.out / "strange-no-files").mkdir()
        for name in ("strange-file", "strange-link-folder"):
            self.expected[name] = Expected(vendor, nothing=True, words="nothing is taken from it")
        self.expected["strange-no-files"] = Expected("intel", nothing=True, words="not in the submission")

    def all(self, total=0):
        """Everything, `total` at least; {name: Expected}."""
        if self.out.exists() and any(self.out.iterdir()):
            raise HostError(f"{self.out}: is there already and not empty")
        self.out.mkdir(parents=True, exist_ok=True)
        self.plain_ones()
        self.planted(self.lab.folder / "mistakes", "mistake")
        self.planted(self.root / HOSTILE, "hostile")
        self.unfinished()
        self.strange_files()
        self.many(total)
        return self.expected


def make_huge(file):
    """A file of a gigabyte that takes no room on the disc."""
    with file.open("wb") as opened:
        opened.truncate(1 << 30)
