"""Processor time of a replayed search of every strategy that is replayed, and of 10,000 of them; a
million trials on a thousand virtual workers.

On a synthetic trial table of the largest shipped space (96 φ, 10 seeds, 5 epochs): every sampler
without a pruner, and every pruner on random draws. Processor time, so that a busy machine says the
same: searches share nothing, and so two cores take half of it. What a search takes with the
framework's own part left out stands beside it. Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from synthetic_table import SPACE, made

from trialwatt.config.models import Search
from trialwatt.errors import TrialwattError
from trialwatt.replay import simulate
from trialwatt.replay.drivers.plain import Split
from trialwatt.replay.estimate import each_wanted
from trialwatt.replay.outcomes import Job, outcomes
from trialwatt.replay.run import Replay, Wanted
from trialwatt.replay.strategies import choices

MILLION, MANY_WORKERS, LIMIT_S, LIMIT_GB = 1_000_000, 1000, 60.0, 2.0
BUDGET, WORKERS, WANTED, CORES = 24, 4, 10_000, 2
LIMIT_MIN = 10.0
ENOUGH_S, MOST = 1.5, 100
"""Of each strategy so much processor time is looked at, or so many searches."""
RNG = np.random.default_rng(1)
LARGEST = SPACE | {
    "lr": {"choices": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]},
    "ls": {"choices": [32, 64, 128, 256]},
}


def main() -> int:
    table, exceeded = made(seeds=10, space=LARGEST), False
    for pruner in ("none", "asha"):
        wanted = Search(sampler="random", pruner=pruner, budget=MILLION)
        begun = time.process_time()
        log, _ = Replay(table, Wanted("plain", wanted, MANY_WORKERS)).one(1)
        seconds = time.process_time() - begun
        exceeded |= seconds > LIMIT_S
        what = f"random + {pruner}, {len(log):,} trials on {MANY_WORKERS:,} workers"
        print(f"{what:52}{seconds:8.1f} s   {LIMIT_S:g} s   {_met(seconds <= LIMIT_S)}")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    exceeded |= used > LIMIT_GB
    print(f"{'greatest memory':52}{used:8.2f} GB  {LIMIT_GB:g} GB   {_met(used <= LIMIT_GB)}\n")
    print(f"{'strategy':28}{'ms/search':>10}{'ours':>8}   {WANTED:,} on {CORES} cores, min")
    base, whole = Wanted("plain", Search(sampler="random", budget=BUDGET), WORKERS), 0.0
    for choice, wanted in each_wanted(base, choices()):
        try:
            seconds, ours = _of(Replay(table, wanted))
        except TrialwattError as error:
            print(f"{choice!s:28}  not replayed: {error}")
            continue
        takes = seconds * WANTED / CORES / 60
        whole += takes
        print(
            f"{choice!s:28}{seconds * 1e3:10.1f}{ours * 1e3:8.1f}{takes:10.1f}   "
            f"{_met(takes <= LIMIT_MIN)}",
            flush=True,
        )
    print(f"{'all of them':28}{'':18}{whole:10.1f}")
    return int(exceeded)


def _of(replay: Replay) -> tuple[float, float]:
    """Processor s of a search, and of what of it is ours: the same trials once more, asked for by
    nobody."""
    replay.rows([1])  # imports
    spent, ours, count = 0.0, 0.0, 0
    while spent < ENOUGH_S and count < MOST:
        count += 1
        begun = time.process_time()
        log, job = replay.one(count)
        outcomes(job, replay.costs, replay.scoring)
        spent += time.process_time() - begun
        begun = time.process_time()
        _again(replay, log)
        ours += time.process_time() - begun
    return spent / count, ours / count


def _again(replay: Replay, log: simulate.Log) -> None:
    drawn = simulate.Draws(log.seed, log.imported[: replay.costs.workers])
    search = Split(log.phi.tolist(), replay.costs.workers)
    wanted = simulate.Setting(replay.costs.workers, len(log))
    again = simulate.simulate(search, replay.trials, wanted, replay.scoring.sign, drawn)
    own = Job(again, replay.trials, replay.costs, *replay.costs.drawn(RNG, 0))
    outcomes(own, replay.costs, replay.scoring)


def _met(is_met: bool) -> str:
    return "ok" if is_met else "SHORT"


if __name__ == "__main__":
    sys.exit(main())
