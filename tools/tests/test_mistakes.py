"""Planted mistakes: the files that describe them, and planting them."""

import os

import pytest

from trapeze import HostError, mistakes

GOOD = """title = "one too many"
file = "a.c"
find = '''
\treturn 1;
'''
replace = '''
\treturn 2;
'''
expect = "count*"
message = "too many"
"""


@pytest.fixture
def tree(tmp_path):
    """A source tree of one file, and a hard link to it from elsewhere."""
    (tmp_path / "a.c").write_text("int f(void)\n{\n\treturn 1;\n}\n")
    os.link(tmp_path / "a.c", tmp_path / "original.c")
    return tmp_path


def test_parse():
    mistake = mistakes.parse("off-by-one", GOOD)
    assert mistake.name == "off-by-one" and mistake.find == "\treturn 1;\n"
    assert mistake.vendors == ("intel", "amd") and not mistake.sample and not mistake.run


@pytest.mark.parametrize("change, complaint", [
    (('title = "one too many"\n', ""), "has no 'title'"),
    (("expect", "expects"), "has no 'expect'"),
    (("message =", "points = true\nmessage ="), "has a wrong 'points'"),
    (("message =", "color = 1\nmessage ="), "has an unknown key 'color'"),
    (("message =", 'vendors = ["via"]\nmessage ='), "intel amd"),
    (("return 2", "return 1"), "changes nothing"),
    (('"a.c"', "a.c"), "mistake x: "),
])
def test_parse_error(change, complaint):
    with pytest.raises(HostError, match=complaint):
        mistakes.parse("x", GOOD.replace(*change))


def test_apply_and_undo(tree):
    mistake = mistakes.parse("x", GOOD)
    before = mistakes.apply(mistake, tree)
    assert "return 2" in (tree / "a.c").read_text()
    assert "return 1" in (tree / "original.c").read_text()
    mistakes.undo(mistake, tree, before)
    assert (tree / "a.c").read_text() == (tree / "original.c").read_text()


@pytest.mark.parametrize("text, complaint", [
    (None, "there is no a.c"), ("nothing of it", "0 times"), ("\treturn 1;\n" * 2, "2 times"),
])
def test_stale(tree, text, complaint):
    (tree / "a.c").unlink()
    if text is not None:
        (tree / "a.c").write_text(text)
    with pytest.raises(HostError, match=f"stale: .*{complaint}"):
        mistakes.apply(mistakes.parse("x", GOOD), tree)
    assert text is None or (tree / "a.c").read_text() == text


def test_load_and_select(tmp_path):
    (tmp_path / "b.toml").write_text(GOOD)
    (tmp_path / "a.toml").write_text(GOOD)
    found = mistakes.load(tmp_path)
    assert [mistake.name for mistake in found] == ["a", "b"]
    assert mistakes.select(found, "") == found
    assert [mistake.name for mistake in mistakes.select(found, "c*, b")] == ["b"]
    with pytest.raises(HostError, match="no mistakes"):
        mistakes.load(tmp_path / "nowhere")


@pytest.mark.parametrize("reports, why", [
    ([("counter", "there are too many of them")], ""),
    ([("other", "noise"), ("count", "2 is too many")], ""),
    ([], "nothing was reported"),
    ([("other", "too many")], "only by other"),
    ([("counter", "wrong")], "without the words"),
])
def test_caught(reports, why):
    assert (why in mistakes.is_caught(mistakes.parse("x", GOOD), reports)) and \
        bool(why) == bool(mistakes.is_caught(mistakes.parse("x", GOOD), reports))
