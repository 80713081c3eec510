"""The book: Doxygen gives no warning, every link leads somewhere, and what its pages show as output is
what the commands print. Of the labs' many states one per vendor is looked at here; `make docs OUTPUTS=1` sees all."""

from functools import partial

from trapeze import book_outputs
from trapeze.testing import FAILED, PASSED, Job, Outcome
import docs

SAMPLE = "lab1/"  # the places whose trees are made here


def make_html():
    """Makes the pages."""
    complaints = docs.complaints_of(docs.FOLDER)
    return [Outcome("book/html", FAILED if complaints else PASSED, "\n".join(complaints))]


def check_outputs(name, runs):
    """Some runs, one after the other, and the blocks that show them."""
    wrong = [line for (command, place), blocks in runs
             for line in book_outputs.check_run(command, place, blocks)]
    return [Outcome(name, FAILED if wrong else PASSED, "\n".join(wrong))]


def jobs():
    """One for the pages, and one for each run that they show, or each tree of a lab."""
    groups = {}
    for (command, place), blocks in book_outputs.by_run(book_outputs.all_blocks()).items():
        if place and (not place.startswith(SAMPLE) or book_outputs.tree_name(place) in groups):
            continue
        name = book_outputs.tree_name(place) or f"{len(groups) + 1}-{blocks[0].page}"
        groups.setdefault(name, []).append(((command, place), blocks))
    return [Job("book/html", make_html, 15)] + [
        Job(f"book/output/{name}", partial(check_outputs, f"book/output/{name}", runs), 15 * len(runs))
        for name, runs in groups.items()]
