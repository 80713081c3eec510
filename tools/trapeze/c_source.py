"""C and assembly files as far as the labs need them: which functions and tables a file defines, where
they begin and end, and which of the file's own names each one uses. A tokenizer, not a compiler.

`parse(text, name)` gives the Source of a C file: its Items in order. An item that is defined at the top
level is a function, data, a type, a declaration, an assertion, or a directive; `start` includes the
comment right above it. `parse_routines(text, name)` gives the Routines of an assembly file: from
a global label (its comment and `.globl` included in `start`) to whatever comes after its last line."""

import bisect
import re
from dataclasses import dataclass, field
from functools import lru_cache

from . import HostError

TOKEN = re.compile(r"""
    (?P<space>(?:[ \t\r\n\f\v]|\\\n)+)
  | (?P<comment>//(?:\\\n|[^\n])*|/\*[\s\S]*?\*/)
  | (?P<string>"(?:\\[\s\S]|[^"\\\n])*")
  | (?P<char>'(?:\\[\s\S]|[^'\\\n])*')
  | (?P<number>\.?[0-9](?:[eEpP][+-]|[\w.])*)
  | (?P<name>[A-Za-z_$]\w*)
  | (?P<mark>\#\#|[-+*/%&|^<>=!~?:;,.\#(){}\[\]\\@])
    """, re.VERBOSE)
OPENING, CLOSING = "({[", ")}]"
NOT_FUNCTIONS = {"__attribute__", "__aligned", "__printf", "_Static_assert", "__asm__", "typeof", "sizeof"}


class SourceError(HostError):
    """The file is not C (or assembly) as this module understands it; the text says where."""


@dataclass(frozen=True)
class Token:
    """A token: space and comments too, so that nothing of the text is lost."""

    kind: str  # space, comment, string, char, number, name, mark, directive
    text: str
    start: int
    end: int


@dataclass
class Item:
    """A definition or declaration at a file's top level."""

    kind: str  # function, data, type, declaration, assertion, directive
    name: str
    static: bool
    start: int  # with the comment above it
    begin: int  # without
    end: int
    body: tuple = ()  # a function's: the offsets of { and behind }
    names: tuple = ()  # of data: all that it declares
    uses: frozenset = frozenset()  # names in it, or in the macro that it defines
    outside: frozenset = frozenset()  # the same without the body's


@dataclass
class Source:
    """A C file, taken apart."""

    name: str
    text: str
    tokens: list
    items: list = field(default_factory=list)

    def functions(self, name):
        """The definitions of a function of that name; there ought to be one."""
        return [item for item in self.items if item.kind == "function" and item.name == name]

    def find(self, name):
        """The definition of a function or of data; None without one."""
        found = [item for item in self.items
                 if item.kind in ("function", "data") and name in item.names]
        return found[0] if found else None


def line_of(text, offset):
    """The number of the line that holds the offset."""
    return text.count("\n", 0, offset) + 1


def tokenize(text, name="source"):
    """All tokens of a C file; a preprocessor directive is one token, as long as it is."""
    tokens, position, fresh = [], 0, True
    while position < len(text):
        if fresh and text[position] == "#":
            token = Token("directive", text[position:(end := end_of_directive(text, position))], position, end)
        else:
            token = next_token(text, position, name)
        fresh = token.kind == "directive" or fresh and token.kind in ("space", "comment") \
            or "\n" in token.text and token.kind == "space"
        tokens.append(token)
        position = token.end
    return tokens


def next_token(text, position, name):
    """The token at a position that is no directive's."""
    match = TOKEN.match(text, position)
    if match is None or match[0] == "/" and text.startswith("/*", position):
        what = "a comment that does not end" if text.startswith("/*", position) else \
            f"{text[position]!r} has no place in C, or begins what does not end"
        raise SourceError(f"{name}:{line_of(text, position)}: {what}")
    return Token(match.lastgroup, match[0], position, match.end())


def end_of_directive(text, position):
    """Behind the last character of a directive: its line's end, less a comment that goes on behind it."""
    while position < len(text) and text[position] != "\n":
        if text.startswith("\\\n", position):
            position += 2
        elif text.startswith("/*", position):
            end = text.find("*/", position + 2)
            position = len(text) if end < 0 else end + 2
        elif text.startswith("//", position):
            match = TOKEN.match(text, position)
            position = match.end()
        elif text[position] in "\"'" and (match := TOKEN.match(text, position)):
            position = match.end()
        else:
            position += 1
    return position


