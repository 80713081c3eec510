"""A copy of the source in which mistakes are planted, with a build folder of its own: after each
change only what depends on it is compiled. What is planted is mistakes.py's, what is run the caller's."""

import os
import queue
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

from . import ROOT, HostError, build_folder, mistakes

FOLDERS = ("runtime", "spec", "kernel", "guests")
BUILD = "build"


def sources(root):
    """The files that an image is made of, relative to the root."""
    found = [Path("Makefile")]
    for folder in FOLDERS:
        for where, _, names in os.walk(root / folder):
            found += [Path(where, name).relative_to(root) for name in names
                      if name.endswith((".c", ".h", ".S", ".def", ".lds", ".mk"))]
    return found


def link(source, target):
    """The same file under another name, or a copy where that cannot be; make sees the same time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Tree:
    """One such copy, in a folder that may be there from the last time."""

    def __init__(self, folder, root=ROOT):
        self.folder, self.root = Path(folder).resolve(), Path(root)
        self.build_folder = self.folder / BUILD
        self.update_sources()
        if not self.build_folder.exists():
            self.take_objects()

    def update_sources(self):
        """Makes the copy what the source is now, whatever a run that was cut short has left in it."""
        wanted = set(sources(self.root))
        for name in set(sources(self.folder)) - wanted:
            (self.folder / name).unlink(missing_ok=True)
        for name in wanted:
            source, target = self.root / name, self.folder / name
            if not target.exists():
                link(source, target)
            elif source.read_bytes() != target.read_bytes():
                mistakes.replace_file(target, source.read_text())

    def take_objects(self):
        """Starts with what the real build has compiled: only names in its dependency files change."""
        real = build_folder()
        for file in [*real.glob("obj/**/*.o"), *real.glob("obj/**/*.d")]:
            target = self.build_folder / file.relative_to(real)
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".o":
                shutil.copy2(file, target)
            else:
                name = os.environ.get("BUILD", "build")
                target.write_text(file.read_text().replace(f"{name}/obj/", f"{BUILD}/obj/"))

    def make(self, images):
        """Builds images by name; HostError with the compiler's words."""
        targets = [f"{BUILD}/{name}.{kind}" for name in images for kind in ("elf", "elf32")]
        environment = {key: value for key, value in os.environ.items()
                       if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD")}
        tools = [f"{key}={os.environ[key]}" for key in ("CC", "OBJCOPY") if os.environ.get(key)]
        done = subprocess.run(["make", "-s", f"BUILD={BUILD}", *tools, *targets], cwd=self.folder,
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise HostError(f"it does not compile: {done.stdout}{done.stderr}")

    @contextmanager
    def planted(self, mistake, images):
        """With the mistake in the images."""
        before = mistakes.apply(mistake, self.folder)
        try:
            self.make(images)
            yield self
        finally:
            mistakes.undo(mistake, self.folder, before)


class Trees:
    """As many copies as are used at the same time, made when they are needed."""

    def __init__(self, folder, root=ROOT):
        self.folder, self.root = folder, root
        self.free, self.names = queue.SimpleQueue(), iter(range(1000))

    @contextmanager
    def one(self):
        """A Tree for as long as the block lasts."""
        try:
            tree = self.free.get_nowait()
        except queue.Empty:
            tree = Tree(self.folder / f"tree{next(self.names)}", self.root)
        try:
            yield tree
        finally:
            self.free.put(tree)
