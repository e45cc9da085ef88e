"""The tables of replayed searches, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from trialwatt.config.factors import FACTORS
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, write_whole
from trialwatt.metrics.columns import Column, entries, schema, validate
from trialwatt.printable import shown
from trialwatt.replay.columns import ATTAINED, SEARCHES
from trialwatt.replay.conditions import Conditions
from trialwatt.replay.run import Replay, Replayed
from trialwatt.replay.table import TrialTable, write_csv, write_parquet

NAME = "replay.json"
_TABLES = {"searches": SEARCHES, "attained": ATTAINED}


@dataclass(frozen=True)
class Results:
    """What a folder of replayed searches holds. said: its replay.json."""

    searches: pd.DataFrame
    attained: pd.DataFrame
    said: dict[str, Any]

    @property
    def conditions(self) -> Conditions:
        """Under which it was measured and replayed. Raises TrialwattError where it does not say."""
        if "conditions" not in self.said:
            raise TrialwattError(f"{self.strategy}: replayed by an older version; replay it again")
        return Conditions(**self.said["conditions"])

    @property
    def strategy(self) -> str:
        """`optuna tpe + median`"""
        search = self.said["search"]
        pruner = f" + {search['pruner']}" if search["pruner"] != "none" else ""
        return f"{self.said['sut']} {search['sampler']}{pruner}"


def write_results(
    replayed: Replayed,
    replay: Replay,
    table: TrialTable,
    seed: int,
    folder: Path,
    notes: Sequence[str] = (),
) -> list[Path]:
    """searches and attained as Parquet, searches as CSV, and replay.json: the same bytes for the
    same table, strategy, seed and versions. notes: what a reader must know of them besides."""
    said = _provenance(replay, table, seed, len(replayed.searches), notes)
    written = []
    for name, columns in _TABLES.items():
        rows = pa.Table.from_pandas(getattr(replayed, name), schema(columns), preserve_index=False)
        validate(rows, columns, name)
        rows = rows.replace_schema_metadata(None)
        written.append(write_parquet(rows, folder / f"{name}.parquet"))
        if name == "searches":
            written.append(write_csv(rows, folder / f"{name}.csv"))
    said["outputs"] = {path.name: sha256(path) for path in written}
    said["dictionary"] = {name: entries(columns) for name, columns in _TABLES.items()}
    write_said(folder / NAME, said)
    return [*written, folder / NAME]


def read_results(folder: Path) -> Results:
    """Raises TrialwattError where the folder holds none, or where they were changed since."""
    try:
        said = json.loads((folder / NAME).read_text(encoding="utf-8"))
        outputs = said["outputs"]
        frames = {
            name: read_table(folder / f"{name}.parquet", own) for name, own in _TABLES.items()
        }
        strange = [name for name, known in outputs.items() if sha256(folder / name) != known]
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise TrialwattError(
            f"{folder}: no replayed searches, or damaged ({shown(error, 200)}); `trialwatt replay` "
            "writes them"
        ) from error
    if strange:
        raise TrialwattError(f"{folder}: {strange[0]} was changed since it was replayed")
    return Results(**frames, said=said)


def write_coverage(folder: Path, told: Mapping[str, Any], runs: Path) -> None:
    """Put what a comparison with live searches found (check.told) into the replay.json."""
    coverage = {**told, "table": sha256(runs)}
    write_said(folder / NAME, {**read_results(folder).said, "coverage": coverage})


def write_said(file: Path, said: Mapping[str, Any]) -> None:
    """The same bytes for the same content."""
    text = json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_whole(file, text + "\n")


def read_table(file: Path, columns: list[Column]) -> pd.DataFrame:
    """A table of replayed searches, validated."""
    rows = pq.read_table(file)
    validate(rows, columns, str(file))
    return rows.to_pandas()


def _provenance(
    replay: Replay, table: TrialTable, seed: int, count: int, notes: Sequence[str]
) -> dict[str, Any]:
    return of_all(table, seed, count) | of_strategy(replay, notes)


def of_all(table: TrialTable, seed: int, count: int) -> dict[str, Any]:
    """What all searches on a table have in common."""
    config, facts = table.config, table.facts
    workload = config.workload
    return {
        "made": "replayed: measured trials, virtual workers and clock (docs/replay.md)",
        "searches": count,
        "seed": seed,
        "table": {
            "sha256": table.sha256,
            "testbed": config.testbed_name,
            "workload": workload.trial.name
            if workload.trial
            else f"{workload.model} on {workload.dataset}",
            "seeds": len(table.seeds),
            "energy": facts.methods,
            "currency": facts.context.currency,
            "packages": facts.packages,
            "runs": [one.model_dump(mode="json") for one in facts.sources],
            "flags": sorted({one.flags for one in facts.sources if one.flags}),
        },
    }


def of_strategy(replay: Replay, notes: Sequence[str]) -> dict[str, Any]:
    """What is searched, by whom, and how; notes: what a reader must know of it besides."""
    config = replay.config
    workload = config.workload
    return {
        "sut": config.sut,
        "search": workload.search.model_dump(mode="json") | {"budget": replay.budget},
        "workers": workload.workers.model_dump(mode="json"),
        "space": {k: axis.model_dump(mode="json") for k, axis in workload.space.items()},
        "epochs": workload.epochs,
        "goal": workload.goal.model_dump(mode="json"),
        "targets": replay.scoring.targets,
        "factors": {factor.column: factor.of(workload) for factor in FACTORS.values()},
        "draw": replay.draw,
        "framework": replay.costs.framework,
        "conditions": asdict(replay.conditions),
        "notes": list(notes),
        "packages": replay.packages,
    }
