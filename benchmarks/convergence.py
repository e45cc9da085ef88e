"""How often a sweep finds the knee: simulated sweeps, played by the rules of the workflow.

Each curve is scouted and run in blocks in drawn order, with noise of each run and one kind of
drift. A line per noise, blocks and drift has, for each curve, how often the 90 % interval covers
the true knee and how often the chosen step is right: its true JCT is within 10 % of the best, and
that of the step before it more than 2 % above the best.
"""

from __future__ import annotations

import itertools
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from trialwatt.analysis.sweeping import next_move
from trialwatt.config.blocks import SCOUTS, drawn, scout_folder
from trialwatt.config.plan_parts import Sweep, SweepStep
from trialwatt.records.outcome import Outcome

STEPS = np.arange(1, 9)
CURVES = {
    "flat": np.ones(8),
    "saturates at 4": 1 / np.minimum(STEPS, 4),
    "Amdahl": 0.1 + 0.9 / STEPS,
    "-4 % x 12": 0.96 ** np.arange(12),
    "-40 % at 5": np.where(STEPS < 5, 1.0, 0.6),
}
"""True JCT of each step."""
NOISES, BLOCKS = (0.03, 0.08, 0.15), (5, 10)
DRIFTS = ("none", "session 10 %", "walk 2 %", "AR(1) 6 %")
AR, SIMULATED = 0.7, 300
TO_REACH = {(0.08, 10): (0.90, 0.80), (0.03, 5): (0.90, 0.95)}
"""Noise and blocks → share of intervals that cover the knee, of chosen steps that are right."""


class Found(NamedTuple):
    """Shares of the simulated sweeps; runs: mean number of each."""

    covered: float
    right: float
    runs: float


def disturbances(
    noise: float, drift: str, runs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Of log JCT: of each run in the order of time, and of each block."""
    of_runs = rng.normal(0, noise, runs)
    of_blocks = np.zeros(max(BLOCKS) + 1)
    if drift.startswith("session"):
        of_blocks = rng.normal(0, 0.10, max(BLOCKS) + 1)
    elif drift.startswith("walk"):
        of_runs += rng.normal(0, 0.02, runs).cumsum()
    elif drift.startswith("AR"):
        steps = rng.normal(0, 0.06 * math.sqrt(1 - AR**2), runs)
        steps[0] = rng.normal(0, 0.06)
        of_runs += lfilter([1], [1, -AR], steps)
    return of_runs, of_blocks


def sweep_of(count: int, blocks: int) -> Sweep:
    steps = [SweepStep(value=n, folder=f"runs/t/step-{n}") for n in range(1, count + 1)]
    return Sweep(
        **{"sut": "plain", "sampler": "grid", "testbed": "t", "key": "workers.count"},
        **{"steps": steps, "baseline": steps[0], "tolerance": 0.05, "repetitions": blocks},
    )


def play(sweep: Sweep, curve: np.ndarray, noise: float, drift: str, seed: int) -> tuple:
    """The verdict of one simulated sweep, and how many runs it took."""
    values = {step.folder: math.log(one) for step, one in zip(sweep.steps, curve, strict=True)}
    most = (sweep.repetitions + 1) * len(curve)
    of_runs, of_blocks = disturbances(noise, drift, most, np.random.default_rng(seed))
    jct_ms: dict[tuple[str, int], float] = {}
    move = None
    while move is None or not move.is_last:
        move = next_move(
            sweep, move, lambda folder, block: Outcome("completed", jct_ms[folder, block])
        )
        for folder, block in in_order(sweep, move.new, seed):
            disturbed = values[folder] + of_runs[len(jct_ms)] + of_blocks[block]
            jct_ms[folder, block] = 1e4 * math.exp(disturbed)
    return move.verdict, len(jct_ms)


def in_order(sweep: Sweep, new: list[str], seed: int):
    """The runs that a move asks for, block by block as they are drawn."""
    names = {scout_folder(step.folder): (step.folder, SCOUTS) for step in sweep.steps}
    asked = [names.get(one) or (one.rpartition("/rep")[0], int(one.rpartition("/rep")[2]))
             for one in new]  # fmt: skip
    for block in sorted({block for _, block in asked}):
        there = [folder for folder, number in asked if number == block]
        yield from ((folder, block) for folder in drawn(seed, block, there))


def is_right(curve: np.ndarray, chosen: int) -> bool:
    best = curve.min()
    close = curve[chosen - 1] <= 1.10 * best * (1 + 1e-9)
    return bool(close and (chosen == 1 or curve[chosen - 2] > 1.02 * best))


def simulate(noise: float, blocks: int, drift: str, count: int = SIMULATED) -> dict[str, Found]:
    """What comes out for each curve."""
    found = {}
    for name, curve in CURVES.items():
        true = int((curve <= 1.05 * curve.min() * (1 + 1e-9)).argmax()) + 1
        sweep = sweep_of(len(curve), blocks)
        played = [play(sweep, curve, noise, drift, seed) for seed in range(count)]
        found[name] = Found(
            np.mean([one.low <= true <= one.high for one, _ in played]),
            np.mean([is_right(curve, int(one.knee)) for one, _ in played]),
            np.mean([runs for _, runs in played]),
        )
    return found


def missed(noise: float, blocks: int, found: dict[str, Found]) -> list[str]:
    """The curves for which it is short of what is to be reached."""
    covered, right = TO_REACH.get((noise, blocks), (0, 0))
    return [name for name, one in found.items() if one.covered < covered or one.right < right]


def main() -> int:
    print("noise blocks drift         " + " ".join(f"{name:>20}" for name in CURVES))
    print(" " * 27 + " ".join(f"{'covered right  runs':>20}" for _ in CURVES))
    cases = [*itertools.product(NOISES, BLOCKS, DRIFTS)]
    short = False
    with ProcessPoolExecutor() as pool:
        for (noise, blocks, drift), found in zip(
            cases, pool.map(partial(simulate_case), cases), strict=True
        ):
            cells = " ".join(
                f"{one.covered:>8.0%} {one.right:>5.0%} {one.runs:5.0f}" for one in found.values()
            )
            wrong = missed(noise, blocks, found)
            short |= bool(wrong)
            said = f"  SHORT: {', '.join(wrong)}" if wrong else ""
            said = said or ("  ok" if (noise, blocks) in TO_REACH else "")
            print(f"{noise:5.0%} {blocks:6} {drift:14}{cells}{said}", flush=True)
    return int(short)


def simulate_case(case: tuple[float, int, str]) -> dict[str, Found]:
    return simulate(*case)


if __name__ == "__main__":
    sys.exit(main())
