"""Settings → plan: goes through all that they name, and reports every problem at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from trialwatt.config import checks, goals, replays
from trialwatt.config.expansion import (
    Draft,
    Resolved,
    Variations,
    check_sweeps,
    known_key,
    label_of,
    repeated,
    resolve,
    sweep_of,
    value_at,
)
from trialwatt.config.factors import compared
from trialwatt.config.identity import canonical_json, in_common, run_folder
from trialwatt.config.keys import Path as Key
from trialwatt.config.loading import ConfigFiles, Problems, validated
from trialwatt.config.models import (
    Experiment,
    Rates,
    ReplaySettings,
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
from trialwatt.config.plan_parts import (
    Configuration,
    Context,
    PlannedExperiment,
    PlannedReplay,
    Unavailable,
)
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
_OPTIONAL = ("optional_suts",)
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


def _configurations(
    runs: Mapping[str, RunConfig], common: Mapping[str, Any]
) -> dict[str, Configuration]:
    """Folder → what a plan holds of its run, whose workloads have these keys in common."""
    known = {key: canonical_json(value) for key, value in common.items()}
    found = {}
    for folder, run in runs.items():
        own = run.workload.model_dump(mode="json")
        found[folder] = Configuration(
            sut=run.sut,
            workload={k: v for k, v in own.items() if known.get(k) != canonical_json(v)},
        )
    return found


class _Asked(NamedTuple):
    """How experiments are expanded: those that are measured, or those that are replayed.

    path: of the settings, where `experiments` and the rest stand. set: dotted key → value, file,
    place in it. suts: in place of the experiments' own, and where they stand. platform: what is
    asked whether it has room; None where nothing is. lacks: why a workload cannot be had, empty if
    it can; None where all are run. runs: folder → run.
    """

    path: tuple[str, ...]
    set: Mapping[str, tuple[Value, str, Key]]
    variations: Variations
    suts: tuple[list[str], tuple[str, ...]] | None
    platform: checks.PlatformChecks | None
    lacks: Callable[[Resolved], str] | None
    runs: dict[str, RunConfig]


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
        self._replayed: dict[str, RunConfig] = {}
        self._cost: str | None = None

    def plan(self, more: Iterable[str] = ()) -> Plan | None:
        settings, origins, problems = self._settings, self._origins, self._problems
        for key in ("experiments", "suts"):
            repeated(getattr(settings, key) or [], origins, (key,), problems)
        tables = self._tables()
        testbed, platform = self._testbed(tables)
        self._rates = self._rates_of(testbed, tables)
        asked = self._asked(settings, (), platform, self._runs)
        planned = self._experiments([*settings.experiments, *more], asked, testbed)
        replay = None
        if settings.replay is not None and testbed is not None and None not in planned.values():
            replay = self._replay(settings.replay, planned, testbed)
        checks.check_data(sorted(self._datasets), settings.data, self._root, origins, problems)
        checks.check_results(settings.results, self._root, origins, problems)
        experiments = {name: each for name, each in planned.items() if each is not None}
        if len(problems) or testbed is None or len(experiments) < len(planned):
            return None
        return self._resolved(testbed, tables, experiments, replay)

    def _asked(
        self,
        settings: Settings | ReplaySettings,
        path: tuple[str, ...],
        platform: checks.PlatformChecks | None,
        runs: dict[str, RunConfig],
        lacks: Callable[[Resolved], str] | None = None,
    ) -> _Asked:
        """What the settings, or their section at `path`, say of experiments."""
        origins, problems = self._origins, self._problems
        set_ = {
            key: (value, *origins.of((*path, "set", key)))
            for key, value in settings.set.items()
            if known_key(key, origins, (*path, "set", key), problems)
        }
        only = {
            key: values
            for key, values in (settings.only or {}).items()
            if known_key(key, origins, (*path, "only", key), problems) and values is not None
        }
        variations = Variations(only, origins, (*path, "only"))
        suts = (settings.suts, (*path, "suts")) if settings.suts else None
        if suts and origins.is_of_others(*path, "suts"):
            suts = None
        return _Asked(path, set_, variations, suts, platform, lacks, runs)

    def _experiments(
        self, names: Iterable[str], asked: _Asked, testbed: Testbed | None
    ) -> dict[str, PlannedExperiment | None]:
        """None for each that cannot be planned, which is then a problem."""
        planned = {
            name: self._experiment(name, index, testbed, asked)
            for index, name in enumerate(dict.fromkeys(names))
        }
        if None not in planned.values():
            asked.variations.unused(self._problems)
        return planned

    def _replay(
        self,
        settings: ReplaySettings,
        planned: Mapping[str, PlannedExperiment | None],
        testbed: Testbed,
    ) -> PlannedReplay | None:
        """What is replayed; None where that is a problem."""
        origins, problems = self._origins, self._problems
        for key in ("experiments", "suts"):
            repeated(getattr(settings, key) or [], origins, (replays.KEY, key), problems)
        measured = {name: each for name, each in planned.items() if each is not None}
        elsewhere = replays.check_cost(settings, measured, self._root, origins, problems)
        found = replays.table_run(
            settings,
            self._settings.repetitions,
            measured,
            self._runs,
            self._suts,
            origins,
            problems,
        )
        if found is None:
            return None
        folder, table = found
        asked = self._asked(
            settings,
            (replays.KEY,),
            None,
            self._replayed,
            lambda resolved: replays.why_not(resolved, table, settings.begins_alike),
        )
        whole = self._asked(self._settings, (), None, {})
        asked = asked._replace(set={**whole.set, **asked.set}, suts=asked.suts or whole.suts)
        experiments = self._experiments(settings.experiments, asked, testbed)
        if elsewhere and settings.cost:
            self._cost = str(self._root / settings.cost)
        return PlannedReplay(
            table=settings.table,
            folder=folder,
            cost=None if elsewhere else settings.cost,
            cost_elsewhere=elsewhere,
            searches=settings.searches,
            experiments={name: each for name, each in experiments.items() if each is not None},
            runs=_configurations(self._replayed, {}),
        )

    def _resolved(
        self,
        testbed: Testbed,
        tables: _Tables,
        experiments: dict[str, PlannedExperiment],
        replay: PlannedReplay | None,
    ) -> Plan:
        """Everything in its place, once nothing is wrong with it."""
        settings, root = self._settings, self._root
        series = [testbed.carbon_series] if testbed.carbon_series else []
        targets = goals.targets(root)
        of_goals = [goals.reference_file(name) for name in self._datasets if name in targets]
        named = {*self._settings_files, *self._files.names, *series, *of_goals}
        places = {placed(root / file, root): file for file in named}
        common = in_common([run.workload.model_dump(mode="json") for run in self._runs.values()])
        if replay is not None:
            own = _configurations(self._replayed, common)
            replay = replay.model_copy(update={"configurations": own})
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
                runs=_configurations(self._runs, common),
                replay=replay,
                here=Here(
                    results=settings.results,
                    data=settings.data,
                    elsewhere={name: file for name, file in places.items() if name != file},
                    cost=self._cost,
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
        asked: _Asked,
    ) -> PlannedExperiment | None:
        problems = self._problems
        place: Key = (*asked.path, "experiments", index)
        file, data = self._files.named("experiments", name, self._origins, place)
        experiment, _ = self._model(Experiment, file, data, {"title": "?"})
        if experiment is None:
            return None
        origins = Origins(file)
        check_sweeps(experiment, origins, problems)
        if asked.lacks and not replays.check_family(experiment, self._origins, place, problems):
            return None
        usable, unavailable = self._usable_suts(experiment, origins, asked)
        base = self._base(experiment, origins, asked)
        baseline = None if base is None else resolve(base, self._files, problems)
        if base is None or baseline is None:
            return None
        runs = PlannedRuns(self._run_of(testbed), asked.platform, self._suts, problems)
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
        reason = asked.lacks(baseline) if asked.lacks else ""
        values = self._baseline_values(experiment, base, baseline)
        if reason:
            unavailable.append(Unavailable(sut=None, treatment=label_of(values), reason=reason))
            baselines = {}
        else:
            self._check_workload(baseline, testbed)
        for treatment in asked.variations.treatments(
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
            if asked.lacks and (reason := asked.lacks(resolved)):
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
        if asked.lacks and usable and not runs.all():
            reasons = "; ".join(dict.fromkeys(each.reason for each in unavailable))
            problems.add(self._origins.problem(place, f"nothing of it can be replayed: {reasons}"))
            return None
        for run in runs.all():
            asked.runs.setdefault(run.folder, runs.configs[run.folder])
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
                if asked.lacks is None and (swept := sweep_of(experiment, way))
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
        self, experiment: Experiment, origins: Origins, asked: _Asked
    ) -> tuple[list[Usable], list[Unavailable]]:
        """The SUTs that can run here, each with its place; optional ones that cannot, and why."""
        lists: list[tuple[Key, list[str], Origins]] = []
        if asked.suts:
            names, path = asked.suts
            lists.append((path, names, self._origins))
        else:
            lists.append((("suts",), experiment.suts, origins))
            lists.append((_OPTIONAL, experiment.optional_suts, origins))
        there = {name for _, names, _ in lists for name in names}
        more = [name for name in self._settings.optional_suts if name not in there]
        lists.append((_OPTIONAL, more, self._origins))
        repeated(experiment.suts, origins, ("suts",), self._problems)
        repeated(
            experiment.optional_suts, origins, ("optional_suts",), self._problems, experiment.suts
        )
        usable, unavailable = [], []
        # What the SUT needs is in the image of a remote platform, not on this machine; of what is
        # replayed it is known when it is.
        elsewhere = self._is_remote or asked.lacks is not None
        for key, names, from_ in lists:
            for place, name in enumerate(names):
                if not self._suts.check_name(name, from_, (*key, place), self._problems):
                    continue
                reason = "" if elsewhere else self._suts.why_unavailable(name)
                if not reason:
                    at = from_.problem((*key, place), "")
                    usable.append(Usable(name, at, is_optional=key == _OPTIONAL))
                elif key == _OPTIONAL:
                    unavailable.append(Unavailable(sut=name, treatment=None, reason=reason))
                else:
                    self._problems.add(from_.problem((*key, place), reason))
        return usable, unavailable

    def _base(self, experiment: Experiment, origins: Origins, asked: _Asked) -> Draft | None:
        """The base workload with the settings' `base` and `set`, and the experiment's `set`."""
        name, from_, path = experiment.base, origins, ("base",)
        if self._settings.base:
            self._files.named("workloads", name, origins, path)  # its own must exist as well
            name, from_ = self._settings.base, self._origins
        file, data = self._files.named("workloads", name, from_, path)
        if data is None:
            return None
        draft = Draft(data, Origins(file))
        for key, (value, place, written) in asked.set.items():
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
