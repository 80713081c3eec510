"""Discs that boot through GRUB: a small fast one for emulators, a complete one for real machines."""

import os
import shutil
import subprocess
from pathlib import Path

from . import HostError
from .boot import grub_commands

# Kept beside the core image, not compressed into it: unpacking it there costs an emulator most
# of its boot.
GRUB_FOLDERS = ("/usr/lib/grub/i386-pc", "/usr/share/grub/i386-pc")


def run_tool(*command):
    """Runs a tool that is expected to be silent; HostError with its words when it fails."""
    try:
        subprocess.run([str(word) for word in command], check=True, text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise HostError(f"{command[0]} is not installed: run tools/setup") from None
    except subprocess.CalledProcessError as error:
        raise HostError(f"{command[0]} failed:\n{error.stdout.strip()}") from None


def grub_folder():
    """Where GRUB's modules for BIOS machines are."""
    for folder in map(Path, GRUB_FOLDERS):
        if (folder / "moddep.lst").exists():
            return folder
    raise HostError("GRUB's BIOS modules (grub-pc-bin) are not installed: run tools/setup")


def grub_dependencies(folder, module):
    """The module and all it needs, by name."""
    table = dict(line.split(":", 1) for line in (folder / "moddep.lst").read_text().splitlines())
    wanted, found = [module], []
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.append(name)
            wanted += table.get(name, "").split()
    return found


def copy_file(file, copy):
    """Copies a file, an ELF image without what only a debugger reads where that can be taken out: a
    BIOS reads slowly."""
    shutil.copy(file, copy)
    objcopy = os.environ.get("OBJCOPY", "objcopy")
    if copy.read_bytes()[:4] == b"\x7fELF" and shutil.which(objcopy):
        run_tool(objcopy, "--strip-debug", copy)


def copy_files(boot, tree):
    """Puts kernel and modules on the disc; returns their paths there. Equal files go once."""
    paths = {}
    for file in [boot.kernel, *(module.file for module in boot.modules)]:
        if file not in paths:
            name = f"{len(paths)}-{Path(file).name}"
            copy_file(file, tree / "boot" / name)
            paths[file] = f"/boot/{name}"
    return paths[boot.kernel], [paths[module.file] for module in boot.modules]


def write_fast(boot, work, iso):
    """Writes to `iso` a BIOS disc that starts `boot` at once; `work` is an empty folder to use."""
    boot.check()
    folder = grub_folder()
    tree = Path(work) / "tree"
    modules = tree / "boot" / "grub" / "i386-pc"
    modules.mkdir(parents=True)
    wanted = [command.split()[0] for command in boot.commands]
    for name in {name for wish in (boot.protocol, *wanted) for name in grub_dependencies(folder, wish)}:
        shutil.copy(folder / f"{name}.mod", modules)
    config = Path(work) / "grub.cfg"
    lines = ["set root=cd", *(f"insmod {name}" for name in dict.fromkeys((boot.protocol, *wanted))),
             *grub_commands(boot, *copy_files(boot, tree))]
    config.write_text("\n".join(lines) + "\n")
    run_tool("grub-mkimage", "-O", "i386-pc-eltorito", "-d", folder, "-p", "(cd)/boot/grub",
             "-c", config, "-o", tree / "boot" / "core.img", "biosdisk", "iso9660")
    run_tool("xorriso", "-as", "mkisofs", "-quiet", "-R", "-b", "boot/core.img", "-no-emul-boot",
             "-boot-load-size", "4", "-boot-info-table", "-o", iso, tree)
    return iso


def write_full(boot, work, iso, title="Trapeze"):
    """Writes to `iso` a disc for BIOS and UEFI, and for USB sticks."""
    boot.check()
    tree = Path(work) / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    commands = "\n".join(f"\t{line}" for line in grub_commands(boot, *copy_files(boot, tree)))
    (tree / "boot" / "grub" / "grub.cfg").write_text(
        f"set timeout=1\n\nmenuentry '{title}' {{\n{commands}\n}}\n")
    run_tool("grub-mkrescue", "-o", iso, tree)
    return iso
