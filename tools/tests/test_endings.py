"""Every way a run can end, on the emulators themselves."""

import pytest

from trapeze import HostError
from trapeze.boot import Boot, Module
from trapeze.platforms import PLATFORMS, Machine
from trapeze.session import Session

ENDS = [
    # what the image is told, the end, a word of its detail
    ("pass", "passed", ""),
    ("fail", "failed", "status 3"),
    ("panic", "panic", "on purpose"),
    ("triple", "triple fault", "do=triple"),
    ("hang", "timed out", "do=hang"),
    ("silent", "failed", "without a verdict"),
    ("cut", "failed", "without a verdict"),
    ("more", "failed", "and more"),
]


def end_of(folder, platform, cmdline, limit=60, **wishes):
    """Runs endings.elf and returns the result."""
    boot = Boot(folder / "endings.elf", cmdline, (Module(folder / "endings.elf", "name=m"),))
    machine = Machine(memory=64, ticks=60_000_000, **wishes)
    return Session(PLATFORMS[platform], boot, machine, "test", limit).run()


@pytest.mark.parametrize("order, end, word", ENDS)
@pytest.mark.parametrize("platform", ["bochs-intel", "tcg-amd"])
def test_end(build, platform, order, end, word):
    limit = 8 if (order, platform) == ("hang", "tcg-amd") else 60  # Bochs has a limit of its own
    result = end_of(build, platform, f"do={order}", limit)
    assert result.end == end
    assert word in result.detail


def test_contradiction_is_the_emulators_error(build):
    assert end_of(build, "tcg-amd", "do=contradict", loader="own").end == "emulator error"


def test_reset_is_no_pass(build):
    assert end_of(build, "tcg-amd", "do=reset", loader="own").end == "failed"


def test_unknown_model(build):
    result = end_of(build, "tcg-amd", "do=pass", model="nonsense")
    assert result.end == "emulator error"
    assert "nonsense" in result.detail
    with pytest.raises(HostError, match="nonsense; it has: .*corei7_skylake_x"):
        end_of(build, "bochs-intel", "do=pass", model="nonsense")


def test_words_reach_the_image_alike(build):
    lines = {tuple(end_of(build, "tcg-amd", 'do=pass s="a b; c"', loader=loader).lines[:1])
             for loader in ("fast", "full", "own")}
    assert {line[0].split("end=qemu ")[1] for line in lines} == {'do=pass "s=a b; c"'}


def test_backtrace_gets_names(build):
    result = end_of(build, "tcg-amd", "do=panic", loader="own")
    assert any("endings.c:" in line or "??" in line
               for line in result.log.read_text().splitlines() if line.startswith("    0x"))


@pytest.mark.parametrize("platform", ["bochs-intel", "tcg-amd"])
def test_deterministic_runs_repeat(build, platform):
    loader = "own" if platform == "tcg-amd" else "fast"  # GRUB is slow when time is counted
    runs = [end_of(build, platform, "do=pass", deterministic=True, loader=loader)
            for _ in range(2)]
    assert all(run.passed for run in runs)
    assert runs[0].lines == runs[1].lines
