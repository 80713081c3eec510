#!/usr/bin/python3
"""`make docs`: the book, as HTML in build/docs/html. A warning of Doxygen's or a link that leads nowhere is an
error. `--outputs` runs the commands whose output the pages show, and compares."""

import argparse
import shutil
import subprocess
import sys

from trapeze import ROOT, HostError, book, book_links, book_outputs, build_folder

FOLDER = build_folder() / "docs"
SCRIPTS = ("darkmode-toggle", "fragment-copy-button", "paragraph-link")
START = ("DoxygenAwesomeDarkModeToggle", "DoxygenAwesomeFragmentCopyButton", "DoxygenAwesomeParagraphLink")


def write_header(folder):
    """Doxygen's own page header, of whatever version is installed, with the theme's scripts added."""
    file = folder / "header.html"
    subprocess.run(["doxygen", "-w", "html", file, folder / "footer.html", folder / "style.css"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines = [f'<script type="text/javascript" src="$relpath^doxygen-awesome-{name}.js"></script>'
             for name in SCRIPTS]
    lines.append("<script type=\"text/javascript\">" + " ".join(f"{name}.init();" for name in START)
                 + "</script>")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("</head>", "\n".join(lines) + "\n</head>"), encoding="utf-8")
    return file


def doxygen(folder):
    """Runs Doxygen; returns its warnings."""
    pages = folder / "pages"
    book.write_pages(pages)
    settings = [f"@INCLUDE = {ROOT}/docs/Doxyfile", f"OUTPUT_DIRECTORY = {folder}", f"INPUT += {pages}",
                f"HTML_HEADER = {write_header(folder)}", f"WARN_LOGFILE = {folder}/warnings.txt",
                f"STRIP_FROM_PATH = {ROOT}"]
    shutil.rmtree(folder / "html", ignore_errors=True)
    subprocess.run(["doxygen", "-"], input="\n".join(settings), text=True, check=True, cwd=ROOT,
                   stdout=subprocess.DEVNULL)
    return (folder / "warnings.txt").read_text(encoding="utf-8").splitlines()


def complaints_of(folder):
    """Makes the HTML in a folder; returns what is wrong with it."""
    folder.mkdir(parents=True, exist_ok=True)
    return doxygen(folder) + book_links.broken(folder / "html")


def make_book():
    """Makes the book, and prints where it is or what is wrong. An exit status."""
    complaints = complaints_of(FOLDER)
    for complaint in complaints:
        print(f"docs: {complaint}")
    if not complaints:
        print(f"docs: {FOLDER / 'html' / 'index.html'}")
    return 1 if complaints else 0


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--outputs", action="store_true", help="run what the pages show")
    arguments = parser.parse_args()
    try:
        return book_outputs.check_all() if arguments.outputs else make_book()
    except (HostError, subprocess.CalledProcessError) as error:
        print(f"docs: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
