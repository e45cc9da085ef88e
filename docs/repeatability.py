"""Runs the same job again and again, with one worker, for each SUT; what is found of it is a line
per run in docs/repeatability.jsonl, and docs/repeatability.md is made of those.

    python docs/repeatability.py [SUT …]

Runs of these SUTs (by default of all that can run here) take the place of the ones on file. Two
runs repeat each other where their trials have the same φ, in the same order, with the same scores;
and the same model wins with the same test score.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialwatt.meters.coefficients import PowerParameters
    from trialwatt.metrics.context import MetricsContext

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path(__file__).with_suffix(".md")
FILE = Path(__file__).with_suffix(".jsonl")
HEAD = """# Repeatability

The same configuration, run again and again with one worker, on digits. `python
docs/repeatability.py` runs them, keeps a line per run in `docs/repeatability.jsonl`, and makes this
page of it.

## Trials and scores

Are φ, their order, and the scores the same in all runs, to the last digit? The same seeds are given
to every SUT; that a framework does not repeat itself with them is a fact about it, no fault of the
run. With more workers the order in which trials end is the machine's, and what a sampler learns
from them differs.

"""
SPREAD = """
## Time and energy

How far do JCT and job energy of these runs lie apart? CV is the coefficient of variation, the
standard deviation as a share of the mean; the range is the greatest less the least, as a share of
the median. Energy is {methods}: where it is modelled, it follows from the time and the use of the
processor. A machine on which others work repeats nothing: runs with more than {limit:g} % foreign
CPU time are flagged.

"""
REPEATED = "SUT; sampler; runs; trials; same φ in the same order; same scores; same winner and test"
APART = (
    "SUT; sampler; runs; JCT, median (s); CV (%); range (%); energy, median (mWh); CV (%);"
    " range (%); foreign CPU (%); machine"
)
"""The columns of the two tables."""
SAMPLERS = {
    "plain": ("grid", "random"),
    "optuna": ("grid", "random", "tpe", "nsga2"),
    "hyperopt": ("random", "tpe"),
    "ray": ("grid", "random"),
}
OFTEN, TWICE = 5, 2
"""So many runs of a SUT's first sampler, whose spread is told, and of each other one."""
SPACE = {
    "lr": {"choices": [0.001, 0.003, 0.01]},
    "decay": {"choices": [1e-6]},
    "ls": {"choices": [16, 32]},
    "ln": {"choices": [1]},
}
BUDGET = 6
OPTIONS = {
    ("optuna", "tpe"): {"n_startup_trials": 3},
    ("optuna", "nsga2"): {"population_size": 3},
    ("hyperopt", "tpe"): {"n_startup_jobs": 3},
}
"""So that a sampler searches by what it has learnt before the budget is over."""


@dataclass(frozen=True)
class Run:
    """What a run repeats or does not. phis, ordered, scores, winner: digests, of the set of φ, of
    φ in order, of the scores in order, of the best φ with its test scores. jct_s, energy_mwh;
    method: of the energy; foreign: share of the machine's CPU time; cores: of the machine."""

    sut: str
    sampler: str
    trials: int
    phis: str
    ordered: str
    scores: str
    winner: str
    jct_s: float
    energy_mwh: float
    method: str
    foreign: float
    cores: int


def main(names: list[str]) -> None:
    """names: of SUTs."""
    from trialwatt import suts
    from trialwatt.config.files import plan_of_files
    from trialwatt.meters.coefficients import PowerParameters
    from trialwatt.metrics.context import MetricsContext

    names = names or [name for name in SAMPLERS if not suts.get(name).available()]
    runs = [run for run in read(FILE) if run.sut not in names] if FILE.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_of_files((), ROOT)
        data, facts = _prepared(Path(folder), PowerParameters.of(plan.power_model))
        context = MetricsContext.of(plan.context.model_dump())
        for name in names:
            for sampler in SAMPLERS[name]:
                for n in range(_times(name, sampler)):
                    results = Path(folder, f"{name}-{sampler}-{n}")
                    runs.append(_ran(results, name, sampler, data, facts, context))
                    print(json.dumps(asdict(runs[-1])), file=sys.stderr, flush=True)
    runs.sort(key=lambda run: list(SAMPLERS).index(run.sut))
    FILE.write_text("".join(json.dumps(asdict(r)) + "\n" for r in runs), encoding="utf-8")
    PAGE.write_text(page(runs), encoding="utf-8")


def _times(sut: str, sampler: str) -> int:
    return OFTEN if sampler == SAMPLERS[sut][0] else TWICE


def _prepared(folder: Path, power: PowerParameters) -> tuple[str, str]:
    """The digits, and this machine's facts."""
    from trialwatt.config.models import Testbed
    from trialwatt.meters.choose import open_available
    from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed
    from trialwatt.workload.sources import prepare

    data, facts = folder / "digits.safetensors", folder / "facts.json"
    prepare("digits", data)
    bed = Testbed(meters=["rapl", "model"], idle_s=0)
    with open_available(bed, power) as chosen:
        idle = measure_idle(chosen.meters, 0, bed.sample_hz)
        write_testbed(facts, describe("here", bed, power, chosen.facts(), idle))
    return str(data), str(facts)


