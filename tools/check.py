#!/usr/bin/python3
"""`make check`: every test there is, in parallel. Ends with `N passed, N failed, N skipped`."""

import argparse
import fnmatch
import signal
import sys

from checks import (books, classes, efficiency, errors, handouts, host_units, images, labs, mistakes,
                    probes, python_parts, suites)
from trapeze.testing import report, run_jobs

KINDS = (python_parts, host_units, images, errors, suites, probes, books, classes, mistakes,
         handouts, labs, efficiency)


def selected(jobs, patterns):
    """The jobs whose names match one of the patterns; all without any."""
    return [job for job in jobs
            if not patterns or any(fnmatch.fnmatch(job.name, pattern) for pattern in patterns)]


def main():
    """The whole of `make check`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patterns", nargs="*", help="only tests whose names match, e.g. 'image/*'")
    parser.add_argument("--list", action="store_true", help="print the names only")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests interrupt what they start: a shell's
    # background job, which ignores that signal, would pass its ignorance on
    jobs = selected([job for kind in KINDS for job in kind.jobs()], arguments.patterns)
    if arguments.list:
        print("\n".join(job.name for job in jobs))
        return 0
    return report(run_jobs(jobs))


if __name__ == "__main__":
    sys.exit(main())
