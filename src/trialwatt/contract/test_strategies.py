"""Every strategy that a SUT offers, each in a short job of its own."""

from pathlib import Path

import pytest

from trialwatt.config.functions import find
from trialwatt.config.models import Workload
from trialwatt.config.space import contains
from trialwatt.contract import looking
from trialwatt.contract.fixtures import SIX_POINTS
from trialwatt.suts.matrix import KINDS
from trialwatt.suts.strategies import Strategy

pytestmark = [pytest.mark.contract, pytest.mark.slow]

CONTINUOUS = {
    "lr": {"low": 1e-4, "high": 1e-2, "log": True, "levels": 3},
    "decay": {"low": 1e-6, "high": 1e-4, "log": True, "levels": 3},
    "ls": {"low": 16, "high": 64},
    "ln": {"low": 1, "high": 2},
}
BUDGET = 4


def offered(sut_class) -> list[tuple[str, str, Strategy]]:
    return [
        (kind, name, strategy)
        for kind, attribute in KINDS.items()
        for name, strategy in getattr(sut_class, attribute).items()
    ]


def search_of(sut_class, kind: str, name: str, sampler: str) -> dict:
    """A search with this strategy, and of the other kind what it can be combined with."""
    samplers, pruners = sut_class.samplers, sut_class.pruners
    if kind == "sampler":
        pairs = [(name, pruner) for pruner in ("none", *pruners)]
    else:
        pairs = [(each, name) for each in (sampler, *samplers)]
    found, pruner = next(
        (a, b) for a, b in pairs if b not in samplers[a].excludes and a not in pruners[b].excludes
    )
    return {"sampler": found, "pruner": pruner, "budget": BUDGET}


def test_every_offered_strategy_searches(observed, sut_class, sampler, workload):
    """Those whose packages are not installed, or that need options of a user, are left out."""
    wrong, left_out = {}, {}
    for kind, name, strategy in offered(sut_class):
        at = f"{kind} {name}"
        if missing := strategy.missing():
            left_out[at] = f"needs {', '.join(missing)}"
            continue
        search = search_of(sut_class, kind, name, sampler)
        faults = {}
        for space in (SIX_POINTS, CONTINUOUS):
            faults = dict(sut_class.search_problems(workload(space=space, search=search)))
            if not faults:
                break
        if any(key.startswith(f"search.{kind}_options") for key in faults):
            left_out[at] = "; ".join(faults.values())
        elif faults:
            wrong[at] = faults
        else:
            ran = observed(space=space, search=search, epochs=3, deadline_s=600)
            if said := fault_of(ran):
                wrong[at] = said
    print(f"left out: {left_out}")
    assert not wrong


def test_booleans_stay_booleans_and_conditions_hold(observed, sut_class, sampler, workload):
    """By the first of its samplers that takes conditions; without them where none does."""
    there = [name for name, strategy in sut_class.samplers.items() if not strategy.missing()]
    searches = [{"sampler": name, "budget": BUDGET} for name in dict.fromkeys((sampler, *there))]
    taken = [
        search
        for search in searches
        if not sut_class.condition_problems(workload(space=looking.CONDITIONED, search=search))
    ]
    search, *_ = taken or searches
    space = looking.CONDITIONED if taken else looking.BOOLEAN
    function = find(f"{looking.__name__}:train", Path()).function
    ran = observed(trial=function, space=space, search=search, deadline_s=600)
    assert not fault_of(ran)
    scores = [trial["scores"]["macro_f1"] for trial in ran.trials.values()]
    assert ran.manifest["best"]["score"] == max(scores)


def fault_of(ran) -> str:
    """What is wrong with a job; empty if nothing."""
    space = Workload.model_validate(ran.manifest["config"]["workload"]).space
    trials = list(ran.trials.values())
    if ran.manifest["status"] != "completed":
        return f"{ran.manifest['status']}: {ran.manifest['reason']}"
    if not 0 < (count := len({trial["number"] for trial in trials})) <= BUDGET:
        return f"{count} trials of {BUDGET}"
    if outcomes := {trial["outcome"] for trial in trials} - {"completed", "pruned", "paused"}:
        return f"trials are {', '.join(sorted(outcomes))}"
    if outside := [trial["phi"] for trial in trials if not contains(space, trial["phi"])]:
        return f"φ outside the space: {outside}"
    return ""
