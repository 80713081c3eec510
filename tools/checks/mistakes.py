"""Mistakes planted in the hypervisor: that none is stale, and that the probe finds a sample of them."""

from trapeze import ROOT, mistakes, mistakes_probe
from trapeze.testing import PASSED, Job, Outcome


def check_texts(known):
    """One outcome: each mistake can still be planted."""
    for mistake in known:
        mistakes.planted(mistake, ROOT)
    return [Outcome("mistake/texts", PASSED)]


def jobs():
    """One for all the texts, one for each of the sample on each of its platforms."""
    known = mistakes.load(mistakes_probe.FOLDER)
    sample = [mistake for mistake in known if mistake.sample]
    return [Job("mistake/texts", lambda: check_texts(known)), *mistakes_probe.jobs(sample)]
