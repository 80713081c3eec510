"""Reading a suite's tests from its image, and choosing among them."""

import os
import subprocess

import pytest

from trapeze import ROOT, HostError
from trapeze.records import Record, outcome_text, patterns_of, read_records, select

FLAGS = ("-std=gnu11 -ffreestanding -nostdlib -static -fno-pic -fno-pie -no-pie -O1 "
         "-fno-toplevel-reorder -fcf-protection=none -fno-stack-protector -mgeneral-regs-only "
         "-Wl,--build-id=none,--entry=image_entry,--no-warn-rwx-segments").split()
SCRIPT = """
SECTIONS {
	. = 0x100000;
	.text : { *(.text*) }
	.rodata : { *(.rodata*) tests_start = .; KEEP(*(.tests)) tests_end = .; }
	.data : { *(.data*) }
}
"""


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    """records.c as an image."""
    folder = tmp_path_factory.mktemp("records")
    (folder / "script.lds").write_text(SCRIPT)
    subprocess.run([os.environ.get("CC", "gcc"), *FLAGS, f"-Wl,-T,{folder}/script.lds", "-I", ROOT,
                    "-o", folder / "records.elf", ROOT / "tools/tests/records.c"], check=True)
    return folder / "records.elf"


def test_records_are_what_the_source_declares(elf):
    assert list(read_records(elf).values()) == [
        Record("folder/group/plain", "a rule, in words", "SDM VMXON", "FAULT(GP, 0x18)",
               needs=("no luck (LUCK bit 7)",), covers=("field:EPTP", "insn:VMXON")),
        Record("folder/group/rows", "each row", "SDM HLT", "",
               (("low", "EXIT(12)"), ("high", "FAIL_VALID(7)"))),
        Record("folder/alone/end", "the machine ends", "SDM VMX Aborts", "SHUTDOWN"),
    ]


def test_only_the_group_alone_is_alone(elf):
    assert [record.alone for record in read_records(elf).values()] == [False, False, True]


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh", b"\x7fELF\x01" + bytes(100)])
def test_other_files_are_an_error(tmp_path, data):
    (tmp_path / "x.elf").write_bytes(data)
    with pytest.raises(HostError, match="not a 64-bit ELF"):
        read_records(tmp_path / "x.elf")


def test_missing_file_is_an_error(tmp_path):
    with pytest.raises(HostError, match="is it built"):
        read_records(tmp_path / "none.elf")


@pytest.mark.parametrize("word, text", [
    (1 << 56, "OK"), (2 << 56 | 6 << 48, "FAULT(UD)"), (2 << 56 | 200 << 48, "FAULT(vector 200, 0x0)"),
    (3 << 56, "FAIL_INVALID"), (5 << 56 | 48, "EXIT(48)"), (9 << 56 | 4, "ABORT(4)"),
    (0, "unknown outcome 0x0")])
def test_outcomes_read_as_in_the_log(word, text):
    assert outcome_text(word) == text


RECORDS = {name: Record(name, "", "", covers=covers) for name, covers in (
    ("insn/vmxon/success", ("insn:VMXON",)),
    ("ept/walk/rights", ("field:EPTP", "exit:EPT_VIOLATION")),
    ("vmcs/fields/read", ("field:*",)))}


@pytest.mark.parametrize("tests, names", [
    ("", ["insn/vmxon/success", "ept/walk/rights", "vmcs/fields/read"]),
    ("ept/", ["ept/walk/rights"]),
    ("insn/* vmcs/*", ["insn/vmxon/success", "vmcs/fields/read"]),
    ("insn/*,vmcs/*", ["insn/vmxon/success", "vmcs/fields/read"]),
    ("field:EPTP", ["ept/walk/rights", "vmcs/fields/read"]),
    ("field:GUEST_RIP", ["vmcs/fields/read"]),
    ("exit:EPT_*", ["ept/walk/rights"]),
    ("ept/walk/rights", ["ept/walk/rights"])])
def test_selection(tests, names):
    assert list(select(RECORDS, patterns_of(tests))) == names


def test_pattern_that_matches_nothing_is_an_error():
    with pytest.raises(HostError, match="no test matches nothing"):
        select(RECORDS, patterns_of("ept/ nothing"))
