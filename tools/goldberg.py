#!/usr/bin/python3
"""`make goldberg`: the theorem of Popek and Goldberg by experiment. Runs the probe in ring 0 and 3, natively and
as a guest under VT-x and AMD-V, and prints which instructions break the theorem and why hardware mends it."""

import argparse
import csv
import sys
from pathlib import Path

import jinja2

from trapeze import HostError, build_folder, probe_goldberg, probe_run
from trapeze.platforms import PLATFORMS

COLUMNS = {"bochs-intel": "VT-x guest", "tcg-amd": "AMD-V guest"}
MODES = "modes=64/*,compat/*,protected/*"
WORDS = f"part=list,table,moved ticks {MODES}"
GUEST_WORDS = f"part=table ticks {MODES}"
TEMPLATES = Path(__file__).parent / "trapeze" / "templates"


def measure(name, forms):
    """(native log, guest log) of one platform."""
    platform, logs = PLATFORMS[name], []
    for words, as_guest in ((WORDS, False), (GUEST_WORDS, True)):
        print(f"goldberg: {name}, {'as a guest' if as_guest else 'natively'} ...", flush=True)
        run = probe_run.run(platform, f"{words} forms={forms}", as_guest)
        if not probe_run.need_passed(run).log.complete:
            raise HostError(f"{name}: not all records arrived; see {run.result.log}")
        logs.append(run.log)
    return logs


def natively(name):
    """Only ring deprivileging, on one platform; the exit status."""
    words = WORDS.replace(" ticks", "") + " forms=*"
    native = probe_run.need_passed(probe_run.run(PLATFORMS[name], words, False)).log
    verdicts = [probe_goldberg.classify(native, form) for form in native.forms.values()]
    lines = native_verdict(name, verdicts)
    print("\n".join(lines))
    return 1 if any("unexplained" in line for line in lines) else 0


def all_verdicts(name, logs):
    """The verdicts from one platform's native log, with the cells of all platforms."""
    native = logs[name][0]
    columns = {"native": (native, None, name)}
    columns |= {COLUMNS[other]: (*pair, other) for other, pair in logs.items()}
    verdicts = [probe_goldberg.classify(native, form) for form in native.forms.values()]
    for verdict in verdicts:
        probe_goldberg.add_cells(verdict, columns, native.forms[verdict.form])
    return verdicts


def native_verdict(name, verdicts):
    """Sentences about ring deprivileging."""
    found = [verdict.form for verdict in verdicts if verdict.violates]
    missing = probe_goldberg.missing_of_seventeen(verdicts)
    total = len(probe_goldberg.SEVENTEEN)
    lines = [f"{name}: ring deprivileging violates the theorem, by {len(found)} of {len(verdicts)} forms: "
             + " ".join(found) if found else f"{name}: every sensitive form is privileged",
             f"{name}: of the {total} instructions of Robin and Irvine, {total - len(missing)} were found by "
             "experiment" + "".join(f"; {mnemonic} was not: unexplained" for mnemonic in missing)]
    umip = probe_goldberg.gone_with_umip(verdicts)
    if umip:
        lines.append(f"{name}: with CR4.UMIP set {len(umip)} of them trap at CPL 3: {' '.join(umip)}")
    lines += [f"{name}: {form} is not in the list: unexplained"
              for form, why in probe_goldberg.beyond_the_list(verdicts).items() if not why]
    return lines


def guest_counts(column, verdicts):
    """What became of the forms that violate the theorem, in both rings: {class of cell: number}."""
    cells = [cell for verdict in verdicts if verdict.violates
             for label, cell in verdict.cells.items() if label.startswith(column)]
    return {kind: sum(cell[0] == kind for cell in cells) for kind in ("exit", "own", "differs", "wrong")}


