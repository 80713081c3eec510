"""The labs, tested: in a copy of the tree, exercises are taken out and put back, and mistakes are planted, and what
the labs' tests then say is compared with what they must say. `make check-labs` runs all of it, `make check` a
sample."""

import os
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

from . import ROOT, HostError, mistakes
from .handout import files_of, set_blanked
from .lab import all_exercises, load_labs, needs_of
from .lab_result import MISSING, NOT_REACHED, PASSED, serves
from .lab_run import run_lab
from .lab_checks import image_name
from .lab_guest import wants_guests

PARTS = ("Makefile", "kernel/", "runtime/", "spec/", "labs/", "guests/")
NONCE = 20
GUESTS = ("trapeze.elf", "trapeze.elf32", "probe.elf", "probe.elf32", "probe-high.elf", "probe-high.elf32",
          "probe-plain-high.elf", "probe-plain-high.elf32",
          "tinyos.elf", "tinyos-high.elf")


def points_of(exercise, results):
    """What an exercise earned: each glob is worth the same, and all that it matches must be passed."""
    good = 0
    for pattern in exercise.tests:
        found = [result for result in results if serves(exercise, result.name)
                 and matches(result.name, pattern)]
        good += bool(found) and all(result.status == PASSED for result in found)
    return exercise.points * good / len(exercise.tests)


def matches(name, pattern):
    """As the globs of lab.toml."""
    return fnmatchcase(name, pattern)


def write_bytes(path, data):
    """Writes a file unless it holds that already, so that make builds only what changed."""
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Workshop:
    """A copy of the tree in which exercises and mistakes come and go."""

    def __init__(self, folder, root=ROOT):
        self.reference, self.tree = Path(folder) / "reference", Path(folder) / "tree"
        for name in files_of(Path(root)):
            if name.startswith(PARTS):
                data = (Path(root) / name).read_bytes()
                for tree in (self.reference, self.tree):
                    write_bytes(tree / name, data)
        self.labs = load_labs(self.reference)

    @property
    def build(self):
        """Its build folder."""
        return self.tree / "build"

    def make(self, lab, vendor):
        """Builds what run_lab() needs."""
        targets = [f"build/{image_name(lab)}.elf", f"build/{image_name(lab)}.elf32"]
        if wants_guests(lab, vendor):
            targets += [f"build/{name}" for name in GUESTS]
        environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "BUILD")}
        done = subprocess.run(["make", "-s", "-j2", "BUILD=build", *targets], cwd=self.tree, text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL, env=environment)
        if done.returncode or done.stderr.strip():
            raise HostError(f"lab {lab.number}: the tree does not build without a warning:\n"
                            + "\n".join((done.stdout + done.stderr).splitlines()[:12]))

    def run(self, lab, vendor, blanked=(), patterns=("*",)):
        """The results with these exercises missing."""
        set_blanked(self.reference, self.tree, list(blanked))
        self.make(lab, vendor)
        return run_lab(self.tree, self.build, lab, vendor, NONCE, patterns=patterns)

    # ---- What must hold ----

    def check_reference(self, lab, vendor):
        """The finished tree earns all points."""
        results = self.run(lab, vendor)
        complaints = [f"the reference: {result.sentence()}" for result in results
                      if not result.good and not result.is_lesson]
        for exercise in lab.of_vendor(vendor):
            if points_of(exercise, results) != exercise.points:
                complaints.append(f"the reference earns {points_of(exercise, results):g} of {exercise.points} "
                                  f"points for {exercise.name}")
        return complaints[:10]

    def check_handout(self, lab, vendor):
        """The hand-out earns nothing, and each exercise is reported missing."""
        out = [exercise for other in self.labs for exercise in other.exercises if other.number >= lab.number]
        results = self.run(lab, vendor, out)
        complaints = []
        for exercise in lab.of_vendor(vendor):
            own = [result for result in results if serves(exercise, result.name)]
            if points_of(exercise, results):
                complaints.append(f"the hand-out earns {points_of(exercise, results):g} points for {exercise.name}")
            if not any(result.status == MISSING and exercise.name in result.exercises for result in own):
                complaints.append(f"{exercise.name} is not reported missing: "
                                  f"{sorted({result.status for result in own})}")
        return complaints

    def check_order(self, lab, vendor):
        """Put back one after the other, each exercise earns its own points and no other's."""
        exercises, complaints = list(lab.of_vendor(vendor)), []
        later = [exercise for other in self.labs for exercise in other.exercises if other.number > lab.number]
        for count in range(1, len(exercises)):
            results = self.run(lab, vendor, exercises[count:] + later, ("lab*",))
            for place, exercise in enumerate(exercises):
                patterns = [test for test in exercise.tests if test.startswith("lab")]
                own = [result for result in results if any(matches(result.name, test) for test in patterns)]
                good = bool(own) and all(result.good for result in own)
                if good != (place < count):
                    bad = next((result.sentence() for result in own if not result.good), "")
                    complaints.append(f"with {exercises[count - 1].name} put back, {exercise.name} "
                                      f"{'earns' if good else 'does not earn'} its points {bad}")
        return complaints

    def check_unreached(self, lab, vendor):
        """The last exercise that needs others is, without them, not reached, and never wrong."""
        every = all_exercises(self.labs, vendor)
        candidates = [exercise for exercise in lab.of_vendor(vendor)
                      if any(other.name in exercise.needs for other in lab.of_vendor(vendor))]
        if not candidates:
            return []
        chosen = candidates[-1]
        needs = [exercise for exercise in every if exercise.name in needs_of(chosen, self.labs, vendor)
                 and exercise.lab == lab.number]
        results = self.run(lab, vendor, needs, chosen.tests)
        wrong = [result for result in results if serves(chosen, result.name)
                 and result.status not in (PASSED, NOT_REACHED, MISSING)]
        complaints = [f"{chosen.name} without what it needs is {result.sentence()}" for result in wrong[:3]]
        if not all(result.good for result in results) and not any(result.status == NOT_REACHED
                                                                  for result in results):
            complaints.append(f"{chosen.name} without what it needs: no test says not-reached")
        return complaints

    def mistakes_of(self, lab, vendor):
        """The planted mistakes that a vendor shows."""
        folder = lab.folder / "mistakes"
        if not folder.is_dir():
            return []
        return [mistake for mistake in mistakes.load(folder) if vendor in mistake.vendors]

    def check_mistake(self, lab, vendor, mistake):
        """The planted mistake makes an expected test fail, which names the cause."""
        set_blanked(self.reference, self.tree, [])
        before = mistakes.apply(mistake, self.tree)
        try:
            self.make(lab, vendor)
            results = run_lab(self.tree, self.build, lab, vendor, NONCE, pristine=self.build,
                              patterns=(mistake.expect,))
        except HostError as error:
            return [f"mistake {mistake.name}: {error}"]
        finally:
            mistakes.undo(mistake, self.tree, before)
        bad = [(result.name, f"{result.rule} {result.sentence()}") for result in results if not result.good]
        why = mistakes.is_caught(mistake, bad)
        return [f"mistake {mistake.name}: {why}: {[text for _, text in bad][:2]}"] if why else []

    def check_count(self, lab, vendor):
        """At least three mistakes for each exercise."""
        known = self.mistakes_of(lab, vendor)
        return [f"{exercise.name} has {count} planted mistakes, not 3" for exercise in lab.of_vendor(vendor)
                if (count := sum(name_of(mistake) == exercise.name for mistake in known)) < 3]


def name_of(mistake):
    """The exercise that a mistake is in: the second part of the tests that must catch it."""
    return mistake.expect.split("/")[1]
