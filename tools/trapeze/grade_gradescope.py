"""A zip for Gradescope: the pristine tree of a lab, without any solution, and the two scripts that its
"Autograder Specifications" ask for. Grading itself is grade_class's, told that it is isolated already."""

import stat
import zipfile
from pathlib import Path

from . import ROOT, grade_class, plural

# What grades there, beside what a hand-out has.
TOOLS = ("tools/trapeze/grade_class.py",)

SETUP = """#!/bin/bash
# Runs once, when Gradescope makes the container: installs the tools and builds the pristine tree.
set -euo pipefail
. /etc/os-release
case "$ID $VERSION_ID" in
"ubuntu 24.04" | "debian 12" | "debian 13") ;;
*)
	echo "setup.sh: this autograder needs Ubuntu 24.04 or Debian 12 as the base image, not $PRETTY_NAME" >&2
	exit 1
	;;
esac
cd /autograder/source/trapeze
DEBIAN_FRONTEND=noninteractive tools/setup grade
/usr/bin/python3 tools/grade.py --prepare /autograder/session --lab {lab} --vendor '{vendor}' --already-isolated
"""

RUN = """#!/bin/bash
# Runs for each submission. What it prints is for the instructor; the student reads results.json.
cd /autograder/source/trapeze || exit 1
exec /usr/bin/python3 tools/grade.py --one /autograder/submission --session /autograder/session \\
	--lab {lab} --vendor '{vendor}' --already-isolated --format gradescope --out /autograder/results
"""


def write(file, labs, lab, vendor, work, root=ROOT):
    """Writes the zip; a sentence about it. work: a folder that may be used meanwhile."""
    tree = Path(work) / "trapeze"
    grade_class.write_pristine(tree, labs, lab, root)
    for name in TOOLS:
        (tree / name).write_bytes((Path(root) / name).read_bytes())
    words = {"lab": lab.number, "vendor": vendor}
    new = file.with_name(f".{file.name}.new")
    with zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as archive:
        add(archive, "setup.sh", SETUP.format(**words).encode(), True)
        add(archive, "run_autograder", RUN.format(**words).encode(), True)
        files = [path for path in sorted(tree.rglob("*")) if path.is_file() and not path.is_symlink()]
        for path in files:
            add(archive, f"trapeze/{path.relative_to(tree)}", path.read_bytes(),
                bool(path.stat().st_mode & stat.S_IXUSR))
    new.replace(file)
    return (f"{file}: {plural(len(files), 'file')}, {file.stat().st_size >> 10} KiB; in Gradescope's settings "
            "take Ubuntu 24.04 as the base image and at least 1.5 GB of memory")


def add(archive, name, data, executable):
    """One file, with a date that is always the same."""
    entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
    entry.external_attr = (0o100755 if executable else 0o100644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)
