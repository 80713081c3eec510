"""The labs: what labs/NN-name/lab.toml says, checked against the source before it is believed.

    number = 1                       # as in the folder's name
    title = "Turning virtualization on"
    hours = 4                        # that it takes, with the reading
    reading = ["kernel/backend.h"]   # files, in order; at most 400 lines in all that are not known yet

    [[exercise]]
    name = "vmxon"                   # a C function, or the global label of an assembly routine
    file = "kernel/vmx/on.c"         # where it is, exactly once
    vendor = "intel"                 # or "amd", as the file's folder says; absent: both run it
    points = 2
    needs = ["unlock_vmxon"]         # exercises that must work before this one's tests can be reached: of this or
                                     # an earlier lab, of the same vendor or of both; those that only one vendor
                                     # has count for that one: of_vendor() leaves the others out
    tests = ["lab1/vmxon/*"]         # globs over names of test results, each worth an equal share of the
                                     # points; a share is earned when the glob matches at least one result and
                                     # all that it matches are "passed"; without the first, which names the
                                     # function's own tests, the others earn nothing
    page = "lab_on"                  # anchor of the book
    hints = ["...", "...", "..."]    # from vague to nearly the answer; 3 of them
    failure = "value"                # what the stub returns, an expression in C; the default goes by the type:
                                     # -ENOSYS for int, 0, false, NULL, {0}
    keep = ["reset_state"]           # static data and functions of the file that the hand-out shows although only
                                     # this exercise uses them

load_labs(root) gives the labs in order; a name that does not match the source is a HostError. The name of
an exercise is unique among those of its vendor and of both; Exercise.key, "intel/vmxon" or
"both/guest_cpuid", is unique among all. In a student's tree handout.toml says which hand-out it
is, `lab = 3` and `vendor = "intel"` (or ""), and there are the labs up to that one."""

import tomllib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from . import ROOT, HostError
from .c_source import parse, parse_routines

VENDORS = ("intel", "amd")
FOLDERS = {"kernel/vmx": "intel", "kernel/svm": "amd"}
HINTS = 3
STAGE2_LAB = 5  # the first with second-level paging: before it a guest runs on the host's own memory
HANDOUT = "handout.toml"


@dataclass(frozen=True)
class Exercise:
    """A function that the student writes."""

    name: str
    file: str
    lab: int
    points: int
    tests: tuple
    page: str
    hints: tuple
    vendor: str = ""  # "intel", "amd", or "" for both
    needs: tuple = ()
    failure: str = ""
    keep: tuple = ()

    @property
    def key(self):
        """A name that no other exercise has."""
        return f"{self.vendor or 'both'}/{self.name}"

    @property
    def is_assembly(self):
        """Is it a routine in a .S file?"""
        return self.file.endswith(".S")

    def serves(self, vendor):
        """Is it one of that vendor's? All are for ""."""
        return not vendor or self.vendor in ("", vendor)


@dataclass(frozen=True)
class Lab:
    """A folder of labs/."""

    number: int
    title: str
    hours: int
    reading: tuple
    exercises: tuple
    folder: Path
    by_vendor: dict = field(default_factory=dict, compare=False, repr=False)

    def of_vendor(self, vendor):
        """The exercises of a vendor, those of both among them, in the file's order; all for ""."""
        return self.by_vendor.get(vendor, self.exercises)

    def points(self, vendor):
        """What a vendor's exercises are worth together."""
        return sum(exercise.points for exercise in self.of_vendor(vendor))

    @cached_property
    def files(self):
        """The files that hold exercises."""
        return tuple(sorted({exercise.file for exercise in self.exercises}))


LAB_KEYS = {"number": int, "title": str, "hours": int, "reading": list, "exercise": list}
KEYS = {"name": str, "file": str, "vendor": str, "points": int, "needs": list, "tests": list,
        "page": str, "hints": list, "failure": str, "keep": list}
NEEDED = ("name", "file", "points", "tests", "page", "hints")


def load_labs(root=ROOT):
    """All labs of a tree, in order. HostError where one is not as the docstring above says."""
    labs = [load_lab(file, Path(root)) for file in sorted(Path(root).glob("labs/*/lab.toml"))]
    for one, other in zip(labs, labs[1:]):
        if one.number == other.number:
            raise HostError(f"{one.folder.name} and {other.folder.name} are both lab {one.number}")
    return resolve_needs(labs)


def find_lab(number, root=ROOT):
    """The lab of that number."""
    for lab in load_labs(root):
        if lab.number == number:
            return lab
    raise HostError(f"there is no lab {number}")


