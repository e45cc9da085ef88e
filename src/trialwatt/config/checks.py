"""What types alone cannot say: does the workload make sense, can the SUT and the platform do it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Mapping, Set
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from trialwatt.config.carbon_series import read_series
from trialwatt.config.catalogue import ALGORITHMS, DATASETS, MODELS, SCORES
from trialwatt.config.conditions import conditional
from trialwatt.config.expansion import Resolved
from trialwatt.config.keys import Path as Key
from trialwatt.config.keys import dotted, one_of, parted, suggestion, there_is_no
from trialwatt.config.loading import Problems
from trialwatt.config.models import IMAGE_KEYS, RunConfig, Testbed, Workload
from trialwatt.config.origins import Origins
from trialwatt.config.patterns import pattern_problem
from trialwatt.config.rawfiles import raw_file_problems
from trialwatt.config.registry import Registry
from trialwatt.config.space import levels, most_trials, size
from trialwatt.config.tables import PriceSet
from trialwatt.errors import Problem, TrialwattError

IN_BOTH = "is in the search space too; take it out of one of them"
SPARE_BYTES = 50 * 2**20
"""Free space without which nothing starts: records must not fill the disk half-way."""


def check_workload(resolved: Resolved, problems: Problems) -> None:
    """Names from the catalogue, hyperparameters that are read and in bounds, a possible budget."""
    workload, origins, faulty = resolved.workload, resolved.origins, resolved.faulty
    if workload.trial is not None:
        _check_function(workload, origins, faulty, problems)
    elif "trial" not in faulty:
        _check_images(resolved, problems)
    if not faulty & {"space", "search"}:
        _check_budget(workload, origins, problems)
    _check_worker_count(resolved, problems)


def _check_function(
    workload: Workload, origins: Origins, faulty: Set[str], problems: Problems
) -> None:
    """What a workload by function has not, and what it must have."""
    for key in IMAGE_KEYS:
        if key in workload.model_fields_set:
            message = "is of images and networks: take it out, this workload has a `trial`"
            problems.add(origins.problem((key,), message))
    if not {"score", "goal"} & (workload.goal.model_fields_set | faulty):
        message = "name the score that the function answers and that the search is for"
        problems.add(origins.problem(("goal", "score"), message))
    for name in workload.fixed.keys() & workload.space.keys():
        problems.add(origins.problem(("fixed", name), IN_BOTH))


def _check_images(resolved: Resolved, problems: Problems) -> None:
    workload, origins, faulty = resolved.workload, resolved.origins, resolved.faulty
    known = [
        key in faulty or _known(key, getattr(workload, key), there, origins, problems)
        for key, there in (("dataset", DATASETS), ("model", MODELS), ("algorithm", ALGORITHMS))
    ]
    if all(known) and not faulty & {"model", "algorithm", "space", "fixed"}:
        _check_hyperparameters(workload, origins, problems)
    if "goal" not in faulty:
        _check_image_goal(workload, origins, problems)


def _known(
    key: str, name: str, there: Collection[str], origins: Origins, problems: Problems
) -> bool:
    if name not in there:
        problems.add(origins.problem((key,), there_is_no(key, name, there)))
    return name in there


def _check_hyperparameters(workload: Workload, origins: Origins, problems: Problems) -> None:
    model, algorithm = MODELS[workload.model], ALGORITHMS[workload.algorithm]
    needed = {**model, **algorithm}
    readers = (
        f"{workload.model} reads {one_of(model)}, {workload.algorithm} reads {one_of(algorithm)}"
    )
    for place in ("space", "fixed"):
        for name in getattr(workload, place):
            if name not in needed:
                hint = suggestion(name, needed)
                message = f"nothing reads this hyperparameter; {readers}{hint}"
                problems.add(origins.problem((place, name), message))
            elif place == "fixed" and name in workload.space:
                problems.add(origins.problem((place, name), IN_BOTH))
    for name, rule in needed.items():
        owner = workload.model if name in model else workload.algorithm
        if name in workload.space:
            for path, value in rule.faults(workload.space[name]):
                message = f"{rule.meaning}: must be {rule.rule} (got {value})"
                problems.add(origins.problem(("space", name, *path), message))
            if workload.space[name].when:
                message = f"{owner} needs {name} ({rule.meaning}) in every φ"
                problems.add(origins.problem(("space", name, "when"), message))
        elif name not in workload.fixed:
            message = f'{owner} needs "{name}" ({rule.meaning}): neither here nor in fixed'
            problems.add(origins.problem(("space",), message))
        elif not rule.allows(value := workload.fixed[name]):
            message = f"{rule.meaning}: must be {rule.rule} (got {value})"
            problems.add(origins.problem(("fixed", name), message))


def _check_budget(workload: Workload, origins: Origins, problems: Problems) -> None:
    search, points = workload.search, size(workload.space)
    if points is None and (search.sampler == "grid" or search.trials is None):
        why = (
            "on a grid"
            if search.sampler == "grid"
            else "counted (or search.budget, as a number of trials)"
        )
        for name, axis in workload.space.items():
            try:
                levels(axis)
            except ValueError:
                message = f"a continuous range needs `levels` (or a `step`) to be {why}"
                problems.add(origins.problem(("space", name), message))
    elif points == 1:
        problems.add(
            origins.problem(("space",), "holds a single point: there is nothing to search")
        )
    elif message := _more_than_the_grid(workload):
        problems.add(origins.problem(("search", "budget"), message))


def _more_than_the_grid(workload: Workload) -> str:
    """Of a budget of trials alone: where it is of other things too, they are a bound."""
    search, points = workload.search, size(workload.space)
    if search.sampler != "grid" or search.spends or not points or not search.trials:
        return ""
    if search.trials <= points:
        return ""
    return f"is more than the {points} points of the grid (got {search.trials})"


def no_grid(workload: Workload) -> str:
    """Why the space cannot be searched on a grid, where a grid is one of all samplers; empty if it
    can."""
    if workload.search.sampler != "grid":
        return ""
    if size(workload.space) is None:
        return "a continuous range without `levels` is on no grid"
    message = _more_than_the_grid(workload)
    return f"the budget {message}" if message else ""


def check_spending(resolved: Resolved, testbed: Testbed, problems: Problems) -> None:
    """Whether a budget that is not of trials alone can be watched on the testbed."""
    budget, origins = resolved.workload.search.spends, resolved.origins
    if budget is None or "search" in resolved.faulty:
        return
    if budget.rates is not None:
        message = "is not for files: the testbed's prices and region say it"
        problems.add(origins.problem(("search", "budget", "rates"), message))
    if budget.gco2eq is not None and testbed.carbon_series is not None:
        message = "needs one intensity: the testbed has a series of them (carbon_series)"
        problems.add(origins.problem(("search", "budget", "gco2eq"), message))
    meter, _ = Registry("trialwatt.meters").load(testbed.meters[0])
    if budget.of_energy and meter is not None and not meter.sampled:
        message = (
            f"needs a meter that is read while the run goes on, and {testbed.meters[0]}, the first"
            " of the testbed's, is asked afterwards"
        )
        problems.add(origins.problem(("search", "budget"), message))


def _check_image_goal(workload: Workload, origins: Origins, problems: Problems) -> None:
    """What the scores of images can be: shares of right answers, of which more is better."""
    goal = workload.goal
    if goal.score not in SCORES:
        message = f"images are scored by {one_of(SCORES)} (got {goal.score})"
        message += suggestion(goal.score, SCORES)
        problems.add(origins.problem(("goal", "score"), message))
    if goal.direction != "maximize":
        message = f"more is better of the scores of images (got {goal.direction})"
        problems.add(origins.problem(("goal", "direction"), message))
    if goal.target is not None and not 0 < goal.target <= 1:
        message = f"the scores of images are above 0 and at most 1 (got {goal.target:g})"
        problems.add(origins.problem(("goal", "target"), message))


def _check_worker_count(resolved: Resolved, problems: Problems) -> None:
    """A worker that never gets a trial would be measured for nothing."""
    workload, faulty = resolved.workload, resolved.faulty
    points, trials = size(workload.space), most_trials(workload)
    if faulty & {"space", "search", "workers"} or trials is None or points == 1:
        return  # reported already
    if workload.workers.count > trials:
        what = "search.budget" if trials == workload.search.trials else "the points of the grid"
        message = f"more workers than trials: {workload.workers.count} for {trials} ({what})"
        problems.add(resolved.origins.problem(("workers", "count"), message))


class SutChecks:
    """The questions to the SUTs; each class is loaded once, each question asked once."""

    def __init__(self) -> None:
        self._registry = Registry("trialwatt.suts")
        self._available: dict[str, str] = {}
        self._answers: dict[tuple[str, str], list[tuple[Key, str]]] = {}
        self.apart_on = ""
        """The testbed's platform, where workers share no folder."""

    def check_name(self, name: str, origins: Origins, path: Key, problems: Problems) -> bool:
        """Whether there is such a SUT."""
        there = self._registry.names
        if name not in there:
            problems.add(origins.problem(path, there_is_no("SUT", name, there)))
        return name in there

    def why_unavailable(self, name: str) -> str:
        """Empty if the SUT can run here, else the sentence that says why not."""
        sut, fault = self._registry.load(name)
        if sut is None:
            return fault
        if name not in self._available:
            self._available[name] = sut.available()
        reason = self._available[name]
        return f"{name} cannot run here: {reason}" if reason else ""

    def offers(self, name: str, kind: str) -> list[str]:
        """The names of the SUT's samplers or pruners."""
        sut, _ = self._registry.load(name)
        return list(getattr(sut, f"{kind}s"))

    def stand_in(self, name: str) -> str:
        """The sampler that takes the place of a grid."""
        sut, _ = self._registry.load(name)
        return sut.stand_in

    def is_control(self, name: str) -> bool:
        """Whether it is what the others are compared with."""
        sut, _ = self._registry.load(name)
        return sut.is_control

    def faults(self, name: str, resolved: Resolved) -> list[tuple[Key, str]]:
        """Why a SUT cannot search so: its sampler and pruner, together and with their options.

        (path in the workload, what is wrong there), empty if it can.
        """
        if "search" in resolved.faulty:
            return []
        question = (
            name,
            resolved.workload.model_dump_json(
                include={"search", "space", "epochs", "goal", "trial"}
            ),
        )
        if question not in self._answers:
            self._answers[question] = self._search_problems(name, resolved)
        return self._answers[question]

    def report(
        self, at: Problem, resolved: Resolved, faults: list[tuple[Key, str]], problems: Problems
    ) -> None:
        """Faults as problems.

        `at` is the SUT's place in a list. It is named where the experiment itself varies the
        strategy; else the place where the strategy was chosen.
        """
        for path, message in faults:
            _, key = resolved.origins.of(path[:2])
            if path[0] == "search" and key[:1] == ("vary",):
                problems.add(Problem(at.file, at.key, message))
            else:
                problems.add(resolved.origins.problem(path, message))

    def _search_problems(self, name: str, resolved: Resolved) -> list[tuple[Key, str]]:
        sut, _ = self._registry.load(name)
        search = resolved.workload.search
        found = list[tuple[Key, str]]()
        for kind, offered in (("sampler", sut.samplers), ("pruner", sut.pruners)):
            chosen = getattr(search, kind)
            if chosen not in offered:
                there = 'only "none"' if list(offered) == ["none"] else one_of(offered)
                message = f'{name} offers no {kind} "{chosen}"; it has: {there}'
                found.append((("search", kind), message))
            elif missing := offered[chosen].missing():
                needs = f"needs what is not installed: pip install {' '.join(missing)}"
                found.append((("search", kind), f'{name}\'s {kind} "{chosen}" {needs}'))
        if found:
            return found
        sampler, pruner = sut.samplers[search.sampler], sut.pruners[search.pruner]
        if search.pruner in sampler.excludes or search.sampler in pruner.excludes:
            both = f'pruner "{search.pruner}" with sampler "{search.sampler}"'
            return [(("search", "pruner"), f"{name} cannot combine {both}")]
        for kind, strategy in (("sampler", sampler), ("pruner", pruner)):
            if strategy.pauses and (why := self._why_no_pause(resolved.workload)):
                chosen = f'{name}\'s {kind} "{getattr(search, kind)}"'
                message = f"{chosen} pauses trials and goes on with them: {why}"
                return [(("search", kind), message)]
        if "space" in resolved.faulty:
            return []
        if conditional(resolved.workload.space):
            found += [
                (("space", hyperparameter, "when"), f"{name}: {message}")
                for hyperparameter, message in sut.condition_problems(resolved.workload).items()
            ]
        return found or [
            (tuple(key.split(".")), f"{name}: {message}")
            for key, message in sut.search_problems(resolved.workload)
        ]

    def _why_no_pause(self, workload: Workload) -> str:
        if workload.trial is not None and not workload.trial.resumes:
            needed = "functions pause and resume beside it (docs/your-workload.md)"
            return f"{workload.trial.name} needs {needed}"
        if self.apart_on:
            return (
                f"on {self.apart_on} not yet, as the state of a trial would have to get from one "
                "worker to another"
            )
        return ""

    def testbed_problems(self, name: str, testbed: Testbed) -> list[tuple[str, str]]:
        sut, _ = self._registry.load(name)
        return sut.testbed_problems(testbed)

    def roles(self, run: RunConfig) -> list[Any]:
        sut, _ = self._registry.load(run.sut)
        return sut().planned_roles(run)


