"""A handful of measured runs, and what a job of so many trials will take by them.

Without a table nothing is known of scores, seeds or epochs: trials like the measured ones are drawn
from each measured job and replayed, and how the jobs differ tells how far a next one may be off.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from trialwatt.analysis.framework_cost import Law
from trialwatt.config.models import RunConfig
from trialwatt.config.plan_parts import Context
from trialwatt.errors import TrialwattError
from trialwatt.metrics.energy import EnergyAccount, account
from trialwatt.metrics.formulas import J_PER_KWH
from trialwatt.records.events import OUTCOMES, STEPS
from trialwatt.records.manifest import MANIFEST, is_control
from trialwatt.records.outcome import COMPLETED
from trialwatt.records.reader import RunRecords, read_run
from trialwatt.records.trials import IDLE
from trialwatt.replay.costs import Costs, costs_of, setting
from trialwatt.replay.drivers.plain import Split
from trialwatt.replay.measured import facts_of
from trialwatt.replay.outcomes import Job
from trialwatt.replay.simulate import Draws, simulate
from trialwatt.replay.table import Facts, TrialTable
from trialwatt.replay.trials import Trials

QUANTITIES = ("kwh", "g", "money", "hours")
_COLUMNS = ("job_energy_kwh", "job_energy_kwh", "oc", "jct_ms")
"""Of the runs table, for each of QUANTITIES: its relative differences between jobs."""
LEVEL = 0.9
JOBS = 200
"""Replayed jobs of each measured one: what the luck of its trials does is known to a few per cent.
"""
_NS_PER_S, _S_PER_H = 1e9, 3600.0


@dataclass(frozen=True)
class Measured:
    """One run. taken: (n, 2) seconds and dynamic J of each trial, imports left out; failed: (n,);
    imports: (k, 2) of the processes that imported; worker_w: static power of a worker; gap_s: mean
    time that a worker waits between two of its trials; facts: as those of a table of it alone."""

    taken: np.ndarray
    failed: np.ndarray
    imports: np.ndarray
    worker_w: float
    gap_s: float
    facts: Facts


@dataclass(frozen=True)
class Handful:
    """Runs of one SUT on one workload, which may differ in their search's budget alone."""

    runs: tuple[Measured, ...]
    config: RunConfig

    @property
    def trials(self) -> int:
        return sum(len(one.taken) for one in self.runs)

    @property
    def facts(self) -> Facts:
        return self.runs[0].facts


@dataclass(frozen=True)
class Predicted:
    """What the next job takes: middle, and the interval that holds it with 90 %; NaN where it is
    not known, as carbon is where the testbed has a series of intensities."""

    middle: float
    low: float
    high: float


def handful_of(folders: Iterable[Path], context: Context) -> Handful:
    """Of the folders of runs. Raises TrialwattError where one did not complete, stopped trials or
    paused them, or where they are not of one SUT and workload."""
    parts = [_of_run(folder, context) for folder in sorted(folders)]
    if not parts:
        raise TrialwattError("no completed run to estimate from: measure a few trials first")
    first = _alike(parts[0][0])
    for (own, _), folder in zip(parts, sorted(folders), strict=True):
        if _alike(own) != first:
            raise TrialwattError(
                f"{folder}: of another SUT, search, workload or testbed than the first run; give "
                "the folder of one configuration, as results/runs/<testbed>/<configuration>"
            )
    return Handful(tuple(run for _, run in parts), parts[0][0])


def _alike(config: RunConfig) -> RunConfig:
    """The same for runs whose trials are drawn alike."""
    workload = config.workload
    search = workload.search.model_copy(update={"budget": None})
    return config.model_copy(update={"workload": workload.model_copy(update={"search": search})})


def _of_run(folder: Path, context: Context) -> tuple[RunConfig, Measured]:
    try:
        records = read_run(folder)
        status = records.manifest.get("status")
        if status != COMPLETED:
            raise TrialwattError(f"the run did not complete ({status}); leave it out")
        if records.config.workload.search.prunes:
            raise TrialwattError(
                "its search stopped trials early, so that their lengths are not known; measure "
                "some without a pruner, or a trial table"
            )
        energy = account(records, np.empty(0, np.int64), np.ones(1), by_knot=True)
        if not energy.divided or math.isnan(energy.job_j):
            raise TrialwattError(f"its energy is not known: {'; '.join(energy.flags)}")
        return records.config, _taken(records, energy, facts_of(records, energy, context))
    except TrialwattError as error:
        raise TrialwattError(f"{folder}: {str(error).removeprefix(f'{folder}: ')}") from error


