"""A grade as text, JSON and JUnit, for Gradescope and Classroom 50, and a class as a table. All texts in it
are safe to show already (grade_points.plain)."""

import csv
import io
import json
import os
from datetime import datetime, timezone
from xml.etree import ElementTree as xml

from . import plural
from .grade_points import EARNED, MISSING, NOT_REACHED, PARTLY, UNTESTED, WRONG, plain, tidy
from .grade_submission import display
from .host import TECHNOLOGY
from .lab_page import place_of
from .lab_result import PASSED

MARKS = {EARNED: "+", PARTLY: "~", WRONG: "-", MISSING: "o", NOT_REACHED: ".", UNTESTED: "?"}
DETAILS = 3  # tests of an exercise that are told in full
BOOK = "docs/html"
CSV_HEAD = ("submission", "lab", "vendor", "points", "of", "failure", "seconds", "notes")


def headline(grade):
    """One line: what was graded, and the points."""
    vendor = f", on {TECHNOLOGY[grade.vendor]}" if grade.vendor else ""
    return f"lab {grade.lab}, {grade.title}{vendor}: {grade.earned} of {plural(grade.points, 'point')}"


def text(grade):
    """For a terminal or a mail."""
    lines = [headline(grade)]
    lines += [f"  {note}" for note in grade.notes]
    for verdict in grade.verdicts:
        lines += exercise_lines(verdict)
    return "\n".join(lines + lesson_lines(grade)) + "\n"


def lesson_lines(grade):
    """What fails as it must until a later lab, without points."""
    lines = []
    for lesson in grade.lessons:
        lines += [f"  * {lesson['name']:<28} {lesson['note']}, no points: {lesson['rule']}",
                  f"        expected {lesson['expected']}, came {lesson['got']}"]
    return lines + [f"        {grade.lessons[0]['cause']}"] if lines else []


def exercise_lines(verdict):
    """One exercise: the points, and why not more."""
    head = f"  {MARKS[verdict.status]} {verdict.name:<28} {tidy(verdict.earned):>4}/{verdict.points:<3}"
    # A failure has its class in front, once.
    said = "" if verdict.status == EARNED else f" {verdict.failure or verdict.status}"
    why = verdict.why.removeprefix(f"{verdict.failure}: ") if verdict.failure else verdict.why
    why = f": {why}" if why and verdict.status != EARNED else ""
    lines = [head + said + why]
    if verdict.status in (WRONG, PARTLY):
        lines += more_lines(verdict)
    elif verdict.status == MISSING:
        lines.append(f"      {verdict.file}; {place_of(verdict.page)}; make hint EXERCISE={verdict.name}")
    return lines


def more_lines(verdict):
    """What a student needs to know about the tests that are not passed."""
    lines = []
    for detail in verdict.details[:DETAILS]:
        name, *rest = test_lines(detail)
        lines += [f"      {detail['status']}: {name}", *(f"        {line}" for line in rest)]
    more = len(verdict.details) - DETAILS
    if more > 0:
        lines.append(f"      and {plural(more, 'more test')} like it")
    return [*lines, f"      {place_of(verdict.page)}; make hint EXERCISE={verdict.name}"]


def test_lines(detail):
    """One test: its name, and what there is to say, a line for each."""
    lines = [detail["name"] + (f" ({detail['note']})" if "note" in detail else "")]
    for key, word in (("rule", "rule"), ("expected", "expected"), ("got", "came"),
                      ("cause", "likely cause"), ("rerun", "rerun")):
        if detail.get(key) and (detail["status"] != PASSED or key == "rule"):
            lines.append(f"{word}: {detail[key]}")
    return lines


def as_json(grades):
    """All there is to know, for programs."""
    return json.dumps({"schema": "trapeze/grade/v1", "grades": [grade.table() for grade in grades]},
                      indent=1) + "\n"