class PlatformChecks:
    """The questions to the testbed's platform, each asked once."""

    def __init__(self, testbed: Testbed, origins: Origins):
        self._testbed, self._origins = testbed, origins
        self._asked: dict[tuple[str, str], list[str]] = {}
        there = Registry("trialwatt.platforms")
        if testbed.platform in there.names:
            self._platform, self._fault = there.load(testbed.platform)
        else:
            self._platform = None
            self._fault = there_is_no("platform", testbed.platform, there.names)

    @property
    def is_remote(self) -> bool:
        """Whether components run elsewhere, from an image of their own."""
        return self._platform is not None and self._platform.remote

    def check_testbed(self, faulty: Set[str], problems: Problems) -> None:
        """Whether there is such a platform, and the testbed's keys make sense on it.

        faulty: keys that are reported already.
        """
        if self._platform is None:
            problems.add(self._origins.problem(("platform",), self._fault))
            return
        for key, message in self._platform.testbed_problems(self._testbed):
            if parted(key)[0] not in faulty:
                problems.add(self._origins.problem(parted(key), message))

    def accelerator_problem(self, accelerator: str) -> str:
        """Why workers cannot have this accelerator type here; empty if they can."""
        if self._platform is None:
            return ""
        return self._platform.accelerator_problem(self._testbed, accelerator)

    def room(self, run: RunConfig, suts: SutChecks, resolved: Resolved) -> list[str]:
        """Why the platform has no room for the roles of a run, a sentence each; empty if it has."""
        if self._platform is None or "workers" in resolved.faulty:
            return []
        workers = run.workload.workers
        question = (run.sut, workers.model_dump_json())
        if question not in self._asked:
            roles = [replace(r, accelerator=workers.accelerator) for r in suts.roles(run)]
            found = self._platform.problems(self._testbed, roles)
            self._asked[question] = [one for one in found if one not in self._of_itself]
        return self._asked[question]

    def check(
        self, run: RunConfig, suts: SutChecks, resolved: Resolved, problems: Problems
    ) -> None:
        """Whether the platform has room for all roles of a run.

        Reported at the treatment or setting that the platform's sentence names, if there is one.
        """
        if self._platform is None or "workers" in resolved.faulty:
            return
        origins = resolved.origins
        for message in self._of_itself:
            problems.add(self._origins.problem(("platform",), message))
        for key, message in suts.testbed_problems(run.sut, self._testbed):
            problems.add(self._origins.problem(parted(key), f"{run.sut}: {message}"))
        if problem := self.accelerator_problem(run.workload.workers.accelerator):
            problems.add(origins.problem(("workers", "accelerator"), problem))
        for message in self.room(run, suts, resolved):
            replaced = origins.below(("workers",))
            named = [path for path in replaced if dotted(path) in message]
            path = next(iter(named or replaced), ("workers",))
            problems.add(origins.problem(path, f"{run.sut}: {message}"))

    @cached_property
    def _of_itself(self) -> list[str]:
        """What is wrong with the platform whatever the roles: said once, at the testbed."""
        return list(self._platform.problems(self._testbed, []))


