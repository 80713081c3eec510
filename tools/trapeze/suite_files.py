"""A suite's report as files that other programs read: TAP and JUnit XML."""

import os

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from .suite_log import ERROR, FAILED, KNOWN, SKIPPED
from .suite_progress import describe


def write(file, content):
    """Writes text or bytes at once, so that another run's pages never see half a file."""
    data = content.encode() if isinstance(content, str) else content
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    partial.write_bytes(data)
    partial.rename(file)


def details(result, record):
    """What there is to say about a result, as lines."""
    lines = describe(result)[1:] + result.notes
    if record and result.status in (FAILED, ERROR, KNOWN):
        lines.append(f"rule: {record.rule} ({record.citation})")
    if result.erratum:
        lines.append(f"known: {result.erratum.platform} ({result.erratum.place})")
    return lines


def tap(report):
    """TAP version 14: a known failure is a TODO."""
    lines = ["TAP version 14", f"1..{len(report.run.results)}"]
    for number, result in enumerate(report.run.results, 1):
        bad = "not " if result.status in (FAILED, ERROR, KNOWN) else ""
        directive = {SKIPPED: f" # SKIP {result.reason}",
                     KNOWN: f" # TODO known: {result.erratum.place}" if result.erratum else ""}
        lines.append(f"{bad}ok {number} - {result.name}{directive.get(result.status, '')}")
        if result.status in (FAILED, ERROR, KNOWN):
            if result.status == ERROR:
                lines.append(f"# error: {result.reason}")
            lines += [f"# {line.strip()}" for line in details(result, report.records.get(result.name))]
    lines += [f"# {complaint}" for complaint in report.complaints]
    return "\n".join(lines) + "\n"


def junit_case(result, record):
    """One test."""
    group, _, name = result.name.rpartition("/")
    case = TestCase(name, group.replace("/", "."), round(result.seconds, 3))
    text = "\n".join(details(result, record))
    if result.status == FAILED:
        case.result = [Failure(first_line(result))]
    elif result.status == ERROR:
        case.result = [Error(result.reason)]
    elif result.status in (SKIPPED, KNOWN):
        case.result = [Skipped(result.reason if result.status == SKIPPED
                               else f"known deviation: {result.erratum.platform}")]
    if text:
        for entry in case.result:
            entry.text = text
    return case


def first_line(result):
    """A failure in one line."""
    lines = describe(result)
    return lines[1].strip() if len(lines) > 1 else result.reason or "; ".join(result.notes)


def junit(report):
    """JUnit XML, as bytes. JUnit has no known failures: they are skips that say so."""
    suite = TestSuite(report.name)
    for name, version in report.versions.items():
        suite.add_property(name, version)
    for result in report.run.results:
        suite.add_testcase(junit_case(result, report.records.get(result.name)))
    for complaint in report.complaints:
        case = TestCase("run", report.suite)
        case.result = [Error(complaint)]
        suite.add_testcase(case)
    xml = JUnitXml(report.name)
    xml.add_testsuite(suite)
    return xml.tostring()