def _ran(
    results: Path, sut: str, sampler: str, data: str, facts: str, context: MetricsContext
) -> Run:
    from trialwatt.config.models import RunConfig, Testbed, Workload
    from trialwatt.contract.reading import manifest, trials
    from trialwatt.lifecycle.execute import execute
    from trialwatt.metrics.extract import extract_run

    search = {"sampler": sampler, "sampler_options": OPTIONS.get((sut, sampler), {})}
    search |= {} if sampler == "grid" else {"budget": BUDGET}
    workload = {
        "dataset": "digits",
        "epochs": 3,
        "space": SPACE,
        "search": search,
        "workers": {"count": 1, "cpu": 2, "memory_mb": 1024},
    }
    bed = {"cpu_per_vcpu": 0.5, "meters": ["rapl", "model"], "idle_s": 0, "sample_hz": 20}
    bed |= {"quiet_wait_s": 0, "allow_busy_machine": True}
    config = RunConfig(
        sut=sut,
        workload=Workload.model_validate(workload),
        testbed_name="here",
        testbed=Testbed.model_validate(bed),
        seed=1,
    )
    folder = execute(config, 1, data, facts, str(results))
    run = manifest(folder)
    if run["status"] != "completed":
        raise SystemExit(f"{sut}, {sampler}: {run['status']}: {run['reason']}")
    ended = sorted(trials(folder).values(), key=lambda trial: trial["number"])
    phis = [json.dumps(trial["phi"], sort_keys=True) for trial in ended]
    found = extract_run(folder, context).run
    return Run(
        sut=sut,
        sampler=sampler,
        trials=len(ended),
        phis=_digest(sorted(phis)),
        ordered=_digest(phis),
        scores=_digest([trial["scores"] for trial in ended]),
        winner=_digest([run["best"]["phi"], run["test"]]),
        jct_s=found["jct_ms"] / 1e3,
        energy_mwh=1e6 * found["job_energy_kwh"],
        method=found["energy_method"],
        foreign=found["foreign_cpu_share"],
        cores=run["host"]["cores"],
    )


def _digest(what: Any) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


# --- the page ---------------------------------------------------------------------------------


def read(file: Path) -> list[Run]:
    return [Run(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def page(runs: Iterable[Run]) -> str:
    """The document: what the runs of each SUT and sampler repeat, then how far they lie apart."""
    from trialwatt.meters.machine import MOST_FOREIGN

    groups = [list(group) for _, group in groupby(runs, key=lambda run: (run.sut, run.sampler))]
    methods = " and ".join(sorted({run.method for group in groups for run in group}))
    repeated = [_repeated(group) for group in groups]
    apart = [_spread(group, MOST_FOREIGN) for group in groups if len(group) >= OFTEN]
    cores = " and ".join(str(n) for n in sorted({run.cores for group in groups for run in group}))
    head = SPREAD.format(methods=methods, limit=100 * MOST_FOREIGN)
    tables = [_table(REPEATED, repeated), head, _table(APART, apart)]
    return f"{HEAD}{''.join(tables)}\nOn a machine with {cores} processors.\n"


def _table(columns: str, rows: list[list[str]]) -> str:
    titles = columns.split("; ")
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _repeated(runs: list[Run]) -> list[str]:
    """A row of the first table."""
    ordered, scores, winner = (
        "yes" if len(found) == 1 else "no"
        for found in map(set, zip(*((r.ordered, r.scores, r.winner) for r in runs), strict=True))
    )
    if ordered == "no" and len({run.phis for run in runs}) == 1:
        ordered = "the same, in another order"
    first = runs[0]
    return [first.sut, first.sampler, str(len(runs)), str(first.trials), ordered, scores, winner]


def _spread(runs: list[Run], limit: float) -> list[str]:
    """A row of the second table."""
    foreign = [100 * run.foreign for run in runs]
    flagged = sum(run.foreign > limit for run in runs)
    return [
        runs[0].sut,
        runs[0].sampler,
        str(len(runs)),
        *_apart([run.jct_s for run in runs]),
        *_apart([run.energy_mwh for run in runs]),
        f"{min(foreign):.1f} to {max(foreign):.1f}",
        f"not quiet in {flagged} of {len(runs)} runs" if flagged else "quiet",
    ]


def _apart(values: list[float]) -> Iterator[str]:
    """Median, coefficient of variation and range in per cent."""
    middle = statistics.median(values)
    yield f"{middle:.3g}"
    yield f"{100 * statistics.stdev(values) / statistics.mean(values):.1f}"
    yield f"{100 * (max(values) - min(values)) / middle:.1f}"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(sys.argv[1:])
