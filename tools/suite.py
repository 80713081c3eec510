#!/usr/bin/python3
"""`make vmx-tests`: runs a conformance suite on a platform, shows how it goes, and writes the reports.

Exit status 0 only when every planned test was reported, something ran, and there is nothing but
passes, known failures and skips."""

import argparse
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trapeze import HostError, image, iso, matrix, suite_html
from trapeze import suite_selftest as selftest
from trapeze.boot import Boot
from trapeze.platforms import Machine, choose
from trapeze.records import patterns_of, read_records, select
from trapeze.suite_progress import progress_for
from trapeze.suite_report import Report, errata_for
from trapeze.suite_run import FORGE_WORDS, UNCOMPARED_WORDS, Runner, read_log


@dataclass(frozen=True)
class Suite:
    """A suite by the name of its image."""

    cpu: str  # whose virtualization it tests
    smp: int  # CPUs that its tests want


SUITES = {"vmx-tests": Suite("intel", 2), "svm-tests": Suite("amd", 2)}


def parse_arguments():
    """The words of `make vmx-tests`; make passes "" for the ones not given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("suite", choices=SUITES)
    parser.add_argument("--on", default="", help="auto, bochs, tcg, kvm or kvm-in-bochs")
    parser.add_argument("--model", default="", help="the platform's name of a CPU model")
    parser.add_argument("--tests", default="", help="names, folders/, globs or rows (field:EPTP)")
    parser.add_argument("--order", default="", help="shuffle, or as they are declared")
    parser.add_argument("--seed", default="", help="of the shuffle")
    parser.add_argument("--smp", default="", help="CPUs")
    parser.add_argument("--words", default="", help="more words for the image")
    parser.add_argument("--iso", default="", metavar="FILE", help="write a disc for real machines instead")
    parser.add_argument("--log", default="", metavar="FILE",
                        help="report about a recorded console, of the platform --on NAME")
    parser.add_argument("--selftest", action="store_true",
                        help="test the suite: with falsified answers, without comparisons, in other orders")
    parser.add_argument("--seeds", default="", help="how many other orders the self-test tries")
    parser.add_argument("--matrix", action="store_true",
                        help="print the rows of spec/ that no test covers, and run nothing")
    return parser.parse_args()


def number(text, default, name):
    """A positive number from a word."""
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise HostError(f"{name}={text}: not a positive number")
    return int(text)


def order_words(order, seed):
    """The words for the image that say in which order the tests run."""
    if order not in ("", "shuffle"):
        raise HostError(f"ORDER={order}: not shuffle")
    seed_number = number(seed, 1, "SEED")
    return ["order=shuffle", f"seed={seed_number}"] if order or seed else []


class Plan:
    """What was asked for: a suite, its tests, and where they run."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.suite = SUITES[arguments.suite]
        self.records = read_records(image(arguments.suite))
        self.patterns = patterns_of(arguments.tests)
        self.selected = select(self.records, self.patterns)
        self.matrix = matrix.matrix_of(arguments.suite, self.records)
        self.platform = self.machine = None
        self.why = ""

    def find_platform(self):
        """Where the tests run."""
        arguments = self.arguments
        self.platform, self.why = choose(self.suite.cpu, arguments.on or "auto")
        self.machine = Machine(cpus=number(arguments.smp, self.suite.smp, "SMP"),
                               model=arguments.model)

    def execute(self, order, words="", slowness=1):
        """Runs the tests; returns the Report."""
        arguments = self.arguments
        if self.platform is None:
            self.find_platform()
        known = errata_for(arguments.suite, self.platform, arguments.model, self.records)
        words = f"{arguments.words} {words}".strip()
        print(f"{arguments.suite}: {len(self.selected)} tests on {self.platform.name} ({self.why})",
              *order, words, flush=True)
        with progress_for(len(self.selected)) as progress:
            runner = Runner(arguments.suite, self.platform, self.machine, progress, words,
                            slowness, known.apply)
            runner.run_selected(self.patterns, list(self.selected.values()), order)
        return self.report(known, runner.run)

    def report(self, known, suite_run):
        """The Report of a run whose failures have met the errata."""
        report = Report(self.platform, known, self.records, self.selected, suite_run,
                        self.matrix.rows)
        report.selection = self.arguments.tests
        return report


