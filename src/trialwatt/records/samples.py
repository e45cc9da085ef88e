"""Sample files (CSV) → arrays, repaired where that can be said in a note."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.records import repair
from trialwatt.records.manifest import MOST_NS
from trialwatt.records.sealed import SUFFIX, RecordFile, SealedFile

_SAMPLES = "samples"


@dataclass(frozen=True)
class Track:
    """One component over time; all arrays (n,), sorted by time. NaN where a reading failed."""

    times_ns: np.ndarray
    cpu_ns: np.ndarray
    memory_bytes: np.ndarray


@dataclass(frozen=True)
class Power:
    """Raw readings: times (n,), and one array (n,) per domain, NaN where missing.

    rows: (n,) masks of the moments at which a domain's own meter was read, where several meters
    were read at different ones.
    """

    times_ns: np.ndarray
    values: dict[str, np.ndarray]
    rows: dict[str, np.ndarray] = field(default_factory=dict)

    def of(self, domain: str) -> tuple[np.ndarray, np.ndarray]:
        """Times and readings of one domain, at the moments of its own meter."""
        own = self.rows.get(domain, slice(None))
        return self.times_ns[own], self.values[domain][own]


def read_usage(file: RecordFile) -> tuple[dict[str, Track], list[str]]:
    """`usage.csv` → one Track per component, and the notes of what was repaired."""
    notes: list[str] = []
    table = _read(file, {"component": pa.string()}, notes, ["component", "cpu_ns", "memory_bytes"])
    if table is None:
        return {}, notes
    names = table["component"].combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    m = _floats(table["m"])
    cpu, memory = (_amounts(table[name], name, file, notes) for name in ("cpu_ns", "memory_bytes"))
    tracks: dict[str, Track] = {}
    sorted_any, doubles = False, 0
    for code, name in enumerate(names.dictionary.to_pylist()):
        at = np.flatnonzero(codes == code)
        times, keep, was_sorted = _in_order(m[at])
        sorted_any |= not was_sorted
        doubles += len(at) - len(keep)
        at = at[keep]
        tracks[name] = Track(times, cpu[at], memory[at])
    _order_notes(file, sorted_any, doubles, notes)
    return tracks, notes


def read_power(file: RecordFile, domains: dict[str, str]) -> tuple[Power, list[str]]:
    """`power-<meter>.csv` → Power. `domains`: name → unit ("uj" or "w").

    A negative or non-finite reading is a gap (NaN), with a note.
    """
    notes: list[str] = []
    table = _read(file, {}, notes, list(domains))
    if table is None:
        return Power(np.empty(0), {name: np.empty(0) for name in domains}), notes
    times, keep, was_sorted = _in_order(_floats(table["m"]))
    _order_notes(file, not was_sorted, len(table) - len(keep), notes)
    values = {}
    for name in domains:
        values[name] = _amounts(table[name], name, file, notes)[keep]
    return Power(times, values), notes


def _amounts(column: pa.ChunkedArray, name: str, file: RecordFile, notes: list[str]) -> np.ndarray:
    """Readings of what cannot be below 0: NaN where one is, or is no number, with a note."""
    value = _floats(column)
    empty = int(np.count_nonzero(column.is_null().to_numpy()))
    value[~np.isfinite(value) | (value < 0)] = np.nan
    bad = int(np.count_nonzero(np.isnan(value))) - empty
    if bad:
        notes.append(f"{_where(file)}: {bad} readings of {name} negative or no number: gaps")
    return value


def merged(parts: list[Power]) -> Power:
    """The readings of several meters, whose domains have different names, on one axis."""
    if len(parts) == 1:
        return parts[0]
    times = np.unique(np.concatenate([part.times_ns for part in parts] or [np.empty(0)]))
    values, rows = {}, {}
    for part in parts:
        at = np.searchsorted(times, part.times_ns)
        own = np.zeros(len(times), bool)
        own[at] = True
        for name, readings in part.values.items():
            values[name] = np.full(len(times), np.nan)
            values[name][at] = readings
            rows[name] = own
    return Power(times, values, rows)


def _read(
    file: RecordFile, types: dict[str, pa.DataType], notes: list[str], needed: list[str]
) -> pa.Table | None:
    """The whole rows of a sample file; None if there are none."""
    where = _where(file)
    if not file.is_file():
        notes.append(f"{where}: missing")
        return None
    data = file.read_bytes()
    if data and not data.endswith(b"\n"):
        whole, _, rest = data.rpartition(b"\n")
        data = whole + b"\n" if whole else b""
        if rest.strip():
            notes.append(f"{where}: cut line dropped (the last)")
    if not data:
        notes.append(f"{where}: no sample")
        return None
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TrialwattError(
            f"{where}: line {line} is no UTF-8 text; take the file from its source again"
        ) from error
    header = data.split(b"\n", 1)[0].decode().strip().split(",")
    missing = [name for name in ("t", "m", *needed) if name not in header]
    twice = [name for name, count in Counter(header).items() if count > 1]
    if missing or twice:
        fault = f"no column {', '.join(missing)}" if missing else f"two columns {twice[0]}"
        raise TrialwattError(f"{where}: {fault} (it has {', '.join(header)})")
    floats = {name: pa.float64() for name in header if name not in ("t", "m")}
    wanted = {**floats, "t": pa.int64(), "m": pa.int64(), **types}
    table, skipped = _parsed(data, wanted, where, notes)
    lines = data.count(b"\n")
    whole = pc.and_(_is_moment(table["t"]), _is_moment(table["m"]))
    broken = skipped + len(table) - (pc.sum(whole).as_py() or 0)
    if repair.too_broken(broken, lines):
        raise repair.refuse_rubbish(where, broken, lines)
    if broken:
        notes.append(f"{where}: {broken} damaged lines dropped")
        table = table.filter(whole)
    if not len(table):
        notes.append(f"{where}: no sample")
        return None
    drift = pc.min_max(pc.subtract(table["t"], table["m"])).as_py()
    if repair.clock_jumped((drift["min"], drift["max"])):
        notes.append(repair.jump_note(where))
    return table


def _parsed(
    data: bytes, wanted: dict[str, pa.DataType], where: str, notes: list[str]
) -> tuple[pa.Table, int]:
    """The table, and how many rows had more or fewer fields than the header."""
    try:
        return _arrow(data, wanted)
    except pa.ArrowInvalid:  # a field is no number
        return _coerced(data, wanted, where, notes)


def _arrow(data: bytes, types: dict[str, pa.DataType]) -> tuple[pa.Table, int]:
    skipped: list[int] = []

    def skip(row: pcsv.InvalidRow) -> str:
        skipped.append(row.number or 0)
        return "skip"

    table = pcsv.read_csv(
        pa.BufferReader(data),
        # one field may be as long as the file
        read_options=pcsv.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pcsv.ParseOptions(invalid_row_handler=skip),
        convert_options=pcsv.ConvertOptions(column_types=types, null_values=[""]),
    )
    return table, len(skipped)


def _coerced(
    data: bytes, wanted: dict[str, pa.DataType], where: str, notes: list[str]
) -> tuple[pa.Table, int]:
    """Read as text, then number by number; what is no number is missing."""
    try:
        texts, skipped = _arrow(data, dict.fromkeys(wanted, pa.string()))
    except pa.ArrowInvalid as error:
        raise TrialwattError(
            f"{where}: no CSV file ({shown(error, 200)}); take it from its source again"
        ) from error
    columns, bad = {}, 0
    for name in texts.column_names:
        if wanted.get(name) == pa.string():
            columns[name] = texts[name]
            continue
        read = _int64 if wanted.get(name) == pa.int64() else float
        values = []
        for text in pc.cast(texts[name], pa.string()).to_pylist():
            try:
                values.append(read(text) if text else None)
            except ValueError:
                bad += 1
                values.append(None)
        columns[name] = pa.chunked_array([pa.array(values, wanted.get(name, pa.float64()))])
    if bad:
        notes.append(f"{where}: {bad} fields that are no number count as missing")
    return pa.table(columns), skipped


def _int64(text: str) -> int:
    value = int(text) if len(text) <= 20 else 2**64
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{text[:20]} is no number of 64 bits")
    return value


def _is_moment(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which are there, and so near that differences of two are numbers of 64 bits too."""
    near = pc.and_(
        pc.greater_equal(column, pa.scalar(-MOST_NS)), pc.less_equal(column, pa.scalar(2 * MOST_NS))
    )
    return pc.fill_null(near, False)


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    """float64 (n,), NaN for null; monotonic nanoseconds below 2**53 (104 days) stay exact."""
    return np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(), copy=True)


def _in_order(m: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Sorted distinct times, which rows they are, and whether the rows were sorted already."""
    was_sorted = repair.in_time_order(m)
    order = np.arange(len(m)) if was_sorted else np.argsort(m, kind="stable")
    times = m[order]
    distinct = np.ones(len(m), bool)
    distinct[1:] = times[1:] != times[:-1]
    return times[distinct], order[distinct], was_sorted


def _where(file: RecordFile) -> str:
    """How messages call it: below the run's folder."""
    inner = file.sealed.path.name.removesuffix(SUFFIX) if isinstance(file, SealedFile) else _SAMPLES
    return f"{inner}/{file.name}"


def _order_notes(file: RecordFile, unsorted: bool, doubles: int, notes: list[str]) -> None:
    where = _where(file)
    if unsorted:
        notes.append(repair.order_note(where))
    if doubles:
        notes.append(repair.doubles_note(where, doubles))