def _taken(records: RunRecords, energy: EnergyAccount, facts: Facts) -> Measured:
    trials = records.trials
    knots = pd.DataFrame(
        {
            "trial": trials.knot_trial.astype(np.int64),
            "imports": trials.knot_step == STEPS.index("import"),
            "seconds": np.diff(trials.knot_ns, append=trials.knot_ns[-1:]) / _NS_PER_S,
            "static": energy.knot_static_j,
            "dynamic": energy.knot_dynamic_j,
        }
    )[trials.knot_step != IDLE]
    names = ["seconds", "dynamic"]
    own = knots[~knots["imports"]].groupby("trial")[names].sum()
    failed = trials.outcome[own.index] == OUTCOMES.index("failed")
    order = np.lexsort((trials.start_ns, trials.worker))
    follows = np.diff(trials.worker[order]) == 0
    gaps = (trials.start_ns[order][1:] - trials.end_ns[order][:-1])[follows] / _NS_PER_S
    return Measured(
        taken=own.to_numpy(float),
        failed=failed,
        imports=knots[knots["imports"]].groupby("trial")[names].sum().to_numpy(float),
        worker_w=float(knots["static"].sum() / knots["seconds"].sum()),
        gap_s=float(gaps.clip(min=0).mean()) if len(gaps) else 0.0,
        facts=facts,
    )


def predicted(
    handful: Handful, sut: str, budget: int, workers: int, laws: Sequence[Law] | None
) -> dict[str, Predicted]:
    """Each of QUANTITIES of the next job of so many trials.

    laws: what frameworks add (analysis.framework_cost). Raises TrialwattError where this SUT is
    neither the measured one nor in the laws, or where the measured one is not the control: its
    trials hold what its own framework takes.
    """
    own = handful.config.sut
    if sut != own and (laws is None or not is_control(None, own)):
        raise TrialwattError(
            f"{sut}: measured with {own}; of another SUT only runs of plain tell something, with "
            "what the framework adds (--cost)"
        )
    known = None if sut == own else laws
    drawn = [
        spread_of(handful, number, sut, budget, workers, known)
        for number in range(len(handful.runs))
    ]
    apart = None if laws is None else apart_of(laws)
    return combined(drawn, budget, handful.trials, apart)


@dataclass(frozen=True)
class Spread:
    """Of the logarithm of each of QUANTITIES over jobs of one measured job's trials: its mean, and
    its variance by the draw of the trials alone; arrays (quantities,)."""

    mean: np.ndarray
    luck: np.ndarray


def spread_of(
    handful: Handful,
    number: int,
    sut: str,
    budget: int,
    workers: int,
    laws: Sequence[Law] | None,
) -> Spread:
    """By the run at a place of the handful; arguments as of `predicted`."""
    jobs = np.log(_jobs(handful.runs[number], handful, sut, budget, workers, laws, number))
    return Spread(jobs.mean(axis=0), jobs.var(axis=0, ddof=1))


@dataclass(frozen=True)
class Apart:
    """How equal jobs of a testbed differ: variance of the logarithm of each of QUANTITIES, and its
    degrees of freedom."""

    variance: np.ndarray
    freedom: int


def apart_of(laws: Sequence[Law]) -> Apart | None:
    """By the control's jobs that frameworks were compared with, which were repeated; None where
    they were not."""
    runs = pd.concat([law.runs for law in laws]).drop_duplicates("folder")
    runs = runs[runs["sut"].isin({law.control for law in laws})]
    repeated = [own for _, own in runs.groupby("hash") if own["block"].nunique() > 1]
    if not repeated:
        return None
    logs = [np.log(own[list(_COLUMNS)].to_numpy(float)) for own in repeated]
    variance = np.mean([own.var(axis=0, ddof=1) for own in logs], axis=0)
    # the jobs of a block have their hour in common
    return Apart(variance, min(own["block"].nunique() for own in repeated) - 1)


