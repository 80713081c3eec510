"""What is taken from a submission: the files that a lab's exercises name, as bytes, and nothing else. A
submission may hold anything, and be anything; compiling it is grade_build's."""

import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

FILE_LIMIT = 256 << 10  # bytes; the largest file of the reference has a tenth of it
DEPTH = 3  # folders around the tree that an archive may have brought
STUB = re.compile(rb'^[ \t]*EXERCISE_MISSING[ \t]*\(?[ \t]*"(\w+)"', re.MULTILINE)  # runtime/exercise.h


@dataclass
class Submission:
    """A student's files by their path in the tree."""

    name: str
    files: dict = field(default_factory=dict)  # path: bytes
    absent: list = field(default_factory=list)  # wanted and not there: stubs take their place
    refused: dict = field(default_factory=dict)  # path: why it is not taken, a sentence; "" for all

    def digest(self, *more):
        """Of the files and whatever else the result depends on."""
        known = hashlib.sha256()
        for part in [*more, *self.refused.values()]:
            known.update(os.fsencode(str(part)) + b"\0")
        for path, data in sorted(self.files.items()):
            known.update(path.encode() + b"\0" + hashlib.sha256(data).digest())
        return known.hexdigest()


class Refused(Exception):
    """A file is there that will not be taken; the text says why."""


def read_inside(folder, path):
    """The bytes of a regular file at a path below a folder, through no symbolic link; None when there is
    none. Raises Refused."""
    *folders, name = Path(path).parts
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in folders:
            step = open_one(directory, part, path, os.O_DIRECTORY)
            if step is None:
                return None
            os.close(directory)
            directory = step
        file = open_one(directory, name, path, os.O_NONBLOCK)
    finally:
        os.close(directory)
    return None if file is None else read_regular(file, path)


def open_one(directory, name, path, flags):
    """A descriptor of one entry of a directory, None when it is not there. Raises Refused."""
    try:
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        try:
            is_link = stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
        except OSError:
            is_link = False
        what = "a symbolic link" if is_link else f"unreadable ({error.strerror})"
        where = path if Path(path).name == name else f"{path}: {name}"
        raise Refused(f"{where} is {what}") from None


def read_regular(file, path):
    """The bytes of an open file, which is closed. Raises Refused."""
    state = os.fstat(file)
    if not stat.S_ISREG(state.st_mode):
        os.close(file)
        raise Refused(f"{path} is not a regular file")
    with open(file, "rb") as opened:
        data = opened.read(FILE_LIMIT + 1) if state.st_size <= FILE_LIMIT else b""
    if state.st_size > FILE_LIMIT or len(data) > FILE_LIMIT:
        raise Refused(f"{path} has {max(state.st_size, len(data))} bytes, more than {FILE_LIMIT}")
    return data


def tree_of(folder, wanted):
    """The folder below `folder` where the tree is: archives often put one around it."""
    tops = {Path(path).parts[0] for path in wanted}
    for _ in range(DEPTH):
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith((".", "__MACOSX"))]
        folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        if tops & {entry.name for entry in entries} or len(folders) != 1:
            break
        folder = folders[0].path
    return folder


def take(folder, wanted, name=None):
    """The Submission in a folder; `wanted` are the paths that may be taken from it."""
    folder = Path(folder)
    submission = Submission(folder.name if name is None else name)
    try:
        if folder.is_symlink():
            raise Refused("the submission is a symbolic link")
        if not folder.is_dir():
            raise Refused("the submission is not a folder")
        tree = tree_of(folder, wanted)
    except (Refused, OSError) as error:
        submission.refused[""] = f"{error}: nothing is taken from it"
        submission.absent += wanted
        return submission
    for path in wanted:
        take_one(submission, tree, path)
    return submission


def take_one(submission, tree, path):
    """Takes one file, or notes why not."""
    try:
        data = read_inside(tree, path)
    except (Refused, OSError) as error:
        submission.refused[path] = f"{error}: the file is left out"
        return
    if data is None:
        submission.absent.append(path)
    else:
        submission.files[path] = data


def stubs(data):
    """The names of the exercises whose stubs are still in a file's bytes."""
    return {name.decode() for name in STUB.findall(data)}


def display(name):
    """A submission's name for people and reports: what is no text is shown as its number."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}"
                   for letter in os.fsencode(name).decode("utf-8", "backslashreplace"))


def file_name(name):
    """A file's name for a submission's result: plain letters, different for different names."""
    data = os.fsencode(name)
    plain = "".join(chr(byte) if chr(byte).isalnum() and byte < 128 or byte in b"._-" else f"%{byte:02x}"
                    for byte in data)
    if plain.startswith("."):
        plain = f"%2e{plain[1:]}"
    return plain if len(plain) <= 120 else plain[:80] + hashlib.sha256(data).hexdigest()[:32]
