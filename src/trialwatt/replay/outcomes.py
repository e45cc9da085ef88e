"""What one replayed search took: the columns of the runs table that can be known of it.

Job = trials + idle workers + services + harness + framework + what stands before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialwatt.metrics import formulas
from trialwatt.metrics.formulas import DUPLICATE, FAILED, J_PER_KWH, NAN, PRUNED
from trialwatt.replay import simulate
from trialwatt.replay.costs import Added, Costs, Frame
from trialwatt.replay.simulate import Log
from trialwatt.replay.trials import Trials

_MS_PER_S = 1e3


@dataclass(frozen=True)
class Scoring:
    """target: the goal's score, NaN where there is none; sign: see simulate.Search. targets: scores
    for which it is told as well when and at what cost they were reached."""

    target: float
    sign: int
    targets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Reached:
    """When scores were reached, NaN where they were not; arrays (targets,)."""

    energy_kwh: np.ndarray
    time_ms: np.ndarray
    cost: np.ndarray


class Job:
    """A search's trials and what stands beside them."""

    def __init__(self, log: Log, trials: Trials, costs: Costs, frame: Frame, added: Added):
        self.log, self._trials, self._costs = log, trials, costs
        self._frame = frame
        self._lasted = log.end_s - log.start_s
        self.lasts_s = float(log.end_s.max(initial=0.0))
        own = (log.phi, log.seed[log.phi])
        self._until_s, self._until_j = trials.until_s[own], trials.dynamic_j[own]
        first = log.imported >= 0
        imports = np.zeros((len(log), 2))
        if first.any():
            imports[first] = trials.imports[log.imported[first]]
        self._import_s, self._import_j = imports.T
        # A framework saves no more than imports, which its workers had done before the job.
        saved_s = float(self._import_s[first].min()) if first.any() else 0.0
        saved_j = float((self._import_j + costs.worker_w * self._import_s).sum())
        watts = added.workers * costs.worker_w + frame.else_w
        price = added.workers * costs.worker_price
        adds = np.array([added.seconds, added.joules, added.money])
        adds[:, 0] = np.maximum(adds[:, 0], (-saved_s, -saved_j, -price * saved_s))
        self._job_s = float(adds[0, 0])
        # (2, terms): J and money of the framework, and of what is reserved in its time
        self._adds, self._reserved = adds[1:], np.outer((watts, price), adds[0])
        ended = np.where(log.outcome == simulate.FAILED, log.epochs + 1, log.epochs)
        self._dynamic = self._import_j + self._until_j[np.arange(len(log)), ended]
        self.reports = int(log.epochs.sum()) if trials.reported else 0
        # a live trial has the framework's work at its reports within it
        self._told_j = self._report_j * log.epochs * trials.reported
        self.trial_j = costs.worker_w * self._lasted + self._dynamic + self._told_j

    @property
    def _report_j(self) -> float:
        """J of a report beyond what is reserved in its time."""
        joules, _ = self._framework(0, 1)
        of_the_job, _ = self._framework(0, 0)
        return max(0.0, joules - of_the_job)

    def _framework(self, trials: float, reports: float) -> tuple[float, float]:
        """J and money that the framework adds until so many trials and reports, beyond what is
        reserved in the time that it adds: that is counted with all the time of the job."""
        joules, money = (self._adds - self._reserved) @ (1.0, trials, reports)
        return float(joules), float(money)

    @property
    def setup_s(self) -> float:
        return self._frame.setup_s + self._job_s

    @property
    def reserved_s(self) -> float:
        """From deploy to undeploy."""
        frame = self._frame
        return frame.deploy_s + self.setup_s + self.lasts_s + frame.collect_s + frame.after_s

    @property
    def jct_s(self) -> float:
        return self.setup_s + self.lasts_s + self._frame.collect_s

    @property
    def energies(self) -> dict[str, float]:
        """J of the parts; they sum to the job's."""
        frame, costs = self._frame, self._costs
        workers = costs.worker_w * costs.workers
        joules, _ = self._framework(len(self.log), self.reports)
        busy = costs.worker_w * float(self._lasted.sum())
        return {
            "trials": float(self.trial_j.sum()),
            "idle": max(0.0, workers * self.lasts_s - busy),  # of one worker it is rounding
            "services": costs.services_w * self.reserved_s,
            "harness": frame.else_w * self.lasts_s,
            "framework": joules
            - float(self._told_j.sum())
            + (workers + frame.else_w) * self._job_s,
            "around": frame.before_j + frame.after_j,
        }

    @property
    def cost(self) -> float:
        """Of all that is reserved, from deploy to undeploy."""
        _, money = self._framework(len(self.log), self.reports)
        return self._price_per_s * self.reserved_s + money

    @property
    def _price_per_s(self) -> float:
        costs = self._costs
        return costs.workers * costs.worker_price + costs.services_price

    def until(self, moments: np.ndarray) -> Reached:
        """Energy, time and cost of the job until moments (s since the first dispatch)."""
        frame, costs = self._frame, self._costs
        begun = frame.deploy_s + self.setup_s + moments
        watts = costs.worker_w * costs.workers + frame.else_w
        taken = np.array([self._taken_until(moment) for moment in moments]).reshape(-1, 2)
        joules = frame.before_j + watts * (self._job_s + moments)
        joules += costs.services_w * begun + taken[:, 0]
        money = self._price_per_s * begun + taken[:, 1]
        return Reached(
            joules / J_PER_KWH,
            (self.setup_s + moments) * _MS_PER_S,
            money,
        )

    def _taken_until(self, moment: float) -> tuple[float, float]:
        """Dynamic J of trials, J and money of the framework until a moment."""
        log = self.log
        if np.isnan(moment):
            return NAN, NAN
        ended = log.end_s <= moment
        total = float(self._dynamic[ended].sum())
        for row in np.flatnonzero(~ended & (log.start_s < moment)).tolist():
            began, used = self._import_s[row], self._import_j[row]
            knots = np.concatenate([[0.0, began], began + self._until_s[row]])
            joules = np.concatenate([[0.0, used], used + self._until_j[row]])
            total += float(np.interp(moment - log.start_s[row], knots, joules))
        started = float(np.count_nonzero(log.start_s <= moment))
        told = self.reports * started / max(len(log), 1)
        joules_of, money = self._framework(started, told)
        return total + joules_of, money