def junit(grades):
    """JUnit XML: a suite for each lab and vendor, a case for each exercise."""
    root = xml.Element("testsuites")
    for grade in grades:
        bad = [verdict for verdict in grade.verdicts if verdict.status != EARNED]
        skipped = [verdict for verdict in bad if verdict.status in (MISSING, NOT_REACHED, UNTESTED)]
        suite = xml.SubElement(root, "testsuite", name=f"lab{grade.lab}{'-' if grade.vendor else ''}{grade.vendor}",
                               tests=str(len(grade.verdicts)), failures=str(len(bad) - len(skipped)),
                               skipped=str(len(skipped)), errors="0", time=f"{grade.seconds:.1f}")
        for verdict in grade.verdicts:
            case = xml.SubElement(suite, "testcase", classname=f"lab{grade.lab}", name=verdict.name)
            if verdict in skipped:
                xml.SubElement(case, "skipped", message=f"{verdict.status}: {verdict.why}")
            elif verdict in bad:
                failure = xml.SubElement(case, "failure", message=verdict.why, type=verdict.failure or "wrong")
                failure.text = "\n".join(exercise_lines(verdict))
    return xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def gradescope(grades):
    """Gradescope's results.json, by "Autograder Specifications" in its documentation."""
    best = best_of(grades)
    tests = [{"name": verdict.name, "score": tidy(verdict.earned), "max_score": verdict.points,
              "status": "passed" if verdict.status == EARNED else "failed",
              "output": "\n".join(exercise_lines(verdict)).strip(), "output_format": "text",
              "name_format": "text", "visibility": "visible",
              "tags": [verdict.failure or verdict.status]} for verdict in best.verdicts]
    notes = "\n".join([headline(grade) for grade in grades] + best.notes + lesson_lines(best))
    return json.dumps({"score": best.earned, "execution_time": round(sum(grade.seconds for grade in grades)),
                       "output": notes, "output_format": "text", "visibility": "visible",
                       "stdout_visibility": "hidden", "tests": tests,
                       "extra_data": {"nonce": best.nonce, "failure": best.failure}}, indent=1) + "\n"


def classroom50(grades, environment=os.environ, now=None):
    """Classroom 50's result.json, schema classroom50/result/v1. Its points are whole numbers: parts of a
    point are left off."""
    best = best_of(grades)
    now = now or datetime.now(timezone.utc)
    tests = [{"test-name": verdict.name, "passed": verdict.status == EARNED,
              "score": int(verdict.earned), "max-score": verdict.points,
              "output": "\n".join(exercise_lines(verdict)).strip()} for verdict in best.verdicts]
    known = {name: environment.get(variable, "") for name, variable in
             (("classroom", "CLASSROOM"), ("assignment", "ASSIGNMENT"), ("submission", "SUBMISSION_TAG"),
              ("commit", "COMMIT_URL"), ("release", "RELEASE_URL"))}
    review = environment.get("REVIEW_URL") or known["commit"]
    return json.dumps({"schema": "classroom50/result/v1", **known, "review": review,
                       "datetime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
                       "score": sum(test["score"] for test in tests),
                       "max-score": sum(test["max-score"] for test in tests), "tests": tests}, indent=1) + "\n"


def best_of(grades):
    """The vendor that counts: the one with more points."""
    return max(grades, key=lambda grade: grade.earned)


FORMATS = {"text": lambda grades: "".join(text(grade) for grade in grades), "json": as_json, "junit": junit,
           "gradescope": gradescope, "classroom50": classroom50}
FILES = {"text": "grade.txt", "json": "grade.json", "junit": "grade.xml", "gradescope": "results.json",
         "classroom50": "result.json"}


def write_all(grades, folder):
    """Writes each format into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, form in FORMATS.items():
        replace(folder / FILES[name], form(grades))


def replace(file, content):
    """Writes a file so that it is there whole or not at all."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(content, encoding="utf-8", errors="backslashreplace")
    os.replace(new, file)


def spreadsheet_safe(value):
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def table(rows):
    """A class as CSV. rows: (submission's name, grades)."""
    names = []
    for _, grades in rows:
        for verdict in best_of(grades).verdicts:
            if verdict.name not in names:
                names.append(verdict.name)
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([*CSV_HEAD, *names])
    for name, grades in rows:
        best = best_of(grades)
        earned = {verdict.name: verdict for verdict in best.verdicts}
        cells = [display(name), best.lab, best.vendor, best.earned, best.points, best.failure,
                 f"{sum(grade.seconds for grade in grades):.1f}", plain("; ".join(best.notes))]
        cells += [cell_of(earned.get(column)) for column in names]
        writer.writerow([spreadsheet_safe(cell) for cell in cells])
    return output.getvalue()


def cell_of(verdict):
    """What a class's table says of an exercise: its points, or why there are none."""
    if verdict is None:
        return ""
    if verdict.earned:
        return tidy(verdict.earned)
    return 0 if verdict.status == WRONG else verdict.status
