"""What the tools make of the probe's sweeps, from forged consoles."""

import pytest

from trapeze import probe_sweep

CONSOLE = """trapeze: AMD-V, 1 CPU, 3 guests
trapeze: vm halt died: halted with interrupts off at RIP 0x1000
[p] % in8 | nothing answers | IN of 1 byte from every port |
[p] % cr8 | as the manual says | each bit of CR8 changed and put back |
[p] probe: sweep in8
[p] @ in8 0-1f end rule=nothing value=ff
[p] @ in8 20-21 end rule=pic value=0
[p] @ in8 22-ffff end rule=nothing value=ff
[p] probe: sweep in8: 65536 accesses, 0 wrong
[p] probe: sweep cr8
[p] @ cr8 0-3 end rule=kept value=1
[p] @ cr8 4-3f #GP(0) rule=refused
[p] probe: sweep cr8: 64 accesses, 0 wrong
[p] probe: 2 sweeps
trapeze: vm p powered off, status 0
[w] probe: witness: 521 rounds, unchanged
trapeze: vm w powered off, status 0
*** END failed: 1"""


def find(*changes, asked=("halt",), platform="tcg-amd"):
    """The violations of a console with changes: pairs of old and new text."""
    text = CONSOLE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    sweeps = probe_sweep.parse(text.split("\n"))
    sweeps.asked = list(asked)
    return sweeps, probe_sweep.violations(platform, sweeps)


def test_clean():
    sweeps, found = find()
    assert found == [] and sweeps.accesses == 65600
    assert probe_sweep.count(sweeps, found) == 3


@pytest.mark.parametrize("old, new, cause", [
    ("22-ffff end rule=nothing value=ff", "64 end rule=nothing value=1c expected=ff cause=value",
     "port 64 reads 1c, not ff"),
    ("22-ffff end rule=nothing value=ff", "64 end rule=nothing value=ff expected=ff cause=noexit",
     "port 64 reached the hardware: its bit in the I/O bitmap"),
    ("4-3f #GP(0) rule=refused", "4 end rule=refused value=10 expected=#GP(0) cause=nofault",
     "CR8 bit 0x4: accepted"),
    ("0-3 end rule=kept value=1", "0 end rule=kept value=0 expected=1 cause=value",
     "CR8 bit 0x0: not read back"),
    ("@ cr8 0-3 end rule=kept value=1", "@ cr8 afterwards end cause=standstill", "came to a standstill during cr8"),
    ("@ cr8 0-3 end rule=kept value=1", "@ cr8 afterwards end cause=gone", "is gone during cr8"),
    ("@ cr8 0-3 end rule=kept value=1", "@ cr8 afterwards end cause=hypervisor", "no longer answers"),
    ("@ cr8 0-3 end rule=kept value=1", "@ cr8 afterwards end cause=own changed=dr0", "dr0 changed during cr8"),
])
def test_record(old, new, cause):
    _, found = find((old, new), platform="bochs-intel")
    assert len(found) == 1 and cause in found[0].cause and not found[0].explained
    assert found[0].rule in ("nothing answers", "as the manual says")


def test_explained_by_the_platform():
    change = ("4-3f #GP(0) rule=refused", "4-3f end rule=refused value=0 expected=#GP(0) cause=nofault")
    assert "TCG" in find(change)[1][0].explained
    assert not find(change, platform="bochs-intel")[1][0].explained
    assert not find((change[0], change[1].replace("4-3f", "2-3f")))[1][0].explained


def test_canaries():
    _, found = find(("[p] @ cr8 0-3 end rule=kept value=1",
                     "trapeze: error: canary pic_master_mask of CPU 0: was 0xff, is 0xe5\n"
                     "[p] @ cr8 afterwards end cause=canaries"))
    assert "cr8 changed what is the hypervisor's: pic_master_mask of CPU 0: was 0xff" in found[0].cause


def test_witness():
    changed = ("[w] probe: witness: 521 rounds, unchanged",
               "[w] probe: witness: fpu changed in round 17\n[w] probe: witness: 521 rounds, changed")
    _, found = find(changed, ("@ cr8 0-3 end rule=kept value=1", "@ cr8 afterwards end cause=changed"),
                    ("vm w powered off, status 0", "vm w powered off, status 1"))
    assert "fpu changed in round 17" in found[0].cause
    assert found[1].sweep == "witness" and "status 1" in found[1].what


@pytest.mark.parametrize("old, new, what", [
    ("died: halted with interrupts off at RIP 0x1000", "powered off, status 1", "powered off, status 1"),
    ("trapeze: vm halt died: halted with interrupts off at RIP 0x1000\n", "", "it did not end"),
])
def test_attempt_ends_otherwise(old, new, what):
    sweeps, found = find((old, new))
    assert found[0].sweep == "halt" and found[0].what == what
    assert probe_sweep.count(sweeps, found) == 2


def test_machine_ended():
    cut = CONSOLE[CONSOLE.index("[p] @ cr8 0-3"):]
    _, found = find((cut, ""), asked=())
    assert found[0].sweep == "cr8" and "the whole machine ended" in found[0].cause


def test_virtual_machine_ended():
    cut = CONSOLE[CONSOLE.index("[p] @ cr8 0-3"):CONSOLE.index("trapeze: vm p")]
    _, found = find((cut, ""), ("vm p powered off, status 0", "vm p died: triple fault"))
    assert "the virtual machine died: triple fault" in found[0].cause


def test_boot():
    boot = probe_sweep.boot_of("in*,halt", 251)
    words = [module.cmdline for module in boot.modules]
    assert len(words) == 3 and "canaries=on" in boot.cmdline
    assert "sweeps=in*,halt sample=251 witness=1" in words[0] and "part=witness" in words[1]
    assert "attempt=halt" in words[2]
