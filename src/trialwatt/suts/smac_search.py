"""SMAC's optimiser as it is asked and told: by costs, the negative scores."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from trialwatt.config.space import Phi
from trialwatt.suts.asktell import LATER, Later, Segment
from trialwatt.suts.base import Job
from trialwatt.suts.codes import phi_of
from trialwatt.suts.smac_space import to_configspace


class Whole:
    """Trials that run all epochs. facade: chosen from the module smac."""

    def __init__(self, job: Job, facade: Callable[[Any], Any]):
        import smac

        # Each φ once: a second time would be the same, as its seed follows from it.
        chosen = facade(smac)
        self._smac = _optimiser(
            job, chosen, lambda scenario: chosen.get_intensifier(scenario, max_config_calls=1)
        )
        self._space, self._asked = job.workload.space, dict[int, Any]()
        self._told = _Told(self._smac)

    def ask(self, number: int) -> Phi | None:
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        try:
            self._asked[number] = info = self._smac.ask()
        except (ConfigurationSpaceExhaustedException, StopIteration):
            return None
        return phi_of(self._space, info.config)

    def tell(self, number: int, score: float | None) -> None:
        self._told(self._asked.pop(number), score)


class Halving:
    """Trials on several fidelities, the epochs: those that are promoted go on where they were.

    intensifier: chosen from the module smac.intensifier.
    """

    def __init__(self, job: Job, intensifier: Callable[[Any], Any]):
        import smac

        self._space, self._epochs = job.workload.space, job.workload.epochs
        self._smac = _optimiser(
            job,
            smac.MultiFidelityFacade,
            lambda scenario: intensifier(smac.intensifier)(scenario, n_seeds=1),
            min_budget=1,
            max_budget=self._epochs,
        )
        self._told = _Told(self._smac)
        self._left = job.budget  # trials that may yet begin
        self._asked, self._paused = dict[int, Any](), dict[Any, int]()

    def ask(self, number: int) -> Segment | Later | None:
        """SMAC's own ask has no more once Φ is exhausted, though trials may yet go on: so its
        intensifier is looked through each time."""
        from smac.main.exceptions import ConfigurationSpaceExhaustedException

        for _ in range(2):  # what one look promotes, the next one finds
            with suppress(ConfigurationSpaceExhaustedException):
                for info in self._smac.intensifier:
                    self._smac.runhistory.add_running_trial(info)
                    before = self._paused.get(info.config)
                    if before is None and not self._left:
                        continue  # the rest of a bracket that the budget has cut
                    self._asked[number] = info
                    self._begin(before)
                    phi = phi_of(self._space, info.config)
                    return Segment(phi, round(info.budget), before)
        return LATER if self._asked else None

    def _begin(self, before: int | None) -> None:
        if before is None:
            self._left -= 1
            if not self._left:  # it draws no φ any more
                self._smac.intensifier.config_selector = ()

    def tell(self, number: int, score: float | None) -> None:
        info = self._asked.pop(number)
        if score is not None and round(info.budget) < self._epochs:
            self._paused[info.config] = number
        self._told(info, score)


def _optimiser(job: Job, facade: Any, intensifier: Callable[[Any], Any], **budgets: int) -> Any:
    import smac

    # What it writes is for going on after an end, which no run does.
    with tempfile.TemporaryDirectory(prefix="smac-") as folder:
        scenario = smac.Scenario(
            to_configspace(job.workload.space),
            output_directory=Path(folder),
            deterministic=True,
            n_trials=job.budget,
            seed=job.seed % 2**31,
            **budgets,
        )
        made = intensifier(scenario)
        return facade(scenario, intensifier=made, logging_level=False, overwrite=True)


class _Told:
    """What an optimiser is told: a failed trial costs as much as the worst that is known, as no
    model can be made of infinite costs. One that failed before any was known waits for it."""

    def __init__(self, optimiser: Any):
        self._optimiser, self._worst = optimiser, -math.inf
        self._failed: list[Any] = []

    def __call__(self, info: Any, score: float | None) -> None:
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        if score is None:
            self._failed.append(info)
        else:
            self._worst = max(self._worst, -score)
            self._optimiser.tell(info, TrialValue(cost=-score), save=False)
        while self._failed and self._worst > -math.inf:
            failed = TrialValue(cost=self._worst, status=StatusType.CRASHED)
            self._optimiser.tell(self._failed.pop(), failed, save=False)
