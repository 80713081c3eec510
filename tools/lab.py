#!/usr/bin/python3
"""`make lab N=3 OUT=dir`: writes the hand-out of a lab, a student's tree without the solutions."""

import argparse
import sys
from pathlib import Path

from trapeze import HostError
from trapeze.handout import make_repository, write_handout
from trapeze.lab import VENDORS, load_labs


def parse_arguments():
    """The words of `make lab`; make passes "" for the ones not given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", default="", help="the lab's number; without it the labs are listed")
    parser.add_argument("--vendor", default="", help="intel or amd; default: both back ends are exercises")
    parser.add_argument("--base", default="", help="reference, or the student's tree of the lab before")
    parser.add_argument("--out", default="", help="the folder to write; must not exist, or be empty")
    return parser.parse_args()


def list_labs():
    """What there is."""
    for lab in load_labs():
        counts = ", ".join(f"{vendor} {len(lab.of_vendor(vendor))} exercises, {lab.points(vendor)} points"
                           for vendor in VENDORS)
        print(f"lab {lab.number}: {lab.title} ({lab.hours} hours; {counts})")


def write(arguments):
    """Writes the hand-out and says what is in it."""
    if not arguments.lab.isdecimal():
        raise HostError(f"N={arguments.lab}: not the number of a lab")
    if arguments.vendor not in ("", *VENDORS):
        raise HostError(f"VENDOR={arguments.vendor}: must be intel or amd")
    if not arguments.out:
        raise HostError("OUT= is missing: the folder to write, e.g. OUT=../lab3")
    base = None if arguments.base in ("", "reference") else Path(arguments.base).resolve()
    exercises = write_handout(Path(arguments.out), int(arguments.lab), arguments.vendor, base)
    repository = make_repository(Path(arguments.out))
    print(f"lab: {arguments.out}: lab {arguments.lab}, {len(exercises)} exercises to write"
          f"{', a git repository with one commit' if repository else ''}")
    for exercise in exercises:
        print(f"  {exercise.name:24} {exercise.points:3} points  {exercise.file}")
    print(f"lab: start with {arguments.out}/README.md")


def main():
    """The whole of `make lab`."""
    arguments = parse_arguments()
    try:
        if arguments.lab:
            write(arguments)
        else:
            list_labs()
    except HostError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
