"""The book: Doxygen gives no warning, every link leads somewhere, and what its pages show as output is
what the commands print."""

from trapeze import book_outputs
from trapeze.testing import FAILED, PASSED, Job, Outcome
import docs


def make_html():
    """Makes the pages."""
    complaints = docs.complaints_of(docs.FOLDER)
    return [Outcome("book/html", FAILED if complaints else PASSED, "\n".join(complaints))]


def check_outputs(name, command, place, blocks):
    """One run, and the blocks that show it."""
    wrong = book_outputs.check_run(command, place, blocks)
    return [Outcome(name, FAILED if wrong else PASSED, "\n".join(wrong))]


def jobs():
    """One for the pages, and one for each run that they show."""
    found = [Job("book/html", make_html, 15)]
    for number, ((command, place), blocks) in enumerate(book_outputs.by_run(book_outputs.all_blocks()).items()):
        name = f"book/output/{number + 1}-{blocks[0].page}"
        found.append(Job(name, lambda run=(name, command, place, blocks): check_outputs(*run), 15))
    return found
