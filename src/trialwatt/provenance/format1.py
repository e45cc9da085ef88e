"""plan.json as its first format had it, in which most facts stood twice, as the plan that it told.

What it repeats is checked against what follows from the plan in it: an archive that contradicts
itself is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trialwatt.config.factors import split
from trialwatt.config.paths import Measured, PlainName, RelativePath
from trialwatt.config.plan import Plan
from trialwatt.config.plan_parts import Context, Data, ExperimentRow, Part, Sweep, Unavailable
from trialwatt.config.tables import PowerModel
from trialwatt.errors import TrialwattError

FORMAT = 1


class _Sweep(Sweep):
    """A sweep, with its name among those of its experiment; by what it went on does not matter."""

    model_config = Sweep.model_config | {"extra": "ignore"}

    id: PlainName


class _Experiment(Part):
    """One experiment. folders: the repetitions that no sweep decides on."""

    id: PlainName
    title: str
    varied: list[str]
    file: RelativePath
    config_files: list[RelativePath]
    folders: list[Measured]
    rows: list[ExperimentRow]
    sweeps: list[_Sweep]
    unavailable: list[Unavailable]


class _Run(BaseModel):
    """A run as the whole plan's experiment names it."""

    folder: str
    label: str
    treatment: dict[str, Any]
    is_baseline: bool

    def planned(self) -> dict[str, Any]:
        """As the plan has it: the keys in the order of the label, which the file had sorted."""
        place = {key: f", {self.label}".find(f", {key}=") for key in self.treatment}
        treatment = {key: self.treatment[key] for key in sorted(place, key=lambda key: place[key])}
        return self.model_dump(exclude={"label"}) | {"treatment": treatment}


class _Runs(BaseModel):
    runs: list[_Run]


class _Configuration(BaseModel):
    model_config = ConfigDict(extra="allow")

    sut: str
    testbed: Data
    workload: Data


class _Settings(BaseModel):
    repetitions: int = 1
    seed: int = 1
    base: str | None = None
    set: dict[str, Any] = {}


class _Whole(BaseModel):
    """All of the plan, by which the rest of the file has to go."""

    settings: _Settings = _Settings()
    testbed: Data = {}
    experiments: dict[str, _Runs] = {}
    runs: dict[str, _Configuration] = {}


class _PlanFile(BaseModel):
    """The whole file. Paths are relative to the root, those of runs to the results folder."""

    model_config = ConfigDict(strict=True)

    testbed: PlainName
    context: Context
    carbon_series: Annotated[list[RelativePath], Field(max_length=1)]
    power: dict[str, PowerModel]
    experiments: list[_Experiment]
    warm_ups: dict[PlainName, str]
    plan: _Whole

    @model_validator(mode="after")
    def _names_each_experiment_once(self) -> Self:
        if len({part.id for part in self.experiments}) < len(self.experiments):
            raise ValueError("experiments: two of one name")
        return self


def plan_of(content: dict[str, Any]) -> Plan:
    """The plan that a file of this format holds.

    Raises ValidationError where something in it is of another type or out of bounds, and
    TrialwattError where it contradicts itself.
    """
    old = _PlanFile.model_validate(content)
    whole, settings = old.plan, old.plan.settings
    files = {file for part in old.experiments for file in (part.file, *part.config_files)}
    plan = Plan.model_validate(
        {
            "testbed_name": old.testbed,
            "testbed": whole.testbed,
            "workload": {},
            "seed": settings.seed,
            "repetitions": settings.repetitions,
            "warm_up": bool(old.warm_ups),
            "base": settings.base,
            "set": settings.set,
            "context": old.context,
            "power": old.power,
            "files": sorted({*files, *old.carbon_series}),
            "experiments": {part.id: _experiment(old, part) for part in old.experiments},
            "runs": {
                folder: {"sut": run.sut, "workload": run.workload}
                for folder, run in whole.runs.items()
            },
        }
    )
    for where, said in _contradictions(old, plan):
        raise TrialwattError(f"plan.json: {where}: {said}")
    return plan


def _experiment(old: _PlanFile, part: _Experiment) -> dict[str, Any]:
    named = old.plan.experiments.get(part.id)
    told = {row.varied for row in part.rows}
    return {
        "title": part.title,
        "file": part.file,
        "varies": part.varied,
        "compared": None if None in told else list(split("".join(sorted(told)))),
        "runs": [run.planned() for run in named.runs] if named else [],
        "sweeps": [
            {
                "sut": sweep.sut,
                "sampler": sweep.sampler,
                "key": sweep.key,
                "steps": [step.folder for step in sweep.steps],
                "baseline": sweep.baseline.folder,
                "tolerance": sweep.tolerance,
            }
            for sweep in part.sweeps
        ],
        "unavailable": part.unavailable,
    }


def _contradictions(old: _PlanFile, plan: Plan) -> Iterator[tuple[str, str]]:
    said = "not what the plan in it says"
    for number, part in enumerate(old.experiments):
        where, own = f"experiments.{number}", plan.experiments[part.id]
        for index, (row, follows) in enumerate(zip(part.rows, own.rows, strict=False)):
            if row != follows:
                yield f"{where}.rows.{index}", said
        if len(part.rows) != len(own.rows):
            yield f"{where}.rows", said
        if part.folders != plan.folders(part.id):
            yield f"{where}.folders", said
        if sorted(part.config_files) != sorted(plan.files_of(part.id)):
            yield f"{where}.config_files", said
        sweeps = {sweep.id: sweep.model_dump(exclude={"id"}) for sweep in part.sweeps}
        if sweeps != {name: one.model_dump() for name, one in plan.sweeps(part.id).items()}:
            yield f"{where}.sweeps", said
    if old.warm_ups != plan.warm_up_folders:
        yield "warm_ups", said
    if old.carbon_series != plan.carbon_series:
        yield "carbon_series", said
    for folder, run in old.plan.runs.items():
        if run.model_dump() != plan.config(folder):
            yield f"plan.runs.{folder}", "not of the testbed and the seed of the plan"
