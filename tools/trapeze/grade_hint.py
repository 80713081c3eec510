"""Hints, one stage at a time: `make hint EXERCISE=name` shows those that were asked for before and one
more. How many were shown is kept in the student's tree."""

import json
import textwrap
from pathlib import Path

from . import HostError, plural
from .grade_report import replace
from .lab import all_exercises
from .lab_page import place_of

STATE = ".hints.json"  # in the tree: a student's own affair
WIDTH = 96


def shown(root):
    """{key of an exercise: how many hints were shown}."""
    try:
        table = json.loads((Path(root) / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return {key: count for key, count in table.items() if isinstance(count, int)} \
        if isinstance(table, dict) else {}


def find(labs, name, vendor):
    """The exercise of that name. HostError names the possible ones."""
    found = [exercise for exercise in all_exercises(labs, vendor) if exercise.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise HostError(f"EXERCISE={name}: both vendors have one: say VENDOR=intel or VENDOR=amd")
    near = [exercise.name for exercise in all_exercises(labs, vendor) if name and name in exercise.name]
    names = near or [exercise.name for exercise in labs[-1].of_vendor(vendor)]
    raise HostError(f"EXERCISE={name}: there is no such exercise; there are {', '.join(dict.fromkeys(names))}")


def hint(root, labs, name, vendor=""):
    """The text for one call: the hints so far and the next one."""
    exercise = find(labs, name, vendor)
    table = shown(root)
    count = min(max(table.get(exercise.key, 0), 0) + 1, len(exercise.hints))
    table[exercise.key] = count
    replace(Path(root) / STATE, json.dumps(table, indent=1, sort_keys=True) + "\n")
    lines = [f"{exercise.name} in {exercise.file}, lab {exercise.lab}, {plural(exercise.points, 'point')}; "
             f"{place_of(exercise.page, root)}"]
    for number, said in enumerate(exercise.hints[:count], 1):
        lines.append(textwrap.fill(said, WIDTH, initial_indent=f"  {number}. ", subsequent_indent="     "))
    left = len(exercise.hints) - count
    lines.append(f"  {plural(left, 'more hint')}: ask again" if left else "  These are all the hints.")
    return "\n".join(lines) + "\n"
