"""results/plan.json: the resolved plan, and all that is needed to make its results again.

It is what the workflow hands from the plan to the rules after the runs, as one file: the records
and it are enough for the metrics, tables and figures, on a machine that could not run any of it.
One from an archive may come from a stranger, so it is validated before it is used.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from trialwatt.config import handover
from trialwatt.config.plan import Plan
from trialwatt.errors import TrialwattError
from trialwatt.printed import shown
from trialwatt.provenance.chain import RelativePath, first_fault, placed, without_places
from trialwatt.provenance.foreign import Missing, read_json

NAME = "plan.json"
FORMAT = 1
MOST_BYTES = 64 << 20

PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
RunFolder = Annotated[str, Field(pattern=r"^runs(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}){2}$")]
Repetition = Annotated[
    str, Field(pattern=r"^runs(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}){2}/rep[0-9]{1,6}$")
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Context(BaseModel):
    """Types of what metrics.context.MetricsContext is made of."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    price_per_cpu_h: float | None = None
    price_per_gb_h: float | None = None
    price_per_accelerator_h: dict[str, float] = {}
    currency: str = ""
    price_date: str = ""
    intensity: float | None = None
    region: str = ""
    carbon_year: int = 0
    pue: float = 1.0
    targets: dict[str, float] = {}


class _PlannedRun(BaseModel):
    """A run as the plan of its experiment names it."""

    folder: str
    label: str | None = None
    treatment: dict[str, Any] | None = None


class _PlannedExperiment(BaseModel):
    runs: list[_PlannedRun] | None = None


class _Configuration(BaseModel):
    testbed: dict[str, Any] | None = None
    workload: dict[str, Any] | None = None


class _Plan(BaseModel):
    """Types of what is read of the plan as a whole."""

    runs: dict[str, _Configuration] | None = None
    experiments: dict[str, _PlannedExperiment | None] | None = None
    settings: dict[str, Any] | None = None
    testbed: dict[str, Any] | None = None


def _as(kind: type[BaseModel]) -> AfterValidator:
    """Values that have these types, left as they are; every number in them is finite."""

    def validate(value: dict) -> dict:
        try:
            kind.model_validate(value)
        except ValidationError as error:
            raise ValueError(_first(error)) from error
        json.dumps(value, allow_nan=False)
        return value

    return AfterValidator(validate)


class Row(_Part):
    """Keywords of metrics.tables.ExperimentRow. varied: None in a plan that is older than it."""

    experiment: PlainName
    hash: str
    varied: str | None = None
    treatment: str = ""
    treatment_value: float | None = None
    is_baseline: bool = False


class Step(_Part):
    """A treatment of a sweep."""

    value: float
    folder: RunFolder


class SweepValues(_Part):
    """A sweep: its name among those of its experiment, and values for analysis.moves.Sweep.of."""

    id: PlainName
    sut: PlainName
    sampler: PlainName
    testbed: PlainName
    key: str
    steps: list[Step]
    baseline: Step
    tolerance: float
    patience: int
    repetitions: int
    most_repetitions: int


class Lacking(_Part):
    """What could not be run, and why."""

    sut: str | None
    treatment: str | None
    reason: str


class ExperimentPart(_Part):
    """One experiment. folders: the repetitions that no sweep decides on."""

    id: PlainName
    title: str
    varied: list[str]
    file: RelativePath
    config_files: list[RelativePath]
    folders: list[Repetition]
    rows: list[Row]
    sweeps: list[SweepValues]
    unavailable: list[Lacking]


