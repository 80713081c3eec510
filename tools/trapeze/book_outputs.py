"""The blocks of output that the pages show, each checked against a real run of its command.

A block is a fence of language `text`, and the comment before it says where it comes from:

    <!-- output: make probe CPU=intel QUICK=1 -->
    ```text
    $ make probe CPU=intel QUICK=1
    ...
    probe: 0 violations
    ```

A line `...` stands for any lines, `$ COMMAND` repeats the command for the reader, and the rest must come in this
order. `<!-- output, numbers vary: COMMAND -->`: any digits stand for any others. `<!-- output in lab1/intel:
COMMAND -->` runs it in that lab's hand-out, `in lab1/intel+on_fix_bits` in one where that exercise is done, and
`in lab1/intel/done` in one where all are. A block of text without such a comment is an error."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from . import ROOT, HostError, build_folder, handout, lab

COMMENT = re.compile(r"<!-- output(?P<vary>, numbers vary)?(?: in (?P<place>\S+))?: (?P<command>.*?) -->")
FENCE = re.compile(r"\s*(?:```|~~~)\s*(\S*)")
PLACE = re.compile(r"lab(?P<lab>\d)/(?P<vendor>intel|amd)(?:(?P<all>/done)|\+(?P<exercises>[\w+]+))?")
SECONDS = 600  # a backstop
fresh_trees = set()  # of this run


@dataclass(frozen=True)
class Block:
    """Some lines of output that a page shows."""

    where: str  # file:line
    page: str  # the file's name, or its folder's for a README.md
    command: str
    place: str  # "" for the tree itself, or a lab's hand-out
    vary: bool
    lines: tuple


def pages():
    """The pages that people wrote."""
    return [ROOT / "README.md", *sorted((ROOT / "docs" / "book").glob("*.md")),
            *sorted((ROOT / "labs").glob("*/README.md"))]


def blocks_of(file):
    """The blocks of one page. HostError for one whose origin is not said."""
    found, inside, comment = [], None, None
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}:{number}"
        fence = FENCE.match(line)
        if inside is None and fence:
            language = fence.group(1).strip("{}.")
            if language in ("", "text") and not comment:
                raise HostError(f"{where}: this block does not say which command prints it")
            inside = (where, comment, []) if comment else (where, None, [])
        elif inside is not None and fence:
            if inside[1]:
                page = file.stem if file.stem != "README" else file.parent.name
                found.append(Block(inside[0], page, inside[1]["command"], inside[1]["place"] or "",
                                   bool(inside[1]["vary"]), tuple(inside[2])))
            inside = comment = None
        elif inside is not None:
            inside[2].append(line.rstrip())
        elif line.strip():
            comment = COMMENT.fullmatch(line.strip())
    return found


def line_pattern(line, vary):
    """What a line of a real run must look like."""
    text = re.escape(line.strip())
    return re.compile(re.sub(r"\d+", r"\\d+", text) if vary else text)


def missing_line(block, output):
    """The first line of a block that the output lacks, in order; None when all are there."""
    real = [line.strip() for line in output.splitlines()]
    at, gap = 0, True
    for line in block.lines:
        if line.startswith("$ ") or not line.strip():
            continue
        if line.strip() == "...":
            gap = True
            continue
        pattern = line_pattern(line, block.vary)
        places = range(at, len(real)) if gap else range(at, min(at + 1, len(real)))
        at = next((place for place in places if pattern.fullmatch(real[place])), None)
        if at is None:
            return line
        at, gap = at + 1, False
    return None


def tree_of(place):
    """The folder in which a block's command runs: for "lab1/intel+a+b" the hand-out of lab 1 with the
    exercises a and b done. One tree serves all states of a lab, so that little is compiled anew."""
    if not place:
        return ROOT
    match = PLACE.fullmatch(place)
    if not match:
        raise HostError(f"output in {place}: must be labN/VENDOR, labN/VENDOR+EXERCISE... or labN/VENDOR/done")
    number, vendor, done = int(match["lab"]), match["vendor"], (match["exercises"] or "").split("+")
    tree = build_folder() / "docs" / "trees" / f"lab{number}-{vendor}"
    if tree not in fresh_trees:  # one of an earlier run is of an older source
        shutil.rmtree(tree, ignore_errors=True)
        handout.write_handout(tree, number, vendor)
        fresh_trees.add(tree)
    exercises = lab.all_exercises(lab.load_labs(ROOT), vendor)
    unknown = set(filter(None, done)) - {exercise.name for exercise in exercises}
    if unknown:
        raise HostError(f"output in {place}: there is no exercise {sorted(unknown)[0]}")
    handout.blank(ROOT, tree, [exercise for exercise in exercises if exercise.lab > number
                               or exercise.lab == number and not match["all"] and exercise.name not in done])
    return tree


def tree_name(place):
    """Blocks of one name share a tree, and cannot be checked at once."""
    return place.partition("+")[0].removesuffix("/done").replace("/", "-")


def run(command, place):
    """Its output, both streams, without colours."""
    environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
    environment.pop("MAKEFLAGS", None)
    folder = environment.pop("BUILD", None)
    if folder and not place:
        command = re.sub(r"^make\b", f"make BUILD={folder}", command)
    done = subprocess.run(["sh", "-c", command], cwd=tree_of(place), env=environment, timeout=SECONDS,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    return done.stdout.decode("utf-8", "replace").replace("\r", "")


def by_run(blocks):
    """{(command, place): blocks}: one run serves all blocks that show it."""
    found = {}
    for block in blocks:
        found.setdefault((block.command, block.place), []).append(block)
    return found


def check_run(command, place, blocks):
    """What is wrong with the blocks that show one run."""
    output = run(command, place)
    found = []
    for block in blocks:
        shown = next((line[2:] for line in block.lines if line.startswith("$ ")), command)
        if shown != command:
            found.append(f"{block.where}: it shows `{shown}`, but checks `{command}`")
        line = missing_line(block, output)
        if line is not None:
            found.append(f"{block.where}: `{command}` did not print, at that place: {line}\n"
                         + "\n".join(f"    {real}" for real in output.splitlines()[-40:]))
    return found


def all_blocks():
    """Those of all pages."""
    return [block for file in pages() for block in blocks_of(file)]


def check_all():
    """Runs everything that the pages show; prints what is not true and returns 1 then."""
    blocks = all_blocks()
    wrong = []
    for (command, place), mine in by_run(blocks).items():
        print(f"docs: {place + ': ' if place else ''}{command}", flush=True)
        wrong += check_run(command, place, mine)
    for complaint in wrong:
        print(f"docs: {complaint}")
    print(f"docs: {len(blocks)} blocks of output, {len(wrong)} are not what is printed")
    return 1 if wrong else 0
