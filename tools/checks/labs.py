"""The labs: a sample of what `make check-labs` tests, for each lab and vendor. The reference earns all points,
hand-outs of two labs nothing, and a planted mistake of each lab is found and named."""

from dataclasses import dataclass
from functools import partial
from typing import Callable

from trapeze import HostError, build_folder
from trapeze.lab_proof import Workshop
from trapeze.testing import FAILED, PASSED, Job, Outcome

VENDORS = ("intel", "amd")
WHOLE = ("reference", "handout", "unreached", "order", "count")
SAMPLE = {1: ("reference", "handout"), 3: ("reference", "handout")}  # of the others the reference alone


@dataclass(frozen=True)
class Step:
    """One thing that must hold of a lab."""

    name: str
    complaints: Callable  # () -> sentences

    def outcome(self):
        """Runs it."""
        try:
            found = self.complaints()
        except HostError as error:
            found = [str(error)]
        return Outcome(self.name, FAILED if found else PASSED, "\n".join(found))


def steps(workshop, vendor, sample=False):
    """All steps of a vendor, or a sample of them."""
    found = []
    for lab in workshop.labs:
        kinds = SAMPLE.get(lab.number, ("reference",)) if sample else WHOLE
        found += [Step(f"lab{lab.number}/{vendor}/{kind}", partial(getattr(workshop, f"check_{kind}"), lab, vendor))
                  for kind in kinds]
        found += [Step(f"lab{lab.number}/{vendor}/mistake/{mistake.name}",
                       partial(workshop.check_mistake, lab, vendor, mistake))
                  for mistake in workshop.mistakes_of(lab, vendor) if mistake.sample or not sample]
    return found


def run_sample(vendor):
    """The outcomes of a vendor's sample."""
    workshop = Workshop(build_folder() / f"labs-{vendor}")
    return [step.outcome() for step in steps(workshop, vendor, sample=True)]


def jobs():
    """A job for each vendor: its steps share a tree."""
    return [Job(f"labs/{vendor}", partial(run_sample, vendor), 150) for vendor in VENDORS]
