"""What is made of the workloads' lines and the hypervisor's statistics, from forged consoles."""

import pytest

from trapeze import HostError, probe_efficiency

NATIVE = [f"& {workload:<16} {1000000:>16}" for workload in probe_efficiency.WORKLOADS]


def guest(extra=0):
    """A console: each workload takes twice as long and makes ten exits for port I/O."""
    lines = [f"[w{number}] & {workload:<16} {2000000:>16}"
             for number, workload in enumerate(probe_efficiency.WORKLOADS)]
    for name in ("first", "none", *(f"w{number}" for number in range(len(probe_efficiency.WORKLOADS)))):
        count = 300 + (10 + extra if name.startswith("w") else 0)
        lines += [f"exits of vm {name}:", "  cause    count    ticks    average",
                  f"  port I/O    {count}    5000    50", "  CPUID    20    400    20",
                  f"  all    {count + 20}    5400", "  in the guest    99999"]
    return lines


def test_rows():
    rows = probe_efficiency.rows_of(NATIVE, guest())
    assert [row.workload for row in rows] == list(probe_efficiency.WORKLOADS)
    row = rows[0]
    assert row.exits == {"port I/O": 10} and row.overhead == 1 and row.direct == 1 - 1e-5
    assert row.per_million("port I/O") == 10 and row.per_million("CPUID") == 0
    assert row.figures()["exits_per_million"] == {"port I/O": 10}


def test_missing_figures():
    with pytest.raises(HostError, match="integer: not all figures"):
        probe_efficiency.rows_of(NATIVE[1:], guest())
    with pytest.raises(HostError, match="interrupts: not all figures"):
        probe_efficiency.rows_of(NATIVE, guest()[:-6])


def test_table():
    lines = probe_efficiency.show("tcg-amd", probe_efficiency.rows_of(NATIVE, guest()))
    assert "100.00%" in lines[1] and "99.9990%" in lines[1] and "port I/O 10.0" in lines[1]
