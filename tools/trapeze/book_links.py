"""Links of the finished pages that lead nowhere: to a file or an anchor that does not exist. Only links
within the book are looked at; nothing is fetched."""

from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag

OUTSIDE = ("http:", "https:", "mailto:", "javascript:", "data:")


class Page(HTMLParser):
    """The links and anchors of one page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src", "data") and value and not value.startswith(OUTSIDE):
                self.links.append(value)


def broken(folder):
    """["page: link leads nowhere"] of all pages in a folder."""
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in folder.glob("*.html")}
    found = []
    for file, page in pages.items():
        for link in page.links:
            path, fragment = urldefrag(link)
            target = folder / unquote(path) if path else file
            if not target.exists():
                found.append(f"{file.name}: {link} leads to no file")
            elif fragment and target in pages and unquote(fragment) not in pages[target].anchors:
                found.append(f"{file.name}: {link} leads to no place in that page")
    return sorted(set(found))
