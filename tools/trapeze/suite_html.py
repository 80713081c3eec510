"""A suite's reports as pages for people: one per platform, platforms side by side, and the rows of
the manual's tables. Made from the JSON reports, without any resource from the network."""

import json
from pathlib import Path

import jinja2

from .suite_files import write

SYMBOLS = {"passed": "✓", "failed": "✗", "known": "≈", "error": "!", "skipped": "–", "untested": "∅"}
WORST_FIRST = ("error", "failed", "known", "passed", "skipped")
KEYS = {"platform", "model", "status", "versions", "when", "seed", "selection", "boots", "complaints",
        "warnings", "fingerprint", "tests", "checks", "passed", "failed", "known", "errors", "skipped",
        "seconds"}  # a report of another version of ours may lack some, and is left out
TEMPLATES = Path(__file__).with_name("templates")


def render(template, **values):
    """A page."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    environment.globals["symbols"] = SYMBOLS
    return environment.get_template(template).render(**values)


class Result(dict):
    """A result of a JSON report, or a part of it; what it does not hold is empty."""

    def __getattr__(self, name):
        return self.get(name, [] if name in ("covers", "differences", "notes") else "")


def results_of(data):
    """The results of a JSON report, as they ran."""
    return [Result({**result, "differences": [Result(difference) for difference
                                              in result.get("differences", [])]})
            for result in data["results"]]


def by_section(results):
    """[(section, results)]: sections of the manual, grouped by folder, in the suite's order."""
    found = {}
    for result in sorted(results, key=lambda result: result.name.split("/")[0]):
        found.setdefault(result.citation or "without a section", []).append(result)
    return list(found.items())


def count(results):
    """{status: how many}, the worst first."""
    return {status: sum(result.status == status for result in results) for status in WORST_FIRST}


def badness(result):
    """Sorts what needs a look to the front."""
    return result.status not in ("failed", "error")


def platform_page(data, name):
    """The page of one run."""
    everything = results_of(data)
    sections = [(section, sorted(results, key=badness), count(results))
                for section, results in by_section(everything)]
    cpu = next((rest for word, rest in data["fingerprint"] if word == "cpu"), "")
    return render("platform.html", data=data, name=name, sections=sections, cpu=cpu,
                  bad=[result for result in everything if result.status in ("failed", "error")])


def compare(name, runs):
    """One test on all platforms; `runs` is [(data, {name: Result})]."""
    results = [by_name.get(name) for _, by_name in runs]
    some = next(result for result in results if result)
    statuses = {result.status for result in results if result}
    test = Result(some)
    test.update(results=results, statuses=sorted(statuses),
                differ=len(statuses - {"skipped"}) > 1,
                told=[(data["page"], f"{data['platform']}, {data['model']}", result)
                      for (data, _), result in zip(runs, results)
                      if result and result.status in ("failed", "error", "known")])
    return test


def comparison_page(suite, runs):
    """Rules against platforms."""
    tables = [(data, {result.name: result for result in results_of(data)}) for data in runs]
    names = dict.fromkeys(name for _, by_name in tables for name in by_name)
    sections = by_section([compare(name, tables) for name in names])
    return render("comparison.html", suite=suite, runs=runs, sections=sections)


def worst(statuses):
    """The worst of some statuses, "" of none."""
    return next((status for status in WORST_FIRST if status in statuses), "")


def matrix_page(suite, matrix, runs):
    """Rows of the manual's tables against platforms."""
    tables = [{result.name: result.status for result in results_of(data)} for data in runs]
    kinds = {}
    for key, row in matrix.rows.items():
        tests = matrix.tests[key]
        cells = [worst({table[name] for name in tests if name in table}) for table in tables]
        kinds.setdefault(row.kind, []).append((row, tests, matrix.excuses.get(key, ""), cells))
    counts = matrix.counts()
    return render("matrix.html", suite=suite, runs=runs,
                  kinds=[(kind, rows, counts[kind]) for kind, rows in kinds.items()])


def read_runs(suite, folder):
    """The JSON reports of a suite in a folder; files that are not such are left out."""
    runs = []
    for file in sorted(Path(folder).glob(f"{suite}-*.json")):
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            if data["suite"] == suite and data["results"] and KEYS <= data.keys():
                runs.append({**data, "page": file.with_suffix(".html").name})
        except (ValueError, KeyError, TypeError):
            continue
    return runs


def write_pages(suite, folder, matrix):
    """All pages of the reports in a folder."""
    folder = Path(folder)
    runs = read_runs(suite, folder)
    for data in runs:
        page = folder / data["page"]
        write(page, platform_page(data, page.stem))
    write(folder / f"{suite}.html", comparison_page(suite, runs))
    write(folder / f"{suite}-matrix.html", matrix_page(suite, matrix, runs))
