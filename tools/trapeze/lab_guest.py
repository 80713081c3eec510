"""The labs in which whole guests run: the probe, compared with its own native run on the same platform, and tinyos,
which follows its script. The nonce seeds the probe's random programs, so that what the guest has to say is known to
the one who runs it natively, and to nobody else. With stage2=off both are linked high and stay in IA-32e mode, and
what they reach that is not theirs is told, and costs no points: that is the lesson of the labs before stage 2."""

import re
from concurrent.futures import ThreadPoolExecutor

from . import demo, probe_efficiency, probe_log, probe_run, probe_sweep
from .boot import Boot, Module
from .lab_checks import ENDLESS
from .lab_job import boot
from .lab_probe import FROM_STAGE2, GROUP, LIMIT, NOBODY, OVERHEAD, PROGRAMS, group_names, has_stage2, image_file, \
    isolation_name, machine_of, names_of, reached, record_name, run_natively, seed_of, selection_of, workload_name
from .lab_result import ERROR, FAILED, NOT_REACHED, PASSED, TestResult
from .platforms import WITHOUT_KVM
from .probe_compare import compare_records

GUEST = "p"
SILENCE = 25  # seconds
OUTPUT = 2_000_000
BOOTS_MAX = 4
PARALLEL = 2  # boots
WORDS_MAX = 600  # characters of the word forms=
SCRIPT = "help; cpuid; mem; run sieve; run tree; run count; run echo hello; run twice float; ps; poweroff"
RECORD = re.compile(r"(?:\[\w+\] )?@ (\S+) (\S+) ")
LOG_OF = {"reach": "isolation", "sweeps": "isolation", "tinyos": "tinyos"}  # boots, and the kind of their tests
PROBE_KINDS = ("probe/", "isolation/", "tinyos/")
SWEEP_SAMPLE = 251  # one access in so many, and those that matter
# What a guest without stage-2 tables reaches: (what must be, why it is not so yet).
REACH = {
    "read_hypervisor": ("a guest that reads the hypervisor's code gets all ones, as from a bus where nobody is",
                        "the value is of the hypervisor's Multiboot header"),
    "write_hypervisor": ("a guest that writes to the hypervisor's image writes to nobody",
                         "the value is what the guest wrote there, and read again"),
    "read_device": ("a guest that reads the machine's local APIC gets all ones, for it has none",
                    "the value is of the machine's APIC"),
}
UNMAPPED = "with stage2=off a guest's own page tables decide alone what it reaches; stage-2 tables end that"


def wants_guests(lab, vendor):
    """Does an exercise ask for tests of this kind?"""
    return any(test.startswith(PROBE_KINDS) for exercise in lab.of_vendor(vendor) for test in exercise.tests)


def planned(pristine, lab, vendor, nonce):
    """The names of all tests, in order."""
    if not wants_guests(lab, vendor):
        return []
    return names_of(selection_of(lab), run_natively(pristine, lab, vendor, nonce))


def run(job, missing):
    """A TestResult for each test. Where exercises are missing no guest gets beyond its first instructions:
    nothing is booted then."""
    if not wants_guests(job.lab, job.vendor):
        return []
    runner = Runner(job)
    wanted = [name for name in names_of(runner.selection, runner.native) if job.wants(name)]
    if missing:
        return [runner.result(name, NOT_REACHED, got="a guest needs all exercises of the lab") for name in wanted]
    parts = [part for prefix, part in (("probe/", runner.run_probe), ("isolation/", runner.run_isolation),
                                       ("tinyos/", runner.run_tinyos))
             if any(name.startswith(prefix) for name in wanted)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda part: part(wanted), parts))
    return [runner.results[name] for name in wanted]


