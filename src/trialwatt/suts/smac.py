"""SMAC3: a random forest or a Gaussian process says where the next trial may be better."""

from __future__ import annotations

from operator import attrgetter

from trialwatt.config.models import Workload
from trialwatt.suts.asktell import AskTell, Search
from trialwatt.suts.base import Job
from trialwatt.suts.smac_search import Halving, Whole
from trialwatt.suts.strategies import Strategy

NOTE = "A tenth of the budget is an initial design, not chosen by the model."
HALVED = "With the model of smac; a trial that is promoted goes on from where it was paused."


class Smac(AskTell):
    name = "smac"
    package = "smac"
    imports = ("smac",)
    samplers = {
        "random": Strategy(attrgetter("RandomFacade"), native="RandomFacade"),
        "smac": Strategy(
            attrgetter("HyperparameterOptimizationFacade"),
            native="HyperparameterOptimizationFacade",
            note=NOTE,
        ),
        "gp": Strategy(attrgetter("BlackBoxFacade"), native="BlackBoxFacade", note=NOTE),
    }
    pruners = AskTell.pruners | {
        name: Strategy(attrgetter(kind), (), kind, HALVED, ("random", "gp"), pauses=True)
        for name, kind in (("hyperband", "Hyperband"), ("halving", "SuccessiveHalving"))
    }

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        return {}

    def open(self, job: Job) -> Search:
        search = job.workload.search
        if self.pauses(job):
            return Halving(job, self.pruners[search.pruner].make)
        return Whole(job, self.samplers[search.sampler].make)
