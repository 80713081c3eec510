"""The book's parts: filter for headers, tables, links, and blocks of output."""

import importlib.machinery
import importlib.util

import pytest

from trapeze import ROOT, HostError, book, book_links, book_outputs
from trapeze.book_outputs import Block
from trapeze.errata import Erratum
from trapeze.lab import VENDORS, load_labs
from trapeze.matrix import Row
from trapeze.records import Record


def load_filter():
    """tools/docs-filter as a module."""
    loader = importlib.machinery.SourceFileLoader("docs_filter", str(ROOT / "tools" / "docs-filter"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("docs_filter", loader))
    loader.exec_module(module)
    return module


def test_filter_makes_documentation_comments():
    documented = load_filter().documented
    assert documented("/* A. */\n#define X 1 /* one */\n") == "/** \\file\n A. */\n#define X 1 /**< one */\n"
    assert documented("x\n/* Returns <0 or @x. */\nint f(int /* n */ a);\n") == \
        "x\n/** Returns \\<0 or \\@x. */\nint f(int /* n */ a);\n"


def test_tables_escape_markup():
    assert book.escape("a|b <c> *d* \"_e_\" #f \\ &") == "a&#124;b &lt;c&gt; \\*d\\* &quot;\\_e\\_&quot; \\#f &#92; &amp;"
    assert book.table(["A", "B"], [["1", "2"]]) == "| A | B |\n|:--|:--|\n| 1 | 2 |\n"


def test_rows_lead_to_their_tests():
    row = Row("field", "EPTP", 0x201a, "EPTP")
    tests = [Record(f"ept/a/t{i}", "rule", "section", covers=("field:EPTP",)) for i in range(4)]
    assert book.test_links(tests, row).endswith(", 1 more")
    assert book.test_links(tests, row).startswith('\\ref tests_ept_a "ept/a/t0"')
    assert book.test_links([Record("a/b", "", "", covers=("field:*",))], row) == "sweeps over the table"
    assert book.test_links([], row) == ""


def test_deviations_have_all_their_words():
    entry = Erratum("vmx-tests", "a/b", ("bochs 2.7",), "the rule", "does", "because", "f:1", ("corei7_*",))
    text = book.erratum_section(entry)
    assert all(word in text for word in ("a/b", "the rule", "does", "because", "bochs 2.7", "corei7_*"))


def test_links_that_lead_nowhere(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#x">1</a><a href="#y">2</a><a href="c.html">3</a>'
                                     '<a href="https://example.org/">4</a><p id="y">')
    (tmp_path / "b.html").write_text("<p>")
    assert book_links.broken(tmp_path) == ["a.html: b.html#x leads to no place in that page",
                                           "a.html: c.html leads to no file"]


PAGE = """
<!-- output, numbers vary in lab1/intel: make run -->
```text
$ make run
one 1
...
two
```
```c
int x;
```
"""


def test_blocks_of_a_page(tmp_path):
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    block, = book_outputs.blocks_of(file)
    assert (block.command, block.place, block.vary) == ("make run", "lab1/intel", True)
    assert block.lines == ("$ make run", "one 1", "...", "two") and block.page == "page"
    file.write_text("```text\nx\n```\n")
    with pytest.raises(HostError, match="does not say which command prints it"):
        book_outputs.blocks_of(file)


@pytest.mark.parametrize("lines,vary,missing", [
    (("a 1", "b"), False, None),
    (("a 2", "b"), False, "a 2"),
    (("a 2", "b"), True, None),
    (("a 1", "d"), False, "d"),
    (("a 1", "...", "d"), False, None),
    (("d", "a 1"), False, "a 1"),
    (("...", "c"), False, None),
    (("b", "a 1"), False, "a 1"),
])
def test_blocks_against_output(lines, vary, missing):
    block = Block("f:1", "f", "make", "", vary, lines)
    assert book_outputs.missing_line(block, "a 1\nb\nc\nd\n") == missing


def test_lab_pages_say_what_the_labs_hold():
    labs = load_labs(ROOT)
    for lab in labs:
        text = (lab.folder / "README.md").read_text(encoding="utf-8")
        missing = [exercise.name for exercise in lab.exercises
                   if f"{exercise.name} {{#{exercise.page}}}" not in text]
        assert not missing, f"{lab.folder.name}/README.md has no heading with name and anchor of {missing}"
        assert f"**Estimate**: {lab.hours} hours" in text
        for vendor in VENDORS:
            points = sum(exercise.points for exercise in lab.exercises if exercise.vendor in ("", vendor))
            assert f"{points} points" in text, f"{lab.folder.name}/README.md: {vendor} has {points} points"


def test_blocks_of_one_tree_are_checked_together():
    assert [book_outputs.tree_name(place) for place in ("", "lab1/intel", "lab1/intel+a+b", "lab1/intel/done")] \
        == ["", "lab1-intel", "lab1-intel", "lab1-intel"]
    with pytest.raises(HostError, match="must be labN/VENDOR"):
        book_outputs.tree_of("lab/intel")