def run(arguments):
    """`make vmx-tests`; returns the exit status."""
    plan = Plan(arguments)
    return publish(plan, plan.execute(order_words(arguments.order, arguments.seed)))


def publish(plan, report):
    """Writes the files, says how it ended, and returns the exit status."""
    arguments, folder = plan.arguments, report.write()
    suite_html.write_pages(arguments.suite, folder, plan.matrix)
    report.show()
    print(f"{arguments.suite}: {'FAILED' if report.status else 'passed'}; "
          f"{os.path.relpath(folder / report.name)}.html, .json, .tap, .xml")
    return report.status


@dataclass(frozen=True)
class RealMachine:
    """A platform that is known by a log only."""

    name: str
    vendor: str


def read_recorded(arguments):
    """--log: the reports of a run that was recorded from a serial line."""
    plan = Plan(arguments)
    try:
        lines = Path(arguments.log).read_text(errors="replace").splitlines()
    except OSError as error:
        raise HostError(f"{arguments.log}: {error.strerror}") from None
    plan.platform = RealMachine(arguments.on or "metal", plan.suite.cpu)
    known = errata_for(arguments.suite, plan.platform, arguments.model, plan.records)
    recorded = read_log(lines, len(plan.selected))
    for result in recorded.results:
        known.apply(result)
    return publish(plan, plan.report(known, recorded))


def write_iso(arguments):
    """`make vmx-tests-iso`."""
    boot = Boot(image(arguments.suite), f"resume=on {arguments.words}".strip())
    with tempfile.TemporaryDirectory(prefix="trapeze-") as work:
        iso.write_full(boot, Path(work), arguments.iso, arguments.suite)
    print(f"{arguments.suite}: {arguments.iso}: GRUB for BIOS and UEFI; the report is on COM1, or "
          "where serial=PORT,BAUD says (e in GRUB's menu, or WORDS=)")
    return 0


def test_suite(arguments):
    """`make vmx-tests-selftest`; returns the exit status."""
    plan = Plan(arguments)
    verdicts = [selftest.judge_uncompared(plan.execute([], UNCOMPARED_WORDS)),
                selftest.judge_forged(plan.execute([], FORGE_WORDS, slowness=20),
                                      plan.matrix)]
    seeds = range(1, 1 + number(arguments.seeds, 2, "SEEDS"))
    first = plan.execute([]).run.results
    others = {seed: plan.execute(order_words("", str(seed))).run.results for seed in seeds}
    verdicts.append(selftest.judge_orders(first, others))
    for lines, _ in verdicts:
        for line in lines:
            print(f"{arguments.suite}: {line}")
    good = all(good for _, good in verdicts)
    print(f"{arguments.suite}: the suite's own test {'passed' if good else 'FAILED'}")
    return 0 if good else 1


def show_matrix(arguments):
    """`make matrix`."""
    records = read_records(image(arguments.suite))
    return matrix.show(matrix.matrix_of(arguments.suite, records))


def terminate(_number, _frame):
    """SIGTERM and SIGHUP end the run as an exception, so that nothing stays behind."""
    raise SystemExit(1)


def main():
    """Every error is a sentence and a status, never a traceback."""
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGHUP, terminate)
    try:
        for wanted, action in ((arguments.matrix, show_matrix), (arguments.iso, write_iso),
                               (arguments.log, read_recorded), (arguments.selftest, test_suite)):
            if wanted:
                return action(arguments)
        return run(arguments)
    except HostError as error:
        print(f"{arguments.suite}: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{arguments.suite}: interrupted", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
