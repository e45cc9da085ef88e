"""The plan: every run of every experiment, resolved, validated and named before anything starts.

Its JSON is results/plan.json: with the records it is enough for the metrics, tables and figures, on
a machine that could not run any of it. So what was planned to run is kept as data; it becomes a
RunConfig where it is run. One from an archive may be a stranger's: provenance.plans reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationInfo,
    field_validator,
    model_validator,
)

from trialwatt.config import goals
from trialwatt.config.blocks import places, plan_digest, scouted_of
from trialwatt.config.models import Function, RunConfig, Testbed, Value
from trialwatt.config.paths import PlainName, RelativePath, RunFolder
from trialwatt.config.plan_parts import (
    Configuration,
    Context,
    Data,
    Part,
    PlannedExperiment,
    PlannedReplay,
    Sweep,
    SweepStep,
    check_runs,
    with_names,
)
from trialwatt.config.tables import PowerModel
from trialwatt.errors import TrialwattError

NAME = "plan.json"
ELSEWHERE = "config"
"""Folder below the results with copies of the configuration files that lie outside the root: what
was planned is there when they are not, or not as they were."""
FORMAT: Literal[2] = 2
_MOST_REPETITIONS = 1_000_000
"""Their folders are listed in memory, and a stranger's plan may ask for any number."""


class Here(Part):
    """What is a matter of this machine, and in no file: where data and results lie, and where
    configuration files are that lie outside the root, by the names that the plan has for them.
    cost: a runs table that was measured elsewhere (PlannedReplay.cost_elsewhere)."""

    results: str = "results"
    data: str | None = None
    elsewhere: dict[str, str] = {}
    cost: str | None = None


