"""Where a lab's text speaks of an exercise: from an anchor of the book to a file and a heading that are in every
hand-out."""

import re
from functools import lru_cache
from pathlib import Path

from . import ROOT

HEADING = re.compile(r"^#+ (?P<title>.*?) *\{#(?P<anchor>\w+)\}", re.MULTILINE)


@lru_cache
def headings(root):
    """{anchor: (file, heading)} of the labs' texts."""
    return {match["anchor"]: (str(file.relative_to(root)), match["title"])
            for file in sorted(Path(root).glob("labs/*/README.md"))
            for match in HEADING.finditer(file.read_text(encoding="utf-8", errors="replace"))}


def place_of(anchor, root=ROOT):
    """For people: `labs/01-on/README.md, "The instruction: on_vmxon"`; the anchor where that lab is not here."""
    file, title = headings(root).get(anchor, ("", ""))
    return f'{file}, "{title}"' if file else f"page {anchor} of the book"