def outcomes(job: Job, costs: Costs, scoring: Scoring) -> tuple[dict[str, float | bool], Reached]:
    """A row of what the search took, and when it reached the targets."""
    log, parts = job.log, job.energies
    completed = log.outcome == simulate.COMPLETED
    pruned, failed = log.outcome == simulate.PRUNED, log.outcome == simulate.FAILED
    same = log.phi * (int(log.epochs.max(initial=0)) + 1) + log.epochs
    waste = formulas.waste_classes(log.start_s, same, failed, pruned)
    lasted = log.end_s - log.start_s
    whole = sum(parts.values())
    wasted, reserved_s = waste != "", costs.workers * job.reserved_s
    signed = log.score * scoring.sign
    targets = (scoring.target, *scoring.targets)
    moments = [_moment(log, completed, target, scoring.sign) for target in targets]
    reached = job.until(np.array([*moments, job.lasts_s]))
    goal = Reached(*(values[1:-1] for values in vars(reached).values()))
    energy = reached.energy_kwh[0]
    is_reached = bool(np.isfinite(moments[0]))
    row: dict[str, float | bool] = {
        "trials_started": len(log),
        "trials_completed": int(completed.sum()),
        "trials_failed": int(failed.sum()),
        "trials_pruned": int(pruned.sum()),
        "trials_duplicate": int((waste == DUPLICATE).sum()),
        "reports": job.reports,
        "trials_time_ms": float(lasted.sum()) * _MS_PER_S,
        "jct_ms": job.jct_s * _MS_PER_S,
        "job_energy_kwh": whole / J_PER_KWH,
        "ept_kwh": formulas.energy_per_trial_kwh(whole / J_PER_KWH, int((waste == "").sum())),
        "carbon_g": whole / J_PER_KWH * costs.g_per_kwh,
        "oc": job.cost,
        "wtt_ms": float(lasted[wasted].sum()) * _MS_PER_S,
        "wte_kwh": float(job.trial_j[wasted].sum()) / J_PER_KWH,
        "wte_share": formulas.ratio(float(job.trial_j[wasted].sum()), whole),
        "wtc": costs.worker_price * float(lasted[wasted].sum()),
        "wtt_share": formulas.ratio(float(lasted[wasted].sum()), reserved_s),
        "wtc_share": formulas.ratio(costs.worker_price * float(lasted[wasted].sum()), job.cost),
        "wr": formulas.ratio(parts["idle"], whole),
        "trials_energy_kwh": parts["trials"] / J_PER_KWH,
        "idle_energy_kwh": parts["idle"] / J_PER_KWH,
        "services_energy_kwh": parts["services"] / J_PER_KWH,
        "harness_energy_kwh": parts["harness"] / J_PER_KWH,
        "framework_energy_kwh": parts["framework"] / J_PER_KWH,
        "around_energy_kwh": parts["around"] / J_PER_KWH,
        "goal_target": scoring.target,
        "goal_reached": is_reached,
        "energy_to_goal_kwh": energy,
        "time_to_goal_ms": reached.time_ms[0],
        "cost_to_goal": reached.cost[0],
        "surplus_energy_kwh": whole / J_PER_KWH - energy if is_reached else 0.0,
        "searched_energy_kwh": reached.energy_kwh[-1],
        "searched_time_ms": reached.time_ms[-1],
        "searched_cost": reached.cost[-1],
        "best_score": scoring.sign * float(np.max(signed[completed], initial=-np.inf))
        if completed.any()
        else NAN,
    }
    for kind in (FAILED, PRUNED, DUPLICATE):
        mine = waste == kind
        time_s = float(lasted[mine].sum())
        row[f"waste_{kind}_time_share"] = formulas.ratio(time_s, reserved_s)
        row[f"waste_{kind}_energy_share"] = formulas.ratio(float(job.trial_j[mine].sum()), whole)
        row[f"waste_{kind}_cost_share"] = formulas.ratio(costs.worker_price * time_s, job.cost)
    return row, goal


def _moment(log: Log, completed: np.ndarray, target: float, sign: int) -> float:
    """When the first trial ended with a score as good as this; NaN where none did."""
    reached = completed & formulas.reaches(log.score, target, sign)
    first = formulas.goal_index(log.end_s, reached)
    return float(log.end_s[first]) if first >= 0 else NAN


def targets_of(trials: Trials, sign: int, shares: Sequence[float]) -> tuple[float, ...]:
    """Scores that these shares of the grid reach, by the mean of each φ over its seeds."""
    last = np.take_along_axis(trials.score, trials.lasts[..., None], axis=2)[..., 0]
    last = np.where(trials.failed, np.nan, last)
    known = ~np.isnan(last).all(axis=1)
    mean = np.sort(np.nanmean(last[known], axis=1) * sign)[::-1]
    places = [min(len(mean) - 1, max(0, round(share * len(mean)) - 1)) for share in shares]
    return tuple(dict.fromkeys(float(sign * mean[place]) for place in places))
