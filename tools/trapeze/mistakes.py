"""Planted mistakes: small changes, one place each, that a test must catch. A folder holds one TOML file
for each, and the file's name is the mistake's:

    title = "an IN of 32 bits leaves the upper half of RAX"   # what is wrong then, for people
    file = "kernel/guest_io.c"       # of the tree, changed in one place
    find = '''
    \t\tvcpu->gpr[GPR_RAX] = value;
    '''                              # whole lines, or a part of one; must be there exactly once
    replace = '''
    \t\tvcpu->gpr[GPR_RAX] |= value;
    '''
    vendors = ["intel", "amd"]       # whose twin shows it; the default is both
    expect = "in_dx32"               # a glob: names of the tests or probes that must catch it
    message = "wrong value or width" # words that the report of one of them must have

Beyond these, where the defaults do not fit:

    run = "FORMS=in_*"               # what is run to catch it, in the words of the caller's command
    platforms = ["bochs-amd"]        # only there, of all that a vendor has
    sample = true                    # one of the few that `make check` plants
    points = 3                       # for a lab: what the exercise loses

A mistake whose text is not in its file exactly once is stale, and an error. What is run, and how
its report is read, is the caller's: mistakes_probe.py for the probe."""

import fnmatch
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import HostError

VENDORS = ("intel", "amd")


@dataclass(frozen=True)
class Mistake:
    """One file of such a folder."""

    name: str
    title: str
    file: str
    find: str
    replace: str
    expect: str
    message: str
    vendors: tuple = VENDORS
    run: str = ""
    platforms: tuple = ()
    sample: bool = False
    points: int = 0


LISTS = ("vendors", "platforms")
NEEDED = ("title", "file", "find", "replace", "expect", "message")
KINDS = {"sample": bool, "points": int} | dict.fromkeys(LISTS, list)


def parse(name, text):
    """The Mistake that a file's text describes; HostError says what is wrong with it."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise HostError(f"mistake {name}: {error}") from None
    missing = [key for key in NEEDED if not table.get(key) and key != "replace" or key not in table]
    unknown = [key for key in table if key not in Mistake.__dataclass_fields__ or key == "name"]
    wrong = [key for key, value in table.items() if type(value) is not KINDS.get(key, str)]
    for what, keys in (("has no", missing), ("has an unknown key", unknown), ("has a wrong", wrong)):
        if keys:
            raise HostError(f"mistake {name}: {what} {keys[0]!r}")
    strange = [vendor for vendor in table.get("vendors", []) if vendor not in VENDORS]
    if strange or table.get("vendors") == []:
        raise HostError(f"mistake {name}: vendors are some of {' '.join(VENDORS)}")
    if table["find"] == table["replace"]:
        raise HostError(f"mistake {name}: changes nothing")
    return Mistake(name, **{key: tuple(value) if key in LISTS else value
                            for key, value in table.items()})


def load(folder):
    """All mistakes of a folder, by name."""
    files = sorted(Path(folder).glob("*.toml"))
    if not files:
        raise HostError(f"{folder}: no mistakes there")
    return [parse(file.stem, file.read_text()) for file in files]


def select(mistakes, patterns):
    """Those whose names match one of the globs, which have commas or spaces between them; all for ""."""
    globs = patterns.replace(",", " ").split()
    return [mistake for mistake in mistakes
            if not globs or any(fnmatch.fnmatch(mistake.name, glob) for glob in globs)]


def planted(mistake, tree):
    """The text of its file with the mistake in it; HostError when it is stale. Writes nothing."""
    file = Path(tree) / mistake.file
    if not file.is_file():
        raise HostError(f"mistake {mistake.name} is stale: there is no {mistake.file}")
    text = file.read_text()
    times = text.count(mistake.find)
    if times != 1:
        raise HostError(f"mistake {mistake.name} is stale: its text is in {mistake.file} {times} times, "
                        "not once")
    return text.replace(mistake.find, mistake.replace)


def apply(mistake, tree):
    """Plants it in a copy of the source. Returns the file's old text, for undo(). Files are replaced,
    never written into, so that a tree of hard links leaves its original alone."""
    file = Path(tree) / mistake.file
    before, after = file.read_text() if file.is_file() else "", planted(mistake, tree)
    replace_file(file, after)
    return before


def undo(mistake, tree, before):
    """Takes it out again."""
    replace_file(Path(tree) / mistake.file, before)


def replace_file(file, text):
    """A new file in the old one's place; make sees that it changed."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.chmod(file.stat().st_mode)
    os.replace(new, file)


def is_caught(mistake, reports):
    """Did an expected test report it in the words that point at the cause? reports are pairs: the
    name of a test or probe, and all it said. Returns "", or why not as a sentence."""
    named = [text for name, text in reports if fnmatch.fnmatch(name, mistake.expect)]
    if not reports:
        return "nothing was reported"
    if not named:
        return f"not reported by {mistake.expect}, only by {', '.join(sorted({n for n, _ in reports})[:5])}"
    if not any(mistake.message in text for text in named):
        return f"reported by {mistake.expect}, but without the words {mistake.message!r}"
    return ""
