"""What is taken from a submission, and what is not."""

import os

import pytest

from trapeze import grade_submission
from trapeze.grade_submission import FILE_LIMIT, display, file_name, stubs, take

WANTED = ["kernel/svm/on.c", "kernel/vmx/on.c"]
TEXT = b"int f(void)\n{\n\treturn 0;\n}\n"


@pytest.fixture
def tree(tmp_path):
    """A submission with both files, and more."""
    folder = tmp_path / "alice"
    for name in [*WANTED, "Makefile", "labs/01-on/tests.c", "build/trapeze.elf"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(TEXT)
    return folder


def test_only_the_wanted_files(tree):
    found = take(tree, WANTED)
    assert found.files == {name: TEXT for name in WANTED}
    assert (found.name, found.absent, found.refused) == ("alice", [], {})


def test_missing_file(tree):
    (tree / WANTED[0]).unlink()
    found = take(tree, WANTED)
    assert found.absent == [WANTED[0]] and list(found.files) == [WANTED[1]]


def test_an_archive_put_folders_around(tree, tmp_path):
    outer = tmp_path / "bob"
    (outer / "download").mkdir(parents=True)
    (outer / "__MACOSX").mkdir()
    (outer / ".DS_Store").write_bytes(b"")
    tree.rename(outer / "download/trapeze")
    assert set(take(outer, WANTED).files) == set(WANTED)


def test_empty(tmp_path):
    (tmp_path / "nothing").mkdir()
    found = take(tmp_path / "nothing", WANTED)
    assert found.absent == WANTED and not found.refused


@pytest.mark.parametrize("target", ["/etc/passwd", "../vmx/on.c", "nowhere"])
def test_symbolic_link(tree, target):
    (tree / WANTED[0]).unlink()
    (tree / WANTED[0]).symlink_to(target)
    found = take(tree, WANTED)
    assert "symbolic link" in found.refused[WANTED[0]] and list(found.files) == [WANTED[1]]


def test_linked_folder(tree, tmp_path):
    (tree / "kernel/svm").rename(tmp_path / "elsewhere")
    (tree / "kernel/svm").symlink_to(tmp_path / "elsewhere")
    assert "kernel/svm/on.c: svm is a symbolic link" in take(tree, WANTED).refused[WANTED[0]]


def test_the_submission_is_a_link_or_a_file(tree, tmp_path):
    (tmp_path / "link").symlink_to(tree)
    (tmp_path / "file").write_text("hello")
    assert "is a symbolic link" in take(tmp_path / "link", WANTED).refused[""]
    assert "is not a folder" in take(tmp_path / "file", WANTED).refused[""]
    assert take(tmp_path / "link", WANTED).files == {}


def test_pipe_folder_and_device_like_things(tree):
    (tree / WANTED[0]).unlink()
    os.mkfifo(tree / WANTED[0])
    (tree / WANTED[1]).unlink()
    (tree / WANTED[1]).mkdir()
    refused = take(tree, WANTED).refused
    assert all("not a regular file" in why for why in refused.values()) and len(refused) == 2


def test_gigabyte(tree):
    with (tree / WANTED[0]).open("wb") as file:
        file.truncate(1 << 30)
    assert f"more than {FILE_LIMIT}" in take(tree, WANTED).refused[WANTED[0]]


def test_file_that_nobody_may_read(tree, monkeypatch):
    def no_open(name, *arguments, **more):
        if name == "on.c":
            raise PermissionError(13, "Permission denied")
        return os_open(name, *arguments, **more)

    os_open = os.open
    monkeypatch.setattr(grade_submission.os, "open", no_open)
    assert "Permission denied" in take(tree, WANTED).refused[WANTED[0]]


def test_bytes_are_bytes(tree):
    (tree / WANTED[0]).write_bytes(b"\xff\xfe\x00\r\n")
    assert take(tree, WANTED).files[WANTED[0]] == b"\xff\xfe\x00\r\n"


def test_digest(tree):
    before = take(tree, WANTED).digest("x", 1)
    assert before == take(tree, WANTED).digest("x", 1) != take(tree, WANTED).digest("x", 2)
    (tree / "Makefile").write_text("changed, and nobody asks")
    assert take(tree, WANTED).digest("x", 1) == before
    (tree / WANTED[0]).write_bytes(TEXT + b" ")
    assert take(tree, WANTED).digest("x", 1) != before


def test_stubs():
    text = b"""int vmxon(void)\n{\n\tEXERCISE_MISSING("vmxon", "intel", 1, "lab_on");\n\treturn 0;\n}
	EXERCISE_MISSING "vmx_run", "intel", 3, "lab_run"\n/* EXERCISE_MISSING("no") */\nint x; // \xff"""
    assert stubs(text) == {"vmxon", "vmx_run"}


@pytest.mark.parametrize("name", ["alice", "a b/c".replace("/", ""), "\udcff\udcfe", "=cmd", "..", "x" * 250, "é",
                                  "a\nb", "a\x1b[2Jb"])
def test_names(name):
    plain = file_name(name)
    assert plain.isascii() and "/" not in plain and not plain.startswith(".") and len(plain) < 130
    assert display(name).isprintable()
    display(name).encode()


def test_names_differ():
    names = ["a", "A", "a%", "a%25", "a.", ".a", "x" * 250, "x" * 249, "\udcff", "ÿ"]
    assert len({file_name(name) for name in names}) == len(names)
