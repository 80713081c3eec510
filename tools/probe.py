#!/usr/bin/python3
"""`make probe`: runs the probe natively and as a guest on the same platform and CPU model, and compares
what it saw. Exit status 0 only when everything was reported and no difference is unexplained."""

import argparse
import json
import sys
from pathlib import Path

from trapeze import HostError, build_folder, lab_probe, probe_compare, probe_random, probe_run, probe_sweep
from trapeze.background import Background
from trapeze.lab import read_handout
from trapeze.platforms import choose

# What a CPU without unrestricted guests can be measured in, and what not.
IN_IA32E, OUTSIDE_IA32E = "64/*,compat/*", ("protected/*", "real", "v8086*")
PROGRAMS = 10_000
QUICK_PROGRAMS = 400
QUICK_MODES = "64/*,compat/*,protected/*,real,v8086"
# The labs' selection: the seventeen, and a form or two for each kind of exit.
QUICK_FORMS = ("sgdt,sidt,sldt,smsw,pushf,popf*,lar,lsl,verr,verw,pop_fs,push_fs,call_far,jmp_far*,int_n,"
               "ret_far,str,mov_from_cs,mov_from_ss,mov_from_cr*,cpuid_vendor,cpuid_prefixed,cpuid_traced,hlt,interrupt,cr0_ts,cr4_tsd,"
               "in_*,out_dx*,rep_insb,outsb,rdmsr_efer,rdmsr_tsc,wrmsr_lstar*,wrmsr_pat*,xsetbv,rdtsc,"
               "vmxon,vmlaunch,vmrun,ud2,page_fault_*,nop,add,push")


