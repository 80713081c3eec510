"""The verdict over a run, and the files of the report."""

import json
import xml.etree.ElementTree as xml
from html.parser import HTMLParser

import pytest

from trapeze import errata, suite_files, suite_html, suite_report
from trapeze.matrix import Matrix, Row
from trapeze.records import Record
from trapeze.suite_log import Difference, TestResult
from trapeze.suite_run import SuiteRun

ROWS = {row.key: row for row in (Row("exit", "HLT", 12, "HLT"), Row("error", "ENTRY_CONTROLS", 7, "e"),
                                 Row("field", "EPTP", 8218, "EPTP"))}
RECORDS = {record.name: record for record in (
    Record("a/x", "x < y & z", "SDM HLT", "EXIT(12)", covers=("exit:HLT",)),
    Record("a/rows", "each row", "SDM Rows", "", (("low", "OK"), ("high", "FAIL_VALID(7)"))),
    Record("a/skip", "skipped", "SDM HLT", "OK"))}
ERRATUM = errata.Erratum("vmx-tests", "a/rows", ("bochs 2.7",), "r", "does <that>", "mend it", "f:1")


class Platform:
    """A platform's names."""

    name, vendor, models = "bochs-intel", "intel", {"intel": "corei7_skylake_x"}


def result(name, status, **more):
    """A result."""
    return TestResult(name, status, **more)


@pytest.fixture
def report(monkeypatch, tmp_path):
    """Makes a Report from results."""
    monkeypatch.setenv("BUILD", str(tmp_path))
    monkeypatch.setattr(errata, "read", lambda name: [])
    monkeypatch.setattr(suite_report.host, "bochs_version", lambda: "2.7")

    def make(*results, selected=None, complaints=(), checks=3):
        run = SuiteRun(list(results), [("cpu", "GenuineIntel signature 0x50654")], list(complaints),
                       checks, 1, seconds=2.345)
        names = selected or [one.name for one in results]
        known = suite_report.errata_for("vmx-tests", Platform, "", RECORDS)
        return suite_report.Report(Platform, known, RECORDS,
                                   {name: RECORDS[name] for name in names}, run, ROWS)
    return make


GOOD = result("a/x", "passed"), result("a/skip", "skipped", reason="no luck")
FAILED = result("a/x", "failed", differences=[Difference("", "EXIT(12)", "FAULT(UD)", "at <RIP>")])
KNOWN = result("a/rows", "known", erratum=ERRATUM,
               differences=[Difference("high", "FAIL_VALID(7)", "OK")])
ERROR = result("a/x", "error", reason="SHUTDOWN: triple fault", came="SHUTDOWN")


def test_head(report):
    data = report(*GOOD, KNOWN).as_data()
    assert list(data.items())[:8] == [("tests", 3), ("checks", 3), ("passed", 1), ("failed", 0),
                                      ("known", 1), ("errors", 0), ("skipped", 1), ("seconds", 2.3)]
    assert data["versions"] == {"bochs": "2.7"} and data["status"] == 0


@pytest.mark.parametrize("results, changes, status", [
    (GOOD, {}, 0),
    ((*GOOD, KNOWN), {}, 0),
    ((KNOWN,), {}, 0),
    ((), {}, 1),
    (GOOD[1:], {}, 1),  # nothing but skips
    ((FAILED,), {}, 1),
    ((ERROR, KNOWN), {}, 1),
    (GOOD, {"checks": 0}, 1),  # nothing was compared
    (GOOD, {"complaints": ["lost"]}, 1),
    (GOOD, {"selected": ["a/x", "a/skip", "a/rows"]}, 1),  # one has no result
    (GOOD, {"selected": ["a/x"]}, 1),  # one was not asked for
    ((*GOOD, GOOD[0]), {}, 1),  # one twice
])
def test_status(report, results, changes, status):
    assert report(*results, **changes).status == status


