"""What a job has spent so far, by its own records: whether its budget is over.

What a run of the metrics would say of the job if it ended now, asked again and again while the
trials run; seldom enough that the asking itself takes little.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trialwatt.clock import now
from trialwatt.config.models import Budget, Goal, Rates
from trialwatt.files import write_whole
from trialwatt.suts.base import SPENT_FILE, Job

SHARE = 0.02
"""Of a core, at most, is taken by the asking."""
LEAST_S = 0.2


@dataclass(frozen=True)
class Reached:
    """A limit that is reached: its key in the budget, what was spent of it (or, of `gain`, what was
    gained), and by which methods of energy."""

    limit: str
    amount: float
    of: float
    methods: str

    def said(self, budget: Budget) -> str:
        if self.limit == "gain":
            assert budget.gain, "else it is not reached"
            over = f"the last {budget.gain.trials} trials gained {self.amount:.3g} per kWh"
            return f"budget: {over}, less than {self.of:g}"
        unit = {"seconds": "s", "kwh": "kWh", "gco2eq": "gCO2eq"}.get(self.limit, "")
        unit = budget.rates.currency if self.limit == "cost" and budget.rates else unit
        return f"budget: {self.amount:.4g} of {self.of:g} {unit} are spent"


class Spending:
    """Asked in the coordinator, from the start of setup on.

    folder: of the run, with its records. manifest: makes what run.json would say by now.
    """

    def __init__(self, budget: Budget, goal: Goal, folder: Path, manifest: Callable[[], dict]):
        self._budget, self._goal = budget, goal
        self._folder, self._manifest = folder, manifest
        if self._asks_the_records:  # what they are read with is loaded before anything runs
            import trialwatt.metrics.extract  # noqa: F401
        self._began = self._due = time.monotonic()
        self._past: list[tuple[int, float, float]] = []  # completed trials, best score, kWh

    @property
    def _asks_the_records(self) -> bool:
        return bool(self._budget.limits.keys() - {"seconds"} or self._budget.gain)

    @property
    def wait_s(self) -> float:
        """Until it is worth asking again."""
        return max(0.0, self._due - time.monotonic())

    def reached(self) -> Reached | None:
        """The limit that is reached by now, if one is."""
        began, cpu_s = time.monotonic(), time.thread_time()
        if began < self._due:
            return None
        found = self._reached(began - self._began)
        took_s = time.thread_time() - cpu_s
        left_s = (self._budget.seconds or math.inf) - (time.monotonic() - self._began)
        self._due = time.monotonic() + max(0.01, min(max(LEAST_S, took_s / SHARE), left_s))
        return found

    def _reached(self, passed_s: float) -> Reached | None:
        limits, methods = self._budget.limits, ""
        spent: dict[str, float] = {"seconds": passed_s}
        if self._asks_the_records:
            row, scores = self._metrics()
            methods = str(row["energy_method"])
            spent |= {
                "kwh": row["job_energy_kwh"],
                "gco2eq": row["carbon_g"],
                "cost": row["oc"],
            }
            if gained := self._gained(scores, spent["kwh"], methods):
                return gained
        for key, limit in limits.items():
            if spent[key] >= limit:
                return Reached(key, spent[key], limit, methods if key in ("kwh", "gco2eq") else "")
        return None

    def _gained(self, scores: np.ndarray, kwh: float, methods: str) -> Reached | None:
        if not self._budget.gain or not len(scores):
            return None
        wanted, best = self._budget.gain, float((scores * self._goal.sign).max())
        self._past.append((len(scores), best, kwh))
        before = [past for past in self._past if past[0] <= len(scores) - wanted.trials]
        if not before or not kwh > before[-1][2]:
            return None
        gained = (best - before[-1][1]) / (kwh - before[-1][2])
        return Reached("gain", gained, wanted.per_kwh, methods) if gained < wanted.per_kwh else None

    def _metrics(self) -> tuple[Mapping[str, Any], np.ndarray]:
        """The row of the run as it is now, and the scores (n,) of its completed trials."""
        from trialwatt.metrics.extract import compute
        from trialwatt.records.events import OUTCOMES
        from trialwatt.records.reader import SoFar, read_run

        so_far = SoFar(self._manifest(), now().mono_ns)
        records = read_run(self._folder, so_far=so_far)
        done = records.trials.outcome == OUTCOMES.index("completed")
        row = compute(records, _context(self._budget.rates), with_trials=False).run
        return row, records.trials.score[done]


def tell(job: Job, reached: Reached, budget: Budget) -> None:
    """Write the file by which the processes of a run know that its budget is spent."""
    said = {"limit": reached.limit, "amount": reached.amount, "running": budget.running}
    write_whole(job.path(SPENT_FILE), json.dumps(said) + "\n")


def _context(rates: Rates | None) -> Any:
    """What the metrics reckon with; where neither money nor carbon is limited it does not matter"""
    from trialwatt.metrics.context import MetricsContext

    known = rates or Rates(
        currency="", per_cpu_h=0, per_gb_h=0, per_accelerator_h={}, g_per_kwh=0, pue=1
    )
    return MetricsContext(
        price_per_cpu_h=known.per_cpu_h,
        price_per_gb_h=known.per_gb_h,
        price_per_accelerator_h=known.per_accelerator_h,
        currency=known.currency,
        price_date="",
        intensity=known.g_per_kwh,
        region="",
        carbon_year=0,
        pue=known.pue,
    )
