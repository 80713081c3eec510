"""A person's terminal, bridged to the machine: raw while the run lasts, restored after it, and a
terminal that goes away ends the run. Ctrl-A x is the hypervisor's to handle; the runner only steps in when nothing happens."""

import os
import signal
import sys
import termios
import time
import tty

PATIENCE = 3  # seconds that the machine has to react to Ctrl-A x


class TerminalGone(Exception):
    """The terminal was closed while a machine was running."""


def hang_up(_number, _frame):
    """SIGHUP: the terminal's window was closed, or its connection lost."""
    raise TerminalGone


class Terminal:
    """Standard input and output as a raw terminal; a context manager. change: what is shown of bytes that come."""

    def __init__(self, change=bytes):
        self.change = change
        self.keyboard = sys.stdin.fileno()
        self.screen = sys.stdout.fileno()
        self.saved = None
        self.prefix = False  # Ctrl-A was the last key
        self.quit_time = 0.0  # when Ctrl-A x was typed

    def __enter__(self):
        self.saved = termios.tcgetattr(self.keyboard)
        signal.signal(signal.SIGHUP, hang_up)
        tty.setraw(self.keyboard)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            termios.tcsetattr(self.keyboard, termios.TCSADRAIN, self.saved)
        except termios.error:
            pass  # it is gone: nothing to restore

    def keys(self):
        """What was typed. TerminalGone at its end."""
        try:
            data = os.read(self.keyboard, 1024)
        except OSError:
            raise TerminalGone from None
        if not data:
            raise TerminalGone
        for key in data:
            if self.prefix and key in b"xX" and not self.quit_time:
                self.quit_time = time.monotonic()
            self.prefix = key == 1 and not self.prefix
        return data

    def show(self, data):
        """Prints what the machine sent."""
        data = self.change(data)
        try:
            while data:
                data = data[os.write(self.screen, data):]
        except OSError:
            raise TerminalGone from None

    def quit_ignored(self):
        """Was Ctrl-A x typed, and is the machine still there?"""
        return self.quit_time > 0 and time.monotonic() - self.quit_time > PATIENCE
