"""tools/run.py as a whole: its messages and exit statuses, and a terminal that it is given."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from conftest import TOOLS

RUN = str(TOOLS / "run.py")
BOTH = pytest.mark.parametrize("on", ["bochs", "tcg"])


@BOTH
def test_passed_is_zero(run, on):
    done = run("--image", "endings", "--words", "do=pass", "--on", on)
    assert done.returncode == 0
    assert "run: passed" in done.stdout


@pytest.mark.parametrize("order, end", [("fail", "failed"), ("panic", "panic"),
                                        ("triple", "triple fault"), ("hang", "timed out")])
def test_other_ends_are_named_and_not_zero(run, order, end):
    limit = "3" if order == "hang" else "60"
    done = run("--image", "endings", "--words", f"do={order}", "--on", "tcg", "--timeout", limit)
    assert done.returncode == 1
    assert f"run: {end}" in done.stdout


ERRORS = [
    (["--image", "nosuch"], "no such file"),
    (["--guests", "nosuch"], "neither a file"),
    (["--cpu", "intel", "--on", "tcg", "--image", "endings"], "no VT-x"),
    (["--cpu", "z80"], "not intel or amd"),
    (["--on", "moon"], "not auto, bochs"),
    (["--smp", "none"], "SMP=none"),
    (["--timeout", "-1"], "TIMEOUT=-1"),
    (["--image", "endings", "--words", 'a="b'], "command line"),
    (["--image", "endings", "--on", "bochs", "--gdb", "1234"], "logs/run-bochs-intel.log"),
    (["--image", "endings", "--on", "bochs", "--cpu", "amd", "--gdb", "1234"], "take ON=tcg"),
]


@pytest.mark.parametrize("arguments, message", ERRORS)
def test_errors_are_sentences(run, arguments, message):
    done = run(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("on, tool", [("bochs", "bochs"), ("tcg", "qemu-system-x86_64"),
                                      ("tcg", "grub-mkimage"), ("tcg", "xorriso")])
def test_missing_tool_is_named(run, tmp_path, on, tool):
    """A PATH that has every tool of a run but that one."""
    path = tmp_path / "path"
    path.mkdir()
    for name in {"bochs", "qemu-system-x86_64", "grub-mkimage", "xorriso"} - {tool}:
        (path / name).symlink_to(shutil.which(name))
    done = run("--image", "endings", "--words", "do=pass", "--on", on, PATH=str(path))
    assert done.returncode == 1
    assert f"{tool} is not installed" in done.stderr


def test_taken_port_is_named(run):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        done = run("--image", "endings", "--on", "tcg", "--gdb", port)
    assert done.returncode == 1
    assert f"port {port} is already taken" in done.stderr


def children(pid):
    """The processes that pid started and that still run."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True,
                           check=False).stdout.split()
    return [int(child) for child in found]


def alive(pid):
    """Does the process still run (and is no zombie)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids, seconds=20):
    """Waits until the processes have ended."""
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


def spawn(on, words="do=answer"):
    """The runner in a pseudo-terminal, its image ready for keys."""
    child = pexpect.spawn(sys.executable, [RUN, "--on", on, "--image", "endings",
                                           "--words", words], timeout=60, encoding="utf-8")
    child.expect("ready> " if "answer" in words else "endings: ")
    return child


@BOTH
def test_terminal_carries_keys(build, on):
    child = spawn(on)
    child.send("hello\r")
    child.expect("you said: hello\r\nready> ")
    child.send("quit\r")
    child.expect("run: passed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@BOTH
def test_ctrl_a_x_ends_a_machine_that_does_not_react(build, on):
    child = spawn(on, "do=hang")
    child.send("\x01x")
    child.expect("run: timed out .*did not react to Ctrl-A x")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1


@pytest.mark.parametrize("how", ["close", "hangup"])
@BOTH
def test_terminal_that_goes_away_ends_the_emulator(build, on, how):
    child = spawn(on)
    emulators = children(child.pid)
    assert emulators
    if how == "close":
        os.close(child.child_fd)
        child.closed, child.child_fd = True, -1
    else:
        os.kill(child.pid, signal.SIGHUP)
        child.expect("the terminal went away")
    assert gone([child.pid, *emulators])
    assert "terminal went away" in (build / "logs" / "run.log").read_text()


@BOTH
def test_killed_runner_leaves_no_emulator(build, on):
    child = spawn(on)
    emulators = children(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    assert gone(emulators)
    child.close()


def test_interrupt_ends_a_scripted_run(build):
    command = [sys.executable, RUN, "--on", "tcg", "--image", "endings", "--words", "do=hang"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        while "endings" not in process.stdout.readline():
            pass
        emulators = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in errors
    assert gone(emulators)


def test_reader_that_stops_ends_a_run(build):
    """`make run | head -1` neither hangs nor leaves an emulator behind."""
    command = [sys.executable, RUN, "--on", "tcg", "--image", "endings", "--words", "do=pass"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in errors