def parse_arguments():
    """The words of `make probe`; make passes "" for the ones not given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cpu", default="", help="intel or amd")
    parser.add_argument("--on", default="", help="auto, bochs, tcg or kvm")
    parser.add_argument("--model", default="", help="the platform's name of a CPU model")
    parser.add_argument("--quick", default="", help="1: the labs' selection, under 10 s")
    parser.add_argument("--forms", default="", help="only forms that match one of these, with commas")
    parser.add_argument("--sweeps", default="", help="only sweeps that match one of these, with commas")
    parser.add_argument("--smp", default="", help="CPUs, for sweeps: the witness runs on the second")
    parser.add_argument("--seed", default="", help="of the random programs")
    parser.add_argument("--programs", default="", help="how many random programs")
    parser.add_argument("--program", default="", help="only this random program, shrunk when it differs")
    parser.add_argument("--stage2", default="", help="off: without second-level paging, in IA-32e mode")
    parser.add_argument("--plain", default="", help="1: only what needs no answer of the monitor's, stage2=off")
    parser.add_argument("--gdb", default="", help="only as a guest, waiting for gdb at this port (QEMU)")
    parser.add_argument("--limit", default="", help="seconds that one run may take")
    parser.add_argument("--native", type=Path, help="a folder that keeps native runs, not to repeat them")
    return parser.parse_args()


def number(text, default, name):
    """A number from a word of `make probe`."""
    if not text:
        return default
    if not text.isdecimal():
        raise HostError(f"{name}={text}: not a number")
    return int(text)


class Probe:
    """One call of `make probe`."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.platform, self.why = choose(arguments.cpu or read_handout()[1], arguments.on or "auto")
        self.seed = number(arguments.seed, 1, "SEED")
        self.quick = arguments.quick not in ("", "0")
        self.plain = arguments.plain not in ("", "0")
        self.forms = arguments.forms or (",".join(lab_probe.PLAIN_FORMS) if self.plain else
                                         QUICK_FORMS if self.quick else "*")
        default = 0 if arguments.forms else QUICK_PROGRAMS if self.quick else PROGRAMS
        self.programs = number(arguments.programs, default, "PROGRAMS")
        self.stage2 = not self.plain and arguments.stage2 != "off"

    def call(self, word):
        """The words of `make probe` for the same platform and a bit more."""
        kind, _, cpu = self.platform.name.rpartition("-")
        model = f" MODEL={self.arguments.model}" if self.arguments.model else ""
        word += " PLAIN=1" if self.plain else "" if self.stage2 else " STAGE2=off"
        return f"make probe CPU={cpu} ON={kind}{model} {word}"

    def debug(self, word):
        """The command that runs it under a debugger, where there is one."""
        return self.call(word + ("" if self.platform.name.startswith("bochs") else " GDB=1234"))

    def run(self, words, as_guest):
        """A probe_run.Run."""
        model, folder = self.arguments.model, self.arguments.native
        if folder and not as_guest and not self.plain:
            return probe_run.run_once(folder, self.platform, words, model)
        return probe_run.run(self.platform, words, as_guest, model,
                             limit=number(self.arguments.limit, probe_run.LIMIT, "LIMIT"),
                             gdb=number(self.arguments.gdb, 0, "GDB"), stage2=self.stage2,
                             plain=self.plain)

    def words(self):
        """The image's command line."""
        parts = ([] if self.plain else ["monitor"]) + ["list", "table"] + (["random"] if self.programs else [])
        random = f" seed={self.seed} programs={self.programs}" if self.programs else ""
        modes = f" modes={IN_IA32E}" if self.plain else f" modes={QUICK_MODES}" if self.quick and self.stage2 else ""
        return f"part={','.join(parts)} forms={self.forms}{random}{modes}"

    def compare(self):
        """Runs both sides, and the sweeps, all at the same time; returns the exit status."""
        modes = "" if self.stage2 or self.plain else f" modes={IN_IA32E}"
        runs = [Background(self.run, self.words() + words, as_guest)
                for words, as_guest in (("", False), (modes, True))]
        sweeps = Background(self.run_sweeps, "*")
        native, run = (run.result() for run in runs)
        print(f"probe: natively {len(native.log.records)} records, {len(native.log.digests)} programs, "
              f"{native.result.seconds:.1f} s", flush=True)
        native = probe_run.need_passed(native).log
        if run.lacks_unrestricted_guest and self.stage2:
            print("probe: this CPU has no unrestricted guests: again with stage2=off", flush=True)
            self.stage2 = False
            return self.compare()
        print(f"probe: as a guest {len(run.log.records)} records, {len(run.log.digests)} programs, "
              f"{run.result.seconds:.1f} s ({run.result})", flush=True)
        differences = probe_compare.compare(self.platform.name, native, run.log,
                                            () if self.stage2 else OUTSIDE_IA32E)
        programs = probe_compare.different_programs(native, run.log) if run.log.digests else []
        complaints = self.complaints(native, run)
        self.show(differences, programs, complaints)
        return self.report(native, differences, programs, complaints, self.judge_sweeps(sweeps.result()))

    def run_sweeps(self, patterns):
        """Resource control: probe_sweep.Sweeps, or None where no guest of Trapeze with memory of its own is
        what is looked at."""
        if hasattr(self.platform, "outer") or not self.stage2 or (self.arguments.forms and patterns == "*"):
            return None
        return probe_sweep.run(self.platform, patterns, self.quick, self.arguments.model,
                               number(self.arguments.gdb, 0, "GDB"),
                               number(self.arguments.limit, 0, "LIMIT"),
                               number(self.arguments.smp, 1, "SMP"))

    def judge_sweeps(self, sweeps):
        """(how many sweeps were made, what they found)"""
        if sweeps is None:
            return 0, []
        found = probe_sweep.violations(self.platform.name, sweeps)
        swept = probe_sweep.count(sweeps, found)
        print(f"probe: {swept} sweeps, {sweeps.accesses} accesses, {sweeps.result.seconds:.1f} s", flush=True)
        for violation in found:
            if not violation.explained:
                self.show_sweep_violation(violation)
        return swept, found

    def show_sweep_violation(self, violation):
        """Something that a guest could reach, or that others noticed."""
        print(f"VIOLATION {violation.sweep} at {violation.where}\n"
              f"  seen: {violation.what}\n"
              f"  rule: {violation.rule} (resource control)\n"
              f"  likely cause: {violation.cause}\n"
              f"  rerun: {self.debug('SWEEPS=' + violation.sweep)}")

    def only_sweeps(self):
        """SWEEPS=: nothing is run natively."""
        swept, found = self.judge_sweeps(self.run_sweeps(self.arguments.sweeps))
        bad = [violation for violation in found if not violation.explained]
        for violation in found:
            if violation.explained:
                print(f"explained: {violation.sweep} at {violation.where}: {violation.explained}")
        print(f"probe: {self.platform.name}: {swept} sweeps, {len(bad)} violations, "
              f"{len(found) - len(bad)} explained: {'FAILED' if bad or not swept else 'in control'}")
        return 1 if bad or not swept else 0

    def complaints(self, native, run):
        """What is wrong beyond single records, as sentences."""
        found = [f"{side}: not all records and programs arrived, or not whole {log.strange[:1]}"
                 for side, log in (("natively", native), ("as a guest", run.log)) if not log.complete]
        if native.promised_records is None or not native.records:
            found.append("natively: no records")
        if not run.result.passed:
            said = [line for line in run.lines if line.startswith(("trapeze: vm", "trapeze: error"))]
            found.append(f"as a guest it ended: {run.result}; {' '.join(said)}; see {run.result.log}")
        return found

    def show(self, differences, programs, complaints):
        """What was found, for a person."""
        explained = [difference for difference in differences if difference.explained]
        for difference in explained if self.arguments.forms else []:
            print(f"explained: {difference.form} {difference.mode}: {difference.explained}")
        for difference in differences:
            if not difference.explained:
                self.show_violation(difference)
        for index in programs[:3]:
            self.show_program(index)
        for complaint in complaints:
            print(f"probe: {complaint}")

    def show_violation(self, difference):
        """One form that does not do the same."""
        print(f"VIOLATION {difference.form} in {difference.mode}: {difference.what}\n"
              f"  natively:   {difference.native}\n"
              f"  as a guest: {difference.guest}\n"
              f"  rule: {difference.rule}\n"
              f"  likely cause: {difference.cause}\n"
              f"  rerun: {self.debug('FORMS=' + difference.form)}")

    def show_program(self, index):
        """One random program that does not do the same, made as short as it gets."""
        print(f"VIOLATION random program {index} of seed {self.seed}")
        for line in probe_random.shrink(lambda words, guest: self.run(words, guest).lines,
                                        self.seed, index):
            print(f"  {line}")
        print(f"  rerun: {self.debug(f'SEED={self.seed} PROGRAM={index}')}")

    def report(self, native, differences, programs, complaints, swept):
        """The last line and the JSON; returns the exit status."""
        sweeps, found = swept
        violations = [difference for difference in [*differences, *found] if not difference.explained]
        unavailable = sum(difference.explained == probe_compare.UNAVAILABLE for difference in differences)
        explained = len(differences) + len(found) - len(violations) - unavailable
        numbers = {"forms": len({form for form, _ in native.records}), "records": len(native.records),
                   "programs": len(native.digests), "sweeps": sweeps,
                   "violations": len(violations) + len(programs), "explained": explained,
                   "unavailable": unavailable}
        folder = build_folder() / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"probe-{self.platform.name}.json"
        details = {"differences": [vars(difference) for difference in differences],
                   "different_programs": programs, "complaints": complaints, "seed": self.seed,
                   "sweep_violations": [vars(violation) for violation in found]}
        file.write_text(json.dumps(numbers | details, indent=1) + "\n")
        bad = bool(violations or programs or complaints)
        print(f"probe: {self.platform.name}: " + ", ".join(f"{count} {name}" for name, count in
                                                           numbers.items() if count or name != "unavailable")
              + f": {'FAILED' if bad else 'equivalent'}; {file}")
        return 1 if bad else 0

    def one_program(self):
        """Only one random program, on both sides."""
        index = number(self.arguments.program, 0, "PROGRAM")
        words = f"part=random seed={self.seed} first={index} programs=1"
        native, guest = (probe_run.need_passed(self.run(words, side)).log for side in (False, True))
        if native.digests == guest.digests and native.digests:
            print(f"probe: program {index} of seed {self.seed}: the same on both sides")
            return 0
        self.show_program(index)
        return 1

    def under_debugger(self):
        """Only as a guest, until gdb lets it go."""
        words = self.words() + ("" if self.stage2 or self.plain else f" modes={IN_IA32E}")
        if self.arguments.program:
            words = f"part=random seed={self.seed} first={self.arguments.program} programs=1"
        print(f"probe: gdb {build_folder() / 'trapeze.elf'} -ex 'target remote :{self.arguments.gdb}'",
              flush=True)
        if self.arguments.sweeps:
            return self.only_sweeps()
        run = self.run(words, True)
        print("\n".join(run.lines))
        return 0 if run.result.passed else 1


def main():
    """Every error is a sentence and a status, never a traceback."""
    try:
        probe = Probe(parse_arguments())
        if probe.arguments.gdb:
            return probe.under_debugger()
        if probe.arguments.sweeps:
            return probe.only_sweeps()
        return probe.one_program() if probe.arguments.program else probe.compare()
    except HostError as error:
        print(f"probe: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