def test_complaints_are_few(report):
    made = report(selected=["a/x"], complaints=["lost"])
    made.selected = {str(number): None for number in range(99)}
    made.run.lines = ["vmx-tests: error: unknown word x"]
    found = made.missing()
    assert found[0] == "vmx-tests: error: unknown word x" and len(found) == 7
    assert found[-1] == "94 more tests have no result"


def test_numbers_get_their_names(report):
    data = report(FAILED, KNOWN).as_data()
    assert data["results"][0]["expected"] == "EXIT(HLT)"
    assert data["results"][0]["differences"][0]["expected"] == "EXIT(HLT)"
    assert data["results"][1]["differences"][0]["expected"] == "FAIL_VALID(ENTRY_CONTROLS)"


def test_tap(report):
    lines = suite_files.tap(report(*GOOD, KNOWN)).splitlines()
    assert lines[:4] == ["TAP version 14", "1..3", "ok 1 - a/x", "ok 2 - a/skip # SKIP no luck"]
    assert lines[4] == "not ok 3 - a/rows # TODO known: f:1"
    assert "# high: expected FAIL_VALID(7), came OK" in lines


def test_junit(report):
    root = xml.fromstring(suite_files.junit(report(FAILED, GOOD[1], KNOWN, complaints=["lost"])))
    suite = root.find("testsuite")
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4", "failures": "1", "errors": "1", "skipped": "2"}
    failure = suite.find("testcase/failure")
    assert failure.get("message") == "expected EXIT(12), came FAULT(UD) (at <RIP>)"
    assert "rule: x < y & z (SDM HLT)" in failure.text


class Page(HTMLParser):
    """Counts a page's elements and checks that they are closed in order."""

    VOID = {"meta", "input", "br", "wbr"}

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.links = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def rows(self):
        """The rows that can be filtered."""
        return [attributes for _, attributes in self.seen if "data-row" in attributes]


def pages(report, *runs):
    """Writes the reports of several runs, then all pages; {name: text}."""
    for number, results in enumerate(runs):
        made = report(*results)
        made.model = f"model{number}"
        folder = made.write()
    suite_html.write_pages("vmx-tests", folder, Matrix(ROWS, RECORDS, [("field:EPTP", "why", "f:1")]))
    return {file.name: file.read_text() for file in folder.glob("*.html")}


def test_pages(report):
    found = pages(report, GOOD, (FAILED, GOOD[1], KNOWN))
    assert sorted(found) == ["vmx-tests-bochs-model0.html", "vmx-tests-bochs-model1.html",
                             "vmx-tests-matrix.html", "vmx-tests.html"]
    for text in found.values():
        Page(text)
        assert "http" not in text and "<RIP>" not in text
    one = Page(found["vmx-tests-bochs-model1.html"])
    assert [row["data-statuses"] for row in one.rows()] == ["failed", "skipped", "known"]
    assert "x &lt; y &amp; z" in found["vmx-tests-bochs-model1.html"]


def test_comparison(report):
    page = Page(pages(report, GOOD, (FAILED, GOOD[1], KNOWN))["vmx-tests.html"])
    rows = {row["data-row"].split()[0]: row for row in page.rows()}
    assert rows["a/x"]["data-statuses"] == "failed passed" and "data-differ" in rows["a/x"]
    assert "data-differ" not in rows["a/skip"] and rows["a/rows"]["data-statuses"] == "known"


def test_matrix_page(report):
    page = Page(pages(report, GOOD, (FAILED,))["vmx-tests-matrix.html"])
    rows = {row["id"]: row["data-statuses"] for row in page.rows()}
    assert rows == {"exit:HLT": "passed failed", "error:ENTRY_CONTROLS": "untested",
                    "field:EPTP": "untested"}


def test_other_files_do_not_disturb(report):
    folder = report(*GOOD).write()
    (folder / "vmx-tests-broken.json").write_text("{")
    (folder / "vmx-tests-other.json").write_text(json.dumps({"suite": "x"}))
    (folder / "vmx-tests-old.json").write_text(json.dumps({"suite": "vmx-tests", "results": [1]}))
    assert len(suite_html.read_runs("vmx-tests", folder)) == 1
