#!/usr/bin/python3
"""`make probe-mistakes`: plants small mistakes in the hypervisor, one at a time, and demands that the
probe finds each and says what it is. Ends with `N passed, N failed, N skipped`."""

import argparse
import json
import sys

from trapeze import HostError, build_folder, mistakes, mistakes_probe
from trapeze.testing import report, run_jobs


def write_report(rows):
    """build/reports/mistakes.json"""
    file = build_folder() / "reports" / "mistakes.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(sorted(rows, key=lambda row: (row["name"], row["platform"])), indent=1) + "\n")
    return file


def main():
    """Plants those asked for; the exit status is 0 when all were caught."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("patterns", nargs="*", help="only mistakes whose names match, e.g. 'in-*'")
    parser.add_argument("--on", default="", help="only on this kind of platform: bochs or tcg")
    parser.add_argument("--list", action="store_true", help="print what there is")
    options = parser.parse_args()
    try:
        chosen = mistakes.select(mistakes.load(mistakes_probe.FOLDER), " ".join(options.patterns))
    except HostError as error:
        print(f"mistakes: error: {error}", file=sys.stderr)
        return 1
    if options.list:
        for mistake in chosen:
            print(f"{mistake.name:<24} {' '.join(mistakes_probe.platforms(mistake)):<24} {mistake.title}")
        return 0
    rows = []
    jobs = mistakes_probe.jobs(chosen, lambda mistake, platform, why, seconds: rows.append(
        {"name": mistake.name, "title": mistake.title, "platform": platform, "expect": mistake.expect,
         "caught": not why, "seconds": round(seconds, 1)}), options.on)
    status = report(run_jobs(jobs))
    planted = {row["name"] for row in rows}
    missed = {row["name"] for row in rows if not row["caught"]}
    print(f"mistakes: {len(planted - missed)} of {len(planted)} caught; {write_report(rows)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
