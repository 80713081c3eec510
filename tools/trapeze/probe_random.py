"""Makes a random program that differs as short as it gets: the first instruction after which the two
sides differ, and the fewest instructions before it that still make them."""

from . import probe_log
from .demo import lines_of
from .probe_run import GUEST


def digests(run, words):
    """The digests of both sides, [native, guest], each by number."""
    native = probe_log.parse(run(words, False)).digests
    guest = probe_log.parse(lines_of(GUEST, run(words, True))).digests
    return native, guest


def first_difference(native, guest):
    """The lowest number at which they differ, or None."""
    return next((number for number in sorted(native | guest)
                 if native.get(number) != guest.get(number)), None)


def last_difference(native, guest):
    """The highest one."""
    return next((number for number in sorted(native | guest, reverse=True)
                 if native.get(number) != guest.get(number)), None)


def shrink(run, seed, index):
    """Lines that show the short program. run(words, as_guest) returns console lines."""
    words = f"part=random seed={seed} first={index} programs=1"
    end = first_difference(*digests(run, f"{words} prefixes"))
    if end is None:
        return ["it did not differ when it was run again"]
    start = last_difference(*digests(run, f"{words} suffixes={end}"))
    show = f"{words} show={0 if start is None else start},{end}"
    native = [line for line in run(show, False) if line.startswith(("!", "@", "+"))]
    guest = [line for line in lines_of(GUEST, run(show, True)) if line.startswith(("@", "+"))]
    return [*(line for line in native if line.startswith("!")),
            *(f"natively:   {line}" for line in native if not line.startswith("!")),
            *(f"as a guest: {line}" for line in guest)]
