"""Replayed searches per second of each strategy; a million trials on a thousand virtual workers.

On a synthetic trial table of the largest shipped space (96 φ, 10 seeds, 5 epochs). With --all the
slow, model-based strategies too. Exits with 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

from synthetic_table import SPACE, made

from trialwatt.config.models import Search
from trialwatt.metrics.processes import PROCESSES
from trialwatt.replay.run import Replay, Wanted

MILLION, MANY_WORKERS, LIMIT_S, LIMIT_GB = 1_000_000, 1000, 60.0, 2.0
BUDGET, WORKERS, SEARCHES, WANTED = 24, 4, 300, 10_000
QUICK = (
    ("plain", "random", "none"),
    ("plain", "random", "asha"),
    ("optuna", "random", "none"),
    ("optuna", "tpe", "none"),
    ("optuna", "tpe", "median"),
    ("optuna", "random", "asha"),
    ("optuna", "random", "hyperband"),
    ("optuna", "nsga2", "none"),
    ("hyperopt", "random", "none"),
    ("hyperopt", "anneal", "none"),
    ("hyperopt", "tpe", "none"),
    ("ray", "random", "asha"),
    ("ray", "random", "median"),
    ("ray", "optuna", "asha"),
)
SLOW = (
    ("optuna", "gp", "none"),
    ("optuna", "bruteforce", "none"),
    ("optuna", "random", "wilcoxon"),
)
LARGEST = SPACE | {
    "lr": {"choices": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2]},
    "ls": {"choices": [32, 64, 128, 256]},
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--all", action="store_true")
    strategies = (*QUICK, *(SLOW if options.parse_args().all else ()))
    table, exceeded = made(seeds=10, space=LARGEST), False
    for pruner in ("none", "asha"):
        wanted = Search(sampler="random", pruner=pruner, budget=MILLION)
        begun = time.monotonic()
        log, _ = Replay(table, Wanted("plain", wanted, MANY_WORKERS)).one(1)
        seconds = time.monotonic() - begun
        exceeded |= seconds > LIMIT_S
        what = f"random + {pruner}, {len(log):,} trials on {MANY_WORKERS:,} workers"
        print(f"{what:52}{seconds:8.1f} s   {LIMIT_S:g} s   {_met(seconds <= LIMIT_S)}")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    exceeded |= used > LIMIT_GB
    print(f"{'greatest memory':52}{used:8.2f} GB  {LIMIT_GB:g} GB   {_met(used <= LIMIT_GB)}\n")
    print(f"{'strategy':34}{'searches/s':>12}{f'{WANTED:,} take':>14}")
    for sut, sampler, pruner in strategies:
        replay = Replay(
            table, Wanted(sut, Search(sampler=sampler, pruner=pruner, budget=BUDGET), WORKERS)
        )
        slow = (sut, sampler, pruner) in SLOW
        count = SEARCHES // 30 if slow else SEARCHES
        replay.searches(2, processes=1)  # imports, for the processes that are forked
        begun = time.monotonic()
        replay.searches(count, PROCESSES)
        rate = count / (time.monotonic() - begun)
        print(f"{f'{sut} {sampler} + {pruner}':34}{rate:12.1f}{WANTED / rate / 60:10.1f} min")
    return int(exceeded)


def _met(is_met: bool) -> str:
    return "ok" if is_met else "SHORT"


if __name__ == "__main__":
    sys.exit(main())
