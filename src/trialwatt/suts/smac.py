"""SMAC3: a random forest or a Gaussian process says where the next trial may be better."""

from __future__ import annotations

import tempfile
from operator import attrgetter
from pathlib import Path
from typing import Any

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi
from trialwatt.suts.asktell import LATER, AskTell, Later, Segment
from trialwatt.suts.base import Job
from trialwatt.suts.codes import phi_of
from trialwatt.suts.smac_space import to_configspace
from trialwatt.suts.strategies import Strategy

HALVED = "With the model of smac; a trial that is promoted goes on from where it was paused."
NOTE = "A tenth of the budget is an initial design, not chosen by the model."


class Smac(AskTell):
    name = "smac"
    package = "smac"
    imports = ("smac",)
    samplers = {
        "random": Strategy(lambda smac: smac.RandomFacade, native="RandomFacade"),
        "smac": Strategy(
            lambda smac: smac.HyperparameterOptimizationFacade,
            native="HyperparameterOptimizationFacade",
            note=NOTE,
        ),
        "gp": Strategy(lambda smac: smac.BlackBoxFacade, native="BlackBoxFacade", note=NOTE),
    }
    pruners = AskTell.pruners | {
        name: Strategy(attrgetter(kind), (), kind, HALVED, ("random", "gp"), pauses=True)
        for name, kind in (("hyperband", "Hyperband"), ("halving", "SuccessiveHalving"))
    }

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        return {}

    def open(self, job: Job) -> Search:
        return Search(job)


class Search:
    """SMAC's optimiser, told costs: the negative scores."""

    def __init__(self, job: Job):
        import smac

        search, self._space = job.workload.search, job.workload.space
        self._asked, self._paused, self._left = dict[int, Any](), dict[Any, int](), job.budget
        self._epochs = job.workload.epochs if Smac.pauses(job) else 0  # 0: nothing is paused
        # What it writes is for going on after an end, which no run does.
        with tempfile.TemporaryDirectory(prefix="smac-") as folder:
            scenario = smac.Scenario(
                to_configspace(self._space),
                output_directory=Path(folder),
                deterministic=True,
                n_trials=job.budget,
                seed=job.seed % 2**31,
                **({"min_budget": 1, "max_budget": self._epochs} if self._epochs else {}),
            )
            # Each φ once: a second time would be the same, as its seed follows from it.
            if self._epochs:
                facade = smac.MultiFidelityFacade
                once = Smac.pruners[search.pruner].make(smac.intensifier)(scenario, n_seeds=1)
            else:
                facade = Smac.samplers[search.sampler].make(smac)
                once = facade.get_intensifier(scenario, max_config_calls=1)
            self._smac = facade(scenario, intensifier=once, logging_level=False, overwrite=True)

    def ask(self, number: int) -> Phi | Segment | Later | None:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        # It looks for what can go on before each bracket, which begins at most so many trials.
        for _ in range(self._epochs + 1):
            try:
                info = self._smac.ask()
            except (ConfigurationSpaceExhaustedException, StopIteration):
                return None
            before = self._paused.get(info.config)
            if before is not None or self._left:
                self._left -= before is None
                self._asked[number], phi = info, phi_of(self._space, info.config)
                return Segment(phi, round(info.budget), before) if self._epochs else phi
        return LATER if self._asked else None

    def tell(self, number: int, score: float | None) -> None:
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        failed = {"cost": float("inf"), "status": StatusType.CRASHED}
        said, info = failed if score is None else {"cost": -score}, self._asked.pop(number)
        if self._epochs and score is not None and round(info.budget) < self._epochs:
            self._paused[info.config] = number
        self._smac.tell(info, TrialValue(**said), save=False)
