"""The plan: every run of every experiment, resolved, validated and named before anything starts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from trialwatt.config.expansion import label_of
from trialwatt.config.models import RunConfig, Settings, Testbed, Value
from trialwatt.config.tables import CarbonRegion, PowerModel, PriceSet
from trialwatt.errors import TrialwattError


@dataclass(frozen=True)
class PlannedRun:
    """One treatment of an experiment under one SUT.

    treatment: dotted workload key → value, empty where the experiment varies nothing.
    folder: relative to the results folder; runs of several experiments may share it.
    """

    sut: str
    treatment: dict[str, Value]
    is_baseline: bool
    folder: str
    run: RunConfig

    @property
    def label(self) -> str:
        """As `workers.count=2`; "baseline" where nothing varies."""
        return label_of(self.treatment)

    @property
    def value(self) -> Value | None:
        """The treatment of an experiment that varies one key; None if it varies none or several."""
        return next(iter(self.treatment.values())) if len(self.treatment) == 1 else None


@dataclass(frozen=True)
class Unavailable:
    """What cannot be run here, and why: never imitated, always shown.

    sut None: the treatment is not available to any; treatment None: the SUT is not available.
    """

    sut: str | None
    treatment: str | None
    reason: str


@dataclass(frozen=True)
class PlannedSweep:
    """The steps that a SUT with one sampler may try, rising; which are run, their JCT decides.

    baseline: the step that counts from the beginning, wherever it lies.
    """

    sut: str
    sampler: str
    testbed: str
    key: str
    steps: tuple[PlannedRun, ...]
    baseline: PlannedRun
    tolerance: float
    patience: int

    @property
    def id(self) -> str:
        """Its name among the sweeps of its experiment."""
        return f"{self.sut}-{self.sampler}"


@dataclass(frozen=True)
class PlannedExperiment:
    """An experiment and its runs, in the order of its treatments, then of its SUTs.

    varies: the workload keys of all its ways; compared: those that it is about (config.factors).
    runs: all that may be run; of those in `sweeps` only some will be. fixed_folders: those of the
    runs that do not depend on how a sweep goes on.
    """

    id: str
    title: str
    file: str
    varies: tuple[str, ...]
    compared: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    fixed_folders: tuple[str, ...] = ()
    sweeps: tuple[PlannedSweep, ...] = ()
    unavailable: tuple[Unavailable, ...] = ()


@dataclass(frozen=True)
class Tables:
    """The price set, region and power model of the testbed, and all power models to compare."""

    prices: PriceSet
    carbon: CarbonRegion
    power: PowerModel
    all_power: dict[str, PowerModel]


@dataclass(frozen=True)
class Plan:
    """What will be run. `runs` maps a folder, relative to the results folder, to its run.

    files: every configuration file that was read, relative to the root, sorted.
    """

    settings: Settings
    testbed: Testbed
    tables: Tables
    experiments: dict[str, PlannedExperiment]
    runs: dict[str, RunConfig]
    files: tuple[str, ...]

    @property
    def warm_ups(self) -> dict[str, RunConfig]:
        """SUT → its first run, which is made once before all others and not counted.

        It takes the first reading of files, the compilation of bytecode and the waking of the
        machine upon itself.
        """
        found: dict[str, RunConfig] = {}
        for experiment in self.experiments.values():
            for run in sorted(experiment.runs, key=lambda run: not run.is_baseline):
                found.setdefault(run.sut, run.run)
        return found

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that the runs need, sorted."""
        return sorted({run.workload.dataset for run in self.runs.values()})

    def run(self, where) -> RunConfig:
        """The run of a folder, or of Snakemake's wildcards testbed, sut, label and hash.

        A folder may begin with the results folder and end with /rep<n>.
        """
        return self.runs[self._folder(where)]

    def fixed_repetitions(self, experiment: str | None = None) -> list[str]:
        """results/runs/<testbed>/<run>/rep<n> of the runs that no sweep decides on.

        Of one experiment, or of all.
        """
        if experiment is not None and experiment not in self.experiments:
            there = ", ".join(self.experiments)
            raise TrialwattError(f"no experiment {experiment!r} in the plan; there are: {there}")
        chosen = self.experiments if experiment is None else [experiment]
        folders = dict.fromkeys(
            folder for name in chosen for folder in self.experiments[name].fixed_folders
        )
        return [
            f"{self.settings.results}/{_repetition(folder, number)}"
            for folder in folders
            for number in range(1, self.settings.repetitions + 1)
        ]

    def order_priority(self, where, repetition: int | str) -> int:
        """Place of a repetition in the shuffled order; a higher one goes first.

        Time of day, temperature and neighbours drift; in a shuffled order they do not line up
        with the treatments. It follows from settings.seed and the folder's name alone, so adding
        a run leaves the order of the others as it is.
        """
        name = _repetition(self._folder(where), repetition)
        digest = hashlib.sha256(f"{self.settings.seed}/{name}".encode()).digest()
        return int.from_bytes(digest[:3])

    def as_json(self) -> str:
        """The whole plan; equal plans give equal text."""
        return json.dumps(
            {
                "settings": self.settings.model_dump(mode="json"),
                "testbed": self.testbed.model_dump(mode="json"),
                "tables": {
                    "prices": self.tables.prices.model_dump(mode="json"),
                    "carbon": self.tables.carbon.model_dump(mode="json"),
                    "power": self.tables.power.model_dump(mode="json"),
                    "all_power": {
                        name: model.model_dump(mode="json")
                        for name, model in self.tables.all_power.items()
                    },
                },
                "experiments": {
                    experiment.id: {
                        "title": experiment.title,
                        "file": experiment.file,
                        "varies": list(experiment.varies),
                        "unavailable": [asdict(each) for each in experiment.unavailable],
                        "sweeps": [
                            {
                                "sut": sweep.sut,
                                "sampler": sweep.sampler,
                                "key": sweep.key,
                                "tolerance": sweep.tolerance,
                                "patience": sweep.patience,
                                "steps": [step.folder for step in sweep.steps],
                                "baseline": sweep.baseline.folder,
                            }
                            for sweep in experiment.sweeps
                        ],
                        "runs": [
                            {
                                "sut": run.sut,
                                "label": run.label,
                                "treatment": run.treatment,
                                "is_baseline": run.is_baseline,
                                "folder": run.folder,
                            }
                            for run in experiment.runs
                        ],
                    }
                    for experiment in self.experiments.values()
                },
                "files": list(self.files),
                "runs": {folder: run.model_dump(mode="json") for folder, run in self.runs.items()},
            },
            indent=1,
            sort_keys=True,
            ensure_ascii=False,
        )

    def _folder(self, where) -> str:
        if isinstance(where, str):
            folder = where.removeprefix(f"{self.settings.results}/").rstrip("/")
            head, _, tail = folder.rpartition("/")
            folder = head if tail.startswith("rep") and head in self.runs else folder
        else:
            folder = f"runs/{where.testbed}/{where.sut}-{where.label}-{where.hash}"
        if folder not in self.runs:
            raise TrialwattError(
                f"no run {folder} in the plan: the configuration has changed since it was named"
            )
        return folder


def _repetition(folder: str, number: int | str) -> str:
    return f"{folder}/rep{number}"
