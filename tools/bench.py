#!/usr/bin/python3
"""`make bench`: what the hypervisor's paths cost, in instructions, on the platforms where an
instruction is a tick and runs repeat exactly. A table, and build/bench.json."""

import json
import re
import sys

from trapeze import HostError, build_folder, demo
from trapeze.platforms import PLATFORMS, Machine
from trapeze.session import Session

BENCH_PLATFORMS = ("bochs-intel", "tcg-amd")
LINE = re.compile(r"(?:\[a\] # )?bench: (\w+) (\d+)")

# The guest's own measurements, under the names they have in the table.
GUEST_NAMES = {"cpuid": "cpuid_exit", "out": "port_exit", "first_touch": "stage2_fault"}

# Goals, and for comparison what KVM takes where it was measured in the same way.
GOALS = {
    "boot_to_guest": {"goal": 3_000_000},
    "cpuid_exit": {"goal": {"bochs-intel": 205, "tcg-amd": 150}, "kvm": 2893},
    "port_exit": {"kvm": 1480},
}


def measure(platform):
    """{name: instructions} on one platform."""
    guests = demo.parse_guests("a=tinyos:pages=4K", 1)
    boot = demo.boot_of(guests, "bench", interactive=False, script="bench; poweroff")
    # Under TCG, GRUB is slow when instructions are counted, and is not what is measured.
    machine = Machine(deterministic=True, loader="own" if platform == "tcg-amd" else "fast")
    result = Session(PLATFORMS[platform], boot, machine, f"bench-{platform}", limit=120).run()
    if not result.passed:
        raise HostError(f"{platform}: {result}; see {result.log}")
    found = [LINE.fullmatch(line) for line in result.lines]
    numbers = {GUEST_NAMES.get(match[1], match[1]): int(match[2]) for match in found if match}
    if not numbers:
        raise HostError(f"{platform}: no bench lines; see {result.log}")
    return numbers


def goal_of(name, platform):
    """The goal for a number, or None."""
    goal = GOALS.get(name, {}).get("goal")
    return goal.get(platform) if isinstance(goal, dict) else goal


def cell(name, platform, numbers):
    """A number and, behind it, the goal it misses."""
    value = numbers[platform].get(name)
    if value is None:
        return "-"
    goal = goal_of(name, platform)
    return f"{value:,}" + (f" (goal {goal:,})" if goal and value > goal else "")


def show(numbers):
    """The table."""
    names = sorted({name for found in numbers.values() for name in found})
    print(f"{'instructions':<20}" + "".join(f"{platform:>26}" for platform in numbers) + f"{'KVM':>10}")
    for name in names:
        kvm = GOALS.get(name, {}).get("kvm")
        print(f"{name:<20}" + "".join(f"{cell(name, platform, numbers):>26}" for platform in numbers)
              + (f"{kvm:>10,}" if kvm else ""))


def main():
    """Measures, prints, writes."""
    try:
        numbers = {platform: measure(platform) for platform in BENCH_PLATFORMS}
    except HostError as error:
        print(f"bench: error: {error}", file=sys.stderr)
        return 1
    show(numbers)
    flat = {f"{platform}.{name}": value for platform, found in numbers.items()
            for name, value in sorted(found.items())}
    file = build_folder() / "bench.json"
    file.write_text(json.dumps(flat, indent=2) + "\n")
    print(f"bench: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