def names_in(tokens):
    """The identifiers among the tokens, and those in their directives."""
    found = {token.text for token in tokens if token.kind == "name"}
    for token in tokens:
        if token.kind == "directive":
            found |= set(re.findall(r"[A-Za-z_]\w*", re.sub(r'"(?:\\.|[^"\\])*"', "", token.text)))
    return frozenset(found)


@lru_cache(maxsize=128)
def parse(text, name="source"):
    """The Source of a C file, not to be changed. SourceError where brackets do not match or a token does not end."""
    source = Source(name, text, tokenize(text, name))
    pending, depth, comment = [], [], None
    for token in source.tokens:
        if not pending and not depth:
            if token.kind == "comment":
                comment = token
                continue
            if token.kind == "space":
                comment = None if token.text.count("\n") > 1 else comment  # a blank line parts them
                continue
        pending.append(token)
        if token.kind == "directive" and len(pending) == 1:
            source.items.append(directive_item(token, comment))
            pending, comment = [], None
            continue
        track(depth, token, source)
        if not depth and is_end(pending):
            source.items.append(make_item(pending, comment))
            pending, comment = [], None
    if depth:
        raise SourceError(f"{name}:{line_of(text, depth[-1].start)}: {depth[-1].text!r} is never closed")
    code = significant(pending)
    if code and code[-1].text != ")":  # else macros that make definitions, with no ; behind the last
        raise SourceError(f"{name}:{line_of(text, pending[0].start)}: a definition does not end")
    return source


def track(depth, token, source):
    """Keeps the list of brackets that are open."""
    if token.kind != "mark":
        return
    if token.text in OPENING:
        depth.append(token)
    elif token.text in CLOSING:
        if not depth or OPENING.index(depth[-1].text) != CLOSING.index(token.text):
            raise SourceError(f"{source.name}:{line_of(source.text, token.start)}: {token.text!r} closes "
                              "nothing that is open")
        depth.pop()


def is_end(pending):
    """Is what is pending, with no bracket open, a whole item?"""
    last = pending[-1]
    if last.kind != "mark":
        return False
    return last.text == ";" or last.text == "}" and body_start(pending) is not None


def significant(tokens):
    """Without space and comments."""
    return [token for token in tokens if token.kind not in ("space", "comment")]


def top_level(tokens):
    """Pairs of a significant token outside all brackets and the one after it (at whatever depth); the brackets
    themselves count as outside."""
    tokens, depth = significant(tokens), 0
    for token, after in zip(tokens, tokens[1:] + [None]):
        if token.kind == "mark" and token.text in CLOSING:
            depth -= 1
        if depth == 0:
            yield token, after
        if token.kind == "mark" and token.text in OPENING:
            depth += 1


def body_start(pending):
    """The { of a function's body; None when what is pending is not a function."""
    before = None
    for token, _ in top_level(pending):
        if token.kind == "mark" and token.text == "=":
            return None
        if token.kind == "mark" and token.text == "{":
            return token if before is not None and before.text == ")" else None
        before = token
    return None


def declarators(pending):
    """The top level's tokens, of each declarator in a list of its own: without initializers, and without
    the members of a struct that is declared on the way."""
    lists, skipping = [[]], False
    for token, after in top_level(pending):
        if token.kind == "mark" and token.text == ",":
            lists.append([])
            skipping = False
        elif token.kind == "mark" and token.text in ("=", "["):
            skipping = True
        if not skipping:
            lists[-1].append((token, after))
    return lists


def declared_names(pending):
    """(names that a declaration declares, is the first a function's)."""
    names, call = [], False
    for place, pairs_of in enumerate(declarators(pending)):
        last = ""
        for token, after in pairs_of:
            if token.kind != "name" or token.text in NOT_FUNCTIONS:
                continue
            last = token.text
            if after is not None and after.text == "(":
                call = call or place == 0
                break
        if last:
            names.append(last)
    return tuple(names), call


