"""One run, as the checks of its plausibility look at it."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trialwatt.config.models import RunConfig
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.records.later import power_name
from trialwatt.records.manifest import MANIFEST
from trialwatt.records.reader import RunRecords, read_run
from trialwatt.records.sealed import RecordFile, record_file

LETTERS = 80
"""Of a stranger's text in a sentence."""
USAGE = "samples/usage.csv"
HARNESS = "records/harness.jsonl"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*").fullmatch

_TIME = re.compile(r"-?[0-9]{1,18}|[1-8][0-9]{18}").fullmatch
"""ns that fit into 64 bits."""


class Fault(NamedTuple):
    """Something in a file of the run that cannot be. said: begins with the line or the key."""

    file: str
    said: str


@dataclass(frozen=True)
class Run:
    """folder: of the repetition. testbed: results/testbeds/<name>.json. power: the plan's models by
    name. action: what the archive's RO-Crate says of the run (`startTime`, `endTime`)."""

    folder: Path
    records: RunRecords
    testbed: Mapping = field(default_factory=dict)
    power: Mapping = field(default_factory=dict)
    action: Mapping = field(default_factory=dict)

    @property
    def manifest(self) -> dict:
        return self.records.manifest

    @property
    def config(self) -> RunConfig:
        return self.records.config

    @property
    def is_local(self) -> bool:
        """Whether all that it recorded is of one machine, with one clock."""
        return self.config.testbed.platform == "local"

    @property
    def cores(self) -> float:
        return float(self.manifest["host"]["cores"])

    @property
    def meters(self) -> dict[str, dict]:
        """The meters that there were, by name."""
        found = self.manifest.get("meters") or {}
        return {name: facts for name, facts in found.items() if facts.get("available", True)}

    def knows_its_testbed(self) -> bool:
        """Whether the record of the testbed is the one that this run was measured with: the same
        machine may have been described again, which redoes no run."""
        recorded, started = self.testbed.get("recorded_utc_ns"), self.manifest.get("started_utc_ns")
        return type(recorded) is int and started is not None and recorded <= started

    @cached_property
    def usage(self) -> Rows | None:
        return read_rows(record_file(self.folder, USAGE), USAGE)

    @cached_property
    def machine(self) -> Rows | None:
        """The samples of the whole machine."""
        if self.usage is None or "cpu_ns" not in self.usage.values:
            return None
        return self.usage.of("machine").known("cpu_ns")

    def readings(self, meter: str) -> Rows | None:
        """The samples of one of its meters."""
        return self._readings.get(meter)

    @cached_property
    def _readings(self) -> dict[str, Rows | None]:
        names = {meter: power_name(self.manifest, meter) for meter in self.meters}
        return {
            meter: read_rows(record_file(self.folder, name), name) for meter, name in names.items()
        }

    def lines(self, file: str) -> Iterable[tuple[int, dict]]:
        """The events of a record file with their line numbers: only asked where one is named."""
        with record_file(self.folder, file).open("rb") as data:
            text = io.TextIOWrapper(data, encoding="utf-8", errors="replace")
            for number, line in enumerate(text, start=1):
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(event, dict):
                    yield number, event

    def record_of(self, who: str) -> str:
        """The file of a component, whose name may be anything; the coordinator's if it has none."""
        file = f"records/{who}.jsonl"
        return file if _PLAIN(who) and record_file(self.folder, file).is_file() else HARNESS

    def trial_fault(self, bad: np.ndarray | int, status: str, said: str) -> Fault:
        """A fault in the line with this status of the first of these trials (their places in
        records.trials), which says how many more there are."""
        trials, places = self.records.trials, np.atleast_1d(bad)
        index = int(places[0])
        trial = trials.ids[index].as_py()
        own = self.record_of(trials.workers[int(trials.worker[index])])
        said += f" (and {len(places) - 1} more trials)" if len(places) > 1 else ""
        for file in dict.fromkeys([own, HARNESS]):
            for number, event in self.lines(file):
                if event.get("trial") == trial and event.get("status") == status:
                    return Fault(file, f"line {number}: trial {shown(trial, LETTERS)}: {said}")
        return Fault(own, f"trial {shown(trial, LETTERS)}: {said}")

    def event_fault(self, said: str, **keys) -> Fault:
        """A fault in the first line of the harness that has these values."""
        for number, event in self.lines(HARNESS):
            if all(event.get(key) == value for key, value in keys.items()):
                return Fault(HARNESS, f"line {number}: {said}")
        return Fault(HARNESS, said)


