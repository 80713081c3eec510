"""The console's output as lines: kept, logged, and with the functions' names after a backtrace."""

import re
import subprocess
from pathlib import Path

BACKTRACE = re.compile(r"^(?:\[(?P<vm>[^\]]+)\] )?backtrace:(?P<addresses>(?: 0x[0-9a-f]+)+) *$")
VM_NAME = re.compile(r"(?:^| )name=(\S+)")


def symbolise(elf, addresses):
    """"function (file:line)" for each address, by addr2line; [] when it cannot be had."""
    command = ["addr2line", "-f", "-s", "-e", str(elf), *addresses]
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    names = output.splitlines()
    return [f"{name} ({place})" for name, place in zip(names[::2], names[1::2])]


class Console:
    """Collects what a machine prints. `lines` holds the complete lines and, last, the rest."""

    def __init__(self, log, listener, boot):
        self.lines = []
        self.partial = b""
        self.listener = listener
        self.images = {None: boot.kernel}
        for module in boot.modules:
            name = VM_NAME.search(module.cmdline)
            if name:
                self.images[name.group(1)] = module.file
        self.log = Path(log).open("w", encoding="utf-8")

    def feed(self, data):
        """Takes bytes as they come from the serial line."""
        *complete, self.partial = (self.partial + data).split(b"\n")
        for line in complete:
            self.add(line)

    def add(self, raw):
        """A line is complete."""
        line = raw.decode("utf-8", "replace").rstrip("\r")
        self.lines.append(line)
        self.tell(line)
        match = BACKTRACE.match(line)
        if match:
            addresses = match["addresses"].split()
            names = symbolise(self.images.get(match["vm"], self.images[None]), addresses)
            for address, name in zip(addresses, names):
                self.tell(f"    {address} {name}")

    def tell(self, line):
        """To the log and to whoever listens."""
        self.log.write(line + "\n")
        self.log.flush()
        if self.listener:
            self.listener(line)

    def last_is(self, pattern):
        """Is the last complete line all pattern?"""
        return bool(self.lines) and not self.partial and bool(pattern.fullmatch(self.lines[-1]))

    def close(self):
        """The run is over: what is left over is a line too."""
        if self.partial:
            self.add(self.partial)
            self.partial = b""
        self.log.close()
