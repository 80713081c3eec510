"""The nested platforms' parts that need no emulator: what is packed, and how a report is judged."""

import re
import subprocess
import threading
import time

import pytest

from trapeze import HostError, debian, nested
from trapeze.boot import Boot, Module
from trapeze.cpio import Archive
from trapeze.platforms import PLATFORMS
from trapeze.verdict import Evidence

KERNEL_RECORD = """Package: linux-image-amd64
Version: 6.1.5-1
Depends: linux-image-6.1.0-9-amd64 (= 6.1.5-1)
"""


def entries(data):
    """{name: (mode, content)} of an archive, read by the format's description."""
    found, at = {}, 0
    while at < len(data):
        assert data[at:at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        start = (at + 110 + fields[11] + 3) & ~3
        found[name] = fields[1], data[start:start + fields[6]]
        at = (start + fields[6] + 3) & ~3
    return found


def test_archive():
    archive = Archive()
    archive.file("/a/b/c", b"12345", 0o755)
    archive.link("/a/d", "b/c")
    archive.file("/a/e", b"")
    found = entries(archive.data())
    assert list(found) == ["a", "a/b", "a/b/c", "a/d", "a/e", "TRAILER!!!"]
    assert found["a"][0] == 0o040755
    assert found["a/b/c"] == (0o100755, b"12345")
    assert found["a/d"] == (0o120777, b"b/c")


def test_two_archives_in_a_row_are_one_after_the_other():
    first, second = Archive(), Archive()
    first.file("/a", b"1")
    second.file("/b", b"2")
    assert len(first.data()) % 4 == 0
    assert "b" in entries(first.data() + second.data())


def module(depends):
    """Enough of a kernel module."""
    return b"\x7fELF\0license=GPL\0depends=" + depends + b"\0name=x\0"


CONTENTS = {"kvm_amd": module(b"kvm,ccp"), "kvm": module(b"irqbypass"), "ccp": module(b""),
            "irqbypass": module(b""), "kvm_intel": module(b"kvm-mmu")}


def test_modules_come_after_what_they_need():
    assert nested.module_chain("kvm_amd", CONTENTS) == ["irqbypass", "kvm", "ccp", "kvm_amd"]


def test_a_missing_module_is_named():
    with pytest.raises(HostError, match="no module kvm_mmu"):
        nested.module_chain("kvm_intel", CONTENTS)


def test_modules_of_a_package_compressed_or_not(tmp_path):
    import lzma
    folder = tmp_path / "usr/lib/modules/6.1/kernel"
    folder.mkdir(parents=True)
    (folder / "kvm-intel.ko.xz").write_bytes(lzma.compress(b"intel"))
    (folder / "kvm.ko").write_bytes(b"kvm")
    (folder / "ptp_kvm.ko").write_bytes(b"other")
    assert nested.kernel_modules(tmp_path) == {"kvm_intel": b"intel", "kvm": b"kvm"}


def test_signature_of_a_module_is_left_out():
    facts = bytes(8) + (5).to_bytes(4, "big")
    signed = b"module" + b"12345" + facts + nested.SIGNATURE_END
    assert nested.without_signature(signed) == b"module"
    assert nested.without_signature(b"module") == b"module"


def test_key_tells_versions_and_files_apart(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"1")
    keys = {nested.key_of(["a"], [file]), nested.key_of(["b"], [file]), nested.key_of(["a"], [])}
    file.write_bytes(b"12")
    keys.add(nested.key_of(["a"], [file]))
    assert len(keys) == 4
    assert nested.key_of(["a"], [file]) in keys


def test_two_runs_make_one_base(tmp_path, monkeypatch):
    made = []

    def make_slowly(folder, *_):
        time.sleep(0.05)
        folder.mkdir()
        made.append(folder)

    monkeypatch.setenv("BUILD", str(tmp_path))
    monkeypatch.setattr(nested, "make_base", make_slowly)
    monkeypatch.setattr(nested, "host_files", lambda: [])
    monkeypatch.setattr(debian, "current_kernel", lambda: ("linux", "1"))
    monkeypatch.setattr(debian, "current_version", lambda name: "2")
    runs = [threading.Thread(target=nested.base, args=[lambda note: None]) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(made) == 1


def test_run_archive_holds_each_file_once_and_qemus_command(tmp_path):
    for name in ("k.elf", "k.elf32", "m.elf"):
        (tmp_path / name).write_text(name)
    boot = Boot(tmp_path / "k.elf", "end=qemu", (Module(tmp_path / "m.elf", 'name=a -- script="a; b"'),
                                                 Module(tmp_path / "m.elf", "name=b")))
    found = entries(nested.run_archive(boot, ["qemu", "-m", "256"]))
    assert found["boot/0-k.elf32"][1] == b"k.elf32"
    assert sorted(found) == ["TRAILER!!!", "boot", "boot/0-k.elf32", "boot/1-m.elf", "boot/run", "init"]
    assert found["boot/run"] == (0o100755, b"""#!/bin/sh
exec qemu -m 256 -kernel /boot/0-k.elf32 -append ''"$1"' end=qemu' """
                                 b"-initrd '/boot/1-m.elf name=a -- \"script=a; b\","
                                 b"/boot/1-m.elf name=b'\n")


def test_why_the_outer_system_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setenv("BUILD", str(tmp_path))
    monkeypatch.setattr(nested, "host_files", lambda: [])
    monkeypatch.setattr(debian, "PATH", forge_tools(tmp_path, apt_cache="exit 100"))
    assert "no package linux-image-amd64" in nested.why_not(PLATFORMS["kvm-in-tcg-amd"])
    assert nested.why_not(PLATFORMS["tcg-amd"]) == ""


def test_console_goes_to_a_file_too():
    assert nested.console_to_file(["qemu", "-serial", "stdio", "-net", "none"]) == [
        "qemu", "-chardev", "stdio,id=console,logfile=/run/console", "-serial", "chardev:console",
        "-net", "none"]


def test_shared_objects_include_the_loader():
    names = [path.name for path in nested.shared_objects("/bin/sh")]
    assert any(name.startswith("libc.so") for name in names)
    assert any(name.startswith("ld-linux") for name in names)


def test_init_is_a_shell_script_that_uses_only_the_applets_there_are():
    subprocess.run(["sh", "-n", str(nested.INIT)], check=True)
    known = {*nested.APPLETS, "busybox"}
    code = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", nested.INIT.read_text())
    for word in ("sed", "awk", "cut", "ls", "rm", "mkdir", "head", "timeout", "cp", "mv", "printenv"):
        assert word in known or not re.search(rf"(^|[|&;(]\s*|\s)\b{word}\b ", code)


PASSED = ["*** END passed"]
REPORTS = [
    # what COM2 had, console lines, overtime, the end, a word of its detail
    ("outer: begin\nouter: status 33\nouter: done\n", PASSED, "", "passed", ""),
    ("outer: begin\r\nouter: status 33\r\nouter: done\r\n", PASSED, "", "passed", ""),
    ("outer: begin\nouter: status 35\nouter: done\n", ["*** END failed: 3"], "", "failed", "3"),
    ("outer: begin\nouter: status 0\nKVM_EXIT_SHUTDOWN (8)\n", ["booting"], "", "triple fault", ""),
    ("outer: begin\nouter: status 0\n<4>kvm: unsupported\n", ["booting"], "", "failed", "booting"),
    ("outer: begin\nouter: status 143\nKVM internal error. Suberror: 1\n", ["booting"], "",
     "emulator error", "Suberror: 1"),
    ("outer: begin\nouter: status 1\nqemu-system-x86_64: warning: w\nqemu-system-x86_64: no\n", [], "",
     "emulator error", "no"),
    ("outer: begin\nouter: status 33\n", ["*** PANIC: lost", "*** END panic"], "", "panic", "lost"),
    ("outer: begin\nouter: status 0\n", PASSED, "", "emulator error", "exit status is 0"),
    ("outer: begin\n", ["*** PANIC: old", nested.AGAIN_LINE, "booting"], "no end after 9 s", "timed out",
     "booting"),
    ("outer: begin\n", ["booting"], "no end after 9 s", "timed out", "booting"),
    ("outer: begin\nouter: sta", PASSED, "no end after 9 s", "timed out", "no end"),
    ("", [], "no end after 9 s", "timed out", "not started"),
    ("outer: fail insmod kvm\nouter: done\n", [], "", "emulator error", "insmod kvm"),
    ("[ 1.0] Kernel panic - not syncing: VFS\n", [], "", "emulator error", "failed: VFS"),
    ("outer: begin\n[ 1.0] Kernel panic - not syncing: died\n", PASSED, "", "emulator error", "died"),
    ("outer: begin\n", PASSED, "", "emulator error", "without a word: the emulator's exit status is 1"),
    ("", [], "", "emulator error", "no such disc"),
]


@pytest.mark.parametrize("text, lines, overtime, end, word", REPORTS)
def test_judge(tmp_path, text, lines, overtime, end, word):
    report = nested.Report(tmp_path / "com2")
    report.file.write_bytes(text.encode())
    emulator = ">>PANIC<< no such disc" if not text else "exception with no resolution"
    evidence = Evidence(lines, 1, 33, 35, emulator if not lines else "", overtime)
    found = report.judge(evidence)
    assert found[0] == end
    assert word in found[1]


def test_a_report_that_is_not_there_says_nothing(tmp_path):
    report = nested.Report(tmp_path / "none")
    assert not report.stopped()
    assert report.failure() == ""


@pytest.mark.parametrize("text, stopped", [("outer: begin\n", False), ("outer: done\n", True),
                                           ("Kernel panic - not syncing: x\n", True)])
def test_stopped(tmp_path, text, stopped):
    (tmp_path / "com2").write_text(text)
    assert nested.Report(tmp_path / "com2").stopped() == stopped


def test_kernel_behind_debians_metapackage():
    assert debian.kernel_in(KERNEL_RECORD) == ("linux-image-6.1.0-9-amd64", "6.1.5-1")
    with pytest.raises(HostError, match="names no kernel"):
        debian.kernel_in("Package: linux-image-amd64\n")


def forge_tools(folder, **scripts):
    """Programs in a folder, each a line of shell."""
    for name, script in scripts.items():
        file = folder / name.replace("_", "-")
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_packages_that_cannot_be_fetched(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    path = forge_tools(tmp_path / "bin", apt_get="echo 'E: Failed to fetch' >&2; exit 100")
    monkeypatch.setattr(debian, "PATH", path)
    with pytest.raises(HostError, match="(?s)is the network there.*E: Failed to fetch"):
        debian.unpacked("x", "1", tmp_path / "cache")
    assert not (tmp_path / "cache" / "x_1").exists()


def test_package_is_fetched_once(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    path = forge_tools(tmp_path / "bin", apt_get='echo "$@" >>../log; touch x.deb',
                       dpkg_deb='echo content >"$3/file"')
    monkeypatch.setattr(debian, "PATH", path)
    for _ in range(2):
        folder = debian.unpacked("x", "1:2", tmp_path / "cache")
        assert (folder / "file").read_text() == "content\n"
    assert folder.name == "x_1%3a2"
    assert (tmp_path / "cache/log").read_text() == "download x=1:2\n"


def test_apt_knows_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(debian, "PATH", forge_tools(tmp_path, apt_cache="exit 100"))
    with pytest.raises(HostError, match="no package linux-image-amd64.*apt-get update"):
        debian.current_kernel()
