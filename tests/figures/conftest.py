"""A synthetic project: configuration, records on disk, and the metrics tables made of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trialwatt.config.factors import FACTORS
from trialwatt.figures.make import Source

KEYS = {known.column: known.key for known in FACTORS.values()}
STEPS = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")


def synthetic(
    experiment: str = "r-node",
    column: str = "wn",
    values=(1, 2, 4, 8),
    suts=("plain", "optuna"),
    repetitions: int = 3,
    method: str = "modelled",
    budget: int = 12,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Runs and trials tables whose parts add up, with a little noise."""
    rng = np.random.default_rng(7)
    runs, trials = [], []
    for sut in suts:
        for value in values:
            workload = {"wn": 4, "wcpu": 2.0, "wmem_mb": 2048, "accelerator": "cpu", column: value}
            wn, cpu = workload["wn"], workload["wcpu"] * 0.25
            digest = hashlib.sha256(f"{sut}{workload}".encode()).hexdigest()[:10]
            for repetition in range(1, repetitions + 1):
                folder = f"runs/local/{sut}-digits-ff-grid-{digest}/rep{repetition}"
                slow = {"plain": 1.0, "optuna": 1.15}.get(sut, 1.4) * rng.normal(1, 0.03)
                parts = {"load": 180 * slow, "train": 900 * slow / cpu, "validate": 60 * slow}
                each = sum(parts.values()) + 40 * slow
                rounds = -(-budget // wn)
                ms = {"deploy": 2500 * slow, "setup": 300 * slow, "trials": rounds * each}
                ms |= {"collect": 120, "test": 200, "metrics": 90, "undeploy": 400 * slow}
                kwh = {step: time * 8e-9 * (0.4 + 0.3 * wn * cpu) for step, time in ms.items()}
                share = {part: budget * time / wn / ms["trials"] for part, time in parts.items()}
                energies = {f"{p}_energy_kwh": kwh["trials"] * 0.8 * s for p, s in share.items()}
                energies["between_energy_kwh"] = kwh["trials"] * 0.8 - sum(energies.values())
                job = sum(kwh.values())
                runs.append(
                    {
                        "experiment": experiment,
                        "varied": KEYS.get(column, ""),
                        "sut": sut,
                        "testbed": "local",
                        "treatment": f"{value}",
                        "treatment_value": float(value) if not isinstance(value, str) else np.nan,
                        "is_baseline": value == 4 if column == "wn" else value == values[-1],
                        "hash": digest,
                        "repetition": repetition,
                        "folder": folder,
                        "status": "completed",
                        "reason": "",
                        **workload,
                        "cpu_physical": cpu,
                        "sampler": "grid",
                        "jct_ms": ms["setup"] + ms["trials"] + ms["collect"],
                        **{f"{step}_ms": time for step, time in ms.items()},
                        "job_energy_kwh": job,
                        "ept_kwh": job / budget,
                        "twh_kwh": 0.8 * kwh["trials"] / budget,
                        "cint_g_per_kwh": 475.0,
                        "carbon_g": job * 475,
                        "oc": sum(ms.values()) / 3.6e6 * wn * cpu * 0.0316,
                        "currency": "USD",
                        "wtt_ms": 2000 * slow,
                        "wte_kwh": 0.05 * job,
                        "wtc": 2e-6 * slow,
                        "wr": 0.1 + 0.02 * wn,
                        **{f"step_{step}_energy_kwh": value for step, value in kwh.items()},
                        **energies,
                        "best_score": 0.93 + 0.002 * rng.normal(),
                        "energy_method": method,
                        "energy_meter": "model" if method == "modelled" else "rapl",
                        "energy_domains": "cpu",
                        "sample_hz": 5.0,
                        "flags": "",
                        "enforcement": "cgroup-v1",
                        "notes": "",
                    }
                )
                for number in range(budget):
                    trials.append(
                        {
                            "folder": folder,
                            "sut": sut,
                            "hash": digest,
                            "repetition": repetition,
                            "worker": f"worker-{number % wn}",
                            "trial": f"worker-{number % wn}/{number // wn}",
                            **{f"{part}_ms": time for part, time in parts.items()},
                            "duration_ms": sum(parts.values()),
                            "outcome": "completed",
                        }
                    )
    return pd.DataFrame(runs), pd.DataFrame(trials)


def events(workers: int = 4, per_worker: int = 5, seed: int = 1) -> pd.DataFrame:
    """A run's timeline, as trialwatt.metrics.timeline gives it, with all outcomes."""
    rng = np.random.default_rng(seed)
    rows = []
    for worker in range(workers):
        now = 0.2 * worker
        for number in range(per_worker):
            outcome = ["completed", "completed", "pruned", "failed", "duplicate"][
                (worker + 2 * number) % 5
            ]
            for step, length in (("load", 0.3), ("train", 1.2), ("validate", 0.2)):
                if outcome == "failed" and step == "validate":
                    continue
                end = now + length * rng.uniform(0.7, 1.3) * (0.4 if outcome == "pruned" else 1)
                rows.append((f"worker-{worker}", f"worker-{worker}/{number}", step, now, end))
                rows[-1] += (outcome,)
                now = end
            now += rng.uniform(0.05, 0.5)
    columns = ["worker", "trial", "step", "start_s", "end_s", "outcome"]
    return pd.DataFrame(rows, columns=columns)


def write_project(root: Path, runs: pd.DataFrame, trials: pd.DataFrame) -> Source:
    """The tables and the records that they pretend to come from, on disk."""
    experiment = runs["experiment"].iloc[0]
    described = root / "config" / "experiments" / f"{experiment}.yaml"
    described.parent.mkdir(parents=True)
    described.write_text(f"title: {experiment}\n")
    (root / "config" / "config.yaml").write_text("repetitions: 3\n")
    results = root / "results"
    for run in runs.to_dict("records"):
        folder = results / run["folder"]
        (folder / "records").mkdir(parents=True)
        (folder / "samples").mkdir()
        files = {}
        for name in ("records/harness.jsonl", "records/worker-0.jsonl", "samples/usage.csv"):
            text = f"{run['folder']} {name}\n"
            (folder / name).write_text(text)
            files[name] = hashlib.sha256(text.encode()).hexdigest()
        manifest = {
            "format": 1,
            "folder": str(Path(run["folder"]).parent),
            "hash": run["hash"],
            "repetition": run["repetition"],
            "config": {
                "sut": run["sut"],
                "seed": 1,
                "testbed_name": "local",
                "workload": {
                    "dataset": "digits",
                    "search": {"sampler": "grid"},
                    "workers": {"count": run["wn"], "cpu": run["wcpu"], "memory_mb": 2048},
                },
            },
            "status": run["status"],
            "code": {"version": "0.1.0", "commit": "a" * 40, "dirty": False},
            "packages": {"optuna": "5.0.0", "torch": "2.13.0"},
            "host": {"cpu_model": "Synthetic CPU", "cores": 2, "memory_mb": 8000, "kernel": "6.1"},
            "meters": {"model": {"available": True, "domains": [{"method": "modelled"}]}},
            "headline_meter": "model",
            "files": files,
        }
        (folder / "run.json").write_text(json.dumps(manifest))
    metrics = results / "metrics" / experiment
    metrics.mkdir(parents=True)
    runs.to_parquet(metrics / "runs.parquet")
    trials.to_parquet(metrics / "trials.parquet")
    return Source(
        experiment=experiment,
        results=results,
        root=root,
        file=described,
        config_files=(Path("config/config.yaml"),),
    )


@pytest.fixture
def make_synthetic():
    return synthetic


@pytest.fixture
def make_search():
    from tests.figures.synthetic_search import search_tables

    return search_tables


@pytest.fixture
def make_events():
    return events


@pytest.fixture
def make_project(tmp_path):
    return lambda runs, trials, root=tmp_path: write_project(root, runs, trials)
