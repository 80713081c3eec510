"""How much of a guest runs without the monitor: the probe's workloads natively and as guests, counted in
instructions where a TSC tick is one and runs repeat exactly. Each has a virtual machine of its own with a time
slice that is longer than it; exits are those of the hypervisor's own statistics, less what a machine without a
workload makes."""

import re
from dataclasses import dataclass

from . import HostError, image
from .boot import Boot, Module
from .demo import lines_of
from .platforms import PLATFORMS, Machine
from .session import Session

WORKLOADS = ("integer", "memory", "system_calls", "page_faults", "context_switches", "port_io", "interrupts")
NONE = "none"  # the one whose exits are of no workload
FIRST = "first"  # a virtual machine whose slice is cut short: the hypervisor does not know the TSC's rate yet
WORKLOAD = re.compile(r"& (\w+) +(\d+)")
TABLE = re.compile(r"exits of vm (\w+):")
CAUSE = re.compile(r"  (\S.*?) +(\d+) +(\d+) +\d+")
MEMORY = "24M"
LIMIT = 240  # seconds


@dataclass(frozen=True)
class Row:
    """One workload on one platform."""

    workload: str
    native: int  # instructions on the bare machine
    guest: int  # from its start to its end as a guest, the hypervisor's among them
    exits: dict  # by cause

    @property
    def overhead(self):
        """Instructions more than natively, for each of those."""
        return self.guest / self.native - 1

    @property
    def direct(self):
        """The share of the native instructions that made no exit."""
        return 1 - sum(self.exits.values()) / self.native

    def per_million(self, cause):
        """Exits of a cause in a million native instructions."""
        return self.exits.get(cause, 0) * 1_000_000 / self.native

    def figures(self):
        """For the report."""
        return {"native": self.native, "guest": self.guest, "overhead": round(self.overhead, 6),
                "without_exit": round(self.direct, 6), "exits": self.exits,
                "exits_per_million": {cause: round(self.per_million(cause), 3) for cause in self.exits}}


def boots():
    """(the bare machine, the hypervisor with a machine for each workload)."""
    def module(name, workload):
        words = f"name={name} mem={MEMORY} -- part=workload workloads={workload}"
        return Module(image("probe"), words)

    modules = [module(FIRST, NONE), module(NONE, NONE), *(module(f"w{number}", workload)
                                                         for number, workload in enumerate(WORKLOADS))]
    return (Boot(image("probe"), f"part=workload workloads={','.join(WORKLOADS)}"),
            Boot(image("trapeze"), "console=lines slice=1000000", tuple(modules)))


def run(platform, boot, kind):
    """The console's lines of a run that passed."""
    machine = Machine(memory=512, deterministic=True, loader="own" if platform.startswith("tcg") else "fast")
    result = Session(PLATFORMS[platform], boot, machine, f"efficiency-{platform}-{kind}", LIMIT).run()
    if not result.passed:
        raise HostError(f"{platform}: {kind}: {result}; see {result.log}")
    return result.lines


def instructions(lines):
    """{workload: TSC ticks} of what the probe said."""
    found = [WORKLOAD.fullmatch(line.rstrip()) for line in lines]
    return {match[1]: int(match[2]) for match in found if match}


def statistics(lines):
    """{virtual machine: {cause: exits}} of the hypervisor's tables."""
    tables, current = {}, None
    for line in lines:
        table, cause = TABLE.fullmatch(line.rstrip()), CAUSE.fullmatch(line.rstrip())
        if table:
            current = tables.setdefault(table[1], {})
        elif cause and current is not None:
            current[cause[1]] = int(cause[2])
    return tables


def rows_of(native_lines, guest_lines):
    """The Rows of two consoles; HostError when something is missing."""
    native, tables = instructions(native_lines), statistics(guest_lines)
    rows = []
    for number, workload in enumerate(WORKLOADS):
        name = f"w{number}"
        guest = instructions(lines_of(name, guest_lines))
        if workload not in native or workload not in guest or name not in tables or NONE not in tables:
            raise HostError(f"workload {workload}: not all figures arrived")
        less = tables[NONE]
        exits = {cause: count - less.get(cause, 0) for cause, count in tables[name].items()}
        rows.append(Row(workload, native[workload], guest[workload],
                        {cause: count for cause, count in exits.items() if count > 0}))
    return rows


def measure(platform):
    """The Rows of a platform."""
    native, guest = boots()
    return rows_of(run(platform, native, "native"), run(platform, guest, "guest"))


def show(platform, rows):
    """The table of a platform, as lines."""
    lines = [f"{platform:<18}{'instructions':>14}{'overhead':>11}{'without exit':>14}  "
             "exits per million instructions"]
    for row in rows:
        causes = sorted(row.exits, key=lambda cause: -row.exits[cause])
        exits = ", ".join(f"{cause} {row.per_million(cause):,.1f}" for cause in causes)
        lines.append(f"{row.workload:<18}{row.native:>14,}{row.overhead:>11.2%}{row.direct:>14.4%}  "
                     + (exits or "-"))
    return lines
