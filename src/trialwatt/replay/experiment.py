"""An experiment that was searched on a trial table: all its strategies in one set of tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trialwatt.config.factors import split
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.metrics.columns import schema, validate
from trialwatt.printable import shown
from trialwatt.provenance.foreign import read_json
from trialwatt.replay.columns import EXPERIMENT
from trialwatt.replay.results import NAME, Results, read_table
from trialwatt.replay.table import KEY, write_parquet

FOLDER = "replay"
"""Below the results folder."""
SAID = "replayed"
"""Key of replay.json, beside what every sidecar has."""
_MOST_BYTES = 64 << 20
_AGAIN = "remove the folder, and `snakemake --profile local` makes it again"


@dataclass(frozen=True)
class ReplayedExperiment:
    """What results/replay/<id> holds.

    varied: the workload keys that it compares. searches: a row per strategy and search, with the
    columns that replay.columns.EXPERIMENT has: `strategy` is the place in said["strategies"], and
    searches of one number have the same measured seed under every strategy. attained: likewise, a
    row per target. said: of what, how, and of each strategy its `coverage` by live runs, null where
    there are none. unavailable: what is not replayed: `sut`, `treatment` (either may be None) and
    `reason`.
    """

    id: str
    title: str
    varied: tuple[str, ...]
    searches: pd.DataFrame
    attained: pd.DataFrame
    said: Mapping[str, Any]
    unavailable: list[dict[str, Any]]

    @property
    def strategies(self) -> list[Results]:
        """Each strategy alone."""
        common = {key: value for key, value in self.said.items() if key != "strategies"}
        return [
            Results(
                self.searches[self.searches["strategy"] == place],
                self.attained[self.attained["strategy"] == place],
                common | own,
            )
            for place, own in enumerate(self.said["strategies"])
        ]


def read_replayed(results: Path, experiment: str) -> ReplayedExperiment:
    """Raises TrialwattError where it was not replayed, or where its files are damaged or changed
    since."""
    folder = results / FOLDER / experiment
    content: Any = read_json(folder / NAME, _MOST_BYTES)
    try:
        said, outputs = content[SAID], content["outputs"]
        changed = [name for name, known in outputs.items() if sha256(folder / name) != known]
    except (OSError, KeyError, TypeError, AttributeError) as error:
        raise TrialwattError(f"{folder}: damaged ({shown(error, 200)}); {_AGAIN}") from error
    if changed:
        raise TrialwattError(f"{folder}: {changed[0]} was changed since {NAME} was made; {_AGAIN}")
    return replayed(folder, said)


def replayed(folder: Path, said: Mapping[str, Any]) -> ReplayedExperiment:
    """The tables of a folder with what is said of them. Raises TrialwattError where they are
    damaged."""
    try:
        frames = {
            name: read_table(folder / f"{name}.parquet", columns)
            for name, columns in EXPERIMENT.items()
        }
        of = said["experiment"]
        return ReplayedExperiment(
            id=of["id"],
            title=of["title"],
            varied=split(of["varied"]),
            said=said,
            unavailable=said["unavailable"],
            **frames,
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise TrialwattError(f"{folder}: damaged ({shown(error, 200)}); {_AGAIN}") from error


def write_searches(
    frames: Mapping[str, pd.DataFrame], said: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Both tables of an experiment; the first has what is said of them in its metadata, all but
    the comparison with live searches."""
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, allow_nan=False)
    written = list[Path]()
    for name, columns in EXPERIMENT.items():
        rows = pa.Table.from_pandas(frames[name], schema(columns), preserve_index=False)
        validate(rows, columns, name)
        rows = rows.replace_schema_metadata({KEY: text.encode()} if not written else None)
        written.append(write_parquet(rows, folder / f"{name}.parquet"))
    return written


def read_said(folder: Path) -> dict[str, Any]:
    """What the searches of a folder say of themselves."""
    file = folder / f"{next(iter(EXPERIMENT))}.parquet"
    try:
        said: dict[str, Any] = json.loads((pq.read_schema(file).metadata or {})[KEY])
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise TrialwattError(f"{file}: damaged ({shown(error, 200)}); {_AGAIN}") from error
    return said
