"""The judgement of a run, case by case, from forged evidence."""

import pytest

from trapeze.verdict import Evidence, judge

QEMU_TRIPLE = "CPU Reset (CPU 0)\nTriple fault\nCPU Reset (CPU 0)\n"
BOCHS_TRIPLE = "00038p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n"

CASES = [
    # lines, status, emulator, overtime, the end, a word of its detail
    (["*** END passed"], 33, "", "", "passed", ""),
    (["*** END passed", ""], 33, "", "", "passed", ""),
    (["*** END failed: 7"], 35, "", "", "failed", "7"),
    (["*** PANIC: lost", "*** END panic"], 35, "", "", "panic", "lost"),
    (["*** PANIC: lost"], 0, "", "", "panic", "lost"),
    (["*** PANIC: lost"], -9, "", "no end after 9 s", "panic", "lost"),
    (["booting"], 0, QEMU_TRIPLE, "", "triple fault", "booting"),
    (["*** END passed"], 0, QEMU_TRIPLE, "", "triple fault", "END"),
    (["booting"], 1, BOCHS_TRIPLE, "", "triple fault", "booting"),
    ([], -9, "", "no end after 9 s", "timed out", "nothing was printed"),
    (["*** END passed"], -9, "", "the emulator went on", "timed out", "went on"),
    (["booting"], 0, "(0) Caught time breakpoint\n", "", "timed out", "booting"),
    (["*** END passed"], 35, "", "", "emulator error", "35"),
    (["*** END passed"], 0, "", "", "emulator error", "0"),
    (["booting"], -6, "", "", "emulator error", "signal 6"),
    ([], 1, "qemu-system-x86_64: -cpu nonsense: unable to find CPU model", "", "emulator error",
     "unable to find"),
    ([], 1, "000p[CDROM ] >>PANIC<< no such disc", "", "emulator error", "no such disc"),
    (["booting"], 3, "", "", "emulator error", "exit status 3"),
    (["booting"], 0, "", "", "failed", "without a verdict"),
    ([], 33, "", "", "failed", "without a verdict"),
    (["*** END pas"], 33, "", "", "failed", "without a verdict"),
    (["*** END passed", "more"], 33, "", "", "failed", "without a verdict"),
    (["[a] *** END passed"], 33, "", "", "failed", "without a verdict"),
    (["x *** END passed"], 33, "", "", "failed", "without a verdict"),
]


@pytest.mark.parametrize("lines, status, emulator, overtime, end, word", CASES)
def test_judge(lines, status, emulator, overtime, end, word):
    found = judge(Evidence(lines, status, 33, 35, emulator, overtime))
    assert found[0] == end
    assert word in found[1]
