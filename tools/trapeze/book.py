"""The generated pages of the book: reference tables from spec/, the tests of the suites from their
images, and the known deviations. Written as Markdown for Doxygen; nothing is run for them."""

from fnmatch import fnmatchcase

from . import ROOT, build_folder, errata, matrix, records

SUITES = {"vmx-tests": "VT-x"}  # suites that exist, with the short name of what they test
VENDORS = {"vmx-tests": ("vmx", "VT-x"), "svm-tests": ("svm", "AMD-V"), "spec": ("x86", "both")}
KINDS = {  # kind of row: title of its page, what its number is, how it is written
    "field": ("Fields", "Encoding", "{:#06x}"),
    "control": ("Controls", "Bit", "{}"),
    "intercept": ("Intercepts", "Vector, bit", None),
    "exit": ("Exit reasons", "Number", None),
    "error": ("VM-instruction errors", "Number", "{}"),
    "cap": ("Capabilities", "Lowest bit", "{}"),
    "check": ("Checks of VM entry", None, None),
    "msr": ("Model-specific registers", "Number", "{:#x}"),
    "form": ("Instruction forms of the probe", None, None),
}
PLATFORMS = {"bochs": "Bochs", "kvm": "Linux KVM", "qemu-tcg": "QEMU TCG"}


MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "|": "&#124;", "\\": "&#92;",
                        **{mark: f"\\{mark}" for mark in "#@*_`[]"}})


def escape(text):
    """Text for a table's cell: nothing in it is markup."""
    return text.translate(MARKUP)


def table(heads, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join(":--" for _ in heads) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def anchor(*parts):
    """A page's or heading's name for Doxygen."""
    return "_".join(part.replace("-", "_").replace("/", "_") for part in parts)


def number_text(suite, kind, number):
    """The number of a row as the manual writes it."""
    form = KINDS[kind][2]
    if kind == "intercept":
        return f"{number // 32}, {number % 32}"
    if kind == "exit":
        return str(number) if suite == "vmx-tests" else f"{number:#x}"
    if kind == "field" and suite == "svm-tests":
        return f"{number:#05x}"
    return form.format(number)


def covering(tests, row):
    """The tests that say they cover a row by name, rather than by going over the table."""
    return [test for test in tests if any(fnmatchcase(row.key, pattern) and not pattern.endswith(":*")
                                          for pattern in test.covers)]


def test_links(tests, row):
    """Links to a row's first tests."""
    found = covering(tests, row)
    links = [f"\\ref {anchor('tests', test.group)} \"{test.name}\"" for test in found[:3]]
    if len(found) > 3:
        links.append(f"{len(found) - 3} more")
    if not found and any(f"{row.kind}:*" in test.covers for test in tests):
        links = ["sweeps over the table"]
    return ", ".join(links)


def reference_page(suite, kind, rows, tests):
    """(name, text) of the page of one table."""
    short, vendor = VENDORS[suite]
    title, number, _ = KINDS[kind]
    if vendor != "both":
        title = f"{vendor}: {title[0].lower() + title[1:] if not title.startswith('VM') else title}"
    heads = ["Name"] + ([number] if number else []) + ["The manual's section, or its rule"]
    heads += ["Tests"] if tests else []
    cells = [[f"`{row.name}`"] + ([number_text(suite, kind, row.number)] if number else [])
             + [escape(row.text)] + ([test_links(tests, row)] if tests else []) for row in rows]
    name = anchor("reference", short, kind)
    return name, f"# {title} {{#{name}}}\n\n{len(rows)} rows of `spec/`.\n\n" + table(heads, cells)


def reference_pages(tests):
    """[(name, text)] of all tables; the first page leads to the others."""
    pages = []
    for suite in VENDORS:
        rows = list(matrix.read_rows(suite).values())
        for kind in KINDS:
            mine = [row for row in rows if row.kind == kind]
            if mine:
                pages.append(reference_page(suite, kind, mine, tests.get(suite, [])))
    subpages = "\n".join(f"- \\subpage {name}" for name, _ in pages)
    start = ("# Reference tables {#reference}\n\nWhat the manuals say, as `spec/` declares it: the code, the "
             f"explainer, the tests and these pages are made from the same rows.\n\n{subpages}\n")
    return [("reference", start), *pages]


def test_row(test):
    """The cells of one test."""
    rows = f"{len(test.rows)} rows" if test.rows else "rows made as it runs"
    expected = f"`{test.every_expected}`" if test.every_expected else rows
    needs = "; ".join(escape(need) for need in test.needs)
    return [f"`{test.name.rpartition('/')[2]}`", f"{escape(test.rule)}<br>*{escape(test.citation)}*", expected, needs]


def group_section(group, tests):
    """A heading and the tests of one source file."""
    heads = ["Test", "Rule and section", "Expected", "Skipped if"]
    return f"## {group} {{#{anchor('tests', group)}}}\n\n" + table(heads, map(test_row, tests))


def suite_pages(suite, tests):
    """[(name, text)]: a page for each folder of a suite, below one for the suite."""
    folders = {}
    for test in tests:
        folders.setdefault(test.name.partition("/")[0], {}).setdefault(test.group, []).append(test)
    top, pages = anchor("tests", suite), []
    for folder, groups in folders.items():
        count = sum(map(len, groups.values()))
        text = f"# {suite}: {folder} {{#{anchor('tests', suite, folder)}}}\n\n{count} tests.\n\n[TOC]\n\n"
        pages.append((anchor("tests", suite, folder),
                      text + "\n".join(group_section(group, groups[group]) for group in groups)))
    subpages = "\n".join(f"- \\subpage {name}" for name, _ in pages)
    start = (f"# The tests of {SUITES[suite]} {{#{top}}}\n\n{len(tests)} tests, read from the suite's image: each with "
             "its rule, what it expects and the manual's section.\n\n" + subpages + "\n")
    return [(top, start), *pages]


def erratum_section(entry):
    """One known deviation."""
    parts = [f"### {entry.test}\n", f"*Rule.* {escape(entry.rule)}\n",
             f"*Platform.* {escape(entry.platform)}\n", f"*For its maintainers.* {escape(entry.explanation)}\n",
             f"Seen in {', '.join(entry.versions)}"
             + (f"; models {', '.join(entry.models)}" if entry.models else "") + ".\n"]
    return "\n".join(parts)


def errata_pages():
    """[(name, text)]: a page for each platform that has entries, below one for all."""
    pages = []
    for file in sorted(errata.FOLDER.glob("*.txt")):
        entries = errata.read(file.stem)
        if not entries:
            continue
        name = anchor("errata", file.stem)
        title = PLATFORMS.get(file.stem, file.stem)
        pages.append((name, f"# Deviations of {title} {{#{name}}}\n\n{len(entries)} entries of "
                            f"`docs/errata/{file.name}`.\n\n"
                      + "\n".join(erratum_section(entry) for entry in entries)))
    subpages = "\n".join(f"- \\subpage {name}" for name, _ in pages)
    start = ("# Known deviations {#errata}\n\nWhere a platform does not do what the manual says. Each was found by the "
             "test that it names, and checked against the manual's words.\n\n" + subpages + "\n")
    return [("errata", start), *pages]


def write_pages(folder):
    """Writes all generated pages into a folder, which is made; files of earlier runs go."""
    tests = {suite: list(records.read_records(build_folder() / f"{suite}.elf").values())
             for suite in SUITES}
    pages = reference_pages(tests) + errata_pages()
    for suite, found in tests.items():
        pages += suite_pages(suite, found)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for name, text in pages:
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return [ROOT / folder / f"{name}.md" for name, _ in pages]
