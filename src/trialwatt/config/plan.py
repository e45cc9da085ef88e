"""The plan: every run of every experiment, resolved, validated and named before anything starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from trialwatt.config import checks
from trialwatt.config.expansion import (
    Draft,
    Resolved,
    known_key,
    repeated,
    resolve,
    treatments,
    value_at,
)
from trialwatt.config.identity import run_folder
from trialwatt.config.loading import ConfigFiles, Problems, validated
from trialwatt.config.models import Experiment, RunConfig, Settings, Testbed, Value
from trialwatt.config.origins import Origins
from trialwatt.config.settings import relative, settle
from trialwatt.config.tables import (
    CarbonRegion,
    CarbonTable,
    PowerModel,
    PowerTable,
    PriceSet,
    PriceTable,
)
from trialwatt.errors import ConfigError, Problem, TrialwattError

TABLE_FILES = {
    "prices": "config/prices.yaml",
    "carbon": "config/carbon.yaml",
    "power": "config/power.yaml",
}


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
        return ", ".join(f"{key}={value}" for key, value in self.treatment.items()) or "baseline"

    @property
    def value(self) -> Value | None:
        """The treatment of an experiment that varies one key; None if it varies none or several."""
        return next(iter(self.treatment.values())) if len(self.treatment) == 1 else None


@dataclass(frozen=True)
class PlannedExperiment:
    """An experiment and its runs, in the order of its treatments, then of its SUTs.

    unavailable: its optional SUTs that cannot run here, and why.
    """

    id: str
    title: str
    file: str
    varies: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    unavailable: dict[str, str] = field(default_factory=dict)


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
    _order: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def unavailable(self) -> dict[str, str]:
        """The optional SUTs that cannot run here, and why."""
        return {
            name: reason
            for experiment in self.experiments.values()
            for name, reason in sorted(experiment.unavailable.items())
        }

    @property
    def datasets(self) -> list[str]:
        """Names of the datasets that the runs need, sorted."""
        return sorted({run.workload.dataset for run in self.runs.values()})

    def run(self, where) -> RunConfig:
        """The run of a folder, or of Snakemake's wildcards testbed, sut, label and hash.

        A folder may begin with the results folder and end with /rep<n>.
        """
        return self.runs[self._folder(where)]

    def repetition_folders(self, experiment: str | None = None) -> list[str]:
        """results/runs/<testbed>/<run>/rep<n> of all runs, or of those of one experiment."""
        if experiment is None:
            folders: Iterable[str] = self.runs
        elif experiment in self.experiments:
            folders = dict.fromkeys(run.folder for run in self.experiments[experiment].runs)
        else:
            there = ", ".join(self.experiments)
            raise TrialwattError(f"no experiment {experiment!r} in the plan; there are: {there}")
        return [
            f"{self.settings.results}/{_repetition(folder, number)}"
            for folder in folders
            for number in range(1, self.settings.repetitions + 1)
        ]

    def order_priority(self, where, repetition: int | str) -> int:
        """Rank of a repetition in the shuffled order; a higher one goes first.

        Time of day, temperature and neighbours drift; in a shuffled order they do not line up
        with the treatments. The shuffle follows from settings.seed and the folders' names, and
        adding a run leaves the order of the others as it is.
        """
        return self._order[_repetition(self._folder(where), repetition)]

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
                        "unavailable": experiment.unavailable,
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


def load_plan(
    config: Mapping, root: str | Path | None = None, files: Iterable[str | Path] = ()
) -> Plan:
    """Resolve and validate everything that `config` (the merged settings) asks for.

    root: the folder that holds `config/` (default: the current one).
    files: the files that `config` was merged from, so that a message can name the right one.
    Raises ConfigError with every problem that was found.
    """
    root = Path(root) if root is not None else Path.cwd()
    files = list(files)
    problems = Problems()
    data, origins = settle(config, files, root, problems)
    settings, _ = validated(Settings, data, origins, problems)
    if settings is None:
        raise ConfigError(list(problems))
    names = [relative(Path(file), root) for file in files]
    plan = _Planner(settings, origins, root, problems, names).plan()
    if plan is None or len(problems):
        raise ConfigError(list(problems))
    return plan


class _Planner:
    """Goes through all that the settings name; stops for nothing that can be checked on its own."""

    def __init__(
        self,
        settings: Settings,
        origins: Origins,
        root: Path,
        problems: Problems,
        settings_files: list[str],
    ):
        self._settings_files = settings_files
        self._settings, self._origins = settings, origins
        self._root, self._problems = root, problems
        self._files = ConfigFiles(root, problems)
        self._suts = checks.SutChecks()
        self._datasets: set[str] = set()

    def plan(self) -> Plan | None:
        settings, origins, problems = self._settings, self._origins, self._problems
        for key in ("experiments", "suts"):
            repeated(getattr(settings, key) or [], origins, (key,), problems)
        self._set = {
            key: value
            for key, value in settings.set.items()
            if known_key(key, origins, ("set", key), problems)
        }
        tables = self._tables()
        testbed, platform = self._testbed(tables)
        planned = {
            name: self._experiment(name, index, testbed, platform)
            for index, name in enumerate(settings.experiments)
        }
        runs: dict[str, RunConfig] = {}
        for experiment in planned.values():
            for run in experiment.runs if experiment else ():
                runs.setdefault(run.folder, run.run)
        checks.check_data(sorted(self._datasets), settings.data, self._root, origins, problems)
        checks.check_results(settings.results, self._root, origins, problems)
        if len(problems) or testbed is None:
            return None
        chosen = Tables(
            prices=tables["prices"].sets[testbed.prices],
            carbon=tables["carbon"].regions[testbed.region],
            power=tables["power"].models[testbed.power_model],
            all_power=dict(tables["power"].models),
        )
        series = [testbed.carbon_series] if testbed.carbon_series else []
        files = tuple(sorted({*self._settings_files, *self._files.names, *series}))
        return Plan(settings, testbed, chosen, planned, runs, files, _shuffled(runs, settings))

    def _tables(self) -> dict:
        kinds = {"prices": PriceTable, "carbon": CarbonTable, "power": PowerTable}
        found = {}
        for key, kind in kinds.items():
            data = self._files.read(TABLE_FILES[key])
            found[key], _ = self._model(kind, TABLE_FILES[key], data)
        return found

    def _testbed(self, tables: dict) -> tuple[Testbed | None, checks.PlatformChecks | None]:
        name, problems = self._settings.testbed, self._problems
        file, data = self._files.named("testbeds", name, self._origins, ("testbed",))
        testbed, faulty = self._model(Testbed, file, data)
        if testbed is None:
            return None, None
        origins = Origins(file)
        for key, table, entries in (
            ("prices", "prices", "sets"),
            ("region", "carbon", "regions"),
            ("power_model", "power", "models"),
        ):
            if tables[table] is not None and key not in faulty:
                entries = getattr(tables[table], entries)
                name = getattr(testbed, key)
                checks.check_in_table(key, name, entries, TABLE_FILES[table], origins, problems)
        checks.check_meters(testbed, origins, problems)
        checks.check_carbon_series(testbed, self._root, origins, problems)
        checks.check_storage(testbed, origins, problems)
        usable = not faulty or faulty.isdisjoint(Testbed.model_fields)
        return testbed, checks.PlatformChecks(testbed, origins, problems) if usable else None

    def _experiment(
        self,
        name: str,
        index: int,
        testbed: Testbed | None,
        platform: checks.PlatformChecks | None,
    ) -> PlannedExperiment | None:
        settings, problems = self._settings, self._problems
        file, data = self._files.named("experiments", name, self._origins, ("experiments", index))
        experiment, _ = self._model(Experiment, file, data, {"title": "?"})
        if experiment is None:
            return None
        origins = Origins(file)
        usable, unavailable = self._usable_suts(experiment, origins)
        base = self._base(experiment, origins)
        if base is None:
            return None
        runs = []
        for treatment, resolved, is_baseline in self._treatments(experiment, file, origins, base):
            checks.check_workload(resolved, problems)
            self._datasets.add(resolved.workload.dataset)
            for sut, at in usable:
                self._suts.check_search(sut, resolved, at, problems)
                if testbed is None or platform is None:
                    continue
                run = RunConfig(
                    sut=sut,
                    workload=resolved.workload,
                    testbed_name=settings.testbed,
                    testbed=testbed,
                    seed=settings.seed,
                )
                platform.check(run, self._suts, resolved, problems)
                runs.append(PlannedRun(sut, treatment, is_baseline, run_folder(run), run))
        vary = tuple(experiment.vary)
        return PlannedExperiment(name, experiment.title, file, vary, tuple(runs), unavailable)

    def _usable_suts(
        self, experiment: Experiment, origins: Origins
    ) -> tuple[list[tuple[str, Problem]], dict[str, str]]:
        """The SUTs that can run here, each with its place; optional ones that cannot, and why."""
        lists = [("suts", experiment.suts, origins)]
        if self._settings.suts:
            lists = [("suts", self._settings.suts, self._origins)]
        else:
            lists.append(("optional_suts", experiment.optional_suts, origins))
        repeated(experiment.suts, origins, ("suts",), self._problems)
        repeated(
            experiment.optional_suts, origins, ("optional_suts",), self._problems, experiment.suts
        )
        usable, unavailable = [], {}
        for key, names, from_ in lists:
            for place, name in enumerate(names):
                if not self._suts.check_name(name, from_, (key, place), self._problems):
                    continue
                reason = self._suts.why_unavailable(name)
                if not reason:
                    usable.append((name, from_.problem((key, place), "")))
                elif key == "optional_suts":
                    unavailable[name] = reason
                else:
                    self._problems.add(from_.problem((key, place), reason))
        return usable, unavailable

    def _base(self, experiment: Experiment, origins: Origins) -> Draft | None:
        """The base workload with the settings' `base` and `set` applied."""
        name, from_, path = experiment.base, origins, ("base",)
        if self._settings.base:
            self._files.named("workloads", name, origins, path)  # its own must exist as well
            name, from_ = self._settings.base, self._origins
        file, data = self._files.named("workloads", name, from_, path)
        if data is None:
            return None
        draft = Draft(data, Origins(file))
        for key, value in self._set.items():
            place, written = self._origins.of(("set", key))
            draft = draft.with_value(key, value, place, written)
        return draft

    def _treatments(
        self, experiment: Experiment, file: str, origins: Origins, base: Draft
    ) -> list[tuple[dict[str, Value], Resolved, bool]]:
        """(treatment, workload, whether it is the Baseline); the Baseline is always among them."""
        problems, found = self._problems, []
        baseline = resolve(base, self._files, problems)
        for treatment, draft in treatments(experiment, file, origins, base, problems):
            resolved = resolve(draft, self._files, problems)
            if resolved is not None:
                same = baseline is not None and resolved.workload == baseline.workload
                found.append((treatment, resolved, same))
        if baseline is not None and not any(same for *_, same in found):
            treatment = {key: value_at(base, baseline.workload, key) for key in experiment.vary}
            found.insert(0, (treatment, baseline, True))
        return found

    def _model(self, kind, file: str, data: dict | None, instead: Mapping = MappingProxyType({})):
        if data is None:
            return None, frozenset()
        return validated(kind, data, Origins(file), self._problems, instead)


def _repetition(folder: str, number: int | str) -> str:
    return f"{folder}/rep{number}"


def _shuffled(runs: Iterable[str], settings: Settings) -> dict[str, int]:
    """Rank of every repetition by the hash of its name and the seed."""
    names = [
        _repetition(folder, number)
        for folder in runs
        for number in range(1, settings.repetitions + 1)
    ]
    names.sort(key=lambda name: hashlib.sha256(f"{settings.seed}/{name}".encode()).digest())
    return {name: rank for rank, name in enumerate(names, start=1)}
