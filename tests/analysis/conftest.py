"""Runs tables of experiments that never happened, with known answers."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trialwatt.config.factors import FACTORS

_SYNTHETIC = Path(__file__).resolve().parents[2] / "benchmarks" / "synthetic.py"


def runs_table(rows, **same):
    """Rows as the runs table has them; keys that are left out get an innocent value."""
    plain = {
        "testbed": "local",
        "sut": "optuna",
        "sampler": "grid",
        "pruner": "none",
        "pS": 24,
        "budget": 24,
        "status": "completed",
        "energy_method": "counter",
        "is_baseline": False,
        "treatment": "",
        "treatment_value": np.nan,
        "goal_censored": None,
        "energy_to_goal_kwh": np.nan,
        "wte_share": 0.0,
    }
    table = pd.DataFrame([plain | same | row for row in rows])
    if "hash" not in table and len(table):
        levels = [one.column for one in FACTORS.values() if one.column in table]
        table["hash"] = table[["sut", "treatment", *levels]].astype(str).agg("-".join, axis=1)
    return table


def resource_runs(rng, means, repetitions=6, noise=0.05, experiment="r-mem", **same):
    """means: testbed → {treatment: EPT in kWh}; log-normal noise."""
    rows = [
        {
            "testbed": testbed,
            "treatment_value": float(treatment),
            "treatment": f"{treatment}",
            "repetition": repetition,
            "ept_kwh": mean * np.exp(noise * rng.standard_normal()),
        }
        for testbed, cells in means.items()
        for treatment, mean in cells.items()
        for repetition in range(1, repetitions + 1)
    ]
    return runs_table(rows, experiment=experiment, varied="workers.memory_mb", **same)


def search_runs(
    rng,
    to_goal,
    job=None,
    repetitions=6,
    noise=0.1,
    experiment="s-sam",
    factor="sampler",
    reach=1.0,
    **same,
):
    """to_goal, job: level → median kWh; reach: probability (or one per level) of the goal."""
    job = job or dict.fromkeys(to_goal, 10.0)
    rows = []
    for level, mean in to_goal.items():
        for repetition in range(1, repetitions + 1):
            goal = mean * np.exp(noise * rng.standard_normal())
            energy = max(job[level] * np.exp(noise * rng.standard_normal()), 1e-9)
            chance = reach[level] if isinstance(reach, dict) else reach
            reached = rng.random() < chance and goal <= energy
            rows.append(
                {
                    factor: level,
                    "repetition": repetition,
                    "treatment": str(level),
                    "job_energy_kwh": energy,
                    "goal_censored": not reached,
                    "energy_to_goal_kwh": goal if reached else np.nan,
                    "wte_share": rng.choice([0.0, 0.1, 0.2]),
                }
            )
    (varied,) = (known.key for known in FACTORS.values() if known.column == factor)
    return runs_table(rows, experiment=experiment, varied=varied, **same)


@pytest.fixture
def table():
    return runs_table


@pytest.fixture
def resource():
    return resource_runs


@pytest.fixture
def search():
    return search_runs


@pytest.fixture
def false_positives():
    """Whether so few of many tests may be expected if a share of `level` is wrong by chance."""
    from scipy.stats import binomtest

    def check(hits, of, level=0.05):
        return binomtest(hits, of, level, alternative="greater").pvalue > 0.001

    return check


@pytest.fixture(scope="session")
def synthetic_run():
    """write(root, **size): a synthetic run of 20 trials on two workers; returns its folder."""
    name = "benchmarks_synthetic"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _SYNTHETIC)
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    module = sys.modules[name]

    def write(root, **size):
        sized = {"trials": 20, "workers": 2, "seconds": 20} | size
        return module.write_run(root, module.Synthetic(**sized))

    return write
