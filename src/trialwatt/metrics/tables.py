"""All runs → the two tidy tables and their data dictionary, the same bytes for the same records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from trialwatt.config.plan_parts import ExperimentRow
from trialwatt.errors import TrialwattError
from trialwatt.files import whole
from trialwatt.metrics.columns import Column, entries, schema, validate
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.dictionary import PLANNED, RUNS, SEGMENTS, TRIALS
from trialwatt.metrics.experiment_notes import AGAIN, write_notes
from trialwatt.metrics.extract import RunMetrics, extract_run
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.printable import shown

_WORTH_A_PROCESS = 8
_CSV_ROWS = 65536


def build_tables(
    folders: Iterable[Path],
    rows: Sequence[ExperimentRow],
    context: MetricsContext,
    output_folder: Path,
    processes: int = PROCESSES,
) -> list[Path]:
    """Write runs and trials (Parquet and CSV) and dictionary.json; returns the files.

    A run is in the runs table once per experiment row with its hash, or once with no experiment;
    its trials are in the trials table once. Each file appears whole or not at all.
    """
    placed: dict[str, list[ExperimentRow]] = {}
    for row in rows:
        placed.setdefault(row.hash, []).append(row)
    runs, trials = [], []
    for metrics in _extract_all(sorted({Path(folder) for folder in folders}), context, processes):
        runs += [row.model_dump() | metrics.run for row in placed.get(metrics.run["hash"], [])] or [
            metrics.run
        ]
        trials.append(metrics.trials_table)
    return write_tables(_runs_table(runs), _trials_table(trials), output_folder)


def make_metrics(
    folders: Iterable[Path],
    rows: Sequence[ExperimentRow],
    context: MetricsContext,
    unavailable: Sequence[dict[str, Any]],
    ends: Iterable[str],
    output: Path,
    processes: int = PROCESSES,
) -> None:
    """The tables of an experiment, and what stands beside them, in the folder of `output`.

    ends, unavailable: as metrics.experiment_notes.write_notes takes them.
    """
    build_tables(folders, rows, context, output.parent, processes)
    write_notes(output.parent, ends, unavailable)


def write_tables(runs: pa.Table, trials: pa.Table, output_folder: Path) -> list[Path]:
    """Validate the tables against the dictionary and write all files."""
    output_folder = Path(output_folder)
    output_folder.mkdir(parents=True, exist_ok=True)
    validate(runs, RUNS, "runs")
    validate(trials, _trial_columns(trials), "trials")
    written = []
    for name, table in (("runs", runs), ("trials", trials)):
        written.append(_whole(output_folder / f"{name}.parquet", partial(write_parquet, table)))
        written.append(_whole(output_folder / f"{name}.csv", partial(_csv, table)))
    dictionary = {"runs": entries(RUNS), "trials": entries(_trial_columns(trials))}
    text = json.dumps(dictionary, indent=1, ensure_ascii=False) + "\n"
    path = output_folder / "dictionary.json"
    written.append(_whole(path, lambda partial: partial.write_text(text, encoding="utf-8")))
    return written


def _extract_all(
    folders: list[Path], context: MetricsContext, processes: int
) -> Iterator[RunMetrics]:
    if processes == 1 or len(folders) < _WORTH_A_PROCESS:
        for folder in folders:
            yield extract_run(folder, context, processes=processes)
        return
    yield from mapped(partial(extract_run, context=context), folders, processes)


def _runs_table(runs: list[dict[str, Any]]) -> pa.Table:
    expected = schema(RUNS)
    runs = [dict.fromkeys(PLANNED) | run for run in runs]
    for run in runs:
        assert run.keys() == set(expected.names), run.keys() ^ set(expected.names)
    runs.sort(
        key=lambda r: (
            r["experiment"] or "",
            r["testbed"],
            r["sut"],
            r["treatment_value"] if r["treatment_value"] is not None else float("inf"),
            r["treatment"] or "",
            r["hash"],
            r["repetition"],
        )
    )
    return pa.Table.from_pylist(runs, schema=expected)


def _trials_table(tables: list[pa.Table]) -> pa.Table:
    tables = [table for table in tables if len(table)]  # a hole has no trials
    if not tables:
        return schema(TRIALS).empty_table()
    names = {name: None for table in tables for name in schema(_trial_columns(table)).names}
    whole = pa.concat_tables(tables, promote_options="default").select(list(names))
    return whole.unify_dictionaries().combine_chunks()


def _trial_columns(trials: pa.Table) -> list[Column]:
    """Of a table of trials; those of segments only where there are some."""
    segmented = SEGMENTS[0].name in trials.column_names
    return [*TRIALS, *SEGMENTS] if segmented else TRIALS


def write_parquet(table: pa.Table, where: Path | BinaryIO) -> None:
    """The same bytes for the same table, with the same version of Arrow."""
    pq.write_table(
        table.replace_schema_metadata(None), where, compression="zstd", store_schema=False
    )


def _csv(table: pa.Table, path: Path) -> None:
    """Floats in the shortest text that reads back to the same number; NaN and null are empty."""
    plain = schema(RUNS if "experiment" in table.column_names else _trial_columns(table))
    batches = table.to_batches(max_chunksize=_CSV_ROWS)
    with path.open("wb") as file, ThreadPoolExecutor(PROCESSES) as pool:
        file.write(_csv_text(plain.empty_table(), plain, header=True))
        # A few at a time: the texts of all batches need not be in memory at once.
        for first in range(0, len(batches), 2 * PROCESSES):
            few = batches[first : first + 2 * PROCESSES]
            for text in pool.map(partial(_csv_text, plain=plain), few):
                file.write(text)


def _csv_text(rows: pa.RecordBatch | pa.Table, plain: pa.Schema, header: bool = False) -> pa.Buffer:
    columns = []
    for field, column in zip(plain, rows.columns, strict=True):
        column = pc.cast(column, field.type)
        if pa.types.is_floating(field.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
        columns.append(column)
    sink = pa.BufferOutputStream()
    options = pcsv.WriteOptions(include_header=header, quoting_style="needed")
    pcsv.write_csv(pa.table(columns, schema=plain), sink, options)
    return sink.getvalue()


def _whole(path: Path, write: Callable[[Path], object]) -> Path:
    with whole(path) as part:
        write(part)
    return path


def read_runs(file: Path) -> pd.DataFrame:
    """The runs table. Raises TrialwattError where it is damaged, or no such table."""
    return _read(file, RUNS, ("folder", "sut", "testbed", "status", "hash", "repetition"))


def read_trials(file: Path) -> pd.DataFrame:
    """The trials table. Raises as `read_runs`."""
    return _read(file, [*TRIALS, *SEGMENTS], ("folder", "trial"))


def _read(file: Path, columns: list[Column], needed: Sequence[str]) -> pd.DataFrame:
    try:
        found = pq.read_schema(file)
        missing = [name for name in needed if name not in found.names]
        types = {column.name: _KINDS[column.kind] for column in columns}
        other = [f.name for f in found if f.name in types and not types[f.name](_plain(f.type))]
        if not (missing or other):
            return pd.read_parquet(file)
        said = f"lacks {', '.join(missing)}" if missing else f"{other[0]} is of another type"
    except FileNotFoundError as error:
        raise TrialwattError(f"{file}: missing; make the metrics first") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        said = shown(error, 200)
    raise TrialwattError(f"{file}: damaged, or no table of metrics ({said}); {AGAIN}")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)


def _is_text(kind: pa.DataType) -> bool:
    """Or a list of texts, as flags once were."""
    if pa.types.is_list(kind):
        return _is_text(kind.value_type)
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)


def _is_flag(kind: pa.DataType) -> bool:
    return pa.types.is_boolean(kind) or pa.types.is_null(kind)


_KINDS = {"text": _is_text, "whole": _is_number, "real": _is_number, "flag": _is_flag}
