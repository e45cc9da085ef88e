"""The trial table: every φ of a grid, for several seeds, epoch by epoch. Read, checked, written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from trialwatt.config.models import AS_RECORDED, RunConfig, Space, Workload
from trialwatt.config.plan_parts import Context
from trialwatt.config.replays import FEWEST_SEEDS
from trialwatt.config.space import grid
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, whole
from trialwatt.metrics.columns import Column, entries, schema, validate
from trialwatt.printable import shown
from trialwatt.records.phi import canonical
from trialwatt.replay.columns import SCORE, table_columns

KEY = b"trialwatt"
"""Of the Parquet schema's metadata: Facts and the dictionary of columns, as JSON."""
_FEW = 3
"""Things of a kind that a message names."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Fact):
    """A run that the table was made of. manifest: SHA-256 of its run.json."""

    folder: str
    hash: str
    repetition: int
    manifest: str
    flags: str


class Outside(_Fact):
    """What one of these jobs took beside its trials. Times in s, energies in J.

    deploy_s, setup_s, collect_s, after_s (test to undeploy). before: deploy and setup; after:
    from result collection on. Of both, the part of the workers apart from that of all else.
    else_w: mean power of all but the workers in the trials step.
    """

    deploy_s: float
    setup_s: float
    collect_s: float
    after_s: float
    before_workers_j: float
    before_else_j: float
    after_workers_j: float
    after_else_j: float
    else_w: float


class Facts(_Fact):
    """All that a table says of itself.

    static_w_per_core, static_w_per_gb: idle power by what is reserved. methods: how the energy was
    measured. context: prices, intensity and goals at which it was made.
    """

    format: int = 1
    config: dict[str, Any]
    host: dict[str, Any]
    enforcement: str
    packages: dict[str, str]
    code: dict[str, Any]
    methods: str
    static_w_per_core: float
    static_w_per_gb: float
    context: Context
    sources: tuple[Source, ...]
    outside: tuple[Outside, ...]


@dataclass(frozen=True)
class TrialTable:
    """A table that was read or made.

    frame: one row per φ × repetition × epoch (replay.columns). sha256: of its file; empty where it
    comes from none.
    """

    frame: pd.DataFrame
    facts: Facts
    sha256: str = ""

    @cached_property
    def config(self) -> RunConfig:
        """The run that was measured: of `plain`, over the whole grid."""
        return RunConfig.model_validate(self.facts.config, context=AS_RECORDED)

    @property
    def workload(self) -> Workload:
        return self.config.workload

    @property
    def space(self) -> Space:
        return self.workload.space

    @property
    def scores(self) -> list[str]:
        return [name[len(SCORE) :] for name in self.frame if name.startswith(SCORE)]

    @property
    def columns(self) -> list[Column]:
        return table_columns(self.space, self.scores)

    @cached_property
    def seeds(self) -> dict[int, int]:
        """Repetition → its seed."""
        own = self.frame.drop_duplicates("repetition").sort_values("repetition")
        return dict(zip(own["repetition"].tolist(), own["seed"].tolist(), strict=True))

    @cached_property
    def phis(self) -> list[str]:
        """Every φ of the grid as canonical JSON, in the grid's order."""
        return [canonical(phi, self.space) for phi in grid(self.space)]

    @cached_property
    def holes(self) -> list[tuple[str, int]]:
        """(φ, repetition) of what was not measured to its end: completed, or failed by itself."""
        last = self.frame.groupby(["phi", "repetition"]).agg(
            epochs=("epoch", "max"), rows=("epoch", "size"), outcome=("outcome", "first")
        )
        rows_fit = last["rows"] == last["epochs"] + 1
        ended = (last["epochs"] == self.workload.epochs) | (last["outcome"] == "failed")
        known = set(last.index[rows_fit & ended])
        return [(p, r) for r in self.seeds for p in self.phis if (p, r) not in known]

    def check(self, seeds: int = FEWEST_SEEDS, flagged: bool = False) -> None:
        """Raises TrialwattError where it cannot be searched: holes, another space, fewer seeds than
        these, or, unless `flagged` are allowed, runs whose energy must be read with care."""
        strange = sorted(set(self.frame["phi"]) - set(self.phis))
        if strange:
            raise TrialwattError(
                f"the table is of another space: {_some(strange)} is not on the grid of its "
                "workload; make it anew with `trialwatt table`"
            )
        if holes := self.holes:
            said = [f"{phi} in repetition {number}" for phi, number in holes]
            raise TrialwattError(
                f"the table has holes, {len(holes)} of {len(self.phis) * len(self.seeds)} trials: "
                f"{_some(said)}; measure these runs again and make it anew"
            )
        if len(self.seeds) < seeds:
            raise TrialwattError(
                f"the table has too few seeds: {len(self.seeds)}, at least {seeds} are needed to "
                "tell a strategy from the luck of one training; measure more repetitions"
            )
        flags = [f"{one.folder}: {one.flags}" for one in self.facts.sources if one.flags]
        if flags and not flagged:
            raise TrialwattError(
                f"the table is made of flagged runs: {_some(flags)}; measure them again, or allow "
                "them (--flagged), and say so wherever you show what was replayed"
            )

    def write(self, file: Path) -> Path:
        """As Parquet, whole or not at all; the same bytes for the same table."""
        columns = self.columns
        table = pa.Table.from_pandas(self.frame, schema(columns), preserve_index=False)
        validate(table, columns, "trial table")
        said = self.facts.model_dump(mode="json") | {"dictionary": entries(columns)}
        text = json.dumps(said, sort_keys=True, ensure_ascii=False, allow_nan=False)
        table = table.replace_schema_metadata({KEY: text.encode()})
        return write_parquet(table, file)

    def write_csv(self, file: Path) -> Path:
        """The rows alone, as CSV."""
        table = pa.Table.from_pandas(self.frame, schema(self.columns), preserve_index=False)
        return write_csv(table, file)


def load(file: str | Path) -> TrialTable:
    """Read a trial table. Raises TrialwattError where the file is none, or is damaged."""
    file = Path(file)
    if not file.is_file():
        raise TrialwattError(f"{file}: no such file; `trialwatt table` makes one of results")
    try:
        table = pq.read_table(file)
        said: Mapping[str, Any] = json.loads((table.schema.metadata or {})[KEY])
        facts = Facts.model_validate({k: v for k, v in said.items() if k != "dictionary"})
        found = TrialTable(table.to_pandas(), facts, sha256(file))
        columns = found.columns
    except (pa.ArrowException, KeyError, ValueError, ValidationError) as error:
        raise TrialwattError(
            f"{file}: damaged, or no trial table ({shown(error, 200)}); make it with "
            "`trialwatt table`"
        ) from error
    validate(table, columns, str(file))
    return found


def _some(said: list[str]) -> str:
    more = f" (and {len(said) - _FEW} more)" if len(said) > _FEW else ""
    return "; ".join(said[:_FEW]) + more


def write_parquet(table: pa.Table, file: Path) -> Path:
    """With the table's metadata, whole or not at all."""
    with whole(file) as part:
        pq.write_table(table, part, compression="zstd")
    return file


def write_csv(table: pa.Table, file: Path) -> Path:
    """Whole or not at all."""
    with whole(file) as part:
        pcsv.write_csv(table, part)
    return file
