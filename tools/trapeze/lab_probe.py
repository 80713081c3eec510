"""What the probe is asked for in each lab: which image, forms, programs and workloads, by which words; how its
lines become names of tests; and its native run, which is kept. Running it as a guest is lab_guest's."""

import hashlib
import pickle
import re
from dataclasses import dataclass, field

from . import HostError, probe_efficiency, probe_log
from .boot import Boot
from .lab import STAGE2_LAB
from .platforms import PLATFORMS, WITHOUT_KVM, Machine
from .session import Session

FROM_STAGE2 = f"from lab {STAGE2_LAB}"  # the note of a failure that is an earlier lab's lesson
LIMIT = 100  # seconds
TICKS = 6_000_000_000  # of Bochs
PROGRAMS, GROUP = 160, 40  # random programs, and how many of them are one test
IN_IA32E = "64*,compat*"  # all modes that a guest without stage-2 tables can be in
# What a guest gets right by itself once the world switch works: no answer of the monitor's is in it.
PLAIN_FORMS = ("nop", "add", "mul", "bts", "xadd", "push", "call_near", "rep_movs", "rep_stos", "lahf", "pushf", "sgdt",
               "sidt", "sldt", "smsw", "str", "lar", "mov_from_cs", "mov_from_cr?", "mov_to_cr2", "mov_to_cr3",
               "mov_to_cr8", "cr4_tsd", "cr4_pge", "pop_ss", "push_fs", "int_n", "int3", "iretq", "ret_far", "ud2",
               "divide_by_zero", "page_fault_read", "noncanonical", "mov_from_dr?", "mov_to_dr0", "lgdt", "swapgs",
               "rdmsr_lstar", "wrmsr_lstar", "wrmsr_fmask", "rdtsc_monotonic", "wbinvd", "invlpg")
FORMS = ("cpuid_*", "rdmsr_*", "wrmsr_*", "in_*", "out_*", "rep_insb", "outsb", "cr0_*", "cr4_*", "lmsw*", "clts",
         "hlt", "interrupt", "xsetbv", "ud2", "page_fault_*", "nop", "add", "popf*", "pushf", "sgdt", "smsw")
# With stage-2 tables in all modes: a form or two for each kind of exit, and those that move between modes.
MODES_FORMS = ("cpuid_vendor", "cpuid_prefixed", "cpuid_traced", "rdmsr_efer", "rdmsr_tsc", "rdmsr_nowhere",
               "wrmsr_lstar*", "wrmsr_pat*", "wrmsr_efer_*", "in_*", "out_dx*", "rep_insb", "outsb", "cr0_*", "cr4_tsd",
               "cr4_pae", "cr4_pge", "cr4_vmxe", "mov_to_cr3", "lmsw*", "clts", "hlt", "interrupt", "xsetbv", "ud2",
               "page_fault_*", "nop", "add", "popf", "pushf", "sgdt", "smsw", "rom_write")
OVERHEAD = 0.25  # instructions more than natively, for each of those
REACH = re.compile(r"\^ (\w+) ([0-9a-f]+)")
NOBODY = "ffffffff"  # what reads answer where nobody is


@dataclass(frozen=True)
class Selection:
    """What a lab asks of the probe and of tinyos."""

    image: str
    forms: tuple
    workloads: tuple
    modes: str = ""  # patterns; "" for all
    tinyos: str = ""  # its image, "" for none
    plain: bool = False  # nothing in it needs an answer, not even how to power off
    reach: tuple = ()  # attempts that succeed as long as there are no stage-2 tables
    sweeps: tuple = ()  # and what sweeps over all there is

    def words(self, forms, seed, programs=PROGRAMS, parts=("table",)):
        """The probe's command line for these forms, and random programs and workloads if there are programs."""
        words = f"forms={','.join(forms or ['-'])}" + (f" modes={self.modes}" if self.modes else "")
        if programs:
            parts = (*parts, "random", "workload")
            words += f" seed={seed} programs={programs}"
            words += "" if self.plain else f" workloads={','.join(self.workloads)}"
        return f"part={','.join(parts)} {words}"


