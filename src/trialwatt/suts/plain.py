"""plain: the same trials with no framework at all, the control.

The trials are split among the workers before the first one starts: worker i takes every wn-th.
"""

from __future__ import annotations

import math
import random

from trialwatt.config.models import Workload
from trialwatt.config.space import Phi, draw, grid
from trialwatt.suts.base import SPENT, Best, Job, Sut, Trials
from trialwatt.suts.strategies import Strategy, options_refused


def _grid(job: Job) -> list[Phi]:
    # Shuffled, so that no worker gets all the large networks: neighbours on the grid are alike.
    phis = grid(job.workload.space)
    random.Random(job.seed).shuffle(phis)
    return phis[: job.budget]


def _random(job: Job) -> list[Phi]:
    rng = random.Random(job.seed)
    return [draw(job.workload.space, rng) for _ in range(job.budget)]


class Plain(Sut):
    name = "plain"
    is_control = True
    samplers = {
        "grid": Strategy(_grid, native="shuffled grid", note="The grid in a seeded order."),
        "random": Strategy(_random, native="random draw", note="A seeded draw, made beforehand."),
    }

    @classmethod
    def search_problems(cls, workload: Workload) -> list[tuple[str, str]]:
        return options_refused(workload.search, "plain's strategies have no options")

    @classmethod
    def condition_problems(cls, workload: Workload) -> dict[str, str]:
        return {}

    def work(self, job: Job, index: int, trials: Trials) -> None:
        phis = self.samplers[job.workload.search.sampler].make(job)
        top = -math.inf
        for number in range(index, len(phis), job.workload.workers.count):
            if number not in trials.started:
                result = trials.run(phis[number], number)
                if result.outcome == SPENT:
                    return
                score = result.score if result.outcome == "completed" else None
                if score is not None and score > top:  # of all, the notes would be a second record
                    top = score
                    trials.note({"phi": phis[number], "score": score, "number": number})

    def best(self, job: Job) -> Best | None:
        if not self.notes:
            return None
        top = max(self.notes, key=lambda note: (note["score"], -note["number"]))
        return Best(top["phi"], top["score"], top["number"])
