"""The sandbox, and building a submission in it: what a student's file can reach, and what it must not hold."""

import shutil

import pytest

from trapeze import HostError, ROOT, grade_build, grade_object, grade_sandbox
from trapeze.grade_sandbox import Limits
from trapeze.grade_submission import Submission

CONFINED = pytest.mark.skipif(bool(grade_sandbox.problem()), reason=grade_sandbox.problem() or "-")
MAKEFILE = """CFLAGS := -std=gnu11 -O2 -ffreestanding -fno-pic -mgeneral-regs-only -fno-common -Wall -Wextra -Werror \\
	-fno-asynchronous-unwind-tables -Wno-unused-parameter \\
	-Wmissing-prototypes -I.
OBJECTS := kernel/on kernel/off runtime/harness runtime/print labs/suite
all: build/image.elf
build/image.elf: $(OBJECTS:%=build/obj/%.o)
	gcc -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-e,image_main -o $@ $^
build/obj/%.o: %.c
	@mkdir -p $(@D)
	gcc $(CFLAGS) -MMD -c -o $@ $<
"""
FILES = {
    "Makefile": MAKEFILE,
    "kernel/on.c": "int on(void);\nint on(void)\n{\n\treturn 0;\n}\n",
    "kernel/off.c": "int off(void);\nint off(void)\n{\n\treturn 0;\n}\n",
    "runtime/harness.c": "int test_mismatch(int line);\nint test_mismatch(int line)\n{\n\treturn line;\n}\n",
    "runtime/print.c": "int print(const char *text);\nint print(const char *text)\n{\n\treturn text[0];\n}\n",
    "labs/suite.c": "int on(void), off(void), print(const char *text), image_main(void);\n"
                    "int image_main(void)\n{\n\treturn on() + off() + print(\"\");\n}\n",
    "labs/secret.h": "#define SECRET 1\n",
}
ON, OFF = "kernel/on.c", "kernel/off.c"
HEAD = "int on(void);\n"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A pristine tree of five files, built."""
    tree = tmp_path_factory.mktemp("base") / "tree"
    for name, text in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return grade_build.build_base(tree, ["all"], tree)


def build(base, folder, limits=None, **files):
    """What building a submission with these files says of them."""
    names = {"on": ON, "off": OFF}
    submission = Submission("s", {names[key]: text if isinstance(text, bytes) else text.encode()
                                  for key, text in files.items()})
    old, grade_build.LIMITS = grade_build.LIMITS, limits or Limits(seconds=20, cpu=10)
    try:
        return grade_build.build_submission(base, submission, folder / "work", ["all"])
    finally:
        grade_build.LIMITS = old


def test_doctor_has_a_word_for_it():
    assert isinstance(grade_sandbox.problem(), str)


def test_without_bubblewrap(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "bubblewrap is not installed" in grade_sandbox.problem()


@CONFINED
def test_good_file(base, tmp_path):
    assert build(base, tmp_path, on=HEAD + "int on(void)\n{\n\treturn 7;\n}\n") == {}
    assert (tmp_path / "work/build/image.elf").exists()
    assert (tmp_path / "work" / ON).read_text().count("7") == 1


@CONFINED
@pytest.mark.parametrize("text", [
    "\r\n".join((HEAD + "int on(void)\n{\n\treturn 0;\n}\n").split("\n")),
    b"\xef\xbb\xbf" + HEAD.encode() + b"int on(void)\n{\n\treturn 0; /* \xff\xfe */\n}\n",
    HEAD + 'int on(void)\n{\n\treturn sizeof(__TIME__ __DATE__) > 1;\n}\n'])
def test_strange_and_good(base, tmp_path, text):
    assert build(base, tmp_path, on=text) == {}


HOST_FILES = [
    '#include "/etc/passwd"', '#include "/proc/self/environ"', '#include "../../../../../../etc/passwd"',
    '__asm__(".incbin \\"/etc/passwd\\"");', '__asm__(".include \\"/etc/passwd\\"");',
    '#pragma GCC pch_preprocess "/etc/passwd"\nint x = y;', f'#include "{ROOT}/Makefile"',
    '#if __has_include("/etc/passwd")\n#include "/etc/passwd"\n#endif\nint leak = __has_include("/etc/shadow") / 0;']


@CONFINED
@pytest.mark.parametrize("text", HOST_FILES)
def test_files_of_the_host(base, tmp_path, text):
    broken = build(base, tmp_path, on=HEAD + text + "\nint on(void)\n{\n\treturn 0;\n}\n")
    kind, why = broken[ON]
    assert kind == "does not build" and "root:" not in why and "PHONY" not in why
    assert (tmp_path / "work/build/image.elf").exists(), "the rest is graded"


FORBIDDEN = [
    ('const int x __attribute__((used, section(".tests"))) = 1;', "section .tests"),
    ('__asm__(".pushsection .tests, \\"a\\"\\n.quad 0\\n.popsection");', "section .tests"),
    ("int started;\nstatic __attribute__((constructor)) void start(void)\n{\n\tstarted = 1;\n}", "section .init_array"),
    ('__attribute__((section(".text.entry"))) int on(void);', "section .text.entry"),
    ('__asm__(".pushsection .rwx, \\"awx\\"\\n.byte 0\\n.popsection");', "section .rwx"),
    ("int print(const char *t);\nint print(const char *t)\n{\n\treturn 1;\n}", "defines print, which belongs to runtime"),
    ('__asm__(".weak off\\n.globl off\\noff: ret");', "defines off, which belongs to kernel/off.c"),
    ("int test_mismatch(int l);\nint (*p)(int) = test_mismatch;", "uses test_mismatch of runtime/harness.c"),
    ("int image_main(void);\nint (*p)(void) = image_main;", "uses image_main of labs/suite.c"),
    ("char huge[64 << 20];", "bytes in the section .bss"),
]


@CONFINED
@pytest.mark.parametrize("text, words", FORBIDDEN)
def test_what_a_kernel_file_must_not_hold(base, tmp_path, text, words):
    broken = build(base, tmp_path, on=HEAD + text + "\nint on(void)\n{\n\treturn 0;\n}\n")
    assert broken[ON][0] == "refused" and words in broken[ON][1]
    assert (tmp_path / "work" / ON).read_text() == FILES[ON]


@CONFINED
def test_one_bad_file_leaves_the_other(base, tmp_path):
    broken = build(base, tmp_path, on="nonsense", off="int off(void);\nint off(void)\n{\n\treturn 9;\n}\n")
    assert list(broken) == [ON] and "does not compile" in broken[ON][1] and "kernel/on.c:1" in broken[ON][1]
    assert "9" in (tmp_path / "work" / OFF).read_text()


BOMBS = [
    ("#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(A(A(x)))))\nint on(void)\n{\n\treturn 0 B(B(B(+1)));\n}",
     "memory"),
    ('#include "on.c"', "nested"),
    ("const char big[3 << 28] = { 1 };", "too large"),
    ('#include "/dev/zero"', "memory"),
    ('__asm__(".rept 1000000000\\n.quad 1\\n.endr");', ""),
]


@CONFINED
@pytest.mark.parametrize("text, words", BOMBS)
def test_bombs(base, tmp_path, text, words):
    limits = Limits(seconds=10, cpu=4, memory=256 << 20, file=8 << 20)
    broken = build(base, tmp_path, limits, on=HEAD + text + "\n")
    assert broken[ON][0] == "does not build" and words in broken[ON][1]


@CONFINED
def test_noise(base, tmp_path):
    text = "\n".join(f'#warning "{"noise" * 40} {i}"' for i in range(3000))
    broken = build(base, tmp_path, Limits(output=100_000), on=HEAD + text)
    assert "printed more than" in broken[ON][1] and len(broken[ON][1]) < 1000


@CONFINED
def test_no_symbol_for_the_linker(base, tmp_path):
    with pytest.raises(grade_build.BuildFailed, match="undefined reference to `on'"):
        build(base, tmp_path, on="int other(void);\nint other(void)\n{\n\treturn 0;\n}\n")


def run(script, folder, **limits):
    """Runs a script in the sandbox."""
    (folder / "build").mkdir(exist_ok=True)
    (folder / "script").write_text(script)
    return grade_sandbox.run(["sh", "script"], folder, Limits(**{"seconds": 5, **limits}))


@CONFINED
def test_nothing_outside(tmp_path):
    (tmp_path.parent / "neighbour").write_text("neighbour")
    done = run("ls -a / /home /root /work /etc /proc 2>&1; cat ../neighbour; id -u; "
               "echo x >outside; echo x >/usr/bin/x; ls /sys 2>&1; env", tmp_path)
    assert "neighbour\n" not in done.output and "passwd" not in done.output
    assert not (tmp_path / "outside").exists() and "1000" in done.output and "HOME=/tmp" in done.output


@CONFINED
def test_no_network(tmp_path):
    done = run("cat </dev/tcp/127.0.0.1/22 2>/dev/null; python3 -c 'import socket; "
               "socket.create_connection((\"127.0.0.1\", 9))' 2>&1 | tail -n 1; cat /proc/net/dev 2>&1", tmp_path)
    assert "Connection refused" in done.output or "unreachable" in done.output


@CONFINED
@pytest.mark.parametrize("script, limits, words", [
    ("sleep 30", {"seconds": 1}, "did not end within 1 s"),
    ("sleep 30 & exec >/dev/null; sleep 30", {"seconds": 1}, "did not end within 1 s"),
    ("for i in $(seq 60); do sleep 20 & done; wait", {"processes": 20}, "more than 20 processes"),
    ("yes", {"output": 10_000}, "printed more than 10000 bytes"),
])
def test_limits(tmp_path, script, limits, words):
    assert words in run(script, tmp_path, **limits).why


@CONFINED
def test_limit_of_a_file(tmp_path):
    done = run("head -c 100000000 /dev/zero >build/big; ls -l build/big", tmp_path, file=1 << 20)
    assert (tmp_path / "build/big").stat().st_size <= 1 << 20 and done.status in (0, 1)


def test_isolated_already(tmp_path):
    (tmp_path / "script").write_text("echo here; pwd")
    done = grade_sandbox.run(["sh", "script"], tmp_path, isolated=True)
    assert done.good and str(tmp_path) in done.output


def test_base_that_does_not_build(tmp_path):
    (tmp_path / "Makefile").write_text("all:\n\tfalse\n")
    with pytest.raises(HostError, match="pristine tree does not build"):
        grade_build.build_base(tmp_path, ["all"], tmp_path, isolated=True)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02" + bytes(59), b"\x7fELF\x02" + b"\xff" * 200,
                                  b"#!/bin/sh\n"])
def test_objects_that_are_none(data):
    assert grade_object.complaints("kernel/on.c", data, {})


@CONFINED
def test_damaged_objects_are_told_or_read(base):
    data = bytearray((base.build / "obj/kernel/on.o").read_bytes())
    for at in range(0, len(data), 7):
        damaged = data[:]
        damaged[at] ^= 0xff
        assert isinstance(grade_object.complaints("kernel/on.c", bytes(damaged), base.owners), list)


def test_copy_is_whole(base, tmp_path):
    grade_build.copy_base(base, tmp_path / "copy")
    (tmp_path / "copy/Makefile").write_text("mine")
    assert (base.tree / "Makefile").read_text() == MAKEFILE
    assert grade_build.digest_of(base.tree) == base.digest
    shutil.rmtree(tmp_path / "copy")
