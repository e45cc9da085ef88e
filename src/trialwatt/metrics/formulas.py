"""The metrics, each a formula with its source. NaN where a formula has no answer.

Sources: "design" is the table of metrics in docs/methodology; the symbols are those of the HPO
benchmarking literature (JCT, EPT, TWH, CINT, OC, WTT, WTE, WTC, WR).
"""

from __future__ import annotations

import math

import numpy as np

from trialwatt.meters.bounds import TICKS_NS

NAN = math.nan
J_PER_KWH = 3.6e6
NS_PER_H = 3.6e12
MB_PER_GB = 1024

FOREIGN_ROUNDING = 0.01
"""Share by which the parts may seem more than the machine, which counts in ticks."""

FAILED, PRUNED, DUPLICATE = "failed", "pruned", "duplicate"


def ratio(part: float, whole: float) -> float:
    """part ÷ whole; NaN where the whole is 0 or unknown."""
    return part / whole if whole else NAN


def energy_per_trial_kwh(job_kwh: float, distinct: int) -> float:
    """EPT: job energy ÷ distinct completed trials, idle included, kWh (design). NaN if there are
    none. A duplicate is no result, so it is not among them."""
    return ratio(job_kwh, distinct)


def trial_energy_kwh(trials_kwh: np.ndarray) -> float:
    """TWH: mean energy attributed to a trial, kWh (design); trials_kwh: (n,)."""
    return float(np.mean(trials_kwh)) if len(trials_kwh) else NAN


def carbon_g(kwh: float, g_per_kwh: float, pue: float) -> float:
    """Carbon: energy × intensity × PUE, gCO2eq (location-based; docs/methodology, rule 9)."""
    return kwh * g_per_kwh * pue


def carbon_intensity_g_per_kwh(grams: float, kwh: float) -> float:
    """CINT: energy-weighted mean intensity, Σ(e·g) ÷ Σe; grams without PUE (design)."""
    return ratio(grams, kwh)


def cost(
    cpu: np.ndarray | float,
    memory_mb: np.ndarray | float,
    duration_ns: np.ndarray | float,
    price_per_cpu_h: float,
    price_per_gb_h: float,
    accelerator_ns: np.ndarray | float = 0.0,
    price_per_accelerator_h: float = 0.0,
) -> np.ndarray | float:
    """Reserved resources × time × price (OC and WTC are sums of it; docs/methodology, rule 10).

    cpu in physical cores, memory_mb in 2**20 bytes, numbers or arrays that broadcast.
    accelerator_ns: accelerators that are held × the time for which they are.
    """
    per_h = cpu * price_per_cpu_h + memory_mb / MB_PER_GB * price_per_gb_h
    accelerators = price_per_accelerator_h * (accelerator_ns / NS_PER_H)
    return per_h * (duration_ns / NS_PER_H) + accelerators


def idle_share(idle_kwh: float, job_kwh: float) -> float:
    """WR: energy of reserved workers while they hold no trial ÷ job energy; a fraction.

    Definition: docs/methodology, rule 2.
    """
    return ratio(idle_kwh, job_kwh)


def foreign_share(
    machine_ns: float, parts_ns: float, stolen_ns: float, cores: float, window_ns: float
) -> float:
    """CPU time of the machine that no part has used, and stolen time, ÷ all that it can give.

    NaN where the parts have used more than the machine by more than rounding and what was stolen,
    which some kernels count among the time of a part.
    """
    whole = cores * window_ns
    unused = machine_ns - parts_ns
    if not whole > 0 or not unused >= -(stolen_ns + FOREIGN_ROUNDING * whole + cores * TICKS_NS):
        return math.nan
    return min(1.0, (max(unused, 0.0) + stolen_ns) / whole)


def waste_classes(
    start_ns: np.ndarray, phi: np.ndarray, failed: np.ndarray, pruned: np.ndarray
) -> np.ndarray:
    """The waste class of each trial: "failed", "pruned", "duplicate" or "".

    Definition: docs/methodology, rule 7.
    Exclusive, in the precedence failed > pruned > duplicate. A duplicate completed, and a trial of
    the same φ and fidelity that started earlier completed too. start_ns, phi (an index; trials of
    equal index have the same φ and fidelity), failed, pruned: arrays (n,). Trials that start at
    the same moment count as started in the order of the arrays.
    """
    classes = np.full(len(phi), "", dtype="<U9")
    completed = np.flatnonzero(~(failed | pruned))
    order = completed[np.argsort(start_ns[completed], kind="stable")]
    _, first = np.unique(phi[order], return_index=True)
    again = np.ones(len(order), bool)
    again[first] = False
    classes[order[again]] = DUPLICATE
    classes[pruned] = PRUNED
    classes[failed] = FAILED
    return classes


def avoided_energy(
    train: np.ndarray, epochs: np.ndarray, budget: int, reached: np.ndarray | None = None
) -> np.ndarray:
    """Avoided energy of pruned trials: mean train energy per epoch × epochs not run (design).

    train, epochs: (n,), energy in the train step and epochs run. reached: (n,) the last epoch,
    where a trial has not run all before it itself. NaN for a trial without an epoch: nothing can be
    extrapolated from it.
    """
    per_epoch = np.divide(train, epochs, out=np.full(len(train), NAN), where=epochs > 0)
    return per_epoch * np.maximum(budget - (epochs if reached is None else reached), 0)


def utilisation(cpu_s: float, reserved_core_s: float) -> float:
    """CPU time of the workers ÷ their reserved cores × time; a fraction (design)."""
    return ratio(cpu_s, reserved_core_s)


def throughput_per_h(completed: int, jct_ms: float) -> float:
    """Completed trials per hour of job completion time."""
    return ratio(completed, jct_ms / 3.6e6)


def reaches(score: np.ndarray, target: float, sign: int) -> np.ndarray:
    """(n,) whether each score is as good as the target; sign: of the goal, −1 if less is better."""
    return sign * score >= sign * target


def goal_index(end_ns: np.ndarray, reached: np.ndarray) -> int:
    """The trial that is the first to end of those that reached the goal (n,); −1 if none.

    Only completed trials count: the score of a pruned one is not that of a trained model.
    Definition: docs/methodology, rule 8.
    """
    found = np.flatnonzero(reached)
    return int(found[np.argmin(end_ns[found])]) if len(found) else -1


def best_so_far(score: np.ndarray, sign: int) -> np.ndarray:
    """(n,) the best of the scores until each; sign: of the goal, −1 if less is better."""
    return (np.maximum if sign > 0 else np.minimum).accumulate(score)
