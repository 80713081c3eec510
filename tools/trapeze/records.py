"""The tests of a suite, read from its image without running it: the records of TEST and SWEEP
(runtime/harness.h) lie in a section of the ELF file."""

import re
import struct
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from . import HostError

ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")
SECTION = struct.Struct("<IIQQQQIIQQ")
SYMBOL = struct.Struct("<IBBHQQ")
PT_LOAD, SHT_SYMTAB = 1, 2

# struct test, struct test_row, struct test_need; test_suite_records.py compares with the compiler.
TEST = struct.Struct("<QQQQQQQIIQQI4xQ")
ROW = struct.Struct("<QQ")
POINTER = struct.Struct("<Q")

# enum outcome_kind
KINDS = ("", "OK", "FAULT", "FAIL_INVALID", "FAIL_VALID", "EXIT", "ENTRY_FAIL", "VMEXIT_INVALID",
         "SHUTDOWN", "ABORT", "RESET")
VECTORS = {0: "DE", 1: "DB", 2: "NMI", 3: "BP", 4: "OF", 5: "BR", 6: "UD", 7: "NM", 8: "DF",
           10: "TS", 11: "NP", 12: "SS", 13: "GP", 14: "PF", 16: "MF", 17: "AC", 18: "MC",
           19: "XM", 20: "VE", 21: "CP", 28: "HV", 29: "VC", 30: "SX"}


class Elf:
    """A static 64-bit image in memory: bytes and strings by address, symbols by name."""

    def __init__(self, file):
        try:
            self.data = Path(file).read_bytes()
        except OSError as error:
            raise HostError(f"{file}: {error.strerror} (is it built? `make`)") from None
        if self.data[:5] != b"\x7fELF\x02":
            raise HostError(f"{file}: not a 64-bit ELF file")
        header = ELF_HEADER.unpack_from(self.data)
        segments = (SEGMENT.unpack_from(self.data, header[5] + i * SEGMENT.size)
                    for i in range(header[10]))
        self.segments = [(s[3], s[5], s[2]) for s in segments if s[0] == PT_LOAD]
        self.sections = [SECTION.unpack_from(self.data, header[6] + i * SECTION.size)
                         for i in range(header[12])]

    def offset(self, address):
        """Where the byte at an address stands in the file."""
        for start, size, offset in self.segments:
            if start <= address < start + size:
                return offset + address - start
        raise HostError(f"address {address:#x} is not in the image")

    def text(self, address):
        """The string at an address, "" for NULL."""
        if not address:
            return ""
        start = self.offset(address)
        return self.data[start:self.data.index(b"\0", start)].decode("utf-8", "replace")

    def unpack(self, form, address):
        """A structure at an address."""
        return form.unpack_from(self.data, self.offset(address))

    def symbols(self, *names):
        """The values of global symbols; HostError when one is missing."""
        found = {}
        for section in self.sections:
            if section[1] == SHT_SYMTAB:
                strings = self.sections[section[6]][4]
                for at in range(section[4], section[4] + section[5], SYMBOL.size):
                    symbol = SYMBOL.unpack_from(self.data, at)
                    name = strings + symbol[0]
                    found[self.data[name:self.data.index(b"\0", name)].decode()] = symbol[4]
        missing = [name for name in names if name not in found]
        if missing:
            raise HostError(f"no symbol {missing[0]} in the image")
        return [found[name] for name in names]


@dataclass(frozen=True)
class Record:
    """One test as it is declared."""

    name: str  # "insn/vmxon/unaligned"
    rule: str
    citation: str
    expected: str = "OK"  # an outcome as outcome_format() writes it; "" for a sweep
    rows: tuple = ()  # of a sweep: (name, expected)
    needs: tuple = ()  # the reasons of its skips
    covers: tuple = ()  # rows of spec/: "kind:NAME"

    @property
    def group(self):
        """The name without its last part."""
        return self.name.rpartition("/")[0]

    @property
    def every_expected(self):
        """The outcome that all rows expect, "" when they differ."""
        if self.expected:
            return self.expected
        outcomes = {expected for _, expected in self.rows}
        return outcomes.pop() if len(outcomes) == 1 else ""

    @property
    def alone(self):
        """Does it end the machine, so that it needs a boot of its own?"""
        return "alone" in self.group.split("/")


def outcome_text(word):
    """An outcome as runtime/outcome.c writes it."""
    kind, vector, value = word >> 56, word >> 48 & 0xff, word & (1 << 48) - 1
    if not 0 < kind < len(KINDS):
        return f"unknown outcome {word:#x}"
    if KINDS[kind] == "FAULT":
        if vector not in VECTORS:
            return f"FAULT(vector {vector}, {value:#x})"
        return f"FAULT({VECTORS[vector]}, {value:#x})" if value else f"FAULT({VECTORS[vector]})"
    if KINDS[kind] in ("FAIL_VALID", "EXIT", "ENTRY_FAIL", "ABORT"):
        return f"{KINDS[kind]}({value})"
    return KINDS[kind]


def read_needs(elf, address):
    """The reasons of a NULL-terminated list of struct test_need."""
    found = []
    while address:
        need, = elf.unpack(POINTER, address)
        if not need:
            break
        found.append(elf.text(elf.unpack(POINTER, need)[0]))
        address += POINTER.size
    return tuple(found)


def read_rows(elf, address, size, count):
    """The (name, expected outcome) of each row of a sweep; () for rows that are made at run time."""
    try:
        rows = [elf.unpack(ROW, address + i * size) for i in range(count)]
        return tuple((elf.text(name), outcome_text(expected)) for name, expected in rows)
    except HostError:
        return ()


def read_record(elf, address):
    """The record of one test."""
    (group, name, citation, text, expected, _body, rows, row_size, row_count, needs, _values,
     _count, covers) = elf.unpack(TEST, address)
    return Record(f"{elf.text(group)}/{elf.text(name)}", elf.text(text), elf.text(citation),
                  "" if rows else outcome_text(expected),
                  read_rows(elf, rows, row_size, row_count) if rows else (),
                  read_needs(elf, needs), tuple(elf.text(covers).split()))


def read_records(file):
    """{name: Record} of all tests of an image, in the order in which they run."""
    elf = Elf(file)
    start, end = elf.symbols("tests_start", "tests_end")
    if (end - start) % TEST.size:
        raise HostError(f"{file}: its struct test is not what tools/trapeze/records.py reads")
    records = [read_record(elf, address) for address in range(start, end, TEST.size)]
    found = {record.name: record for record in records}
    if len(found) < len(records):
        names = [record.name for record in records]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise HostError(f"{file}: several tests have one name: {', '.join(twice)}")
    return found


def patterns_of(text):
    """The list of patterns in TESTS: separated by spaces or commas; a folder stands for what is in it."""
    words = re.split(r"[ ,]+", text.strip()) if text.strip() else ["*"]
    return [f"{word}*" if word.endswith("/") else word for word in words]


def matches(record, pattern):
    """As the harness selects: by name, or by a row of spec/ ("field:GUEST_RIP")."""
    if ":" in pattern:
        kind = pattern.partition(":")[0]
        return any(fnmatchcase(covered, pattern) or covered == f"{kind}:*"
                   for covered in record.covers)
    return fnmatchcase(record.name, pattern.replace("[", "[[]"))


def select(records, patterns):
    """The records that match one of the patterns. HostError when a pattern matches none."""
    for pattern in patterns:
        if not any(matches(record, pattern) for record in records.values()):
            raise HostError(f"TESTS: no test matches {pattern}")
    return {name: record for name, record in records.items()
            if any(matches(record, pattern) for pattern in patterns)}
