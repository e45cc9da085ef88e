"""Settings → plan: goes through all that they name, and reports every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from trialwatt.config import checks, goals
from trialwatt.config.expansion import (
    Draft,
    Resolved,
    Variations,
    check_sweeps,
    known_key,
    repeated,
    resolve,
    sweep_of,
    value_at,
)
from trialwatt.config.factors import compared
from trialwatt.config.identity import in_common, run_folder
from trialwatt.config.loading import ConfigFiles, Problems, validated
from trialwatt.config.models import (
    Experiment,
    Rates,
    RunConfig,
    Settings,
    Testbed,
    Value,
    Workload,
)
from trialwatt.config.origins import Origins
from trialwatt.config.paths import placed
from trialwatt.config.patterns import check_places
from trialwatt.config.plan import Here, Plan
from trialwatt.config.plan_parts import Configuration, Context, PlannedExperiment, Unavailable
from trialwatt.config.planned_runs import PlannedRuns
from trialwatt.config.settings import relative, settle
from trialwatt.config.tables import (
    CarbonRegion,
    CarbonTable,
    PowerModel,
    PowerTable,
    PriceSet,
    PriceTable,
)
from trialwatt.config.variants import STRATEGIES, Usable, Variants, everything
from trialwatt.errors import ConfigError, TrialwattError

PRICES, CARBON, POWER = "config/prices.yaml", "config/carbon.yaml", "config/power.yaml"
M = TypeVar("M", bound=BaseModel)


def load_plan(
    config: Mapping[str, Any],
    root: str | Path | None = None,
    files: Iterable[str | Path] = (),
    experiments: Iterable[str] = (),
    ask_platform: bool = True,
    workflow: str | Path | None = None,
) -> Plan:
    """Resolve and validate everything that `config` (the merged settings) asks for.

    root: the folder that holds `config/` (default: the current one).
    files: the files that `config` was merged from, so that a message can name the right one.
    experiments: further ones, beside those of the settings.
    ask_platform: whether the testbed's platform is asked if it can serve all of it.
    workflow: the folder of the workflow's file, where that may be another.
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
    check_places([root.resolve(), Path(workflow or root).resolve(), *names], problems)
    planner = _Planner(settings, origins, root, problems, names, ask_platform)
    plan = planner.plan(experiments)
    if plan is None or len(problems):
        raise ConfigError(list(problems))
    return plan


class _Tables(NamedTuple):
    """What a testbed names entries of; nothing is in a table that cannot be read."""

    prices: Mapping[str, PriceSet]
    regions: Mapping[str, CarbonRegion]
    power: Mapping[str, PowerModel]