def check_meters(testbed: Testbed, faulty: Set[str], origins: Origins, problems: Problems) -> None:
    """Whether there are such meters, and what each that is named needs of the testbed.

    faulty: keys that are reported already; where a section is among them, it is not missing.
    """
    registry = Registry("trialwatt.meters")
    there = registry.names
    for index, name in enumerate(testbed.meters):
        if name not in there:
            problems.add(origins.problem(("meters", index), there_is_no("meter", name, there)))
        elif name in testbed.meters[:index]:
            problems.add(origins.problem(("meters", index), f'"{name}" is there twice'))
        elif faulty <= Testbed.model_fields.keys():
            meter, _ = registry.load(name)  # where it cannot be, `trialwatt meters` says why
            for key, message in meter.testbed_problems(testbed) if meter else ():
                problems.add(origins.problem(parted(key) or ("meters", index), message))


def check_sections(testbed: Testbed, origins: Origins, problems: Problems) -> None:
    """What the sections of the parts find wrong with themselves."""
    for section, options in testbed.sections.items():
        for key, message in options.problems(testbed):
            problems.add(origins.problem((section, *parted(key)), message))


def check_in_table(
    key: str, name: str, entries: Mapping[str, Any], file: str, origins: Origins, problems: Problems
) -> None:
    """Whether the testbed's price set, region or power model stands in its table."""
    if name not in entries:
        hint = suggestion(name, entries)
        message = f'"{name}" is not in {file}; there are: {one_of(entries)}{hint}'
        problems.add(origins.problem((key,), message))