class PlanFile(BaseModel):
    """The whole file. Paths are relative to the root, those of runs to the results folder.

    context: keywords of metrics.context.MetricsContext. power: fields of config.tables.PowerModel.
    warm_ups: SUT → folder. plan: all of the plan, for people and programs; nothing is made of it
    but the configuration of each run.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    testbed: PlainName
    context: Annotated[dict[str, Any], _as(_Context)]
    carbon_series: Annotated[list[RelativePath], Field(max_length=1)]
    power: dict[str, dict[str, Any]]
    experiments: list[ExperimentPart]
    warm_ups: dict[PlainName, str]
    plan: Annotated[dict[str, Any], _as(_Plan)]

    @property
    def files(self) -> list[str]:
        """Every configuration file, relative to the root, sorted."""
        own = (file for e in self.experiments for file in (e.file, *e.config_files))
        return sorted({*own, *self.carbon_series})

    @property
    def runs(self) -> dict[str, dict]:
        """Folder → resolved configuration, of all runs that may have been made."""
        runs = self.plan.get("runs")
        return runs if isinstance(runs, dict) else {}


def plan_text(plan: Plan, root: Path | None = None) -> str:
    """The content of plan.json; equal plans give equal text, in whichever folder.

    root: the folder that holds config/ (default: the current one).
    """
    root = root or Path.cwd()
    content = {
        "generator": "trialwatt",
        "format": FORMAT,
        "testbed": plan.settings.testbed,
        "context": handover.metrics_values(plan, root),
        "carbon_series": [placed(root / file, root) for file in handover.carbon_series(plan)],
        "power": handover.power_models(plan),
        "experiments": [_experiment(plan, name, root) for name in plan.experiments],
        "warm_ups": _warm_ups(plan),
        "plan": _plan(plan, root),
    }
    # not sorted: the order of power models is that of the tables
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_plan(file: Path) -> PlanFile:
    """A plan.json. Raises TrialwattError where it is missing, damaged, newer, or of others."""
    try:
        content = read_json(file, MOST_BYTES)
    except Missing as error:
        raise TrialwattError(
            f"{file.name}: missing; the workflow writes it into its results folder, from which "
            "`snakemake --profile local archive` takes it"
        ) from error
    except TrialwattError as error:
        raise TrialwattError(f"{file.name}: {str(error).removeprefix(f'{file}: ')}") from error
    if not isinstance(content, dict) or content.get("generator") != "trialwatt":
        raise TrialwattError(f"{file.name}: of another workflow, trialwatt has not written it")
    found = content.get("format")
    if isinstance(found, int) and found > FORMAT:
        raise TrialwattError(
            f"{file.name}: has format {found}, newer than {FORMAT}, the newest that is known "
            "here; install a newer trialwatt"
        )
    if found != FORMAT:
        raise TrialwattError(
            f"{file.name}: format {shown(repr(found), 60)} is not known here, only {FORMAT}"
        )
    try:
        return PlanFile.model_validate(content)
    except ValidationError as error:
        raise TrialwattError(f"{file.name}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """What is wrong first, after its key."""
    return first_fault(error).replace(": Value error, ", ": ", 1)


def _experiment(plan: Plan, name: str, root: Path) -> dict:
    planned, source = plan.experiments[name], handover.source(plan, name)
    results = f"{plan.settings.results}/"
    return {
        "id": name,
        "title": planned.title,
        "varied": list(planned.varies),
        "file": placed(root / planned.file, root),
        "config_files": [placed(root / file, root) for file in source["config_files"]],
        "folders": [folder.removeprefix(results) for folder in plan.fixed_repetitions(name)],
        "rows": handover.experiment_rows(plan, name),
        "sweeps": [
            {"id": sweep.id, **handover.sweep_values(plan, name, sweep.id)}
            for sweep in planned.sweeps
        ],
        "unavailable": handover.unavailable(plan, name),
    }


def _warm_ups(plan: Plan) -> dict[str, str]:
    if not plan.settings.warm_up:
        return {}
    return {sut: f"warm-ups/{plan.settings.testbed}/{sut}" for sut in plan.warm_ups}


def _plan(plan: Plan, root: Path) -> dict:
    """The plan without what is a matter of this machine: where its data and results lie."""
    whole = json.loads(plan.as_json())
    whole["settings"] |= {"results": "results", "data": None}
    whole["files"] = sorted(placed(root / file, root) for file in whole["files"])
    whole["testbed"] = without_places({"testbed": whole["testbed"]})["testbed"]
    whole["runs"] = {folder: without_places(run) for folder, run in whole["runs"].items()}
    return whole
