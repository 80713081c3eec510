"""The labs in which whole guests run: the probe, compared with its own native run on the same platform, and tinyos,
which follows its script. The nonce seeds the probe's random programs, so that what the guest has to say is known to
the one who runs it natively, and to nobody else. With stage2=off both are linked high and stay in IA-32e mode."""

import hashlib
import pickle
import re

from . import HostError, demo, probe_log
from .boot import Boot, Module
from .lab_job import boot
from .lab_result import ERROR, FAILED, NOT_REACHED, PASSED, TestResult
from .platforms import PLATFORMS, WITHOUT_KVM, Machine
from .probe_compare import compare_records
from .session import Session

STAGE2_LAB = 5  # the first lab with second-level paging
GUEST = "p"
LIMIT, SILENCE = 100, 25  # seconds
TICKS = 6_000_000_000  # of Bochs
OUTPUT = 2_000_000
BOOTS_MAX = 4
PROGRAMS, GROUP = 160, 40  # random programs, and how many of them are one test
FORMS = ("cpuid_*", "rdmsr_*", "wrmsr_*", "in_*", "out_*", "rep_insb", "outsb", "cr0_*", "cr4_*", "lmsw*", "clts",
         "hlt", "interrupt", "xsetbv", "ud2", "page_fault_*", "nop", "add", "popf*", "pushf", "sgdt", "smsw")
WORDS_MAX = 600  # characters of the word forms=
SCRIPT = "help; cpuid; mem; run sieve; run tree; run count; run echo hello; run twice float; ps; poweroff"
RECORD = re.compile(r"(?:\[\w+\] )?@ (\S+) (\S+) ")
PROBE_KINDS = ("probe/", "tinyos/")


def wants_guests(lab, vendor):
    """Does an exercise ask for tests of this kind?"""
    return any(test.startswith(PROBE_KINDS) for exercise in lab.of_vendor(vendor) for test in exercise.tests)


def has_stage2(lab):
    """With second-level paging?"""
    return lab.number >= STAGE2_LAB


def guest_image(pristine, name, lab):
    """The guest's file."""
    return pristine / f"{name}{'' if has_stage2(lab) else '-high'}.elf"


def probe_words(forms, lab, programs, seed):
    """The probe's command line."""
    modes = "" if has_stage2(lab) else " modes=64*,compat*"
    parts, random = ("list,table,random", f" seed={seed} programs={programs}") if programs else ("list,table", "")
    return f"part={parts} forms={','.join(forms)}{modes}{random}"


def seed_of(nonce):
    """The probe's seed: 31 bits of the nonce's hash."""
    return int.from_bytes(hashlib.sha256(f"probe {nonce}".encode()).digest()[:4], "little") >> 1


def machine_of(vendor):
    """The machine for both sides."""
    amd = vendor == "amd"
    return Machine(memory=192, loader="own" if amd else "fast", deterministic=amd, ticks=TICKS)


def run_natively(pristine, lab, vendor, nonce):
    """The probe_log.Log of the probe's native run, kept for the next who asks."""
    file = guest_image(pristine, "probe", lab)
    if not file.exists():
        raise HostError(f"{file}: no such file (is it built?)")
    words = probe_words(FORMS, lab, PROGRAMS, seed_of(nonce))
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
    log = probe_log.parse(result.lines)
    kept.parent.mkdir(parents=True, exist_ok=True)
    new = kept.with_suffix(".new")
    new.write_bytes(pickle.dumps(log))
    new.replace(kept)
    return log


def record_name(key):
    """The name of a record's test: "probe/cpuid_vendor/64-0"."""
    return f"probe/{key[0]}/{key[1].replace('/', '-')}"


def group_names():
    """The names of the tests of random programs."""
    return [f"probe/programs/{first}-{first + GROUP - 1}" for first in range(0, PROGRAMS, GROUP)]


def names_of(native):
    """All tests, in order."""
    return [*map(record_name, native.records), *group_names(), "tinyos/script"]


def planned(pristine, lab, vendor):
    """The names of all tests, in order."""
    return names_of(run_natively(pristine, lab, vendor, 1)) if wants_guests(lab, vendor) else []


