"""The tokenizer and the parser of the labs' generator: what in C is easily taken for something else."""

import pytest
from trapeze import ROOT
from trapeze.c_source import SourceError, parse, parse_routines, tokenize


def kinds(text):
    """(kind, name) of each item."""
    return [(item.kind, item.name) for item in parse(text).items]


def test_tokens_are_the_whole_text():
    """Of every C file of ours."""
    files = [*ROOT.glob("kernel/**/*.[ch]"), *ROOT.glob("runtime/**/*.[ch]"), *ROOT.glob("guests/**/*.[ch]")]
    assert len(files) > 100
    for file in files:
        text = file.read_text()
        assert "".join(token.text for token in tokenize(text, str(file))) == text
        if "__ASSEMBLER__" not in text:
            parse(text, str(file))


@pytest.mark.parametrize("text", [
    'int f(void)\n{\n\treturn "}" [0];\n}\n',
    "int f(void)\n{\n\treturn '}';\n}\n",
    "int f(void)\n{\n\treturn '\\''; /* } */\n}\n",
    "int f(void)\n{\n\t// }\n\treturn 0;\n}\n",
    "int f(void)\n{\n\t// goes on \\\n\t}\n\treturn 0;\n}\n",
    "int f(void)\n{\n#define X }\n\treturn 0;\n}\n",
    "int f(void)\n{\n#define X \\\n\t}\n\treturn 0;\n}\n",
    "int f(void)\n{\n#define X /* a comment\n } of two lines */\n\treturn 0;\n}\n",
    'int f(void)\n{\n\treturn sizeof("/*");\n}\n',
    "int f(void)\n{\n\treturn (struct x){ .y = { 1 } }.y;\n}\n",
])
def test_braces_that_are_none(text):
    """The function ends where it ends, and is all there is."""
    source = parse(text)
    assert [(item.kind, item.name) for item in source.items] == [("function", "f")]
    assert text[slice(*source.items[0].body)].endswith("return 0;\n}") or "return" in text
    assert source.items[0].end == len(text) - 1


def test_what_is_a_function():
    """And what only looks like one."""
    assert kinds("static __attribute__((noinline)) void f(int (*g)(void))\n{\n}\n") == [("function", "f")]
    assert kinds("void (*const handlers[2])(int a) = { f, g };\n") == [("data", "handlers")]
    assert kinds("static int g(void);\nextern int h(void);\n") == [("declaration", "g"), ("declaration", "h")]
    assert kinds("static const struct { int a; } rows[] = { { 1 }, { 2 } };\n") == [("data", "rows")]
    assert kinds("struct x { int f; };\nenum { A, B };\n") == [("type", "x"), ("type", "enum")]
    assert kinds("_Static_assert(sizeof(int) == 4, \"f(x) {\");\n") == [("assertion", "")]
    assert parse("static int a, *b = &c, d[2] = { 1, 2 };\n").items[0].names == ("a", "b", "d")


def test_a_comment_belongs_to_what_follows_at_once():
    """And not across an empty line."""
    text = "/* of the file */\n\n/* of f */\nint f(void)\n{\n}\n"
    assert text[parse(text).items[0].start:].startswith("/* of f */")


@pytest.mark.parametrize("text, words", [
    ("int f(void)\n{\n", "never closed"),
    ("int f(void)\n{\n}}\n", "closes nothing"),
    ("int f(void)\n{ (]) }\n", "closes nothing"),
    ("/* no end", "does not end"),
    ('char *s = "no end;\n', "has no place"),
    ("int f(void)\n{\n}\nint g", "does not end"),
])
def test_what_is_no_c(text, words):
    """Is refused, with the line."""
    with pytest.raises(SourceError, match=words) as raised:
        parse(text, "file.c")
    assert "file.c:" in str(raised.value)


ASSEMBLY = """	.text
/* Of one. */
	.globl one
one:
	nop		/* .globl in a comment */
1:	jmp 1b		/* for ever */

/* Of two. */
	.globl two
two:
	ret

	.section .note.GNU-stack, "", @progbits
"""


def test_routines():
    """Each with its comment, and without the next one's."""
    one, two = parse_routines(ASSEMBLY)
    assert ASSEMBLY[one.start:one.end].startswith("/* Of one. */") and ASSEMBLY[:one.end].endswith("/* for ever */\n")
    assert ASSEMBLY[two.begin:two.end] == "two:\n\tret\n"