class Runner:
    """Boots the hypervisor with one guest after the other."""

    def __init__(self, job):
        self.job = job
        self.selection = selection_of(job.lab)
        self.native = run_natively(job.pristine, job.lab, job.vendor, job.nonce)
        self.results, self.tried_again = {}, False
        self.logs = {}  # by the kind of test: the console of its last boot

    def boot(self, name, modules, words=""):
        """One boot with these guests; (Ended, the lines that the first one said)."""
        stage2 = has_stage2(self.job.lab)
        words = "console=lines" + ("" if stage2 else " stage2=off") + words
        what = Boot(self.job.build / "trapeze.elf", words, tuple(modules))
        ended = self.boot_once(what, name)
        if ended.end == "HANG" and self.job.vendor == "amd" and not self.tried_again:
            self.tried_again = True  # time is real there: a second try decides
            ended = self.boot_once(what, name)
        return ended, demo.lines_of(GUEST, ended.lines) if stage2 else ended.lines

    def boot_once(self, what, name):
        """The same, as it comes."""
        ended = boot(self.job, what, machine_of(self.job.vendor), name, LIMIT, SILENCE, self.listen, output=OUTPUT)
        self.logs[LOG_OF.get(name, "probe")] = str(getattr(ended.result, "log", ""))
        return ended

    def guest(self, image, words, name=GUEST, memory="48M"):
        """A guest's module."""
        return Module(image_file(self.job.pristine, image), f"name={name} mem={memory} -- {words}")

    def plain_guest(self, words):
        """The same of the plain probe."""
        return self.guest("probe-plain-high", f"{words} end={probe_run.power_off(self.job.vendor)}")

    def listen(self, line):
        """A line has come: is it a record?"""
        match = RECORD.match(line)
        if match:
            self.job.tell(record_name(match.groups()), None)

    def result(self, name, status, **words):
        """A TestResult."""
        rerun = f"make grade N={self.job.lab.number} VENDOR={self.job.vendor} TESTS={name}"
        kind, _, what = name.partition("/")
        if kind == "probe" and not what.startswith(("programs/", "efficiency/")):
            rerun = self.rerun(f"FORMS={what.partition('/')[0]}")
        elif kind == "isolation" and self.selection.sweeps:
            rerun = self.rerun(f"SWEEPS={what}")
        return TestResult(name, status, **({"rerun": rerun, "log": self.logs.get(kind, "")} | words))

    def rerun(self, words):
        """The command that runs a bit of the probe again, under a debugger where there is one."""
        mode = " PLAIN=1" if self.selection.plain else "" if has_stage2(self.job.lab) else " STAGE2=off"
        gdb = " GDB=1234" if self.job.vendor == "amd" else ""
        return f"make probe CPU={self.job.vendor} ON={WITHOUT_KVM[self.job.vendor]} {words}{mode}{gdb}"

    # ---- Equivalence: records and random programs; efficiency: workloads ----

    def run_probe(self, wanted):
        """The table, the random programs and the workloads; after a form that was the guest's end the others run
        in another boot."""
        others = {"programs", "efficiency"}
        patterns = sorted({name.split("/")[1] for name in wanted if name.startswith("probe/")} - others)
        forms = list(self.selection.forms) if len(patterns) > 8 else patterns
        programs = PROGRAMS if any(name.split("/")[1] in others for name in wanted
                                   if name.startswith("probe/")) else 0
        left = [key for key in self.native.records if record_name(key) in wanted]
        for number in range(BOOTS_MAX):
            words = self.selection.words(forms, seed_of(self.job.nonce), programs)
            ended, said = self.boot(f"probe{number}", [
                self.plain_guest(words) if self.selection.plain else self.guest(self.selection.image, words)])
            guest = probe_log.parse(said)
            left = self.take_records(left, guest, ended)
            if programs and guest.digests or ended.result.passed or not left:
                self.take_programs(guest, ended)
                self.take_workloads(said, ended)
                programs = 0
            if not left or ended.end in ENDLESS:
                break
            forms = self.forms_of(left)
        for key in left:
            self.results[record_name(key)] = self.result(record_name(key), NOT_REACHED, got="the guest ended too "
                                                         "often before it")
        for name in [*group_names(), *map(workload_name, self.selection.workloads)]:
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
            for key in left:  # the probe says that it has passed only after its last record
                self.results[record_name(key)] = self.result(
                    record_name(key), ERROR, rule=self.rule_of(key), expected=self.native.records[key].line,
                    got="nothing: the run said that it had passed, and ended", end="EARLY_EXIT")
            return []
        broken = left[0]
        name = record_name(broken)
        reason = reason_of(ended)
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
        form = self.native.log.forms.get(key[0])
        what = f"{form.text} in mode {key[1]}" if form else f"{key[0]} in mode {key[1]}"
        section = f" ({form.section})" if form else ""
        return f"{what} does in a guest what it does on the bare machine{section}"

    def take_record(self, key, guest):
        """Compares one record with the native one."""
        name, native = record_name(key), self.native.records[key]
        difference = compare_records(self.job.platform.name, self.native.log.forms.get(key[0]), native, guest)
        words = {"rule": self.rule_of(key)}
        if difference and not difference.explained:
            words |= {"expected": native.line, "got": guest.line, "cause": difference.cause}
            self.results[name] = self.result(name, FAILED, **words)
        else:
            self.results[name] = self.result(name, PASSED, **words)

    def take_programs(self, guest, ended):
        """Compares the digests of random programs."""
        rule = "random programs have the final state that they have on the bare machine (equivalence)"
        digests = self.native.log.digests
        for number, name in enumerate(group_names()):
            programs = range(number * GROUP, number * GROUP + GROUP)
            wrong = [i for i in programs if digests.get(i) != guest.digests.get(i)]
            if not wrong:
                self.results[name] = self.result(name, PASSED, rule=rule)
                continue
            seed = seed_of(self.job.nonce)
            came = guest.digests.get(wrong[0], "nothing")
            self.results[name] = self.result(
                name, FAILED, rule=rule, expected=f"program {wrong[0]}: {digests[wrong[0]]}",
                got=f"{came} ({ended.text})" if came == "nothing" else came,
                cause="a register, a flag or memory is not kept over an exit, or an exception comes otherwise",
                rerun=self.rerun(f"SEED={seed} PROGRAM={wrong[0]}"))

    def take_workloads(self, said, ended):
        """Compares what workloads cost."""
        ticks = probe_efficiency.instructions(said)
        for workload in self.selection.workloads:
            name, native = workload_name(workload), self.native.ticks[workload]
            words = {"rule": "what needs no monitor runs without one: it costs at most a quarter more than on the bare "
                             "machine (efficiency)"}
            if workload not in ticks:
                self.results[name] = self.result(name, NOT_REACHED, got=ended.text, end=ended.end, **words)
            elif ticks[workload] <= native * (1 + OVERHEAD):
                self.results[name] = self.result(name, PASSED, **words)
            else:
                self.results[name] = self.result(
                    name, FAILED, expected=f"at most {native * (1 + OVERHEAD):.0f} instructions, the monitor's among "
                    f"them (natively {native})", got=f"{ticks[workload]}",
                    cause="an exit that nothing asks for, again and again: a control or intercept too many, a "
                          "deadline that has passed already", **words)

    # ---- Resource control ----

    def run_isolation(self, wanted):
        """Attempts to reach what is not the guest's own, or sweeps over it."""
        if self.selection.reach:
            self.run_reach()
        else:
            self.run_sweeps([name for name in self.selection.sweeps if isolation_name(name) in wanted])

    def run_reach(self):
        """They succeed: nothing is in the way yet."""
        ended, said = self.boot("reach", [self.plain_guest("part=reach")])
        values = reached(said)
        for attempt in self.selection.reach:
            name, (rule, meaning) = isolation_name(attempt), REACH[attempt]
            value = values.get(attempt)
            if value is None:
                self.results[name] = self.result(name, NOT_REACHED, rule=rule, got=reason_of(ended), end=ended.end)
            elif value == NOBODY:
                self.results[name] = self.result(name, PASSED, rule=rule)
            else:
                self.results[name] = self.result(name, FAILED, rule=rule, expected=f"0x{NOBODY}", cause=UNMAPPED,
                                                 got=f"0x{value}: {meaning}", note=FROM_STAGE2)

    def run_sweeps(self, names):
        """One virtual machine tries to reach everything, a second watches."""
        sweep = f"part=sweep sweeps={','.join(names)} sample={SWEEP_SAMPLE} witness={probe_sweep.WITNESS_NUMBER}"
        ended, _ = self.boot("sweeps", [self.guest("probe", sweep, GUEST, probe_sweep.MEMORY),
                                        self.guest("probe", "part=witness", probe_sweep.WITNESS,
                                                   f"{probe_sweep.SMALL_MEMORY} pages=4K")],
                             " stats=off canaries=on")
        sweeps = probe_sweep.parse(ended.lines, ended.result)
        found = [violation for violation in probe_sweep.violations(self.job.platform.name, sweeps)
                 if not violation.explained]
        general = [violation for violation in found if violation.sweep not in names]
        for sweep in names:
            name = isolation_name(sweep)
            rule = sweeps.log.forms[sweep].section if sweep in sweeps.log.forms else "a guest reaches its own only"
            wrong = [violation for violation in found if violation.sweep == sweep] or general
            if wrong:
                end = "" if ended.end == "EARLY_EXIT" else ended.end
                self.results[name] = self.result(name, ERROR if end else FAILED, rule=rule, expected="nothing is reached",
                                                 got=wrong[0].what, cause=wrong[0].cause, end=end)
            elif sweep in sweeps.done:
                self.results[name] = self.result(name, PASSED, rule=rule)
            else:
                self.results[name] = self.result(name, NOT_REACHED, rule=rule, got=ended.text, end=ended.end)

    # ---- A small operating system ----

    def run_tinyos(self, _):
        """It follows a script to its end."""
        ended, said = self.boot("tinyos", [self.guest(self.selection.tinyos, f'script="{SCRIPT}"')])
        rule = "tinyos runs its script: processes, timer, floating point, console"
        missing = [complaint for pattern, times in demo.EXPECTED if "memtest" not in pattern
                   for complaint in self.count(pattern, times, said)]
        name = "tinyos/script"
        if ended.result.passed and not missing:
            self.results[name] = self.result(name, PASSED, rule=rule)
            return
        self.results[name] = self.result(
            name, FAILED if ended.end == "EARLY_EXIT" else ERROR, rule=rule, expected="all of its output",
            got="; ".join([reason_of(ended), *missing[:2]]), end="" if ended.end == "EARLY_EXIT" else ended.end,
            cause="an exit that an operating system makes and the probe's rows do not: timer, interrupts, the console")

    def count(self, pattern, times, said):
        """A complaint when a line was not said so often."""
        found = [line for line in said if re.fullmatch(pattern, line.strip())]
        return [] if len(found) == times else [f"printed {len(found)} times, not {times}: {pattern}"]


def reason_of(ended):
    """What the hypervisor said of a guest's end, or how the machine ended."""
    return next((line for line in ended.lines if line.startswith(("trapeze: vm", "trapeze: error"))), ended.text)
