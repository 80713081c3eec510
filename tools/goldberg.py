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
WORDS = "part=list,table,moved ticks"
GUEST_WORDS = "part=table ticks"
TEMPLATES = Path(__file__).parent / "trapeze" / "templates"


def measure(name, forms):
    """(native log, guest log) of one platform."""
    platform, logs = PLATFORMS[name], []
    for words, as_guest in ((WORDS, False), (GUEST_WORDS, True)):
        print(f"goldberg: {name}, {'as a guest' if as_guest else 'natively'} ...", flush=True)
        run = probe_run.run(platform, f"{words} forms={forms}", as_guest, deterministic=True)
        if not probe_run.need_passed(run).log.complete:
            raise HostError(f"{name}: not all records arrived; see {run.result.log}")
        logs.append(run.log)
    return logs


def all_verdicts(name, logs):
    """The verdicts from one platform's native log, with the cells of all platforms."""
    native = logs[name][0]
    columns = {f"native {name.partition('-')[2]}": (native, None)}
    columns |= {COLUMNS[other]: tuple(pair) for other, pair in logs.items()}
    verdicts = [probe_goldberg.classify(native, form) for form in native.forms.values()]
    for verdict in verdicts:
        probe_goldberg.add_cells(verdict, columns, native.forms[verdict.form])
    return verdicts


def native_verdict(name, verdicts):
    """Sentences about ring deprivileging."""
    found = [verdict.form for verdict in verdicts if verdict.violates]
    lines = [f"{name}: ring deprivileging violates the theorem, by {len(found)} of {len(verdicts)} forms: "
             + " ".join(found) if found else f"{name}: every sensitive form is privileged"]
    missing = probe_goldberg.missing_of_seventeen(verdicts)
    lines.append(f"{name}: of the 17 instructions of Robin and Irvine, "
                 f"{len(probe_goldberg.SEVENTEEN) - len(missing)} were found by experiment")
    return lines + [f"{name}: {mnemonic} was not: {reason or 'unexplained'}"
                    for mnemonic, reason in missing.items()]


def guest_verdict(column, verdicts):
    """A sentence about one kind of virtualization: what became of the forms that violate the theorem."""
    cells = [cell for verdict in verdicts if verdict.violates
             for label, cell in verdict.cells.items() if label.startswith(column)]
    counts = {kind: sum(cell[0] == kind for cell in cells) for kind in ("exit", "own", "differs", "wrong")}
    verdict = "violates it too" if counts["wrong"] else "does not violate it"
    return (f"{column}: {verdict}: of these forms in ring 0 and 3, {counts['exit']} exit to the monitor, "
            f"{counts['own']} act on the guest's own state, {counts['differs']} differ by design, "
            f"{counts['wrong']} are wrong")


def write_reports(verdicts, summary):
    """The CSV and the HTML page; returns their paths."""
    folder = build_folder() / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    columns = sorted({label for verdict in verdicts for label in verdict.cells},
                     key=lambda label: (not label.startswith("native"), label.split()[0] != "VT-x", label))
    table, page = folder / "goldberg.csv", folder / "goldberg.html"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["form", "privileged", "control", "behaviour", "violates", *columns])
        for v in verdicts:
            writer.writerow([v.form, int(v.privileged), " ".join(v.control), " ".join(v.behaviour),
                             int(v.violates), *(v.cells.get(label, ("", ""))[1] for label in columns)])
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True)
    page.write_text(environment.get_template("goldberg.html").render(
        verdicts=verdicts, summary=summary, columns=columns), encoding="utf-8")
    return table, page


def show(verdicts):
    """The forms that violate the theorem, as a table on the terminal."""
    print(f"\n{'form':<18}{'ring 0':<12}{'ring 3':<12}{'sensitive because of':<46}guests")
    for v in verdicts:
        if v.violates:
            native = [cell[1] for label, cell in v.cells.items() if label.startswith("native")]
            guests = {label.partition(" ")[0]: cell[0] for label, cell in v.cells.items()
                      if not label.startswith("native") and label.endswith("ring 3")}
            print(f"{v.form:<18}{native[0]:<12.11}{native[1]:<12.11}"
                  f"{', '.join(dict.fromkeys([*v.control, *v.behaviour])):<46.45}"
                  + ", ".join(f"{name}: {kind}" for name, kind in guests.items()))
    print()


def main():
    """The whole of `make goldberg`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--forms", default="", help="only forms that match one of these, with commas")
    arguments = parser.parse_args()
    try:
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
