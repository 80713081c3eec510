"""Compiling what a student wrote, on a host that must not be touched by it: bubblewrap shows the compiler
the system's tools and one tree, no network and nothing else; time, memory, files, processes and output have limits.
What is compiled, and what becomes of it, is grade_build's."""

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import HostError

INSIDE = "/trapeze"  # where the tree is in the sandbox
SYSTEM = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec",
          "/usr/include", "/usr/x86_64-linux-gnu", "/usr/lib/gcc-cross")
WATCH_EVERY = 0.25  # seconds
LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/tmp", "TMPDIR": "/tmp",
               "SOURCE_DATE_EPOCH": "946684800"}  # __TIME__ is always the same


@dataclass(frozen=True)
class Limits:
    """What one command may use up."""

    seconds: int = 60  # of wall clock
    cpu: int = 40  # seconds of one process
    memory: int = 1 << 30  # bytes of one process
    file: int = 32 << 20  # bytes of one file
    processes: int = 64
    output: int = 1 << 18  # bytes printed
    scratch: int = 256 << 20  # bytes in /tmp


@dataclass(frozen=True)
class Done:
    """A command that has ended. `why`: the limit that ended it, as a sentence, or ""."""

    status: int
    output: str
    why: str = ""

    @property
    def good(self):
        """Did it end by itself, and well?"""
        return self.status == 0 and not self.why


def mounts():
    """The system's tools, read-only, for bubblewrap."""
    words = []
    for folder in SYSTEM:
        if Path(folder).is_dir() and not Path(folder).is_symlink():
            words += ["--ro-bind", folder, folder]
    for name in LINKS:
        link = Path(name)
        if link.is_symlink():
            words += ["--symlink", os.readlink(link), name]
        elif link.is_dir():
            words += ["--ro-bind", name, name]
    return words


def confine(command, tree, limits, writable):
    """The command inside bubblewrap: `tree` can be read, its folder `writable` written."""
    tree = Path(tree).resolve()
    return ["bwrap", "--unshare-all", "--unshare-user", "--uid", "1000", "--gid", "1000",
            "--disable-userns", "--cap-drop", "ALL", "--die-with-parent", "--new-session",
            "--hostname", "grader", "--clearenv",
            *[word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)],
            *mounts(), "--dev", "/dev", "--size", str(limits.scratch), "--tmpfs", "/tmp",
            "--ro-bind", str(tree), INSIDE,
            "--bind", str(tree / writable), f"{INSIDE}/{writable}",
            "--chdir", INSIDE, "--", *limited(command, limits)]


def limited(command, limits):
    """The command under the limits that the kernel keeps for each process."""
    return ["prlimit", f"--as={limits.memory}", f"--cpu={limits.cpu}", f"--fsize={limits.file}",
            f"--nproc={limits.processes}", "--core=0", "--", *command]


def run(command, tree, limits=Limits(), writable="build", isolated=False):
    """Runs it in the tree and waits. isolated: this host is a sandbox already, take only the limits."""
    if isolated:
        # Processes are counted for the user, all of them, outside of a sandbox: no limit there.
        argv = [word for word in limited(command, limits) if not word.startswith("--nproc=")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        environment |= {"SOURCE_DATE_EPOCH": ENVIRONMENT["SOURCE_DATE_EPOCH"], "LC_ALL": "C"}
        return watch(argv, limits, tree, environment)
    return watch(confine(command, tree, limits, writable), limits, "/", dict(os.environ))


def watch(argv, limits, folder, environment):
    """Runs a command until it ends or a limit is reached."""
    try:
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
    except OSError as error:
        raise HostError(f"{argv[0]}: {error.strerror}: run tools/setup grade") from None
    with process:
        try:
            data, why = read_all(process, limits)
        finally:
            end_group(process)
    text = data.decode("utf-8", "replace")
    return Done(process.returncode, text, why or memory_complaint(text))


def read_all(process, limits):
    """(what it printed, the limit that it reached or ""). Reads until the command itself has ended, and
    all that it had printed until then."""
    data, deadline, closed = b"", time.monotonic() + limits.seconds, False
    while True:
        ended = process.poll() is not None
        readable = [] if closed else [process.stdout]
        while readable and select.select(readable, [], [], 0 if ended else WATCH_EVERY)[0]:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                closed, readable = True, []
            data += chunk
            if len(data) > limits.output:
                return data[:limits.output], f"it printed more than {limits.output} bytes"
        if ended:
            return data, ""
        if closed:
            time.sleep(0.01)
        why = limit_reached(process, limits, deadline)
        if why:
            return data, why


def limit_reached(process, limits, deadline):
    """The limit that the running command has reached, or ""."""
    if time.monotonic() > deadline:
        return f"it did not end within {limits.seconds} s"
    if descendants(process.pid) > limits.processes:
        return f"it started more than {limits.processes} processes"
    return ""


def descendants(pid):
    """How many processes a process has started that still run, theirs included. The kernel's own limit
    does not hold for root."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    count, waiting = 0, [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        count += len(children)
        waiting += children
    return count


def end_group(process):
    """Ends all that the command started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


MEMORY_WORDS = ("virtual memory exhausted", "out of memory", "cannot allocate memory",
                "memory exhausted")
OTHER_WORDS = (("file size limit exceeded", "it wrote a file that is too large"),
               ("file too large", "it wrote a file that is too large"),
               ("final link failed: no space left", "it filled the disc"),
               ("cpu time limit exceeded", "it used too much processor time"),
               # The compiler's own word for a child that a limit ended.
               ("killed signal terminated program", "it was ended at a limit of time or memory"))


def memory_complaint(text):
    """The limit that a compiler's last words speak of, or ""."""
    low = text.lower()
    if any(words in low for words in MEMORY_WORDS):
        return "it needed more memory than it may have"
    return next((why for words, why in OTHER_WORDS if words in low), "")


def problem():
    """"" when bubblewrap confines a command here, else why not, as a sentence."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (tools/setup grade)"
    if shutil.which("prlimit") is None:
        return "prlimit is not installed (util-linux)"
    with tempfile.TemporaryDirectory(prefix="trapeze-sandbox-") as folder:
        tree = Path(folder)
        (tree / "build").mkdir()
        (tree / "inside").write_text("inside\n")
        script = ("cat inside && echo yes >build/written && ! cat /etc/passwd 2>/dev/null && "
                  "! echo no 2>/dev/null >outside && ! echo no 2>/dev/null >/usr/bin/outside && "
                  "gcc --version >/dev/null && make --version >/dev/null")
        done = run(["sh", "-c", script], tree, Limits(seconds=20))
        if done.good and (tree / "build/written").exists() and not (tree / "outside").exists():
            return ""
        return "bubblewrap does not work here: " + (done.output.strip().replace("\n", "; ") or "no reason given")
