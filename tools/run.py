#!/usr/bin/python3
"""`make run`: boots the hypervisor and its guests, shows the console, and says how it ended.

In a terminal the guests' shells are the user's; without one a scripted demonstration runs, and
the guests' results are checked. Exit status 0 only when the run passed."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from trapeze import HostError, build_folder, demo, image, iso
from trapeze.boot import Boot
from trapeze.lab import STAGE2_LAB, read_handout
from trapeze.platforms import Machine, choose
from trapeze.run_exercises import Exercises, Screen
from trapeze.session import Session
from trapeze.terminal import Terminal, TerminalGone

BATCH_LIMIT = 120  # seconds
INTERACTIVE_LIMIT = 4 * 3600
EXPERIMENT = "selftest=sensitive"  # a word of the hypervisor's


def parse_arguments():
    """The words of `make run`; make passes "" for the ones not given."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cpu", default="", help="intel or amd; default: what the host does best")
    parser.add_argument("--on", default="", help="auto, bochs, tcg, kvm, kvm-in-bochs or kvm-in-tcg")
    parser.add_argument("--smp", default="", help="physical CPUs")
    parser.add_argument("--guests", default="", help="list of [NAME=]IMAGE[:WORD,WORD...]")
    parser.add_argument("--image", default="", help="run this image natively, without guests")
    parser.add_argument("--words", default="", help="more words for the image's command line")
    parser.add_argument("--model", default="", help="the platform's name of a CPU model")
    parser.add_argument("--mem", default="", help="MiB of memory")
    parser.add_argument("--timeout", default="", help="seconds until the run is ended")
    parser.add_argument("--gdb", default="", help="wait for gdb at this TCP port (QEMU)")
    parser.add_argument("--batch", action="store_true", help="scripted, even in a terminal")
    parser.add_argument("--iso", metavar="FILE", help="write a disc for real machines instead")
    return parser.parse_args()


def number(text, default, name):
    """A positive number from a word of `make run`."""
    if not text:
        return default
    if not text.isdecimal() or int(text) == 0:
        raise HostError(f"{name}={text}: not a positive number")
    return int(text)


def suit_handout(arguments):
    """What is booted where nothing is asked for, in the hand-out of a lab without stage-2 tables."""
    lab, _ = read_handout()
    if lab is not None and lab < STAGE2_LAB and "stage2=" not in arguments.words and not arguments.image:
        arguments.words = f"{arguments.words} stage2=off".strip()
        if EXPERIMENT not in arguments.words.split():
            arguments.guests = arguments.guests or "tinyos-high"


def describe_boot(arguments, cpus, interactive):
    """(boot, guests) as asked for."""
    if arguments.image:
        return Boot(image(arguments.image), arguments.words), []
    alone = EXPERIMENT in arguments.words.split() and not arguments.guests  # no guest will be started
    guests = [] if alone else demo.parse_guests(arguments.guests, cpus)
    return demo.boot_of(guests, arguments.words, interactive), guests


def run(arguments):
    """The whole of `make run`; returns the exit status."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not arguments.batch
    cpus = number(arguments.smp, 1, "SMP")
    machine = Machine(memory=number(arguments.mem, 256, "MEM"), cpus=cpus, model=arguments.model,
                      interactive=interactive, gdb=number(arguments.gdb, 0, "GDB"))
    platform, why = choose(arguments.cpu or read_handout()[1], arguments.on or "auto")
    limit = number(arguments.timeout, INTERACTIVE_LIMIT if interactive
                   else BATCH_LIMIT + platform.patience, "TIMEOUT")
    suit_handout(arguments)
    boot, guests = describe_boot(arguments, cpus, interactive)
    exercises = Exercises()
    print(f"run: {platform.name} ({why})", flush=True)
    if interactive:
        print("run: Ctrl-A c switches the console, Ctrl-A x quits", flush=True)
        with Terminal(Screen(exercises)) as terminal:
            session = Session(platform, boot, machine, f"run-{platform.name}", limit,
                              terminal=terminal)
            result = session.run()
    else:
        result = Session(platform, boot, machine, f"run-{platform.name}", limit,
                         listener=lambda line: show(exercises.lines(line))).run()
    return report(result, exercises, [] if interactive else demo.missing(guests, result.lines))


def show(lines):
    """What there is to show for a console line, as it comes."""
    for line in lines:
        print(line, flush=True)


def report(result, exercises, complaints):
    """The last lines of the run; returns its exit status."""
    end, good, notes = exercises.outcome(result, complaints)
    for note in notes:
        print(f"run: {note}")
    print(f"run: {end}, {result.seconds:.1f} s, log {os.path.relpath(result.log)}")
    return 0 if good else 1


def write_iso(arguments):
    """`make iso`."""
    guests = demo.parse_guests(arguments.guests, 1)
    boot = demo.boot_of(guests, arguments.words, interactive=True)
    with tempfile.TemporaryDirectory(prefix="trapeze-") as work:
        iso.write_full(boot, Path(work), arguments.iso)
    print(f"iso: {arguments.iso}: GRUB for BIOS and UEFI, {len(guests)} guests")
    return 0


def terminate(_number, _frame):
    """SIGTERM and SIGHUP end the run as an exception, so that nothing stays behind."""
    raise SystemExit(1)


def main():
    """Every error is a sentence and a status, never a traceback."""
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGHUP, terminate)
    try:
        return write_iso(arguments) if arguments.iso else run(arguments)
    except HostError as error:
        complain(f"error: {error}")
    except TerminalGone:
        complain("the terminal went away: the run was ended")
    except KeyboardInterrupt:
        complain("interrupted")
    except BrokenPipeError:
        complain("nobody reads the output any more: the run was ended")
    return 1


def complain(text):
    """To standard error, if that is still there, and to the log of the runner."""
    build_folder().joinpath("logs").mkdir(parents=True, exist_ok=True)
    build_folder().joinpath("logs", "run.log").write_text(text + "\n")
    try:
        print(f"run: {text}", file=sys.stderr, flush=True)
        sys.stdout.flush()
    except OSError:
        sys.stdout = sys.stderr = None


if __name__ == "__main__":
    sys.exit(main())
