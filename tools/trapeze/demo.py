"""What `make run` boots by default: guests that run tinyos, what their shells are told to do when
nobody types, and what they must then have said."""

import re
from dataclasses import dataclass
from pathlib import Path

from . import HostError, image
from .boot import Boot, Module, split_words

SCRIPT = ("help; uptime; cpuid; mem; run sieve; run memtest; run tree; run count; run echo hello; "
          "run twice float; ps; uptime; poweroff")


def memtest_checksum(words=(4 << 20) // 8):
    """The sum of what memtest writes: i times its multiplier, for each word i."""
    return 0x9e3779b97f4a7c15 * (words * (words - 1) // 2) % (1 << 64)


# What each guest must have said after SCRIPT, how often: (a regular expression, times).
EXPECTED = (
    (r"\[\d+ sieve\] 9592 primes below 100000", 1),
    (r"\[\d+ memtest\] 4194304 bytes written and read back, 0 words wrong, "
     f"checksum {memtest_checksum():#018x}", 1),
    (r"\[\d+ tree\] depth 3: 1 processes from here", 8),
    (r"\[\d+ tree\] depth 0: 15 processes from here", 1),
    (r"\[\d+ count\] counted to 150000", 2),
    (r"\[\d+ count\] both counted while a third held the CPU: yes", 1),
    (r"\[\d+ echo\] hello", 1),
    (r"\[\d+ float\] registers held \d+ times, 0 times lost", 2),
)

GUEST_FORM = re.compile(r"(?:(?P<name>[A-Za-z0-9_-]+)=)?(?P<image>[^:=]+)(?::(?P<words>.*))?")


@dataclass(frozen=True)
class Guest:
    """One virtual machine: its name, its image's file, further words of its command line."""

    name: str
    file: Path
    words: tuple = ()

    def module(self, script):
        """The module that makes the hypervisor create it; script "" leaves its shell to keys."""
        words = [f"name={self.name}", *self.words]
        if not any(word.startswith("mem=") for word in words):
            words.append("mem=32M")
        if script:
            words += ["--", f'script="{script}"']
        return Module(self.file, " ".join(words))


def parse_guest(text, number):
    """A guest from the form [NAME=]IMAGE[:WORD,WORD...]; IMAGE is a file or one of ours."""
    match = GUEST_FORM.fullmatch(text)
    if not match:
        raise HostError(f"GUESTS: {text!r} is not of the form [NAME=]IMAGE[:WORD,WORD...]")
    name = match["name"] or chr(ord("a") + number)
    file = Path(match["image"])
    if not file.exists():
        file = image(match["image"])
    if not file.exists():
        raise HostError(f"GUESTS: {match['image']} is neither a file nor one of our images")
    words = tuple(word for word in (match["words"] or "").split(",") if word)
    return Guest(name, file, words)


def parse_guests(text, cpus):
    """The guests of GUESTS=...; without it two tinyos, or one for each CPU where there are more."""
    forms = split_words(text, "GUESTS") or ["tinyos"] * max(2, cpus)
    guests = [parse_guest(form, number) for number, form in enumerate(forms)]
    names = [guest.name for guest in guests]
    for name in names:
        if names.count(name) > 1:
            raise HostError(f"GUESTS: two guests are named {name}")
    return guests


def boot_of(guests, words, interactive, script=SCRIPT):
    """The hypervisor with these guests, whose shells run the script unless somebody types."""
    console = "console=focus" if interactive else "console=lines"
    modules = tuple(guest.module("" if interactive else script) for guest in guests)
    return Boot(image("trapeze"), f"{console} {words}".strip(), modules)


def lines_of(name, lines):
    """What one guest said, its prefix taken off."""
    prefix = f"[{name}] "
    return [line[len(prefix):] for line in lines if line.startswith(prefix)]


def missing(guests, lines):
    """What the guests that run tinyos should have said and did not, as sentences. One without stage-2 tables has
    the serial line to itself, and no prefix."""
    complaints = []
    for guest in guests:
        if guest.file.stem.startswith("tinyos"):
            complaints += [f"guest {guest.name} {complaint}"
                           for complaint in missing_lines(lines_of(guest.name, lines) or lines)]
    return complaints


def missing_lines(said):
    """The same for the lines of one tinyos, be it a guest or not."""
    complaints = []
    for pattern, times in EXPECTED:
        found = sum(bool(re.fullmatch(pattern, line.strip())) for line in said)
        if found != times:
            complaints.append(f"printed {found} times, not {times}: {pattern}")
    return complaints
