#!/usr/bin/python3
"""`make check-labs`: tests the labs. Hand-outs earn nothing and say what is missing, the reference earns all,
exercises put back in order earn their own points, planted mistakes lose them. Each vendor in a tree of its own."""

import argparse
import fnmatch
import sys

from checks.labs import VENDORS, steps
from trapeze import HostError, build_folder
from trapeze.lab_proof import Workshop
from trapeze.testing import PASSED, Job, Outcome, report, run_jobs


def parse_arguments():
    """The words of `make check-labs`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tests", default="", help="globs over lab1/intel/order, lab1/intel/mistake/NAME, ...")
    parser.add_argument("--list", action="store_true", help="print the names only")
    return parser.parse_args()


def job_of(vendor, patterns):
    """All of a vendor's steps, one after the other."""
    def run():
        workshop = Workshop(build_folder() / f"labs-{vendor}")
        outcomes = []
        for step in steps(workshop, vendor):
            if not patterns or any(fnmatch.fnmatch(step.name, pattern) for pattern in patterns):
                outcomes.append(step.outcome())
                print(f"{outcomes[-1].status}: {step.name}", flush=True)
        return outcomes or [Outcome(f"labs/{vendor}", PASSED, "nothing was asked for")]

    return Job(f"labs/{vendor}", run, 1000)


def main():
    """The whole of `make check-labs`."""
    arguments = parse_arguments()
    patterns = arguments.tests.replace(",", " ").split()
    try:
        if arguments.list:
            for vendor in VENDORS:
                print("\n".join(step.name for step in steps(Workshop(build_folder() / f"labs-{vendor}"), vendor)))
            return 0
        return report(run_jobs([job_of(vendor, patterns) for vendor in VENDORS]))
    except HostError as error:
        print(f"check-labs: error: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