def read_handout(root=ROOT):
    """(lab's number, vendor) of a hand-out's tree; (None, "") for the finished one."""
    file = Path(root) / HANDOUT
    if not file.is_file():
        return None, ""
    table = tomllib.loads(file.read_text())
    return table.get("lab"), table.get("vendor", "")


def all_exercises(labs, vendor=""):
    """The exercises of all labs, those of a vendor and of both, in order."""
    return [exercise for lab in labs for exercise in lab.of_vendor(vendor)]


def load_lab(file, root):
    """The Lab that a lab.toml describes."""
    name = f"{file.parent.name}/{file.name}"
    try:
        table = tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise HostError(f"{name}: {error}") from None
    check_keys(table, LAB_KEYS, LAB_KEYS, name)
    if file.parent.name.partition("-")[0] != f"{table['number']:02}":
        raise HostError(f"{name}: the number is {table['number']}, the folder's name says otherwise")
    for entry in table["reading"]:
        if not (root / entry).is_file():
            raise HostError(f"{name}: reading: there is no {entry}")
    exercises = tuple(load_exercise(entry, table["number"], name, root) for entry in table["exercise"])
    return Lab(table["number"], table["title"], table["hours"], tuple(table["reading"]), exercises,
               file.parent)


def check_keys(table, keys, needed, name):
    """All needed keys there, none unknown, each of its type."""
    for key in needed:
        if key not in table:
            raise HostError(f"{name}: has no {key!r}")
    for key, value in table.items():
        if key not in keys:
            raise HostError(f"{name}: has an unknown key {key!r}")
        if type(value) is not keys[key]:
            raise HostError(f"{name}: {key!r} is not of type {keys[key].__name__}")
        if keys[key] is list and key != "exercise" and any(type(entry) is not str for entry in value):
            raise HostError(f"{name}: {key!r} is not a list of strings")


def load_exercise(table, number, name, root):
    """The Exercise that a [[exercise]] describes, found in the source."""
    name = f"{name}: exercise {table.get('name', '(without a name)')}"
    check_keys(table, KEYS, NEEDED, name)
    vendor = table.get("vendor", "")
    folder = next((value for key, value in FOLDERS.items() if table["file"].startswith(key + "/")), "")
    if vendor != folder:
        raise HostError(f"{name}: vendor {vendor!r}, but {table['file']} is {folder or 'no vendor'!r}'s")
    if table["points"] < 1:
        raise HostError(f"{name}: worth nothing")
    if len(table["hints"]) != HINTS or not table["tests"]:
        raise HostError(f"{name}: needs {HINTS} hints and at least one test")
    check_source(table, name, root)
    return Exercise(lab=number, **{key: tuple(value) if type(value) is list else value
                                   for key, value in table.items()})


def check_source(table, name, root):
    """The function is in its file, once, and so is what is kept of it."""
    file = root / table["file"]
    if not file.is_file():
        raise HostError(f"{name}: there is no {table['file']}")
    text = file.read_text()
    if file.suffix == ".S":
        found = [routine for routine in parse_routines(text, table["file"]) if routine.name == table["name"]]
        kept = []
    else:
        source = parse(text, table["file"])
        found = source.functions(table["name"])
        kept = [keep for keep in table.get("keep", []) if not (source.find(keep) and source.find(keep).static)]
    if len(found) != 1:
        times = "no function of that name" if not found else f"{len(found)} functions of that name"
        raise HostError(f"{name}: {times} in {table['file']}")
    if kept:
        raise HostError(f"{name}: keep: {table['file']} has no static {kept[0]}")


def resolve_needs(labs):
    """The labs with the exercises of each vendor: names are unique there, and each need comes before."""
    names = {exercise.name for lab in labs for exercise in lab.exercises}
    for vendor in VENDORS:
        mine = {exercise.name for lab in labs for exercise in lab.exercises if exercise.serves(vendor)}
        known = set()
        for lab in labs:
            found = []
            for exercise in lab.exercises:
                if not exercise.serves(vendor):
                    continue
                if exercise.name in known:
                    raise HostError(f"lab {lab.number}: two exercises of {vendor} are called {exercise.name}")
                for need in exercise.needs:
                    if need not in known and (need in mine or need not in names or exercise.vendor):
                        raise HostError(f"lab {lab.number}: exercise {exercise.name} needs {need}, which is no "
                                        f"exercise of {vendor} before it")
                known.add(exercise.name)
                found.append(replace(exercise, needs=tuple(need for need in exercise.needs if need in known)))
            lab.by_vendor[vendor] = tuple(found)
    return labs


def needs_of(exercise, labs, vendor):
    """All exercises that must work before this one, near and far, as a set of names."""
    by_name = {other.name: other for other in all_exercises(labs, vendor)}
    found, todo = set(), list(exercise.needs)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += by_name[name].needs
    return found
