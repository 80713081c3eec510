"""Runs a boot on a platform to its end: the emulator's process, its serial line, the limit.
What the end means is verdict's; what a terminal does is terminal's."""

import ctypes
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import tty
from pathlib import Path

from . import HostError, build_folder
from .console import Console
from .verdict import END_LINE, Evidence, Result

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
AFTER_VERDICT = 10  # seconds that an emulator may take to leave after the last line


def die_with_parent():
    """In the child: the kernel ends it when the runner dies, however that happens."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class SerialLine:
    """The runner's end of the machine's COM1."""

    def __init__(self, kind, work):
        self.kind = kind
        self.path = ""
        self.reader = self.writer = self.spare = None
        if kind == "fifo":
            self.path = str(work / "com1")
            os.mkfifo(self.path)
            self.reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        elif kind == "pty":
            self.reader, self.spare = os.openpty()
            tty.setraw(self.spare)
            self.path = os.ttyname(self.spare)
            self.writer = self.reader

    def attach(self, process):
        """Takes the pipes of a process that has the line as its standard input and output."""
        if self.kind == "stdio":
            self.reader = process.stdout.fileno()
            self.writer = process.stdin.fileno()
        os.set_blocking(self.reader, False)

    def read(self):
        """The bytes that have come, b"" for none."""
        try:
            return os.read(self.reader, 65536)
        except (BlockingIOError, OSError):
            return b""

    def write(self, data):
        """Sends keys to the machine; one that reads none loses them."""
        try:
            os.write(self.writer, data)
        except (OSError, TypeError):
            pass

    def close(self):
        """Gives back what attach() did not bring."""
        for descriptor in {self.reader, self.spare} - {None}:
            if self.kind != "stdio":
                os.close(descriptor)


class Session:
    """One run. `terminal`, when given, is bridged to the serial line (see terminal.py);
    `listener` is called with each console line as it comes; `watch`, when given, is asked again and
    again why the run has to be ended, "" for not at all."""

    def __init__(self, platform, boot, machine, name, limit=60, listener=None, terminal=None,
                 watch=None):
        self.platform, self.boot, self.machine = platform, boot, machine
        self.limit = limit
        self.watch = watch
        # A kernel around the image leaves more slowly, too.
        self.leave_limit = AFTER_VERDICT + getattr(platform, "patience", 0) // 10
        self.terminal = terminal
        logs = build_folder() / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"{name}.log"
        self.console = Console(self.log, listener, boot)
        self.overtime = ""

    def run(self):
        """Boots, waits for the end, judges. HostError when it cannot even start."""
        with tempfile.TemporaryDirectory(prefix="trapeze-") as folder:
            work = Path(folder)
            (work / "iso").mkdir()
            launch = self.platform.prepare(self.boot, self.machine, work)
            started = time.monotonic()
            serial = SerialLine(launch.serial, work)
            try:
                status, printed = self.run_emulator(launch, serial, work)
            finally:
                serial.close()
                self.console.close()
            emulator = printed + "".join(read_text(log) for log in launch.logs)
            self.log.with_suffix(".emulator.log").write_text(emulator)
            end, detail = launch.judge(Evidence(self.console.lines, status, launch.passed,
                                                launch.failed, emulator, self.overtime))
            return Result(end, detail, self.console.lines, status,
                          time.monotonic() - started, self.log)

    def run_emulator(self, launch, serial, work):
        """Starts it, carries the serial line, and never leaves it running.
        Returns its exit status and what it printed beside the console."""
        for file in work.glob("bochsrc"):
            file.write_text(file.read_text().replace("@SERIAL@", serial.path))
        stdio = launch.serial == "stdio"
        noise = work / "printed"
        with noise.open("wb") as errors:
            try:
                process = subprocess.Popen(
                    launch.argv, stdin=subprocess.PIPE if stdio else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if stdio else errors, stderr=errors,
                    start_new_session=True, preexec_fn=die_with_parent)
            except OSError as error:
                raise HostError(f"{launch.argv[0]}: {error.strerror}") from None
            with process:
                try:
                    serial.attach(process)
                    self.carry(process, serial, launch.stopped)
                finally:
                    process.kill()
        return process.returncode, read_text(noise)

    def carry(self, process, serial, stopped):
        """Moves bytes until the emulator has ended or has to be, or nothing more will come."""
        end = deadline = time.monotonic() + self.limit
        while process.poll() is None and not self.overtime and not stopped():
            readable = [serial.reader] + ([self.terminal.keyboard] if self.terminal else [])
            ready = select.select(readable, [], [], 0.02)[0]
            if self.terminal and self.terminal.keyboard in ready:
                serial.write(self.terminal.keys())
            data = serial.read()
            if data:
                self.show(data)
                if self.console.last_is(END_LINE):
                    deadline = min(deadline, time.monotonic() + self.leave_limit)
                elif self.machine.suite:  # it goes on after a panic
                    deadline = end
            elif serial.reader in ready:
                time.sleep(0.005)  # the other side is closed: wait for the process to end
            self.overtime = self.check_time(deadline)
        if process.poll() is None:
            process.kill()
            process.wait()
        data = serial.read()
        while data:
            self.show(data)
            data = serial.read()

    def show(self, data):
        """Output of the machine: to the log, the listener and the terminal."""
        self.console.feed(data)
        if self.terminal:
            self.terminal.show(data)

    def check_time(self, deadline):
        """Why the run has to be ended from outside, or ""."""
        if self.terminal and self.terminal.quit_ignored():
            return "the machine did not react to Ctrl-A x"
        if time.monotonic() > deadline:
            if self.console.last_is(END_LINE):
                return f"the emulator went on {self.leave_limit} s after the verdict"
            return f"no end after {self.limit:g} s"
        return self.watch() if self.watch else ""


def read_text(path):
    """A file's text, "" when there is none."""
    try:
        return re.sub("\r\n?", "\n", Path(path).read_text(errors="replace"))
    except OSError:
        return ""
