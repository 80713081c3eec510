#!/usr/bin/python3
"""`make vmx-tests`: runs a conformance suite on a platform, shows how it goes, and writes the reports.

Exit status 0 only when every planned test was reported, something ran, and there is nothing but
passes, known failures and skips."""

import argparse
import signal
import sys
from dataclasses import dataclass

from trapeze import HostError, image, matrix, suite_html
from trapeze.platforms import Machine, choose
from trapeze.records import patterns_of, read_records, select
from trapeze.suite_progress import progress_for
from trapeze.suite_report import Report
from trapeze.suite_run import Runner


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


def order_words(arguments):
    """The words for the image that say in which order the tests run."""
    if arguments.order not in ("", "shuffle"):
        raise HostError(f"ORDER={arguments.order}: not shuffle")
    seed = number(arguments.seed, 1, "SEED")
    return ["order=shuffle", f"seed={seed}"] if arguments.order or arguments.seed else []


def run(arguments):
    """The whole of `make vmx-tests`; returns the exit status."""
    suite = SUITES[arguments.suite]
    records = read_records(image(arguments.suite))
    patterns = patterns_of(arguments.tests)
    selected = select(records, patterns)
    order = order_words(arguments)
    platform, why = choose(suite.cpu, arguments.on or "auto")
    machine = Machine(cpus=number(arguments.smp, suite.smp, "SMP"), model=arguments.model)
    print(f"{arguments.suite}: {len(selected)} tests on {platform.name} ({why})", flush=True)
    with progress_for(len(selected)) as progress:
        runner = Runner(arguments.suite, platform, machine, progress, arguments.words)
        together = [record for record in selected.values() if not record.alone]
        if together:
            runner.run_together(patterns, len(together), order)
        for record in selected.values():
            if record.alone:
                runner.run_alone(record)
    table = matrix.matrix_of(arguments.suite, records)
    report = Report(arguments.suite, platform, arguments.model, records, selected, runner.run,
                    table.rows)
    report.selection = arguments.tests
    folder = report.write()
    suite_html.write_pages(arguments.suite, folder, table)
    report.show()
    print(f"{arguments.suite}: {'FAILED' if report.status else 'passed'}; "
          f"{folder / report.name}.html, .json, .tap, .xml")
    return report.status


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
        return show_matrix(arguments) if arguments.matrix else run(arguments)
    except HostError as error:
        print(f"{arguments.suite}: error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"{arguments.suite}: interrupted", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
