"""The host's side of Trapeze: boots images on platforms and judges how they end.

The modules, in reading order: boot (what is started), iso (as a disc), platforms (on what),
session (running it), verdict (how it ended), and around them host, console, symbols, terminal, demo.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class HostError(Exception):
    """Something on this host, or in what was asked for, stands in the way; the text says what."""


def plural(number, noun):
    """"1 point", "2 points"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def build_folder():
    """The folder that the Makefile builds into."""
    return ROOT / os.environ.get("BUILD", "build")


def image(name):
    """The ELF64 file of one of our images, by its name."""
    return build_folder() / f"{name}.elf"
