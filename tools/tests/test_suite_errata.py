"""The errata's format, and what entries make of results."""

import pytest

from trapeze import ROOT, HostError, errata
from trapeze.suite_log import Difference, TestResult

ENTRY = """test: vmx-tests a/x
versions: bochs 2.7
rule: It is so (SDM "Here").
platform: It is not.
explanation: Somebody forgot,
 and nobody looked.
"""


def entry(**changes):
    """An entry's text with fields changed, added or (None) left out."""
    fields = {"test": "vmx-tests a/x", "versions": "bochs 2.7", "rule": "r", "platform": "p",
              "explanation": "e", **changes}
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)


def test_entry():
    one, = errata.parse("# comment\n\n" + ENTRY, "file")
    assert (one.suite, one.test, one.versions, one.place) == ("vmx-tests", "a/x", ("bochs 2.7",),
                                                              "file:3")
    assert one.explanation == "Somebody forgot, and nobody looked."


def test_several_entries_and_lists():
    one, two = errata.parse(entry() + "\n" + entry(models="corei7_*, !corei7_icelake_u",
                                                   rows="\n low, high\n 1: x", ends="HANG, RESET"), "f")
    assert one.models == () and two.models == ("corei7_*", "!corei7_icelake_u")
    assert two.rows == ("low, high", "1: x") and two.ends == ("HANG", "RESET")


@pytest.mark.parametrize("text, message", [
    (entry(rule=None), "f:1: the entry has no rule"),
    (entry(explanation=""), "f:1: the entry has no explanation"),
    ("\n\n" + entry(test=None), "f:3: the entry has no test"),
    (entry(colour="red"), "f:6: 'colour' is no field"),
    ("nonsense\n", "f:1: 'nonsense' is no field"),
    (entry() + "rule: again\n", "f:6: rule is given twice"),
    ("  indented\n", "f:1: an indented line continues nothing"),
    (entry(versions="2.7"), "f:1: '2.7' is no version"),
    (entry(test="a/x"), "f:1: test: must be SUITE NAME"),
    (entry(ends="BOOM"), "f:1: ends: 'BOOM' is not one of"),
])
def test_mistakes_are_named_with_their_place(text, message):
    with pytest.raises(HostError, match=message):
        errata.parse(text, "f")


def test_missing_file_has_no_entries(tmp_path):
    assert errata.read("none", tmp_path) == []


@pytest.mark.parametrize("name", ["bochs", "kvm", "qemu-tcg"])
def test_our_files_can_be_read(name):
    errata.read(name)


@pytest.mark.parametrize("name", ["bochs", "kvm", "qemu-tcg"])
def test_rows_of_the_probe_exist(name):
    source = "".join(file.read_text() for file in [ROOT / "spec/instructions.def",
                                                   *(ROOT / "guests/probe").glob("*.c")])
    for entry in errata.read(name):
        if entry.suite == "probe":
            assert f"FORM({entry.test}," in source or f'"{entry.test}"' in source, entry.place
        else:
            assert entry.suite == "vmx-tests", entry.place


def test_versions():
    assert errata.is_version("6.1", "6.1.0-18-amd64") and errata.is_version("2.7", "2.7")
    assert not errata.is_version("2.7", "2.70") and not errata.is_version("6.1", "6.12.3")


def test_entries_of_what_is_below_may_pass():
    one, two = errata.below(errata.parse(entry() + "\n" + entry(varies="on the moon"), "f"))
    assert one.varies == "another platform is in between" and two.varies == "on the moon"
    assert one.test == "a/x"


def judge(text, status, differences=(), came="", version="2.7", model="corei7_skylake_x"):
    """(result, errata) of a test a/x that ended so."""
    found = errata.Errata(errata.parse(text, "f"), "vmx-tests", {"bochs": version}, model)
    result = TestResult("a/x", status, differences=list(differences), came=came)
    found.find_orphans({"a/x": None})
    found.apply(result)
    return result, found


def rows(*names):
    """Differences in these rows."""
    return [Difference(name, "OK", "FAULT(UD)") for name in names]


@pytest.mark.parametrize("changes, status, differences, came, version, ends, complaint, warning", [
    ({}, "failed", rows(""), "", "2.7", "known", "", ""),
    ({}, "passed", (), "", "2.7", "passed", "stale: a/x passes", ""),
    ({}, "skipped", (), "", "2.7", "skipped", "", ""),
    ({}, "failed", rows(""), "", "3.0", "known", "", "does not name"),
    ({}, "passed", (), "", "3.0", "passed", "", "does not name"),
    ({"fixed": "bochs 3.0"}, "passed", (), "", "3.0", "passed", "", ""),
    ({"fixed": "bochs 3.0"}, "failed", rows(""), "", "3.0", "failed", "", ""),
    ({"varies": "the weather"}, "failed", rows(""), "", "2.7", "known", "", ""),
    ({"varies": "the weather", "rows": "low\n high"}, "failed", rows("low"), "", "2.7", "known", "", ""),
    ({"models": "tigerlake"}, "failed", rows(""), "", "2.7", "failed", "", ""),
    ({"models": "!tigerlake"}, "failed", rows(""), "", "2.7", "known", "", ""),
    ({"models": "tigerlake"}, "passed", (), "", "2.7", "passed", "", ""),
    ({"rows": "low\n high*"}, "failed", rows("low", "high 1"), "", "2.7", "known", "", ""),
    ({"rows": "low"}, "failed", rows("low", "high"), "", "2.7", "failed", "", ""),
    ({"rows": "low\n high"}, "failed", rows("low"), "", "2.7", "known", "row high passes", ""),
    ({}, "error", (), "HANG", "2.7", "error", "", ""),
    ({"ends": "HANG"}, "error", (), "HANG", "2.7", "known", "", ""),
    ({"ends": "HANG"}, "failed", rows(""), "HANG", "2.7", "known", "", ""),
    ({"ends": "RESET"}, "failed", rows(""), "HANG", "2.7", "failed", "", ""),
    ({"ends": "HANG"}, "error", (), "", "2.7", "error", "", ""),
    ({"test": "vmx-tests a/*"}, "failed", rows(""), "", "2.7", "known", "", ""),
    ({"test": "vmx-tests b/x"}, "passed", (), "", "2.7", "passed", "no test matches b/x", ""),
    ({"test": "svm-tests b/x"}, "passed", (), "", "2.7", "passed", "", ""),
])
def test_judgement(changes, status, differences, came, version, ends, complaint, warning):
    result, found = judge(entry(**changes), status, differences, came, version)
    assert result.status == ends
    assert bool(result.erratum) == (ends == "known")
    for words, told in ((complaint, found.complaints), (warning, found.warnings)):
        assert (len(told) == 1 and words in told[0]) if words else told == []


def test_a_failure_that_varies_may_pass():
    result, found = judge(entry(varies="the weather"), "passed")
    assert result.status == "passed" and result.erratum.varies and found.complaints == []


def test_two_entries_share_the_rows_of_a_test():
    text = entry(rows="low") + "\n" + entry(rows="high")
    assert judge(text, "failed", rows("low", "high"))[0].status == "known"
    assert judge(text, "failed", rows("low", "high", "other"))[0].reason == "known, but not of other"
