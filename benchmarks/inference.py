"""How often the tests of H1 and H2 are wrong, and how often they find what is there; seeded.

    python benchmarks/inference.py [--quick]

Every line is many experiments that never happened, judged by the package's own code: a runs table,
its evidence, its verdict. Noise is log-normal, in blocks whose order is drawn; over the session the
machine drifts, walks or remembers. `p < 5 %` and `supported` under a null are wrong; under an
effect they are the power. `alone`: each experiment is the only one; `of 12`: twelve are judged
together, of which one has the effect (or none).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

from trialwatt.analysis import platform_effect, search_effect
from trialwatt.analysis.answers import EQUIVALENT, SUPPORTED
from trialwatt.analysis.evidence import ALPHA, Evidence, judge
from trialwatt.analysis.hypotheses import RESAMPLES
from trialwatt.config.factors import FACTORS

SEED = 20_261_130
SESSION_EFFECT = 0.10
"""Standard deviation of what all runs of a block have in common, as a share."""


@dataclass(frozen=True)
class Case:
    """noise: of a run, as a share. drift: over the session. walk: standard deviation of its step
    per run. memory: standard deviation of an AR(1) process over runs (coefficient 0.7). loud: times
    the noise of one level. ratio: energy of one level ÷ the others'; of H1, of
    another one on each platform. scopes: judged together, the first of which has the effect."""

    hypothesis: str
    levels: int
    blocks: int
    noise: float = 0.08
    drift: float = 0.0
    walk: float = 0.0
    memory: float = 0.0
    loud: float = 1.0
    ratio: float = 1.0
    scopes: int = 1

    @property
    def said(self) -> str:
        parts = [f"noise {self.noise:.0%}"]
        parts += [f"drift {self.drift:.0%}"] * bool(self.drift)
        parts += [f"random walk {self.walk:.0%}"] * bool(self.walk)
        parts += [f"AR(1) {self.memory:.0%}"] * bool(self.memory)
        parts += [f"one level {self.loud:g} times noisier"] * (self.loud != 1)
        return ", ".join(parts)


@dataclass(frozen=True)
class Found:
    """Shares of the experiments."""

    p_below: float
    supported: float
    equivalent: float
    needs: float


def nulls() -> Iterator[Case]:
    shapes = [(2, 10), (3, 5), (3, 6), (3, 10), (6, 5), (6, 10)]
    for hypothesis in ("H1", "H2"):
        for levels, blocks in shapes:
            base = Case(hypothesis, levels, blocks)
            yield from (replace(base, noise=noise) for noise in (0.03, 0.08, 0.15))
            yield from (replace(base, drift=drift) for drift in (0.1, 0.2))
            yield replace(base, walk=0.02)
            yield replace(base, memory=0.06)
            yield replace(base, loud=5)
        yield Case(hypothesis, 3, 10, scopes=12)


def effects() -> Iterator[Case]:
    for hypothesis in ("H1", "H2"):
        for levels, blocks in ((2, 5), (2, 10), (3, 5), (6, 5), (3, 10), (6, 10)):
            yield Case(hypothesis, levels, blocks, ratio=1.25)
        for levels in (2, 3, 6):
            yield Case(hypothesis, levels, 10, ratio=1.25, scopes=12)
        yield Case(hypothesis, 2, 5, ratio=1.25, scopes=12)


def equalities() -> Iterator[Case]:
    for levels in (2, 3):
        yield Case("H2", levels, 10, noise=0.03)


def runs_table(case: Case, rng: np.random.Generator, scope: int) -> pd.DataFrame:
    """The runs of one experiment."""
    places = ["a", "b"] if case.hypothesis == "H1" else ["a"]
    effect = np.zeros((len(places), case.levels))
    if scope == 0:
        effect[0, 0] = np.log(case.ratio)
        if case.hypothesis == "H1":  # what is best on one platform costs so much on the other
            effect[0, 0], effect[-1, 1] = -np.log(case.ratio), -np.log(case.ratio)
    rows = [
        {"testbed": place, "level": level, "block": block, "log": float(logs[p, b, level])}
        for logs in [_logs(case, rng, effect)]
        for p, place in enumerate(places)
        for b, block in enumerate(range(1, case.blocks + 1))
        for level in range(case.levels)
    ]
    table = pd.DataFrame(rows)
    is_h1 = case.hypothesis == "H1"
    key = "workers.memory_mb" if is_h1 else "search.sampler"
    return table.assign(
        experiment="simulated",
        varied=key,
        sut=f"sut{scope:02}",
        sampler="grid" if is_h1 else "s" + table["level"].astype(str),
        treatment=table["level"].astype(str),
        hash=table["level"].astype(str),
        treatment_value=table["level"].astype(float) if is_h1 else np.nan,
        status="completed",
        energy_method="counter",
        repetition=table["block"],
        budget=24,
        ept_kwh=np.exp(table["log"]),
        job_energy_kwh=np.exp(table["log"]),
        goal_censored=None,
        wte_share=0.0,
    )


def _logs(case: Case, rng: np.random.Generator, effect: np.ndarray) -> np.ndarray:
    """(places, blocks, levels) log energies, of runs in the drawn order of their block."""
    places, levels = effect.shape
    found = np.empty((places, case.blocks, levels))
    scale = np.full(levels, case.noise)
    scale[0] *= case.loud
    for place in range(places):
        of_block = SESSION_EFFECT * rng.standard_normal(case.blocks)
        runs = case.blocks * levels
        time = np.linspace(0, 1, runs)
        machine = case.drift * time + np.cumsum(case.walk * rng.standard_normal(runs))
        machine += _remembering(case.memory, runs, rng)
        for block in range(case.blocks):
            order = rng.permutation(levels)
            here = machine[block * levels : (block + 1) * levels]
            found[place, block, order] = here
            found[place, block] += of_block[block] + scale * rng.standard_normal(levels)
    return found + effect[:, None, :]


def _remembering(sd: float, runs: int, rng: np.random.Generator, keeps: float = 0.7) -> np.ndarray:
    values = np.zeros(runs)
    if sd:
        for i, new in enumerate(sd * np.sqrt(1 - keeps**2) * rng.standard_normal(runs)):
            values[i] = keeps * values[i - 1] + new if i else new / np.sqrt(1 - keeps**2)
    return values


def evidence_of(case: Case, runs: pd.DataFrame) -> list[Evidence]:
    if case.hypothesis == "H1":
        return platform_effect.evidence(runs, {}, RESAMPLES)
    return search_effect.evidence(runs, RESAMPLES)


def simulate(case: Case, experiments: int) -> Found:
    rng = np.random.default_rng([SEED, *case.said.encode(), case.levels, case.blocks, case.scopes])
    p, outcomes, verdicts = [], [], []
    for _ in range(experiments):
        tables = [runs_table(case, rng, scope) for scope in range(case.scopes)]
        answers = judge(case.hypothesis, evidence_of(case, pd.concat(tables, ignore_index=True)))
        some = answers[:1] if case.ratio != 1 else answers
        for answer in some:
            p += [t.p_adjusted for t in answer.tests if t.primary and not np.isnan(t.p)][:1]
            outcomes.append(answer.outcome)
            verdicts.append(answer.verdict)
    return Found(
        float(np.mean(np.array(p) < ALPHA)) if p else 0.0,
        np.mean([one == SUPPORTED for one in outcomes]),
        np.mean([one == EQUIVALENT for one in outcomes]),
        np.mean([": needs " in one for one in verdicts]),
    )


def show(title: str, cases: Iterator[Case], experiments: int) -> list[tuple[Case, Found]]:
    table = Table(title=title)
    for head in ("", "levels", "blocks", "scopes", "what", "p < 5 %", "supported", "equivalent",
                 "needs more"):  # fmt: skip
        table.add_column(head)
    every = list(cases)
    numbers = [max(20, experiments // case.scopes) for case in every]
    with ProcessPoolExecutor() as pool:
        found = list(zip(every, pool.map(simulate, every, numbers), strict=True))
    for case, one in found:
        shares = (one.p_below, one.supported, one.equivalent, one.needs)
        cells = (case.hypothesis, case.levels, case.blocks, case.scopes, case.said)
        table.add_row(*map(str, cells), *(f"{share:.1%}" for share in shares))
    Console(width=120).print(table)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the experiments")
    experiments = 30 if parser.parse_args().quick else 300
    wrong = show("Nothing is there", nulls(), experiments)
    there = show("One level differs 1.25 times", effects(), experiments)
    same = show("All levels are equal", equalities(), experiments)
    figures = [
        ("p < 5 % under a null, at most", max(f.p_below for _, f in wrong), MOST_P),
        ("supported under a null, at most", max(f.supported for _, f in wrong), MOST_SUPPORTED),
    ]
    short = [limited(name, share, most, experiments) for name, share, most in figures]
    for name, wanted, least in POWER:
        share = min(f.supported for case, f in there if wanted(case))
        short.append(limited(name, 1 - share, 1 - least, experiments, said=share, limit=least))
    share = min(f.equivalent for case, f in same if case.levels == 2)
    short.append(
        limited("equivalent, two levels, 3 % noise", 1 - share, 0.2, experiments, share, 0.8)
    )
    return int(any(short))


MOST_P, MOST_SUPPORTED = 0.065, 0.05
POWER: tuple[tuple[str, Callable[[Case], bool], float], ...] = (
    ("H2, three and more levels, 5 blocks", lambda c: _is(c, "H2", 5, 1) and c.levels > 2, 0.9),
    ("H2, three and more, 10 blocks, of 12", lambda c: _is(c, "H2", 10, 12) and c.levels > 2, 0.9),
    ("H2, two levels, 10 blocks", lambda c: _is(c, "H2", 10, 1) and c.levels == 2, 0.95),
)


def _is(case: Case, hypothesis: str, blocks: int, scopes: int) -> bool:
    return (case.hypothesis, case.blocks, case.scopes) == (hypothesis, blocks, scopes)


def limited(
    name: str,
    share: float,
    most: float,
    experiments: int,
    said: float | None = None,
    limit: float | None = None,
) -> bool:
    """Print a figure with its limit; whether it is short of it by more than chance (1 %)."""
    hits = round(share * experiments)
    is_short = binomtest(hits, experiments, most, alternative="greater").pvalue < 0.01
    shown, bound = (share, most) if said is None or limit is None else (said, limit)
    print(f"{name}: {shown:.1%}, limit {bound:.1%} {'SHORT' if is_short else 'ok'}")
    return is_short


if __name__ == "__main__":
    assert set(FACTORS) >= {"workers.memory_mb", "search.sampler"}
    sys.exit(main())