class _Planner:
    """Goes through all that the settings name; stops for nothing that can be checked on its own."""

    def __init__(
        self,
        settings: Settings,
        origins: Origins,
        root: Path,
        problems: Problems,
        settings_files: list[str],
        ask_platform: bool,
    ):
        self._settings_files = settings_files
        self._settings, self._origins = settings, origins
        self._root, self._problems = root, problems
        self._ask_platform, self._is_remote = ask_platform, False
        self._files = ConfigFiles(root, problems)
        self._suts = checks.SutChecks()
        self._datasets: set[str] = set()
        self._runs: dict[str, RunConfig] = {}

    def plan(self, more: Iterable[str] = ()) -> Plan | None:
        settings, origins, problems = self._settings, self._origins, self._problems
        for key in ("experiments", "suts"):
            repeated(getattr(settings, key) or [], origins, (key,), problems)
        self._set = {
            key: value
            for key, value in settings.set.items()
            if known_key(key, origins, ("set", key), problems)
        }
        only = {
            key: values
            for key, values in (settings.only or {}).items()
            if known_key(key, origins, ("only", key), problems) and values is not None
        }
        self._variations = Variations(only, origins)
        tables = self._tables()
        testbed, platform = self._testbed(tables)
        self._rates = self._rates_of(testbed, tables)
        planned = {
            name: self._experiment(name, index, testbed, platform)
            for index, name in enumerate(dict.fromkeys([*settings.experiments, *more]))
        }
        if None not in planned.values():
            self._variations.unused(problems)
        checks.check_data(sorted(self._datasets), settings.data, self._root, origins, problems)
        checks.check_results(settings.results, self._root, origins, problems)
        experiments = {name: each for name, each in planned.items() if each is not None}
        if len(problems) or testbed is None or len(experiments) < len(planned):
            return None
        return self._resolved(testbed, tables, experiments)

    def _resolved(
        self, testbed: Testbed, tables: _Tables, experiments: dict[str, PlannedExperiment]
    ) -> Plan:
        """Everything in its place, once nothing is wrong with it."""
        settings, root = self._settings, self._root
        series = [testbed.carbon_series] if testbed.carbon_series else []
        targets = goals.targets(root)
        of_goals = [goals.reference_file(name) for name in self._datasets if name in targets]
        named = {*self._settings_files, *self._files.names, *series, *of_goals}
        places = {placed(root / file, root): file for file in named}
        workloads = {name: run.workload.model_dump(mode="json") for name, run in self._runs.items()}
        common = in_common(list(workloads.values()))
        portable = testbed
        if series:
            series_name = placed(root / series[0], root)
            portable = testbed.model_copy(update={"carbon_series": series_name})
        try:
            return Plan(
                testbed_name=settings.testbed,
                testbed=portable.model_dump(mode="json"),
                seed=settings.seed,
                repetitions=settings.repetitions,
                warm_up=settings.warm_up,
                base=settings.base,
                set=dict(sorted(settings.set.items())),
                context=Context.of(
                    testbed,
                    tables.prices[testbed.prices],
                    tables.regions[testbed.region],
                    targets,
                    *(root / file for file in series),
                ),
                power=dict(tables.power),
                files=sorted(places),
                experiments=experiments,
                workload=common,
                runs={
                    folder: Configuration(
                        sut=self._runs[folder].sut,
                        workload={key: own[key] for key in own if key not in common},
                    )
                    for folder, own in workloads.items()
                },
                here=Here(
                    results=settings.results,
                    data=settings.data,
                    elsewhere={name: file for name, file in places.items() if name != file},
                ),
            )
        except ValidationError as error:  # a file's name that no archive could have
            first = error.errors(include_url=False)[0]
            raise TrialwattError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    def _tables(self) -> _Tables:
        prices = self._model(PriceTable, PRICES, self._files.read(PRICES))[0]
        carbon = self._model(CarbonTable, CARBON, self._files.read(CARBON))[0]
        power = self._model(PowerTable, POWER, self._files.read(POWER))[0]
        return _Tables(
            prices.sets if prices else {},
            carbon.regions if carbon else {},
            power.models if power else {},
        )

    def _testbed(self, tables: _Tables) -> tuple[Testbed | None, checks.PlatformChecks | None]:
        name, problems = self._settings.testbed, self._problems
        file, data = self._files.named("testbeds", name, self._origins, ("testbed",))
        testbed, faulty = self._model(Testbed, file, data)
        if testbed is None:
            return None, None
        testbed, origins = testbed.completed(), Origins(file)
        platform = checks.PlatformChecks(testbed, origins)
        self._is_remote = platform.is_remote
        self._suts.apart_on = testbed.platform if platform.is_remote else ""
        for key, table, entries in (
            ("prices", PRICES, tables.prices),
            ("region", CARBON, tables.regions),
            ("power_model", POWER, tables.power),
        ):
            if entries and key not in faulty:
                name = getattr(testbed, key)
                checks.check_in_table(key, name, entries, table, origins, problems)
        if testbed.prices in tables.prices and "accelerator_model" not in faulty:
            prices = tables.prices[testbed.prices]
            checks.check_accelerator_models(testbed, prices, PRICES, origins, problems)
        checks.check_meters(testbed, faulty, origins, problems)
        checks.check_carbon_series(testbed, self._root, origins, problems)
        checks.check_sections(testbed, origins, problems)
        platform.check_testbed(faulty, problems)
        usable = not faulty or faulty.isdisjoint(Testbed.known_keys())
        return testbed, platform if usable and self._ask_platform else None

    def _experiment(
        self,
        name: str,
        index: int,
        testbed: Testbed | None,
        platform: checks.PlatformChecks | None,
    ) -> PlannedExperiment | None:
        problems = self._problems
        file, data = self._files.named("experiments", name, self._origins, ("experiments", index))
        experiment, _ = self._model(Experiment, file, data, {"title": "?"})
        if experiment is None:
            return None
        origins = Origins(file)
        check_sweeps(experiment, origins, problems)
        usable, unavailable = self._usable_suts(experiment, origins)
        base = self._base(experiment, origins)
        baseline = None if base is None else resolve(base, self._files, problems)
        if base is None or baseline is None:
            return None
        runs = PlannedRuns(self._run_of(testbed), platform, self._suts, problems)
        for each in [one for one in usable if one.is_optional]:
            if reason := runs.no_room(each.sut, baseline):
                usable.remove(each)
                unavailable.append(Unavailable(sut=each.sut, treatment=None, reason=reason))
        optional = {each.sut for each in usable if each.is_optional}
        variants = Variants(self._suts, usable, experiment)
        baselines = {}
        for each in usable:
            baselines[each.sut] = found = variants.of_baseline(each, baseline, problems)
            runs.baselines |= {run_folder(runs.make(each.sut, one)) for one in found if testbed}
        self._check_workload(baseline, testbed)
        for treatment in self._variations.treatments(
            experiment, file, origins, base, everything(self._suts, usable), problems
        ):
            resolved = resolve(treatment.draft, self._files, problems)
            if resolved is None:
                continue
            if STRATEGIES["sampler"] in treatment.found and (
                reason := checks.no_grid(resolved.workload)
            ):
                unavailable.append(Unavailable(sut=None, treatment=treatment.label, reason=reason))
                continue
            self._check_workload(resolved, testbed)
            if reason := runs.lacking_accelerator(treatment, resolved):
                unavailable.append(Unavailable(sut=None, treatment=treatment.label, reason=reason))
                continue
            chosen, lacking = variants.of(treatment, resolved, problems)
            unavailable += lacking
            for sut, variant in chosen:
                if sut in optional and (reason := runs.no_room(sut, variant)):
                    unavailable.append(
                        Unavailable(sut=sut, treatment=treatment.label, reason=reason)
                    )
                    continue
                runs.add(treatment.way, treatment.values, sut, variant, treatment.is_between)
        for sut, found in reversed(baselines.items()):  # each goes before what is there
            for one in reversed(found):
                runs.add_baseline(sut, one, self._baseline_values(experiment, base, one))
        if testbed is None:
            return None
        for run in runs.all():
            self._runs.setdefault(run.folder, runs.configs[run.folder])
        return PlannedExperiment(
            id=name,
            intensity_varies=testbed is not None and testbed.carbon_series is not None,
            title=experiment.title,
            file=file,
            varies=list(dict.fromkeys(key for _, way in experiment.ways for key in way)),
            compared=list(compared(way for _, way in experiment.ways)),
            runs=runs.all(),
            sweeps=[
                sweep
                for way in range(len(experiment.ways))
                if (swept := sweep_of(experiment, way))
                for sweep in runs.sweeps(way, *swept)
            ],
            unavailable=list(dict.fromkeys(unavailable)),
        )

    def _check_workload(self, resolved: Resolved, testbed: Testbed | None) -> None:
        checks.check_workload(resolved, self._problems)
        if testbed is not None:
            checks.check_spending(resolved, testbed, self._problems)
        if resolved.workload.trial is None and "trial" not in resolved.faulty:
            self._datasets.add(resolved.workload.dataset)

    def _baseline_values(
        self, experiment: Experiment, base: Draft, baseline: Resolved
    ) -> dict[str, Value | None]:
        """The Baseline as a treatment: what it has at the keys of the experiment's first way."""
        ways = experiment.ways
        return {key: value_at(base, baseline.workload, key) for key in (ways[0][1] if ways else {})}

    def _run_of(self, testbed: Testbed | None) -> Callable[[str, Workload], RunConfig] | None:
        if testbed is None:
            return None
        settings = self._settings
        return lambda sut, workload: RunConfig(
            sut=sut,
            workload=self._with_rates(workload),
            testbed_name=settings.testbed,
            testbed=testbed,
            seed=settings.seed,
        )

    def _rates_of(self, testbed: Testbed | None, tables: _Tables) -> Rates | None:
        """What money and carbon are reckoned with on the testbed; None where that is a problem."""
        if testbed is None:
            return None
        if testbed.prices not in tables.prices or testbed.region not in tables.regions:
            return None
        context = Context.of(
            testbed, tables.prices[testbed.prices], tables.regions[testbed.region], {}
        )
        return Rates(
            currency=context.currency,
            per_cpu_h=context.price_per_cpu_h,
            per_gb_h=context.price_per_gb_h,
            per_accelerator_h=context.price_per_accelerator_h,
            g_per_kwh=context.intensity or 0.0,
            pue=context.pue,
        )

    def _with_rates(self, workload: Workload) -> Workload:
        """A budget of money or carbon is another one where prices or intensities are others."""
        budget = workload.search.spends
        if budget is None or not budget.limits.keys() & {"cost", "gco2eq"}:
            return workload
        search = workload.search.model_copy(
            update={"budget": budget.model_copy(update={"rates": self._rates})}
        )
        return workload.model_copy(update={"search": search})

    def _usable_suts(
        self, experiment: Experiment, origins: Origins
    ) -> tuple[list[Usable], list[Unavailable]]:
        """The SUTs that can run here, each with its place; optional ones that cannot, and why."""
        settings = self._settings
        lists = [("suts", experiment.suts, origins)]
        if settings.suts and not self._origins.is_of_others("suts"):
            lists = [("suts", settings.suts, self._origins)]
        else:
            lists.append(("optional_suts", experiment.optional_suts, origins))
        there = {name for _, names, _ in lists for name in names}
        more = [name for name in settings.optional_suts if name not in there]
        lists.append(("optional_suts", more, self._origins))
        repeated(experiment.suts, origins, ("suts",), self._problems)
        repeated(
            experiment.optional_suts, origins, ("optional_suts",), self._problems, experiment.suts
        )
        usable, unavailable = [], []
        for key, names, from_ in lists:
            for place, name in enumerate(names):
                if not self._suts.check_name(name, from_, (key, place), self._problems):
                    continue
                # What the SUT needs is in the image of a remote platform, not on this machine.
                reason = "" if self._is_remote else self._suts.why_unavailable(name)
                if not reason:
                    at = from_.problem((key, place), "")
                    usable.append(Usable(name, at, is_optional=key == "optional_suts"))
                elif key == "optional_suts":
                    unavailable.append(Unavailable(sut=name, treatment=None, reason=reason))
                else:
                    self._problems.add(from_.problem((key, place), reason))
        return usable, unavailable

    def _base(self, experiment: Experiment, origins: Origins) -> Draft | None:
        """The base workload with the settings' `base` and `set`, and the experiment's `set`."""
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
        for key, value in experiment.set.items():
            if known_key(key, origins, ("set", key), self._problems):
                draft = draft.with_value(key, value, *origins.of(("set", key)))
        return draft

    def _model(
        self,
        kind: type[M],
        file: str,
        data: dict[str, Any] | None,
        instead: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[M | None, frozenset[str]]:
        if data is None:
            return None, frozenset()
        return validated(kind, data, Origins(file), self._problems, instead)
