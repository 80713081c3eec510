"""What a student's compiled file may hold: code and data of a kernel file, and names of its own. A file
that puts records among the tests, code where the image starts, or takes the names of the
runtime and the harness is refused by name, before anything is linked."""

import re
import struct
from pathlib import Path

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
RELOCATABLE, SYMTAB = 1, 2
WRITE, EXECUTE = 1, 4
GLOBAL, WEAK = 1, 2
UNDEFINED = 0

OWN = r"\.(?:(?:text|rodata|data|bss)(?!\.entry\b)(?:\.[\w.$-]+)?|exercises|debug_\w+)"
SECTIONS = re.compile(rf"(?:\.rela)?{OWN}|\.comment|\.note\.GNU-stack|\.note\.gnu\.property|\.group|\.symtab"
                      r"|\.symtab_shndx|\.strtab|\.shstrtab")
HARNESS = re.compile(r"runtime/(harness\w*|power)\.o|labs/.*\.o")
SCRIPT = re.compile(r"(tests|exercises)_(start|end)")  # names that the linker script defines
LIMIT = 16 << 20  # bytes of a section in memory: the image lies in 64 MiB


class BadObject(Exception):
    """The file is not a relocatable object that can be read."""


class Object:
    """The sections and symbols of a relocatable ELF file."""

    def __init__(self, data):
        try:
            self.read(data)
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise BadObject(f"cannot be read ({error})") from None

    def read(self, data):
        """Reads all that the checks need."""
        if data[:5] != b"\x7fELF\x02":
            raise BadObject("is not a 64-bit ELF file")
        header = HEADER.unpack_from(data)
        count = header[12] or SECTION.unpack_from(data, header[6])[5]
        if header[1] != RELOCATABLE or count > 100_000:
            raise BadObject("is not an object")
        table = [SECTION.unpack_from(data, header[6] + i * SECTION.size) for i in range(count)]
        names = table[header[13]] if header[13] < count else table[table[0][6]]
        # (name, flags, bytes in memory)
        self.sections = [(text_at(data, names, entry[0]), entry[2], entry[5]) for entry in table[1:]]
        self.defined, self.wanted = set(), set()
        for entry in table:
            if entry[1] == SYMTAB:
                self.read_symbols(data, entry, table)

    def read_symbols(self, data, entry, table):
        """The global names that it defines, and those that it wants of others."""
        for at in range(entry[4], entry[4] + entry[5], SYMBOL.size):
            name, info, _, section, _, _ = SYMBOL.unpack_from(data, at)
            if info >> 4 in (GLOBAL, WEAK):
                kind = self.wanted if section == UNDEFINED else self.defined
                kind.add(text_at(data, table[entry[6]], name))


def text_at(data, section, offset):
    """A string of a string table."""
    start = section[4] + offset
    return data[start:data.index(b"\0", start)].decode("utf-8", "backslashreplace")


def owners(objects, without="guests"):
    """{global name: object} of all object files below a folder, but those that other images are made of."""
    found = {}
    for file in sorted(Path(objects).rglob("*.o")):
        if file.is_relative_to(Path(objects) / without):
            continue
        for name in Object(file.read_bytes()).defined:
            found.setdefault(name, str(file.relative_to(objects)))
    return found


def complaints(path, data, owner_of, reference=""):
    """What is wrong with the object of the student's file `path`, as sentences. owner_of: owners() of the
    pristine build; reference: the text of the pristine file, which may use what others must not."""
    own = str(Path(path).with_suffix(".o"))
    try:
        read = Object(data)
    except BadObject as error:
        return [f"the compiled {path} {error}"]
    found = []
    for name, flags, size in read.sections:
        if not SECTIONS.fullmatch(name):
            found.append(f"{path} puts something into the section {name}, which belongs to the tests or the runtime")
        elif flags & WRITE and flags & EXECUTE:
            found.append(f"{path} has a section {name} that can be written and executed")
        elif size > LIMIT and not name.startswith((".debug", ".rela.debug")):
            found.append(f"{path} has {size} bytes in the section {name}, more than {LIMIT}")
    for name in sorted(read.defined):
        if owner_of.get(name, own) != own:
            found.append(f"{path} defines {name}, which belongs to {source_of(owner_of[name])}")
    for name in sorted(read.wanted):
        owner = owner_of.get(name, "")
        if HARNESS.fullmatch(owner) and not re.search(rf"\b{re.escape(name)}\b", reference):
            found.append(f"{path} uses {name} of {source_of(owner)}, which no kernel file needs")
        elif SCRIPT.fullmatch(name):
            found.append(f"{path} uses {name} of the linker script, which no kernel file needs")
    found += [f"{path} defines {name}, which belongs to the linker script" for name in sorted(read.defined)
              if SCRIPT.fullmatch(name)]
    return found


def source_of(name):
    """The source's name, about, of an object."""
    return str(Path(name).with_suffix(".[cS]")).replace(".[cS]", ".c")
