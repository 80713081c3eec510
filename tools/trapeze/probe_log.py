"""What the probe prints, read back: records, the list of forms, digests of random programs. What
differences mean is probe_compare's."""

import re
from dataclasses import dataclass, field, replace

RECORD = re.compile(r"@ (?P<form>\S+) (?P<mode>\S+) (?P<outcome>\S+)(?P<state>(?: \S+=\S*)*)")
CAUSE = re.compile(r"= (\S+) (.*)")
FORM = re.compile(r"% (\S+) \| (.*?) \| (.*)")
DIFFERS = re.compile(r"~ (\S+) \| (.*?) \| (.*?) \| (.*)")
RECORDS = re.compile(r"probe: (\d+) records")
PROGRAMS = re.compile(r"probe: (\d+) programs")
DIGESTS = re.compile(r"# (\d+):((?: [0-9a-f]{8})+)")


@dataclass(frozen=True)
class Form:
    """A row of spec/instructions.def."""

    name: str
    section: str
    text: str
    differs_in: str = ""  # modes in which a monitor must make it differ, as patterns
    differs_what: str = ""  # in what: see spec/instructions.def
    differs: str = ""  # why, or ""


@dataclass(frozen=True)
class Record:
    """One execution of a form: what ended it, and the state that had changed."""

    form: str
    mode: str
    outcome: str
    state: dict
    line: str


@dataclass
class Log:
    """All that one run of the probe said."""

    forms: dict = field(default_factory=dict)
    causes: dict = field(default_factory=dict)  # by form: the likely cause of a difference, where it told one
    records: dict = field(default_factory=dict)  # by (form, mode)
    digests: dict = field(default_factory=dict)  # of programs, by number
    promised_records: int = None  # as the probe counted them
    promised_programs: int = None
    strange: list = field(default_factory=list)  # lines that look like records and are none

    @property
    def complete(self):
        """Did all that the probe counted arrive?"""
        return (not self.strange and self.promised_records in (None, len(self.records))
                and self.promised_programs in (None, len(self.digests)))


def join(lines):
    """Long records go on in lines that start with "+ "."""
    joined = []
    for line in lines:
        if line.startswith("+ ") and joined:
            joined[-1] += line[1:]
        else:
            joined.append(line.rstrip())
    return joined


def parse_record(line):
    """A Record, or None."""
    match = RECORD.fullmatch(line)
    if not match:
        return None
    state = dict(word.split("=", 1) for word in match["state"].split())
    return Record(match["form"], match["mode"], match["outcome"], state, line)


def parse(lines):
    """The Log of what the probe printed; prefixes that a hypervisor puts in front are off already."""
    log = Log()
    for line in join(lines):
        cause = CAUSE.fullmatch(line)
        form, records = FORM.fullmatch(line), RECORDS.fullmatch(line)
        differs = DIFFERS.fullmatch(line)
        digests, programs = DIGESTS.fullmatch(line), PROGRAMS.fullmatch(line)
        if line.startswith("@"):
            record = parse_record(line)
            if record is None or (record.form, record.mode) in log.records:
                log.strange.append(line)
            else:
                log.records[record.form, record.mode] = record
        elif form:
            log.forms[form[1]] = Form(*form.groups())
        elif differs and differs[1] in log.forms:
            log.forms[differs[1]] = replace(log.forms[differs[1]], differs_in=differs[2],
                                            differs_what=differs[3], differs=differs[4])
        elif cause:
            log.causes[cause[1]] = cause[2]
        elif digests:
            first = int(digests[1])
            log.digests |= {first + i: digest for i, digest in enumerate(digests[2].split())}
        elif records:
            log.promised_records = int(records[1])
        elif programs:
            log.promised_programs = int(programs[1])
    return log