def read(folder: Path, **known) -> Run:
    """Raises TrialwattError where its records cannot be read, whatever the reason."""
    try:
        return Run(folder, read_run(folder), **known)
    except TrialwattError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        raise TrialwattError(f"cannot be read: {type(error).__name__}: {error}") from error


def at(value: object, *keys: str) -> object:
    """What stands under these keys of JSON; None where there is no such place."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def key_fault(said: str) -> Fault:
    """A fault in run.json."""
    return Fault(MANIFEST, said)


def row_fault(rows: Rows, bad: np.ndarray, said: str) -> Fault:
    """A fault in the first of the rows at `bad`, which says how many more there are.

    said: may hold {t} for the moment of that row, in s after the first one.
    """
    more = f" (and {len(bad) - 1} more lines)" if len(bad) > 1 else ""
    first = int(bad[0])
    text = said.replace("{t}", f"{(int(rows.m[first]) - int(rows.m[0])) / 1e9:.2f} s")
    return Fault(rows.file, f"line {rows.line[first]}: {text}{more}")


@dataclass(frozen=True)
class Rows:
    """Whole rows, in the order of the file; all arrays (n,). line: from 1, as editors count.

    t, m: ns. values: column → float64, NaN where a field is empty or no number. component: "" in
    files that have no such column.
    """

    file: str
    line: np.ndarray
    t: np.ndarray
    m: np.ndarray
    values: dict[str, np.ndarray]
    component: np.ndarray

    def __len__(self) -> int:
        return len(self.line)

    def of(self, component: str) -> Rows:
        """Only those of one component."""
        return self.at(np.flatnonzero(self.component == component))

    def known(self, column: str) -> Rows:
        """Only those with a number in this column."""
        return self.at(np.flatnonzero(~np.isnan(self.values[column])))

    def at(self, places: np.ndarray) -> Rows:
        values = {name: column[places] for name, column in self.values.items()}
        return Rows(
            self.file,
            self.line[places],
            self.t[places],
            self.m[places],
            values,
            self.component[places],
        )


def read_rows(file: RecordFile, name: str) -> Rows | None:
    """The rows of a CSV file with the columns t and m; None where there is no such file.

    name: how it is called in messages. Lines whose t or m is no whole number are left out.
    """
    if not file.is_file():
        return None
    lines = file.read_bytes().decode("utf-8", "replace").splitlines()
    columns = lines[0].split(",") if lines else []
    if "t" not in columns or "m" not in columns:
        return _rows(name, [], [], columns)
    at_t, at_m = columns.index("t"), columns.index("m")
    numbers, cells = [], []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split(",")
        if len(fields) == len(columns) and _is_time(fields[at_t]) and _is_time(fields[at_m]):
            numbers.append(number)
            cells.append(fields)
    return _rows(name, numbers, cells, columns)


def _rows(name: str, numbers: list[int], cells: list[list[str]], columns: list[str]) -> Rows:
    by_name = dict(zip(columns, zip(*cells, strict=True), strict=True)) if cells else {}
    others = [column for column in columns if column not in ("t", "m", "component")]
    return Rows(
        name,
        np.array(numbers, np.int64),
        np.array([int(text) for text in by_name.get("t", ())], np.int64),
        np.array([int(text) for text in by_name.get("m", ())], np.int64),
        {one: np.array([_number(text) for text in by_name.get(one, ())], float) for one in others},
        np.array(by_name.get("component", [""] * len(numbers)), object),
    )


def _is_time(text: str) -> bool:
    return _TIME(text) is not None


def _number(text: str) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