REACHES = ("read_hypervisor", "write_hypervisor", "read_device")
SELECTIONS = {
    3: Selection("probe-plain-high", PLAIN_FORMS, ("integer",), IN_IA32E, plain=True, reach=REACHES),
    4: Selection("probe-high", FORMS, ("integer", "system_calls"), IN_IA32E, "tinyos-high", reach=REACHES),
    5: Selection("probe", MODES_FORMS, ("integer", "system_calls"), "64*,compat*,protected*,real,v8086", "tinyos",
                 sweeps=("memory_2m", "memory_powers", "memory_read", "memory_write")),
}


@dataclass
class Native:
    """What the bare machine did."""

    log: probe_log.Log
    ticks: dict = field(default_factory=dict)  # by workload

    @property
    def records(self):
        """Of forms, by (form, mode)."""
        return self.log.records


def selection_of(lab):
    """The Selection of a lab in which guests run."""
    return SELECTIONS[lab.number]


def has_stage2(lab):
    """With second-level paging?"""
    return lab.number >= STAGE2_LAB


def image_file(pristine, name):
    """A guest's image."""
    file = pristine / f"{name}.elf"
    if not file.exists():
        raise HostError(f"{file}: no such file (is it built?)")
    return file


def seed_of(nonce):
    """The probe's seed: 31 bits of the nonce's hash."""
    return int.from_bytes(hashlib.sha256(f"probe {nonce}".encode()).digest()[:4], "little") >> 1


def machine_of(vendor, memory=192):
    """The machine for both sides."""
    amd = vendor == "amd"
    return Machine(memory=memory, loader="own" if amd else "fast", deterministic=amd, ticks=TICKS)


def run_natively(pristine, lab, vendor, nonce):
    """The Native, kept for the next who asks."""
    selection = selection_of(lab)
    file = image_file(pristine, selection.image)
    words = selection.words(selection.forms, seed_of(nonce), parts=("list", "table"))
    name = hashlib.sha256(file.read_bytes() + words.encode()).hexdigest()[:24]
    kept = pristine / "native" / f"{vendor}-{name}"
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    platform = PLATFORMS[f"{WITHOUT_KVM[vendor]}-{vendor}"]
    log_name = str((pristine / "logs" / f"native-{vendor}-{name}").resolve())
    (pristine / "logs").mkdir(parents=True, exist_ok=True)
    result = Session(platform, Boot(file, words), machine_of(vendor), log_name, LIMIT).run()
    if not result.passed:
        raise HostError(f"the probe's native run ended: {result}; see {result.log}")
    native = Native(probe_log.parse(result.lines), probe_efficiency.instructions(result.lines))
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = kept.with_suffix(".new")
    new.write_bytes(pickle.dumps(native))
    new.replace(kept)
    return native


def record_name(key):
    """The name of a record's test: "probe/cpuid_vendor/64-0"."""
    return f"probe/{key[0]}/{key[1].replace('/', '-')}"


def group_names():
    """The names of the tests of random programs."""
    return [f"probe/programs/{first}-{first + GROUP - 1}" for first in range(0, PROGRAMS, GROUP)]


def workload_name(workload):
    """The name of a workload's test."""
    return f"probe/efficiency/{workload}"


def isolation_name(attempt):
    """The name of a test of resource control."""
    return f"isolation/{attempt}"


def names_of(selection, native):
    """All tests of a lab's guests, in order."""
    return [*map(record_name, native.records), *group_names(), *map(workload_name, selection.workloads),
            *map(isolation_name, (*selection.reach, *selection.sweeps)),
            *(["tinyos/script"] if selection.tinyos else [])]


def reached(lines):
    """{attempt: what it read, in hexadecimal} of the probe's lines."""
    return {match[1]: match[2] for match in map(REACH.fullmatch, (line.rstrip() for line in lines)) if match}
