"""SMAC3: a random forest or a Gaussian process says where the next trial may be better."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi
from trialwatt.suts.asktell import AskTell
from trialwatt.suts.base import Job
from trialwatt.suts.codes import phi_of
from trialwatt.suts.smac_space import to_configspace
from trialwatt.suts.strategies import Strategy

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

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        return {}

    def open(self, job: Job) -> Search:
        return Search(job)


class Search:
    """SMAC's optimiser, told costs: the negative scores."""

    def __init__(self, job: Job):
        import smac

        self._space, self._asked = job.workload.space, dict[int, Any]()
        facade = Smac.samplers[job.workload.search.sampler].make(smac)
        # What it writes is for going on after an end, which no run does.
        with tempfile.TemporaryDirectory(prefix="smac-") as folder:
            scenario = smac.Scenario(
                to_configspace(self._space),
                output_directory=Path(folder),
                deterministic=True,
                n_trials=job.budget,
                seed=job.seed % 2**31,
            )
            # Each φ once: a second time would be the same, as its seed follows from it.
            once = facade.get_intensifier(scenario, max_config_calls=1)
            self._smac = facade(scenario, intensifier=once, logging_level=False, overwrite=True)

    def ask(self, number: int) -> Phi | None:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        try:
            self._asked[number] = info = self._smac.ask()
        except (ConfigurationSpaceExhaustedException, StopIteration):
            return None
        return phi_of(self._space, info.config)

    def tell(self, number: int, score: float | None) -> None:
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        failed = {"cost": float("inf"), "status": StatusType.CRASHED}
        said = failed if score is None else {"cost": -score}
        self._smac.tell(self._asked.pop(number), TrialValue(**said), save=False)
