"""What is booted: a kernel, its modules and their command lines, and how each loader spells them."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from . import HostError


@dataclass(frozen=True)
class Module:
    """A file that the loader puts into memory beside the kernel."""

    file: Path
    cmdline: str = ""


@dataclass(frozen=True)
class Boot:
    """One image with all that the loader gives it."""

    kernel: Path
    cmdline: str = ""
    modules: tuple = ()
    protocol: str = "multiboot2"  # or "linux": then the one module is its initrd
    commands: tuple = ()  # of GRUB, before it loads the kernel: "wrmsr NUMBER VALUE"

    def with_words(self, *words):
        """The same with words in front of the command line."""
        return replace(self, cmdline=" ".join([*(w for w in words if w), self.cmdline]).strip())

    def check(self):
        """Raises HostError when a file cannot be read."""
        for file in [self.kernel, *(module.file for module in self.modules)]:
            if not Path(file).is_file():
                raise HostError(f"{file}: no such file (is it built? `make`)")


def split_words(cmdline, what="command line"):
    """The words of a command line; a part in double quotes may hold spaces."""
    try:
        return shlex.split(cmdline)
    except ValueError as error:
        raise HostError(f"{what} {cmdline!r}: {error}") from None


def plain(cmdline):
    """The line as an image sees it from every loader: GRUB quotes a word that has spaces whole."""
    return " ".join(f'"{word}"' if " " in word else word for word in split_words(cmdline))


def grub_words(cmdline):
    """The line in GRUB's language, every word quoted."""
    if "'" in cmdline:
        raise HostError(f"command line {cmdline!r}: GRUB takes no single quotes")
    return " ".join(f"'{word}'" for word in split_words(cmdline))


def grub_commands(boot, kernel_path, module_paths):
    """The commands that make GRUB load and start it, as lines."""
    command = {"multiboot2": "module2", "linux": "initrd"}[boot.protocol]
    lines = [*boot.commands, f"{boot.protocol} {kernel_path} {grub_words(boot.cmdline)}"]
    for path, module in zip(module_paths, boot.modules):
        lines.append(f"{command} {path} {grub_words(module.cmdline)}".rstrip())
    return [*lines, "boot"]


def qemu_arguments(boot):
    """QEMU's own loader: Multiboot 1, the ELF32 container, modules separated by commas; or Linux."""
    kernel = Path(boot.kernel)
    container = kernel.with_suffix(".elf32")
    arguments = ["-kernel", str(container if container.exists() else kernel)]
    if boot.cmdline:
        arguments += ["-append", plain(boot.cmdline)]
    if boot.modules:
        modules = (f"{module.file} {plain(module.cmdline)}".strip() for module in boot.modules)
        arguments += ["-initrd", ",".join(text.replace(",", ",,") for text in modules)]
    return arguments