class Plan(BaseModel):
    """What will be run, and what is made of it. Paths are relative to the root, run folders to the
    results folder.

    testbed_config (`testbed` in the file), configurations (`runs`): as they are resolved; workload:
    the keys of it that all runs have in common.
    repetitions: how many blocks. base, set: how the settings change each base workload.
    power: every power model that there is. files: every configuration file that was read, sorted.
    replay: what is searched on the trials of one experiment, if anything is.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    generator: Literal["trialwatt"] = "trialwatt"
    format: Literal[2] = FORMAT
    testbed_name: PlainName
    testbed_config: Data = Field(alias="testbed")
    workload: Data
    seed: int
    repetitions: Annotated[int, Field(ge=1)]
    warm_up: bool
    base: str | None
    set: dict[str, Value]
    context: Context
    power: dict[str, PowerModel]
    files: list[RelativePath]
    experiments: dict[PlainName, PlannedExperiment]
    configurations: dict[RunFolder, Configuration] = Field(alias="runs")
    replay: Annotated[PlannedReplay | None, Field(exclude_if=lambda replay: replay is None)] = None
    here: Here = Field(default=Here(), exclude=True)

    @field_validator("experiments", mode="before")
    @classmethod
    def _named(cls, value: Any, known: ValidationInfo) -> Any:
        context = known.data.get("context")
        return with_names(value, intensity_varies=context is not None and context.intensity is None)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _PATHS.validate_python(self.carbon_series)
        runs = sum(len(experiment.runs) for experiment in self.experiments.values())
        if runs * self.repetitions > _MOST_REPETITIONS:
            raise ValueError(f"repetitions: over {_MOST_REPETITIONS} of all runs")
        check_runs(self.experiments, self.configurations)
        if self.replay and self.replay.folder not in self.configurations:
            raise ValueError(f"replay: {self.replay.folder}: no such run")
        return self

    # --- what is run --------------------------------------------------------------------------

    @cached_property
    def testbed(self) -> Testbed:
        """Where the runs happen, to deploy there."""
        found = Testbed.model_validate(self.testbed_config)
        if found.carbon_series is None:
            return found
        return found.model_copy(update={"carbon_series": self.path(found.carbon_series)})

    @cached_property
    def runs(self) -> dict[str, RunConfig]:
        """Folder, relative to the results folder → its run."""
        return {folder: self._run(folder) for folder in self.configurations}

    def run(self, where: str) -> RunConfig:
        """The run of a folder, which may begin with the results folder and end with /rep<n>, or be
        that of a scouting run."""
        return self._run(self._folder(where))

    def workload_of(self, folder: str) -> dict[str, Any]:
        """The workload of a planned run, resolved."""
        return self.workload | self.configurations[folder].workload

    def config(self, folder: str) -> dict[str, Any] | None:
        """A run's configuration as its record has it; None where no such run is planned."""
        return self._config(folder) if folder in self.configurations else None

    def replayed(self, experiment: str) -> dict[str, Any]:
        """What of an experiment is replayed: plain values for replay.workflow.Asked."""
        assert self.replay is not None, "asked only of a plan that replays"
        planned, known = self.replay.experiments[experiment], self.replay.configurations
        return {
            "rows": [row.model_dump() for row in planned.rows],
            "configs": [self._config_of(known[run.folder]) for run in planned.runs],
            "searches": self.replay.searches,
            "seed": self.seed,
            "cost": self.replay.cost_file,
            "cost_elsewhere": self.replay.cost_elsewhere,
            "unavailable": planned.lacking,
        }

    @property
    def table_folders(self) -> list[str]:
        """runs/<testbed>/<run>/rep<n> of the repetitions that make the trial table."""
        if self.replay is None:
            return []
        numbers = range(1, self.repetitions + 1)
        return [_repetition(self.replay.folder, number) for number in numbers]

    def _config(self, folder: str) -> dict[str, Any]:
        return self._config_of(self.configurations[folder])

    def _config_of(self, planned: Configuration) -> dict[str, Any]:
        return {
            "format": 1,
            "sut": planned.sut,
            "workload": self.workload | planned.workload,
            "testbed_name": self.testbed_name,
            "testbed": self.testbed_config,
            "seed": self.seed,
        }

    @property
    def power_model(self) -> PowerModel:
        """That of the testbed."""
        return self.power[self.testbed.power_model]

    @cached_property
    def warm_ups(self) -> dict[str, str]:
        """SUT → the folder of its first run, which is made once before all others, not counted.

        It takes the first reading of files, the compilation of bytecode and the waking of the
        machine upon itself.
        """
        found: dict[str, str] = {}
        for experiment in self.experiments.values():
            for run in sorted(experiment.runs, key=lambda run: not run.is_baseline):
                found.setdefault(self.configurations[run.folder].sut, run.folder)
        return found

    @property
    def warm_up_folders(self) -> dict[str, str]:
        """SUT → where its warm-up is recorded; empty where the settings want none."""
        names = self.warm_ups if self.warm_up else ()
        return {sut: f"warm-ups/{self.testbed_name}/{sut}" for sut in names}

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that the runs need, sorted."""
        found = {self.workload_of(run).get("dataset") for run in self.configurations}
        return sorted(str(each) for each in found if each is not None)

    @cached_property
    def functions(self) -> dict[str, Function]:
        """Workload.data → the function, of all runs that have one."""
        workloads = (run.workload for run in self.runs.values())
        return {each.data: each.trial for each in workloads if each.trial}

    @property
    def imports(self) -> list[str]:
        """Top-level names of the modules that the functions import, sorted."""
        return sorted({name for each in self.functions.values() for name in each.imports})

    def folders(self, experiment: str) -> list[str]:
        """runs/<testbed>/<run>/rep<n> of the runs of an experiment that no sweep decides on."""
        if experiment not in self.experiments:
            there = ", ".join(self.experiments)
            raise TrialwattError(f"no experiment {experiment!r} in the plan; there are: {there}")
        return [
            _repetition(folder, number)
            for folder in self.experiments[experiment].fixed_folders
            for number in range(1, self.repetitions + 1)
        ]

    def fixed_repetitions(self, experiment: str | None = None) -> list[str]:
        """The same with the results folder, of one experiment or of all, each once."""
        chosen = self.experiments if experiment is None else [experiment]
        folders = dict.fromkeys(folder for name in chosen for folder in self.folders(name))
        return [f"{self.here.results}/{folder}" for folder in folders]

    def order_priority(self, where: str, block: int | str) -> int:
        """Of a repetition among all that can be run; a higher one goes first.

        Block by block, within each in its drawn order; blocks.SCOUTS goes before all of them.
        Small numbers: a solver may be asked to weigh them.
        """
        there = places(self.seed, int(block), tuple(self.configurations))
        before = (self.repetitions - int(block)) * len(there)
        return before + len(there) - there[self._folder(where)]

    @cached_property
    def digest(self) -> str:
        """Tells plans apart by their configurations: each run's record names that of its block."""
        return plan_digest(self.configurations)

    def sweeps(self, experiment: str) -> dict[str, Sweep]:
        """Its sweeps by their names."""
        planned = self.experiments[experiment]
        numbers = {run.folder: run.number or 0.0 for run in planned.runs}

        def step(folder: str) -> SweepStep:
            return SweepStep(value=numbers[folder], folder=folder)

        return {
            sweep.id: Sweep(
                sut=sweep.sut,
                sampler=sweep.sampler,
                testbed=self.testbed_name,
                key=sweep.key,
                steps=[step(folder) for folder in sweep.steps],
                baseline=step(sweep.baseline),
                tolerance=sweep.tolerance,
                repetitions=self.repetitions,
            )
            for sweep in planned.sweeps
        }

    # --- what is made of it -------------------------------------------------------------------

    @property
    def carbon_series(self) -> list[str]:
        """The testbed's series of carbon intensities: one file or none."""
        series = self.testbed_config.get("carbon_series")
        return [series] if series else []

    def files_of(self, experiment: str) -> list[str]:
        """The configuration files that an experiment is made of, its goals last."""
        replayed = self.replay.experiments if self.replay else {}
        named = {**replayed, **self.experiments}
        others = {other.file for name, other in named.items() if name != experiment}
        own = [file for file in self.files if file not in others]
        return sorted(own, key=lambda file: file.startswith(f"{goals.FOLDER}/"))

    def source(self, experiment: str) -> dict[str, Any]:
        """Where an experiment comes from: plain values for figures.make.source_of."""
        return self._source(self.experiments[experiment])

    def replayed_source(self, experiment: str) -> dict[str, Any]:
        """The same of one that is replayed, with the files of those that it is made of; of the
        table, where none is named."""
        assert self.replay is not None, "asked only of a plan that replays"
        if not experiment:
            return self.source(self.replay.table)
        of = (self.replay.table, self.replay.cost)
        files = [self.experiments[name].file for name in of if name is not None]
        return self._source(self.replay.experiments[experiment], files)

    def _source(self, planned: PlannedExperiment, files: Iterable[str] = ()) -> dict[str, Any]:
        return {
            "experiment": planned.id,
            "title": planned.title,
            "results": self.here.results,
            "file": self.path(planned.file),
            "config_files": self.paths([*self.files_of(planned.id), *files]),
        }

    def path(self, file: str) -> str:
        """Where a configuration file of the plan is."""
        return self.here.elsewhere.get(file, file)

    def paths(self, files: Iterable[str]) -> list[str]:
        """Where each of them is."""
        return [self.path(file) for file in files]

    def as_json(self) -> str:
        """The content of plan.json; equal plans give equal text, in whichever folder."""
        content = self.model_dump(mode="json", by_alias=True)
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def _run(self, folder: str) -> RunConfig:
        return RunConfig.model_validate(self._config(folder) | {"testbed": self.testbed})

    def _folder(self, where: str) -> str:
        folder = scouted_of(where.removeprefix(f"{self.here.results}/").rstrip("/"))
        head, _, tail = folder.rpartition("/")
        folder = head if tail.startswith("rep") and head in self.configurations else folder
        if folder not in self.configurations:
            raise TrialwattError(
                f"no run {folder} in the plan: the configuration has changed since it was named"
            )
        return folder


_PATHS = TypeAdapter(list[RelativePath])


def _repetition(folder: str, number: int | str) -> str:
    return f"{folder}/rep{number}"