def combined(
    spreads: Sequence[Spread], budget: int, trials: int, apart: Apart | None = None
) -> dict[str, Predicted]:
    """The next job of so many trials, by measured jobs that have so many together. apart: how jobs
    differ, where a single one was measured, which does not tell."""
    from scipy.special import stdtrit

    means = np.array([one.mean for one in spreads])
    luck = np.mean([one.luck for one in spreads], axis=0)
    off, freedom = _spread(means, luck, budget * len(spreads) / trials, trials, apart)
    far = off * stdtrit(freedom, (1 + LEVEL) / 2)
    middle = means.mean(axis=0)
    rows = np.exp(np.array([middle, middle - far, middle + far])).T.tolist()
    return {name: Predicted(*row) for name, row in zip(QUANTITIES, rows, strict=True)}


def _spread(
    means: np.ndarray, luck: np.ndarray, more: float, trials: int, apart: Apart | None
) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of the next job's logarithm from the mean of these, and its degrees of
    freedom; each (quantities,).

    means: (jobs, quantities) of the logarithm; luck: its variance by the draw of trials alone, of a
    job of `more` times as many trials as were measured of each. The measured jobs differ by what
    jobs differ by, and by luck × more; the next one by the first, and by luck. What the draw alone
    explains is the least of it. Of a single job only that is known, and what `apart` says.
    """
    jobs = len(means)
    least = luck * (1 + more / jobs)
    if jobs == 1:
        of_draw = float(max(trials - 1, 1))
        if apart is None:
            return np.sqrt(least), np.full(luck.shape, of_draw)
        between = 2 * apart.variance
        whole = between + least
        return np.sqrt(whole), whole**2 / (between**2 / apart.freedom + least**2 / of_draw)
    between = means.var(axis=0, ddof=1) * (1 + 1 / jobs)
    rest = np.maximum(luck * (1 - more), 0.0)
    whole = between + rest
    freedom = whole**2 / (between**2 / (jobs - 1) + rest**2 / max(trials - jobs, 1))
    return np.sqrt(np.maximum(whole, least)), np.where(whole > least, freedom, jobs - 1.0)


def _jobs(
    run: Measured,
    handful: Handful,
    sut: str,
    budget: int,
    workers: int,
    laws: Sequence[Law] | None,
    seed: int,
) -> np.ndarray:
    """(JOBS, quantities) of jobs whose trials are drawn from those of a measured one."""
    rng = np.random.default_rng(seed)
    costs = _costs(run, handful, sut, workers, laws)
    count = len(run.taken)
    until = np.zeros((count, 1, 2))
    dynamic = np.zeros((count, 1, 2))
    until[:, 0, 1], dynamic[:, 0, 1] = run.taken.T
    trials = Trials(
        until_s=until,
        dynamic_j=dynamic,
        score=np.full((count, 1, 2), math.nan),
        lasts=np.ones((count, 1), np.int64),
        failed=run.failed[:, None],
        imports=run.imports,
        import_seed=np.zeros(len(run.imports), np.int64),
        worker_w=run.worker_w,
        reported=False,
    )
    found = np.empty((JOBS, len(QUANTITIES)))
    for number in range(JOBS):
        imports = rng.integers(len(run.imports), size=workers if len(run.imports) else 0)
        drawn = Draws(np.zeros(count, np.int64), imports)
        frame, added = costs.drawn(rng, 0)
        wanted = setting(costs, added, budget)
        wanted = dataclasses.replace(wanted, trial_s=wanted.trial_s + run.gap_s)
        search = Split(rng.integers(count, size=budget).tolist(), workers)
        job = Job(simulate(search, trials, wanted, 1, drawn), trials, costs, frame, added)
        kwh = sum(job.energies.values()) / J_PER_KWH
        found[number] = kwh, kwh * costs.g_per_kwh, job.cost, job.jct_s / _S_PER_H
    return found


def _costs(
    run: Measured, handful: Handful, sut: str, workers: int, laws: Sequence[Law] | None
) -> Costs:
    """Of jobs like the measured one; what its own services draw is in what stood around them."""
    table = TrialTable(pd.DataFrame(), run.facts)
    workload = handful.config.workload
    count = workload.workers.model_copy(update={"count": workers})
    workload = workload.model_copy(update={"workers": count})
    config = handful.config.model_copy(update={"sut": sut, "workload": workload})
    found = costs_of(table, config, run.worker_w, laws)
    return dataclasses.replace(found, services_w=0.0)


def runs_below(folder: Path) -> list[Path]:
    """The folders of all runs of a results folder, a configuration's, or a run's own."""
    runs = folder / "runs"
    return sorted(file.parent for file in (runs if runs.is_dir() else folder).rglob(MANIFEST))
