"""The parts of a plan: plain data with names and bounds, as the stages after it take them.

What they hold may come from a stranger's plan.json: nothing in them leads out of a folder.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from trialwatt.config.carbon_series import read_series
from trialwatt.config.expansion import label_of
from trialwatt.config.factors import joined
from trialwatt.config.models import Testbed, Value
from trialwatt.config.paths import PlainName, RelativePath, RunFolder
from trialwatt.config.tables import CarbonRegion, PriceSet


class Part(BaseModel):
    """Base: immutable, nothing unknown in it, and no text where a number should be."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    json.dumps(values, allow_nan=False)
    return values


Data = Annotated[dict[str, Any], AfterValidator(_finite)]
"""A resolved configuration as JSON has it: a record of what was planned, whatever models are now"""


class Context(Part):
    """Prices, intensity, PUE and goals: what metrics.context.MetricsContext is made of.

    intensity: g/kWh; None where a series of the testbed goes before its region, to be read from the
    file by who has it as an input: then `region` is the file's name. targets: by dataset.
    """

    price_per_cpu_h: float
    price_per_gb_h: float
    price_per_accelerator_h: dict[str, float] = {}
    currency: str
    price_date: str
    intensity: float | None
    region: str
    carbon_year: int
    pue: float = 1.0
    targets: dict[str, float] = {}

    @classmethod
    def of(
        cls,
        testbed: Testbed,
        prices: PriceSet,
        carbon: CarbonRegion,
        targets: Mapping[str, float],
        series: Path | None = None,
    ) -> Context:
        """What the tables say of a testbed. series: the file of its carbon series, if it has one.

        An accelerator type is priced as the model that the testbed names for it; without one, as an
        entry of the type's own name, if the price set has one.
        """
        models = {"gpu": "gpu", "tpu": "tpu"} | testbed.accelerator_model
        intensity: float | None = carbon.intensity_g_per_kwh
        region, year = testbed.region, carbon.year
        if series is not None:
            first = datetime.datetime.fromtimestamp(read_series(series)[0][0] / 1e9, datetime.UTC)
            intensity, region, year = None, f"series {series.name}", first.year
        return cls(
            price_per_cpu_h=prices.per_vcpu_h,
            price_per_gb_h=prices.per_gb_h,
            price_per_accelerator_h={
                kind: prices.accelerators_per_h[model]
                for kind, model in models.items()
                if model in prices.accelerators_per_h
            },
            currency=prices.currency,
            price_date=prices.date,
            intensity=intensity,
            region=region,
            carbon_year=year,
            pue=testbed.pue,
            targets=dict(targets),
        )


class ExperimentRow(Part):
    """Where a run stands in an experiment; a run that several experiments share has several.

    hash: of the run's configuration. treatment_value: of one that varies one number. varied: the
    workload keys that the experiment compares, as config.factors.joined has them; None where an
    older plan does not tell.
    """

    experiment: PlainName
    varied: str | None = None
    hash: str
    treatment: str = ""
    treatment_value: float | None = None
    is_baseline: bool = False


class SweepStep(Part):
    """A treatment of a sweep: its value, and the folder of its repetitions."""

    value: float
    folder: RunFolder


class Sweep(Part):
    """What decides how a sweep goes on; see docs/analysis.md, "Convergence".

    steps: rising; which are run, their JCT decides. baseline: the step that counts from the
    beginning, wherever it lies. repetitions: how many blocks there are.
    """

    sut: PlainName
    sampler: PlainName
    testbed: PlainName
    key: str
    steps: list[SweepStep]
    baseline: SweepStep
    tolerance: float
    repetitions: int

    @property
    def scouts(self) -> list[SweepStep]:
        """The steps that are run once before the blocks, to see where the curve is flat: each
        twice the one before, or more, and the last; none where these are all that there are."""
        found = self.steps[:1]
        for step in self.steps[1:]:
            if step.value >= 2 * found[-1].value or step is self.steps[-1]:
                found.append(step)
        return found if len(found) < len(self.steps) else []


class Unavailable(Part):
    """What cannot be run here, and why: never imitated, always shown.

    sut None: the treatment is not available to any; treatment None: the SUT is not available.
    """

    sut: str | None
    treatment: str | None
    reason: str


class Configuration(Part):
    """What is run: a workload under a SUT; the testbed, the seed, and what all runs have in common
    of their workloads are the plan's."""

    sut: PlainName
    workload: Data


class PlannedRun(Part):
    """One treatment of an experiment under one SUT.

    treatment: dotted workload key → value (None: a budget of all of the grid), empty where the
    experiment varies nothing. folder: of several experiments' runs it may be the same.
    """

    folder: RunFolder
    treatment: dict[str, Value | None]
    is_baseline: bool = False

    @property
    def label(self) -> str:
        """As `workers.count=2`; "baseline" where nothing varies."""
        return label_of(self.treatment)

    @property
    def value(self) -> Value | None:
        """The treatment of an experiment that varies one key; None if it varies none or several."""
        return next(iter(self.treatment.values())) if len(self.treatment) == 1 else None

    @property
    def number(self) -> float | None:
        """Its value, where that is a number."""
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return float(self.value) if is_number and self.value is not None else None

    @property
    def hash(self) -> str:
        """Of its configuration."""
        return self.folder.rsplit("-", 1)[-1]