def make_item(pending, comment):
    """The Item that tokens up to a ; or a body's } are."""
    code = significant(pending)
    words = [token.text for token, _ in top_level(pending)]
    body = body_start(pending)
    before_body = [token for token in pending if not (body and token.start >= body.start)]
    names, call = declared_names(before_body)
    kind = "function" if body else kind_of(words, call, code)
    if kind == "data" and call:  # a pointer to functions: type (*name)(...) = ...
        names = (pointer_name(code),)
    if kind in ("function", "declaration"):
        names = names[:1]
    name = names[0] if names else ""
    begin, end = pending[0].start, pending[-1].end
    return Item(kind, name, "static" in words, comment.start if comment else begin, begin, end,
                (body.start, end) if body else (), names, names_in(pending) - set(names),
                names_in(before_body) - set(names))


def kind_of(words, call, code):
    """What an item without a body is."""
    if words[0] == "_Static_assert":
        return "assertion"
    if words[0] in ("struct", "union", "enum") and "=" not in words and (
            words[-2:] == ["}", ";"] or len(code) == 3):
        return "type"
    if words[0] == "extern" or words[0] == "typedef" or call and "=" not in words \
            and not any(text == "*" and before == "(" for before, text in pairs(code)):
        return "declaration"
    return "data"


def pairs(tokens):
    """The texts of neighbours."""
    return [(one.text, other.text) for one, other in zip(tokens, tokens[1:])]


def pointer_name(code):
    """The name in `(*const name[...])(...)`: the last one before the first ) or [ behind the (*."""
    texts = [token.text for token in code]
    for place, (before, text) in enumerate(pairs(code)):
        if before == "(" and text == "*":
            stop = next((at for at in range(place, len(texts)) if texts[at] in (")", "[")), len(texts))
            names = [token.text for token in code[place:stop] if token.kind == "name"]
            return names[-1] if names else ""
    return ""


def directive_item(token, comment):
    """A #define, #include, #if ...: the name is the macro's, the uses are its replacement's."""
    match = re.match(r"#\s*define\s+(\w+)", token.text)
    uses = names_in([token]) - {"define"} if match else frozenset()
    start = comment.start if comment else token.start
    name = match[1] if match else ""
    return Item("directive", name, False, start, token.start, token.end, (), (name,), uses - {name},
                uses - {name})


@dataclass
class Routine:
    """A routine of an assembly file."""

    name: str
    start: int  # with the comment and the .globl above it
    begin: int  # the label
    end: int


LABEL = re.compile(r"^(?P<name>[A-Za-z_]\w*):", re.MULTILINE)
NEXT = re.compile(r"^\s*\.(globl|section|text|data|bss|size|macro)\b", re.MULTILINE)


def without_comments(text):
    """An assembly file's text with its comments blanked out, and strings made harmless, as long as it was."""
    def blank(match):
        return re.sub(r"[^\n]", "x" if match[0].startswith('"') else " ", match[0])
    return re.sub(r'/\*[\s\S]*?\*/|^\s*//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.MULTILINE)


def parse_routines(text, name="source"):
    """The routines of an assembly file that begin with `.globl NAME` and `NAME:`; each ends where the
    next .globl or .section, or the comment above that, begins."""
    if text.count("/*") != text.count("*/"):
        raise SourceError(f"{name}: a comment that does not end")
    code, found = without_comments(text), []
    marks = [match.start() for match in NEXT.finditer(code)]
    for match in re.finditer(r"^[ \t]*\.globl[ \t]+(\w+)[ \t]*\n", code, re.MULTILINE):
        label = re.compile(rf"^{match[1]}:", re.MULTILINE).search(code, match.end())
        if label is None or code[match.end():label.start()].strip():
            continue
        place = bisect.bisect_right(marks, label.start())
        stop = marks[place] if place < len(marks) else len(text)
        while stop > label.end() and not code[:stop].endswith("\n"):
            stop -= 1
        end = text.index("\n", len(code[:stop].rstrip()) - 1) + 1
        found.append(Routine(match[1], comment_above(text, code, match.start()), label.start(), end))
    return found


def comment_above(text, code, start):
    """Where the comment right above an offset begins; the offset itself without one."""
    lines = text[:start].splitlines(keepends=True)
    plain = code[:start].splitlines(keepends=True)
    while lines and lines[-1].strip() and not plain[-1].strip():
        start -= len(lines.pop())
        plain.pop()
    return start