def run(job, missing):
    """A TestResult for each test. Where exercises are missing no guest gets beyond its first instructions:
    nothing is booted then."""
    if not wants_guests(job.lab, job.vendor):
        return []
    runner = Runner(job)
    wanted = [name for name in names_of(runner.native) if job.wants(name)]
    if missing:
        return [runner.result(name, NOT_REACHED, got="a guest needs all exercises of the lab") for name in wanted]
    if any(name.startswith("probe/") for name in wanted):
        runner.run_probe(wanted)
    if "tinyos/script" in wanted:
        runner.run_tinyos()
    return [runner.results[name] for name in wanted]


class Runner:
    """Boots the hypervisor with one guest after the other."""

    def __init__(self, job):
        self.job = job
        self.native = run_natively(job.pristine, job.lab, job.vendor, job.nonce)
        self.results, self.boots = {}, 0

    def boot(self, name, words):
        """One boot with one guest; (Ended, the lines that the guest said)."""
        self.boots += 1
        stage2 = has_stage2(self.job.lab)
        module = Module(guest_image(self.job.pristine, name, self.job.lab), f"name={GUEST} mem=48M -- {words}")
        what = Boot(self.job.build / "trapeze.elf", "console=lines" + ("" if stage2 else " stage2=off"), (module,))
        ended = boot(self.job, what, machine_of(self.job.vendor), f"guest{self.boots}", LIMIT, SILENCE,
                     self.listen, output=OUTPUT)
        return ended, demo.lines_of(GUEST, ended.lines) if stage2 else ended.lines

    def listen(self, line):
        """A line has come: is it a record?"""
        match = RECORD.match(line)
        if match:
            self.job.tell(record_name(match.groups()), None)

    def result(self, name, status, **words):
        """A TestResult."""
        mode = "" if has_stage2(self.job.lab) else " WORDS=stage2=off"
        rerun = f"make grade N={self.job.lab.number} VENDOR={self.job.vendor} TESTS={name}"
        if name.startswith("probe/") and "/programs/" not in name:
            cpu = f"CPU={self.job.vendor} ON={WITHOUT_KVM[self.job.vendor]}"
            gdb = " GDB=1234" if self.job.vendor == "amd" else ""
            rerun = f"make probe {cpu} FORMS={name.split('/')[1]}{mode}{gdb}"
        return TestResult(name, status, **({"rerun": rerun} | words))

    def run_probe(self, wanted):
        """The table and the random programs; after a form that was the guest's end the others run in another
        boot."""
        patterns = sorted({name.split("/")[1] for name in wanted if name.startswith("probe/")} - {"programs"})
        forms = list(FORMS) if len(patterns) > 8 else patterns
        programs = PROGRAMS if any(name.startswith("probe/programs/") for name in wanted) else 0
        left = [key for key in self.native.records if record_name(key) in wanted]
        for _ in range(BOOTS_MAX):
            words = probe_words(forms or ["-"], self.job.lab, programs, seed_of(self.job.nonce))
            ended, said = self.boot("probe", words)
            guest = probe_log.parse(said)
            left = self.take_records(left, guest, ended)
            if programs and guest.digests or ended.result.passed or not left:
                self.take_programs(guest, ended)
                programs = 0
            if not left:
                break
            forms = self.forms_of(left)
        for key in left:
            self.results[record_name(key)] = self.result(record_name(key), NOT_REACHED, got="the guest ended too "
                                                         "often before it")
        for name in group_names():
            self.results.setdefault(name, self.result(name, NOT_REACHED, got=ended.text, end=ended.end))

    def forms_of(self, keys):
        """As many of the forms of these records as the command line takes."""
        forms = []
        for form in dict.fromkeys(key[0] for key in keys):
            if len(",".join([*forms, form])) > WORDS_MAX:
                break
            forms.append(form)
        return forms

    def take_records(self, keys, guest, ended):
        """The results of the records that came, and of the one that did not. The keys that are left."""
        done = [key for key in keys if key in guest.records]
        for key in done:
            self.take_record(key, guest.records[key])
        left = [key for key in keys if key not in guest.records]
        if not left or ended.result.passed:
            for key in left:
                self.take_record(key, None)
            return []
        broken = left[0]
        name = record_name(broken)
        reason = next((line for line in ended.lines if line.startswith(("trapeze: vm", "trapeze: error"))),
                      ended.text)
        self.results[name] = self.result(
            name, ERROR, rule=self.rule_of(broken), expected=self.native.records[broken].line, got=reason,
            end=ended.end, cause="the virtual machine, or the probe in it, ended here")
        same_form = [key for key in left[1:] if key[0] == broken[0]]
        for key in same_form:
            other = record_name(key)
            self.results[other] = self.result(other, NOT_REACHED, rule=self.rule_of(key), got=reason, end=ended.end)
        return [key for key in left[1:] if key[0] != broken[0]]

    def rule_of(self, key):
        """What must be: a guest's record is the bare machine's."""
        form = self.native.forms.get(key[0])
        what = f"{form.text} in mode {key[1]}" if form else f"{key[0]} in mode {key[1]}"
        section = f" ({form.section})" if form else ""
        return f"{what} does in a guest what it does on the bare machine{section}"

    def take_record(self, key, guest):
        """Compares one record with the native one."""
        name, native = record_name(key), self.native.records[key]
        difference = compare_records(self.job.platform.name, self.native.forms.get(key[0]), native, guest)
        words = {"rule": self.rule_of(key)}
        if difference and not difference.explained:
            words |= {"expected": native.line, "got": guest.line if guest else "nothing",
                      "cause": difference.cause}
            self.results[name] = self.result(name, FAILED, **words)
        else:
            self.results[name] = self.result(name, PASSED, **words)

    def take_programs(self, guest, ended):
        """Compares the digests of random programs."""
        rule = "random programs have the final state that they have on the bare machine (equivalence)"
        for number, name in enumerate(group_names()):
            programs = range(number * GROUP, number * GROUP + GROUP)
            wrong = [i for i in programs if self.native.digests.get(i) != guest.digests.get(i)]
            if not wrong:
                self.results[name] = self.result(name, PASSED, rule=rule)
                continue
            seed = seed_of(self.job.nonce)
            came = guest.digests.get(wrong[0], "nothing")
            self.results[name] = self.result(
                name, FAILED, rule=rule, expected=f"program {wrong[0]}: {self.native.digests[wrong[0]]}",
                got=f"{came} ({ended.text})" if came == "nothing" else came,
                cause="a register, a flag or memory is not kept over an exit, or an exception comes otherwise",
                rerun=f"make probe CPU={self.job.vendor} ON={WITHOUT_KVM[self.job.vendor]} SEED={seed} "
                      f"PROGRAM={wrong[0]}")

    def run_tinyos(self):
        """A small operating system follows a script to its end."""
        ended, said = self.boot("tinyos", f'script="{SCRIPT}"')
        rule = "tinyos runs its script: processes, timer, floating point, console"
        missing = [complaint for pattern, times in demo.EXPECTED if "memtest" not in pattern
                   for complaint in self.count(pattern, times, said)]
        name = "tinyos/script"
        if ended.result.passed and not missing:
            self.results[name] = self.result(name, PASSED, rule=rule)
            return
        reason = next((line for line in ended.lines if line.startswith(("trapeze: vm", "trapeze: error"))), ended.text)
        self.results[name] = self.result(
            name, FAILED if ended.end == "EARLY_EXIT" else ERROR, rule=rule, expected="all of its output",
            got="; ".join([reason, *missing[:2]]), end="" if ended.end == "EARLY_EXIT" else ended.end,
            cause="an exit that an operating system makes and the probe's rows do not: timer, interrupts, the console")

    def count(self, pattern, times, said):
        """A complaint when a line was not said so often."""
        found = [line for line in said if re.fullmatch(pattern, line.strip())]
        return [] if len(found) == times else [f"printed {len(found)} times, not {times}: {pattern}"]
