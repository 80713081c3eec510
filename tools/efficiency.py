#!/usr/bin/python3
"""`make probe-efficiency`: the share of instructions that a guest runs without an exit, its exits by
cause, and what they cost against the bare machine. A table, and build/reports/efficiency.json."""

import argparse
import json
import sys

from trapeze import HostError, build_folder, probe_efficiency

EFFICIENCY_PLATFORMS = ("bochs-intel", "tcg-amd")  # an instruction is a tick there, and runs repeat exactly


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("platforms", nargs="*", default=EFFICIENCY_PLATFORMS)
    figures = {}
    try:
        for platform in parser.parse_args().platforms:
            if platform not in EFFICIENCY_PLATFORMS:
                raise HostError(f"{platform}: not one of {' '.join(EFFICIENCY_PLATFORMS)}")
            rows = probe_efficiency.measure(platform)
            print("\n".join(probe_efficiency.show(platform, rows)), flush=True)
            figures[platform] = {row.workload: row.figures() for row in rows}
    except HostError as error:
        print(f"efficiency: error: {error}", file=sys.stderr)
        return 1
    file = build_folder() / "reports" / "efficiency.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"efficiency: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