class PlannedSweep(Part):
    """The runs that a SUT with one sampler may try, by their folders; see Sweep."""

    model_config = Part.model_config | {"extra": "ignore"}  # older ones have a patience

    sut: PlainName
    sampler: PlainName
    key: str
    steps: list[RunFolder]
    baseline: RunFolder
    tolerance: float

    @property
    def id(self) -> str:
        """Its name among the sweeps of its experiment."""
        return f"{self.sut}-{self.sampler}"


class PlannedExperiment(Part):
    """An experiment and its runs, in the order of its treatments, then of its SUTs.

    varies: the workload keys of all its ways; compared: those that it is about (config.factors),
    None where an older plan does not tell. runs: all that may be run; of those in `sweeps` only
    some will be. intensity_varies: whether its carbon intensity is a series, as the plan's context
    has it.
    """

    id: PlainName = Field(exclude=True)
    intensity_varies: bool = Field(default=False, exclude=True)
    title: str
    file: RelativePath
    varies: list[str]
    compared: list[str] | None
    runs: list[PlannedRun]
    sweeps: list[PlannedSweep] = []
    unavailable: list[Unavailable] = []

    @model_validator(mode="after")
    def _sweeps_have_their_runs(self) -> Self:
        numbers = {run.folder for run in self.runs if run.number is not None}
        for index, sweep in enumerate(self.sweeps):
            for folder in (*sweep.steps, sweep.baseline):
                if folder not in numbers:
                    raise ValueError(f"sweeps.{index}: {folder}: no run with a number to sweep")
        return self

    @property
    def rows(self) -> list[ExperimentRow]:
        """Where each of its runs stands, for the metrics."""
        return [
            ExperimentRow(
                experiment=self.id,
                varied=None if self.compared is None else joined(self.compared),
                hash=run.hash,
                treatment=run.label,
                treatment_value=run.number,
                is_baseline=run.is_baseline,
            )
            for run in self.runs
        ]

    @property
    def is_alone(self) -> bool:
        """Whether several treatments were meant, and there is but one that can be run."""
        return bool(self.varies) and len({run.label for run in self.runs}) < 2

    @property
    def fixed_folders(self) -> list[str]:
        """Of the runs that do not depend on how a sweep goes on."""
        swept = {folder for sweep in self.sweeps for folder in (*sweep.steps, sweep.baseline)}
        return [run.folder for run in self.runs if run.folder not in swept]

    @property
    def lacking(self) -> list[dict[str, str | None]]:
        """What cannot be run here, as plain data."""
        return [each.model_dump() for each in self.unavailable]


COPIED_COST = "replay/cost/runs.parquet"
"""Where a runs table that was measured elsewhere is copied to, below the results folder."""


class PlannedReplay(Part):
    """What is searched on the trials of one experiment.

    table: that experiment; folder: of its run. cost: the experiment that tells what frameworks
    cost; cost_elsewhere: that it was measured elsewhere, and its runs table was copied here.
    searches: of each strategy. configurations (`runs`): of each run that would be live, what its
    workload has beside, or instead of, what the plan's runs have in common.
    """

    table: PlainName
    folder: RunFolder
    cost: PlainName | None = None
    cost_elsewhere: bool = False
    searches: Annotated[int, Field(ge=1)]
    experiments: dict[PlainName, PlannedExperiment]
    configurations: dict[RunFolder, Configuration] = Field(alias="runs")

    @property
    def cost_file(self) -> str | None:
        """The runs table that tells what frameworks cost, below the results folder."""
        if self.cost_elsewhere:
            return COPIED_COST
        return None if self.cost is None else f"metrics/{self.cost}/runs.parquet"

    @field_validator("experiments", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return with_names(value)

    @model_validator(mode="after")
    def _have_their_runs(self) -> Self:
        check_runs(self.experiments, self.configurations)
        return self


def with_names(experiments: Any, **more: Any) -> Any:
    """Experiments of a plan's file, each with the name that it has there."""
    if not isinstance(experiments, dict):
        return experiments
    return {
        name: {**each, "id": name, **more} if isinstance(each, dict) else each
        for name, each in experiments.items()
    }


def check_runs(
    experiments: Mapping[str, PlannedExperiment], configurations: Mapping[str, Configuration]
) -> None:
    """Raises ValueError where an experiment names a run that there is not."""
    for experiment in experiments.values():
        for run in experiment.runs:
            if run.folder not in configurations:
                raise ValueError(f"experiments.{experiment.id}: {run.folder}: no such run")