def guest_verdict(column, verdicts):
    """A sentence about one kind of virtualization."""
    counts = guest_counts(column, verdicts)
    verdict = "violates it too" if counts["wrong"] else "does not violate it"
    return (f"{column}: {verdict}: of these forms in ring 0 and 3, {counts['exit']} exit to the monitor, "
            f"{counts['own']} act on the guest's own state, {counts['differs']} differ by design, "
            f"{counts['wrong']} are wrong")


def groups_of(verdicts):
    """[(heading, what it means, verdicts)] for the page."""
    return [
        ("Sensitive, but not privileged", "No trap tells the monitor. These are what the theorem forbids.",
         [v for v in verdicts if v.violates]),
        ("Sensitive and privileged", "They trap in ring 3: a monitor sees every one of them.",
         [v for v in verdicts if v.sensitive and v.privileged]),
        ("Privileged, and nothing was seen to depend on it", "They trap in ring 3 as well.",
         [v for v in verdicts if v.privileged and not v.sensitive]),
        ("Innocuous", "The same result in every ring and on every machine: they may run as they are.",
         [v for v in verdicts if not v.privileged and not v.sensitive])]


def write_reports(verdicts, summary):
    """The CSV and the HTML page; returns their paths."""
    folder = build_folder() / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    columns = [f"{name} ring {ring}" for name in ("native", *COLUMNS.values()) for ring in (0, 3)]
    table, page = folder / "goldberg.csv", folder / "goldberg.html"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["form", "privileged", "control", "behaviour", "violates", "evidence", *columns])
        for v in verdicts:
            writer.writerow([v.form, int(v.privileged), " ".join(v.control), " ".join(v.behaviour),
                             int(v.violates), "; ".join(v.evidence),
                             *(v.cells.get(label, ("", ""))[1] for label in columns)])
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True)
    page.write_text(environment.get_template("goldberg.html").render(
        total=len(verdicts), violating=sum(v.violates for v in verdicts), groups=groups_of(verdicts),
        seventeen=probe_goldberg.seventeen(verdicts), beyond=probe_goldberg.beyond_the_list(verdicts),
        umip=[line.partition(": ")[2] for line in summary if "CR4.UMIP" in line],
        guests={column: guest_counts(column, verdicts) for column in COLUMNS.values()}), encoding="utf-8")
    return table, page


def show(verdicts):
    """The forms that violate the theorem, as a table on the terminal."""
    print(f"\n{'form':<20}{'ring 0':<10}{'ring 3':<10}{'sensitive because of':<46}guests")
    for v in verdicts:
        if v.violates:
            native = [v.cells[f"native ring {ring}"][1].partition(":")[0] for ring in (0, 3)]
            guests = {label.partition(" ")[0]: cell[0] for label, cell in v.cells.items()
                      if not label.startswith("native") and label.endswith("ring 3")}
            print(f"{v.form:<20}{native[0]:<10.9}{native[1]:<10.9}"
                  f"{', '.join(dict.fromkeys([*v.control, *v.behaviour])):<46.45}"
                  + ", ".join(f"{name}: {kind}" for name, kind in guests.items()))
    print()


def main():
    """The whole of `make goldberg`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--forms", default="", help="only forms that match one of these, with commas")
    parser.add_argument("--natively", default="", choices=list(COLUMNS), help="only natively, on this platform")
    arguments = parser.parse_args()
    try:
        if arguments.natively:
            return natively(arguments.natively)
        logs = {name: measure(name, arguments.forms or "*") for name in COLUMNS}
    except HostError as error:
        print(f"goldberg: error: {error}", file=sys.stderr)
        return 1
    verdicts = {name: all_verdicts(name, logs) for name in COLUMNS}
    first = verdicts["bochs-intel"]
    show(first)
    summary = [line for name, found in verdicts.items() for line in native_verdict(name, found)]
    summary += [guest_verdict(column, first) for column in COLUMNS.values()]
    print("\n".join(summary))
    print("goldberg: " + ", ".join(map(str, write_reports(first, summary))))
    return 1 if any(" violates it too" in line or "unexplained" in line for line in summary) else 0


if __name__ == "__main__":
    sys.exit(main())
