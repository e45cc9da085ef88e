"""What each SUT makes of a treatment: it runs as it is, with a stand-in sampler, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trialwatt.config.checks import SutChecks
from trialwatt.config.expansion import Resolved, Treatment
from trialwatt.config.loading import Problems
from trialwatt.config.models import Experiment
from trialwatt.config.plan_parts import Unavailable
from trialwatt.errors import Problem

EXHAUSTIVE = "grid"
"""A SUT without it searches the same discrete space by its stand-in (Sut.stand_in), in pS draws."""
STRATEGIES = {"sampler": "search.sampler", "pruner": "search.pruner"}
Fault = tuple[tuple[Any, ...], str]
"""(path in the workload, what is wrong there)"""


@dataclass(frozen=True)
class Usable:
    """A SUT that can run here, and where it is named.

    is_optional: it is left out where there is no room for it.
    """

    sut: str
    at: Problem
    is_optional: bool = False


def everything(suts: SutChecks, usable: Sequence[Usable]) -> dict[str, list[Any]]:
    """What `all` means: the strategies that any of the SUTs has, and every accelerator type."""
    found: dict[str, list[Any]] = {}
    for kind, key in STRATEGIES.items():
        names: dict[str, None] = {}
        for each in usable:
            names.update(dict.fromkeys(suts.offers(each.sut, kind)))
        found[key] = list(names)
    return found | {"workers.accelerator": ["cpu", "gpu", "tpu"]}


class Variants:
    """The resolved workloads that the SUTs of one experiment run.

    An experiment that varies the sampler has no stand-ins but for the Baseline: what a SUT lacks
    is what it is about.
    """

    def __init__(self, suts: SutChecks, usable: Sequence[Usable], experiment: Experiment):
        self._suts, self._usable = suts, usable
        self._varies_sampler = any("search.sampler" in way for _, way in experiment.ways)

    def of_baseline(self, each: Usable, baseline: Resolved, problems: Problems) -> list[Resolved]:
        """The Baseline as this SUT runs it."""
        found = []
        for variant in self._with_stand_in(each.sut, baseline):
            faults = self._suts.faults(each.sut, variant)
            self._suts.report(each.at, variant, faults, problems)
            found += [] if faults else [variant]
        return found

    def of(
        self, treatment: Treatment, resolved: Resolved, problems: Problems
    ) -> tuple[list[tuple[str, Resolved]], list[Unavailable]]:
        """(SUT, workload) of each run of a treatment, and what is not available of it.

        A strategy that was taken from `all`, or that another SUT of the experiment offers, is not
        available to a SUT that lacks it. One that none offers is a problem, as is anything else.
        """
        varied = self._varies_sampler or "search.pruner" in treatment.values
        runs: list[tuple[str, Resolved]] = []
        lacking: list[tuple[Usable, Resolved, list[Fault]]] = []
        for each in self._usable:
            variants = [resolved]
            if not self._varies_sampler:
                variants = self._with_stand_in(each.sut, resolved)
            for variant in variants:
                faults = self._suts.faults(each.sut, variant)
                if faults:
                    lacking.append((each, variant, faults))
                else:
                    runs.append((each.sut, variant))
        unavailable = []
        excused = varied and (bool(runs) or bool(treatment.found & set(STRATEGIES.values())))
        for each, variant, faults in lacking:
            if excused and not runs and not self._offers(each.sut, variant):
                continue  # nobody has it here: only who would, were it installed, is named
            if excused and all(_is_of_strategy(path) for path, _ in faults):
                reason = "; ".join(dict.fromkeys(message for _, message in faults))
                unavailable.append(
                    Unavailable(sut=each.sut, treatment=treatment.label, reason=reason)
                )
            else:
                self._suts.report(each.at, variant, faults, problems)
        return runs, unavailable

    def _with_stand_in(self, sut: str, resolved: Resolved) -> list[Resolved]:
        """The workload as it is; with the stand-in where the SUT has no grid.

        The control runs both where another SUT needs the stand-in: only equal samplers are
        compared.
        """
        if "search" in resolved.faulty or resolved.workload.search.sampler != EXHAUSTIVE:
            return [resolved]
        if own := self._stand_in_of(sut):
            return [_with_sampler(resolved, own)]
        if self._varies_sampler or not self._suts.is_control(sut):
            return [resolved]
        of_others = dict.fromkeys(self._stand_in_of(each.sut) for each in self._usable)
        offered = self._suts.offers(sut, "sampler")
        return [resolved, *(_with_sampler(resolved, one) for one in of_others if one in offered)]

    def _offers(self, sut: str, resolved: Resolved) -> bool:
        search = resolved.workload.search
        return search.sampler in self._suts.offers(
            sut, "sampler"
        ) and search.pruner in self._suts.offers(sut, "pruner")

    def _stand_in_of(self, sut: str) -> str:
        """The sampler that takes the place of the grid; empty where it has a grid, or neither."""
        offered, stand_in = self._suts.offers(sut, "sampler"), self._suts.stand_in(sut)
        return stand_in if EXHAUSTIVE not in offered and stand_in in offered else ""


def _with_sampler(resolved: Resolved, sampler: str) -> Resolved:
    workload = resolved.workload
    search = workload.search.model_copy(update={"sampler": sampler, "sampler_options": {}})
    return Resolved(
        workload.model_copy(update={"search": search}), resolved.origins, resolved.faulty
    )


def _is_of_strategy(path: tuple[Any, ...]) -> bool:
    """Whether a fault is that of a strategy itself, not of an option that was given to it."""
    return path[:2] in [("search", "sampler"), ("search", "pruner")] or path[:1] == ("space",)
