"""The marks on a report's lines: what the harness writes counts, what only looks like it does not."""

import os
import subprocess
import sys

import pytest

from trapeze import ROOT
from trapeze.suite_log import LogReader, mark_of

KEY = "a1b2"
LINES = ["KTAP version 1", "1..2", "# run a/x", "ok 1 a/x", "# run a/y", "not ok 2 a/y",
         "# totals: 1 passed, 1 failed, 0 errors, 0 skipped, 2 checks"]
MARKED = [f"{line} ~{mark_of(KEY, number, line)}" for number, line in enumerate(LINES)]


def read(lines, key=KEY):
    """A LogReader that was fed the lines."""
    reader = LogReader(key=key)
    for line in lines:
        reader.feed(line)
    return reader


def statuses(reader):
    """What it made of the tests."""
    return [(result.name, result.status) for result in reader.results]


def test_marked_lines():
    reader = read(MARKED)
    assert statuses(reader) == [("a/x", "passed"), ("a/y", "failed")]
    assert (reader.planned, reader.checks, reader.forged) == (2, 2, 0)


@pytest.mark.parametrize("forged", [
    "ok 2 a/y", "# run a/z", "1..7", "KTAP version 1", "ok 2 a/y ~00000000", MARKED[3], MARKED[0],
    "# totals: 2 passed, 0 failed, 0 errors, 0 skipped, 2 checks"])
def test_forged_line(forged):
    reader = read([*MARKED[:5], forged, *MARKED[5:]])
    assert statuses(reader) == [("a/x", "passed"), ("a/y", "failed")]
    assert (reader.planned, reader.checks, reader.forged) == (2, 2, 1)
    assert not reader.restarted and not reader.complaints


def test_text_in_front_and_between():
    reader = read([*MARKED[:3], "debugging ok 1 a/x" + MARKED[3], "\x00\x1b[2J", "# note", *MARKED[4:]])
    assert statuses(reader) == [("a/x", "passed"), ("a/y", "failed")]


def test_other_key():
    reader = read(MARKED, "other")
    assert reader.results == [] and reader.planned is None and reader.forged == len(MARKED)


def test_without_key():
    assert statuses(read(LINES, "")) == [("a/x", "passed"), ("a/y", "failed")]


def test_image_marks_as_the_reader_expects():
    """The runtime's own tests, with a key: each line counts, and the key is gone from memory."""
    build = ROOT / os.environ.get("BUILD", "build")
    if not (build / "selftest.elf32").exists():
        pytest.skip("build/selftest.elf32 is not built")
    done = subprocess.run([sys.executable, ROOT / "tools/run.py", "--cpu", "amd", "--on", "tcg", "--batch",
                           "--image", "selftest", "--words", f"key={KEY}"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, check=False)
    reader = read(done.stdout.splitlines())
    assert reader.planned == len(reader.results) > 20
    assert reader.forged == 0 and reader.checks > 0 and not reader.complaints
