"""Sample files (CSV) → arrays, repaired where that can be said in a note."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from trialwatt.errors import TrialwattError
from trialwatt.records import repair


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


def read_usage(path: Path) -> tuple[dict[str, Track], list[str]]:
    """`usage.csv` → one Track per component, and the notes of what was repaired."""
    notes: list[str] = []
    table = _read(path, {"component": pa.string()}, notes, ["component", "cpu_ns", "memory_bytes"])
    if table is None:
        return {}, notes
    names = table["component"].combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    m = _floats(table["m"])
    cpu, memory = (_amounts(table[name], name, path, notes) for name in ("cpu_ns", "memory_bytes"))
    tracks: dict[str, Track] = {}
    sorted_any, doubles = False, 0
    for code, name in enumerate(names.dictionary.to_pylist()):
        at = np.flatnonzero(codes == code)
        times, keep, was_sorted = _in_order(m[at])
        sorted_any |= not was_sorted
        doubles += len(at) - len(keep)
        at = at[keep]
        tracks[name] = Track(times, cpu[at], memory[at])
    _order_notes(path, sorted_any, doubles, notes)
    return tracks, notes


def read_power(path: Path, domains: dict[str, str]) -> tuple[Power, list[str]]:
    """`power-<meter>.csv` → Power. `domains`: name → unit ("uj" or "w").

    A negative or non-finite reading is a gap (NaN), with a note.
    """
    notes: list[str] = []
    table = _read(path, {}, notes, list(domains))
    if table is None:
        return Power(np.empty(0), {name: np.empty(0) for name in domains}), notes
    times, keep, was_sorted = _in_order(_floats(table["m"]))
    _order_notes(path, not was_sorted, len(table) - len(keep), notes)
    values = {}
    for name in domains:
        values[name] = _amounts(table[name], name, path, notes)[keep]
    return Power(times, values), notes


def _amounts(column: pa.ChunkedArray, name: str, path: Path, notes: list[str]) -> np.ndarray:
    """Readings of what cannot be below 0: NaN where one is, or is no number, with a note."""
    value = _floats(column)
    empty = int(np.count_nonzero(column.is_null().to_numpy()))
    value[~np.isfinite(value) | (value < 0)] = np.nan
    bad = int(np.count_nonzero(np.isnan(value))) - empty
    if bad:
        notes.append(f"samples/{path.name}: {bad} readings of {name} negative or no number: gaps")
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
    path: Path, types: dict[str, pa.DataType], notes: list[str], needed: list[str]
) -> pa.Table | None:
    """The whole rows of a sample file; None if there are none."""
    where = f"samples/{path.name}"
    if not path.exists():
        notes.append(f"{where}: missing")
        return None
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        whole, _, rest = data.rpartition(b"\n")
        data = whole + b"\n" if whole else b""
        if rest.strip():
            notes.append(f"{where}: cut line dropped (the last)")
    if not data:
        notes.append(f"{where}: no sample")
        return None
    skipped: list[int] = []

    def skip(row) -> str:
        skipped.append(row.number or 0)
        return "skip"

    header = data.split(b"\n", 1)[0].decode(errors="replace").strip().split(",")
    missing = [name for name in ("t", "m", *needed) if name not in header]
    if missing:
        raise TrialwattError(
            f"{where}: no column {', '.join(missing)} (it has {', '.join(header)})"
        )
    floats = {name: pa.float64() for name in header if name not in ("t", "m")}
    options = {
        "read_options": pcsv.ReadOptions(use_threads=False, block_size=len(data) + 1),
        "parse_options": pcsv.ParseOptions(invalid_row_handler=skip),
    }
    wanted = {**floats, "t": pa.int64(), "m": pa.int64(), **types}
    try:
        table = pcsv.read_csv(
            pa.BufferReader(data),
            convert_options=pcsv.ConvertOptions(column_types=wanted, null_values=[""]),
            **options,
        )
    except pa.ArrowInvalid:
        skipped.clear()
        table = _coerced(data, wanted, options, where, notes)
    lines = data.count(b"\n")
    whole = pc.and_(pc.is_valid(table["t"]), pc.is_valid(table["m"]))
    broken = len(skipped) + len(table) - pc.sum(whole).as_py() if len(table) else len(skipped)
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


def _coerced(data: bytes, wanted: dict, options: dict, where: str, notes: list[str]) -> pa.Table:
    """Read as text, then number by number; what is no number is missing."""
    texts = pcsv.read_csv(
        pa.BufferReader(data),
        convert_options=pcsv.ConvertOptions(column_types=dict.fromkeys(wanted, pa.string())),
        **options,
    )
    columns, bad = {}, 0
    for name in texts.column_names:
        if wanted[name] == pa.string():
            columns[name] = texts[name]
            continue
        read = int if wanted[name] == pa.int64() else float
        values = []
        for text in texts[name].to_pylist():
            try:
                values.append(read(text) if text else None)
            except ValueError:
                bad += 1
                values.append(None)
        columns[name] = pa.chunked_array([pa.array(values, wanted[name])])
    if bad:
        notes.append(f"{where}: {bad} fields that are no number count as missing")
    return pa.table(columns)


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


def _order_notes(path: Path, unsorted: bool, doubles: int, notes: list[str]) -> None:
    where = f"samples/{path.name}"
    if unsorted:
        notes.append(repair.order_note(where))
    if doubles:
        notes.append(repair.doubles_note(where, doubles))