def check_accelerator_models(
    testbed: Testbed, prices: PriceSet, file: str, origins: Origins, problems: Problems
) -> None:
    """Whether the models that the testbed's accelerators are charged by stand in its price set."""
    there = prices.accelerators_per_h
    for kind, model in testbed.accelerator_model.items():
        if model not in there:
            hint = suggestion(model, there)
            known = f"there are: {one_of(there)}" if there else "it has no accelerators"
            message = f'"{model}" is not in the set {testbed.prices} of {file}; {known}{hint}'
            problems.add(origins.problem(("accelerator_model", kind), message))


def check_carbon_series(testbed: Testbed, root: Path, origins: Origins, problems: Problems) -> None:
    """The user's series of intensities: there and readable. What it covers, the metrics check."""
    if testbed.carbon_series is None:
        return
    if message := pattern_problem(testbed.carbon_series):
        problems.add(origins.problem(("carbon_series",), message))
    try:
        read_series(root / testbed.carbon_series)
    except TrialwattError as error:
        message = str(error).removeprefix(f"{root}{os.sep}")
        problems.add(origins.problem(("carbon_series",), message))


def check_data(
    datasets: list[str], folder: str | None, root: Path, origins: Origins, problems: Problems
) -> None:
    """The raw files of the datasets, where a folder is named; else torchvision downloads them."""
    named = folder or os.environ.get("TRIALWATT_DATA")
    if not named:
        return
    for dataset in datasets:
        for message in raw_file_problems(dataset, root / named):
            message = message.removeprefix(f"{root}{os.sep}")
            if folder:
                problems.add(origins.problem(("data",), message))
            else:
                problems.add(Problem("environment", "TRIALWATT_DATA", message))


def check_results(results: str, root: Path, origins: Origins, problems: Problems) -> None:
    """Whether the results folder, or the folder that it will be made in, can be written to."""
    folder = root / results
    if message := pattern_problem(results):
        problems.add(origins.problem(("results",), message))
        return
    if not results or (folder.exists() and not folder.is_dir()):
        problems.add(origins.problem(("results",), f'"{results}" is not a folder'))
        return
    while not folder.exists():
        folder = folder.parent
    shown = results if folder == root / results else str(folder)
    try:
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        message = f"cannot write to {shown}: {error.strerror}"
        problems.add(origins.problem(("results",), message))
        return
    if free < SPARE_BYTES:
        message = f"the disk is full: {free // 2**20} MB free, {SPARE_BYTES // 2**20} MB needed"
        problems.add(origins.problem(("results",), message))
