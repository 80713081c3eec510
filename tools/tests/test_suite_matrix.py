"""Rows of the manual's tables against tests."""

import os
import subprocess

import pytest

from trapeze import ROOT, HostError
from trapeze.matrix import Matrix, Row, read_reasons, read_rows, show
from trapeze.records import Record

ROWS = {row.key: row for row in (Row("field", "EPTP", 0x201a, "EPTP"), Row("field", "VPID", 0, "VPID"),
                                 Row("exit", "HLT", 12, "HLT"))}


def matrix(*covers, reasons=()):
    """The matrix of tests t0, t1, ... that cover this."""
    records = {f"t{i}": Record(f"t{i}", "", "", covers=tuple(words.split()))
               for i, words in enumerate(covers)}
    return Matrix(ROWS, records, [(*reason, "f:1") for reason in reasons])


def test_rows_and_tests():
    found = matrix("field:EPTP exit:HLT insn:HLT", "field:*")
    assert found.tests == {"field:EPTP": ["t0", "t1"], "field:VPID": ["t1"], "exit:HLT": ["t0"]}
    assert found.empty() == [] and found.complaints == []
    assert found.counts() == {"field": (2, 2, 0), "exit": (1, 1, 0)}


def test_rows_without_a_test(capsys):
    found = matrix("field:EPTP")
    assert [row.key for row in found.empty()] == ["field:VPID", "exit:HLT"]
    assert show(found) == 1 and "no test: field:VPID (VPID)" in capsys.readouterr().out


def test_reasons():
    found = matrix("field:*", reasons=[("exit:HLT", "nobody halts")])
    assert found.empty() == [] and found.excuses == {"exit:HLT": "nobody halts"} and show(found) == 0


@pytest.mark.parametrize("covers, reasons, complaint", [
    ("field:NOSUCH", (), "there is no row field:NOSUCH"),
    ("EPTP", (), "'EPTP' is not kind:NAME"),
    ("field:*", [("field:EPTP", "no")], "f:1: field:EPTP has a test: t0"),
    ("field:*", [("field:NOSUCH", "no")], "f:1: there is no row field:NOSUCH")])
def test_complaints(covers, reasons, complaint):
    found = matrix(covers + " exit:HLT", reasons=reasons)
    assert len(found.complaints) == 1 and complaint in found.complaints[0] and show(found) == 1


def test_reasons_file(tmp_path):
    file = tmp_path / "uncovered.txt"
    assert read_reasons(file) == []
    file.write_text("# comment\n\nfield:EPTP because of that\n")
    assert read_reasons(file) == [("field:EPTP", "because of that", f"{file}:3")]
    file.write_text("field:EPTP\n")
    with pytest.raises(HostError, match="uncovered.txt:1: must be"):
        read_reasons(file)


def test_the_tables_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("BUILD", str(tmp_path))
    with pytest.raises(HostError, match="is it built"):
        read_rows("vmx-tests")
    subprocess.run([os.environ.get("HOSTCC", "cc"), "-I", ROOT, "-o", tmp_path / "spec-rows",
                    ROOT / "tools/spec_rows.c"], check=True)
    rows = read_rows("vmx-tests")
    assert rows["exit:HLT"].number == 12 and rows["field:GUEST_RIP"].number == 0x681e
    assert {row.kind for row in rows.values()} == {"field", "control", "exit", "error", "check", "cap"}
    assert read_rows("svm-tests")["intercept:HLT"].number == 0x78
