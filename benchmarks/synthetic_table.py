"""Trial tables whose numbers are drawn, for benchmarks and tests: the form of measured ones."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from trialwatt.config.models import RunConfig
from trialwatt.config.plan_parts import Context
from trialwatt.config.space import grid
from trialwatt.metrics.columns import schema
from trialwatt.records.phi import canonical
from trialwatt.replay.columns import HYPERPARAMETER, hyperparameter, table_columns
from trialwatt.replay.table import Facts, Outside, Source, TrialTable

CONTEXT = Context(
    price_per_cpu_h=0.03,
    price_per_gb_h=0.004,
    currency="USD",
    price_date="2026-01-01",
    intensity=400.0,
    region="world",
    carbon_year=2023,
    targets={"digits": 0.9},
)
SPACE = {
    "lr": {"choices": [0.0001, 0.001, 0.01]},
    "decay": {"choices": [1e-6, 1e-4]},
    "ls": {"choices": [32, 128]},
    "ln": {"choices": [1, 2]},
}


def made(seeds=3, epochs=5, space=SPACE, flags="", failing=(), seed=1, **keys) -> TrialTable:
    """A table with drawn durations, energies and rising scores.

    failing: places of φ that fail in their second epoch.
    """
    config = RunConfig.model_validate(
        {
            "sut": "plain",
            "workload": {
                "dataset": "digits",
                "epochs": epochs,
                "validate_each_epoch": True,
                "space": space,
                "workers": {"count": 2, "cpu": 2, "memory_mb": 1024},
            }
            | keys,
            "testbed_name": "test",
            "testbed": {"meters": ["model"]},
            "seed": 1,
        }
    )
    space, rng = config.workload.space, np.random.default_rng(seed)
    columns = table_columns(space, ["macro_f1", "accuracy", "loss"])
    rows = []
    for repetition, (place, phi) in itertools.product(range(1, seeds + 1), enumerate(grid(space))):
        size, best = rng.uniform(0.5, 2.0), rng.uniform(0.6, 1.0)
        fails = place in failing
        for epoch in range((2 if fails else epochs) + 1):
            seconds = size * rng.uniform(0.8, 1.2)
            lost = fails and epoch == 2
            validate = 0.2 * seconds if epoch and not lost else 0.0
            imports = place < 2 and epoch == 0
            score = best * (1 - 0.5**epoch) if epoch and not lost else np.nan
            row = {
                "phi": canonical(phi, space),
                "repetition": repetition,
                "seed": 100 + repetition,
                "epoch": epoch,
                "outcome": "failed" if fails else "completed",
                "reason": "nan" if fails else "",
                "memory_mb": 300.0,
                "score.macro_f1": score,
                "score.accuracy": score,
                "score.loss": 1 - score,
            }
            for part, time in (
                ("", seconds),
                ("validate_", validate),
                ("import_", 2.0 + repetition if imports else np.nan),
            ):
                row |= {f"{part}seconds": time, f"{part}cpu_seconds": time * 0.9}
                row |= {f"{part}static_j": time * 1.25, f"{part}dynamic_j": time * size * 3}
            for column in columns:
                if column.name.startswith(HYPERPARAMETER):
                    value = phi.get(column.name[len(HYPERPARAMETER) :])
                    row[column.name] = hyperparameter(value, column)
            rows.append(row)
    frame = pd.DataFrame(rows)[schema(columns).names]
    outside = [
        Outside(
            deploy_s=1.0,
            setup_s=0.1 * number,
            collect_s=0.2,
            after_s=0.5,
            before_workers_j=4.0,
            before_else_j=1.0,
            after_workers_j=2.0,
            after_else_j=0.5,
            else_w=0.05,
        )
        for number in range(1, seeds + 1)
    ]
    sources = [
        Source(folder=f"runs/test/x/rep{n}", hash="x", repetition=n, manifest="0" * 64, flags=flags)
        for n in range(1, seeds + 1)
    ]
    facts = Facts(
        config=config.model_dump(mode="json"),
        host={"cores": 4, "memory_mb": 8192},
        enforcement="soft",
        packages={},
        code={},
        methods="modelled",
        static_w_per_core=0.5,
        static_w_per_gb=0.25,
        context=CONTEXT,
        sources=tuple(sources),
        outside=tuple(outside),
    )
    return TrialTable(frame, facts)
