"""Mistakes planted in the hypervisor, and whether the probe finds them: each is run as `make probe`
runs it, and its report must name an expected form or sweep and point at the cause."""

import os
import re
import shlex
import subprocess
import sys
import time

from . import ROOT, HostError, build_folder, mistakes, mistakes_tree
from .testing import FAILED, PASSED, Job, Outcome

FOLDER = ROOT / "guests" / "probe" / "mistakes"
IMAGES = ("trapeze", "probe")
PLATFORMS = {"intel": "bochs-intel", "amd": "tcg-amd"}  # where a vendor's twin shows it by default
LIMIT, HANG_LIMIT = 100, 20  # seconds; where the mistake is that it hangs, soon is enough
SECONDS = {"bochs": 8, "tcg": 4}  # that one mistake takes

BLOCK = re.compile(r"^VIOLATION (\S+).*(?:\n  .*)*", re.MULTILINE)
COMPLAINT = re.compile(r"^probe: (?:natively|as a guest)[: ](?!\d).*", re.MULTILINE)


def platforms(mistake):
    """The names of the platforms that the mistake is planted on."""
    return mistake.platforms or tuple(PLATFORMS[vendor] for vendor in mistake.vendors)


def reports(printed):
    """(name, text) of each violation in what tools/probe.py printed; how the run ended belongs to all."""
    end = "".join(f"\n{line}" for line in COMPLAINT.findall(printed))
    found = [(match[1], match[0] + end) for match in BLOCK.finditer(printed)]
    return found or ([("end", end)] if end else [])


def arguments(mistake, platform):
    """The command line of tools/probe.py."""
    kind, _, cpu = platform.rpartition("-")
    words = shlex.split(mistake.run or f"FORMS={mistake.expect}")
    split = [word.partition("=") for word in words]
    options = [part for key, _, value in split for part in (f"--{key.lower()}", value)]
    limit = HANG_LIMIT if "hangs" in mistake.message else LIMIT
    return [sys.executable, str(ROOT / "tools" / "probe.py"), "--cpu", cpu, "--on", kind,
            "--native", str(build_folder() / "mistakes" / "native"), "--limit", str(limit), *options]


def run_probe(tree, mistake, platform):
    """What `make probe` prints for the images of the tree."""
    done = subprocess.run(arguments(mistake, platform), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, env={**os.environ, "BUILD": str(tree.build_folder)})
    if "error:" in done.stderr or "Traceback" in done.stderr:
        raise HostError(done.stderr.strip())
    return done.stdout


def try_one(trees, mistake, platform):
    """Plants one on one platform: "" when it was caught as it should be, else why not."""
    with trees.one() as tree, tree.planted(mistake, IMAGES):
        printed = run_probe(tree, mistake, platform)
    why = mistakes.is_caught(mistake, reports(printed))
    return why and f"{mistake.title}: {why}\n{printed}"


def jobs(chosen, done=None, kind=""):
    """A Job for each of them on each of its platforms, of one kind only (bochs, tcg) when given.
    done(mistake, platform, why, seconds) is told."""
    trees = mistakes_tree.Trees(build_folder() / "mistakes")

    def run(mistake, platform, name):
        started = time.monotonic()
        why = try_one(trees, mistake, platform)
        if done:
            done(mistake, platform, why, time.monotonic() - started)
        return [Outcome(name, FAILED if why else PASSED, why)]

    made = []
    for mistake in chosen:
        for platform in platforms(mistake):
            if not platform.startswith(kind):
                continue
            name = f"mistake/{mistake.name}/{platform}"
            made.append(Job(name, lambda m=mistake, p=platform, n=name: run(m, p, n),
                            SECONDS[platform.partition("-")[0]]))
    return made
