"""The frameworks' own strategies, asked and told without any of their workers.

A driver makes a Search (trialwatt.replay.simulate) of a Job, whose space is that of a table.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from importlib import import_module

from trialwatt.config.models import Choices, Search, Workload
from trialwatt.errors import TrialwattError
from trialwatt.replay.simulate import Search as Replayed
from trialwatt.replay.trials import Places
from trialwatt.suts import get
from trialwatt.suts.asktell import AskTell
from trialwatt.suts.base import Job, Sut

Open = Callable[[Job, Places], Replayed]

_DRIVERS = {name: f"{__name__}.{name}" for name in ("plain", "optuna", "hyperopt", "ray")}
RULE = "asha"
"""The pruner that replay has for plain, which itself has none (docs/replay.md)."""
_ON_CHOICES: Mapping[str, Mapping[str, str]] = {
    "optuna": {
        "cmaes": "searches ranges only, and draws choices at random",
        "qmc": "has a sequence for ranges only, and draws choices at random",
    },
    "ray": {"bayesopt": "searches continuous ranges only"},
}
"""SUT → samplers that search no choices, and what they do with them."""


def opened(job: Job, places: Places) -> Replayed:
    """The search of a job. Raises TrialwattError where the SUT's strategies cannot be replayed.

    Some strategies draw from the generators of the whole process: these are seeded too.
    """
    import numpy

    numpy.random.seed(job.seed % 2**32)
    random.seed(job.seed)
    return driver(job.config.sut)(job, places)


def driver(name: str) -> Open:
    """What opens searches of a SUT."""
    if name in _DRIVERS:
        return import_module(_DRIVERS[name]).open_search
    if issubclass(get(name), AskTell):
        return import_module(f"{__name__}.asked").open_search
    raise TrialwattError(
        f"{name}: its strategies cannot be replayed: that needs a SUT that asks and tells "
        "(docs/add-a-sut.md), or one of " + ", ".join(sorted(_DRIVERS))
    )


def check(name: str, workload: Workload) -> None:
    """Raises TrialwattError where a search by this SUT cannot be replayed, with all reasons."""
    driver(name)
    sut, search = get(name), workload.search
    problems = [*_lacking(sut, search), *_unfit(name, workload)]
    if not problems:
        problems = [f"{key}: {said}" for key, said in sut.search_problems(workload)]
    if missing := sut.available() if name not in ("hyperopt",) else "":
        problems.append(missing)
    if problems:
        raise TrialwattError(f"{name}: " + "; ".join(problems))


def _lacking(sut: type[Sut], search: Search) -> list[str]:
    found = []
    own = {"sampler": sut.samplers, "pruner": sut.pruners}
    for kind, strategies in own.items():
        chosen = getattr(search, kind)
        if kind == "pruner" and sut.is_control and chosen == RULE:
            continue
        if chosen not in strategies:
            found.append(f"no {kind} {chosen!r}; it has: {', '.join(strategies)}")
        elif missing := strategies[chosen].missing():
            found.append(f"{kind} {chosen} needs a package: pip install {' '.join(missing)}")
        elif strategies[chosen].pauses:
            found.append(f"{kind} {chosen} pauses trials, which replay does not")
    sampler = sut.samplers.get(search.sampler)
    if sampler and search.pruner in sampler.excludes:
        found.append(f"{search.sampler} cannot be combined with {search.pruner}")
    return found


def _unfit(name: str, workload: Workload) -> list[str]:
    sampler = workload.search.sampler
    why = _ON_CHOICES.get(name, {}).get(sampler)
    if why and all(isinstance(axis, Choices) for axis in workload.space.values()):
        return [f"{sampler} {why}: on a table there is nothing else; it cannot be replayed"]
    return []
