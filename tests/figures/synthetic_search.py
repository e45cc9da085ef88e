"""Synthetic runs, trials and anytime curves of a search experiment: waste, goals, censoring."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd

OFFERED = {
    "plain": ("grid", "random"),
    "optuna": ("grid", "random", "tpe", "cmaes", "gp", "qmc", "nsgaii"),
    "ray": ("grid", "random", "bayesopt", "optuna", "hyperopt"),
    "hyperopt": ("random", "tpe", "atpe", "anneal", "mix"),
}
SLOW = {"plain": 1.0, "optuna": 1.12, "ray": 1.35, "hyperopt": 1.9}


def search_tables(
    experiment: str = "s-sam",
    key: str = "search.sampler",
    column: str = "sampler",
    offered=OFFERED,
    repetitions: int = 3,
    budget: int = 24,
    goal: float | None = 0.93,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Runs, trials and curves (trialwatt.figures.anytime.priced) whose parts add up."""
    rng = np.random.default_rng(11)
    runs, trials, curves = [], [], []
    for sut, values in offered.items():
        for value in values:
            base = {"sampler": "grid", "pruner": "none", "epochs": 5, "pS": 24} | {column: value}
            digest = hashlib.sha256(f"{sut}{base}".encode()).hexdigest()[:10]
            number = float(value) if not isinstance(value, str) else np.nan
            for repetition in range(1, repetitions + 1):
                folder = f"runs/local/{sut}-digits-ff-{digest}/rep{repetition}"
                slow = SLOW.get(sut, 1.4) * rng.normal(1, 0.03)
                classes = rng.choice(
                    ["", "failed", "pruned", "duplicate"],
                    budget,
                    p=[0.7, 0.05, 0.2, 0.05] if base["pruner"] != "none" else [0.85, 0.05, 0, 0.1],
                )
                short = np.where(np.isin(classes, ["failed", "pruned"]), 0.4, 1.0)
                ms = 900 * slow * short * rng.normal(1, 0.1, budget)
                kwh, usd = ms * 3e-9, ms * 4e-8
                score = np.where(
                    np.isin(classes, ["failed", "pruned"]), np.nan, rng.beta(9, 1.4, budget)
                )
                wn, idle = 4, 1.2
                jct = ms.sum() / wn * idle + 400
                energy, oc = kwh.sum() * idle * 1.1, usd.sum() * idle * 1.2
                share = {}
                for kind in ("failed", "pruned", "duplicate"):
                    mine = classes == kind
                    share[f"waste_{kind}_time_share"] = ms[mine].sum() / (wn * jct)
                    share[f"waste_{kind}_energy_share"] = kwh[mine].sum() / energy
                    share[f"waste_{kind}_cost_share"] = usd[mine].sum() / oc
                wasted = classes != ""
                best = np.fmax.accumulate(score)
                hit = np.flatnonzero(score >= goal) if goal is not None else []
                done = np.cumsum(ms) / wn * idle + 200
                reached = float(done[hit[0]] / jct) if len(hit) else np.nan
                runs.append(
                    {
                        "experiment": experiment,
                        "varied": key,
                        "sut": sut,
                        "testbed": "local",
                        "treatment": f"{key}={value}",
                        "treatment_value": number,
                        "is_baseline": value in ("grid", "none", 5),
                        "hash": digest,
                        "repetition": repetition,
                        "folder": folder,
                        "status": "completed",
                        "reason": "",
                        "wn": wn,
                        "wcpu": 2.0,
                        "cpu_physical": 0.5,
                        "wmem_mb": 1024,
                        "accelerator": "cpu",
                        "budget": budget,
                        **base,
                        "jct_ms": jct,
                        "trials_ms": jct - 300,
                        "job_energy_kwh": energy,
                        "ept_kwh": energy / (classes == "").sum(),
                        "twh_kwh": kwh.mean(),
                        "cint_g_per_kwh": 475.0,
                        "carbon_g": energy * 475,
                        "oc": oc,
                        "currency": "USD",
                        "wtt_ms": ms[wasted].sum(),
                        "wte_kwh": kwh[wasted].sum(),
                        "wtc": usd[wasted].sum(),
                        "wtt_share": ms[wasted].sum() / (wn * jct),
                        "wte_share": kwh[wasted].sum() / energy,
                        "wtc_share": usd[wasted].sum() / oc,
                        **share,
                        "wr": 0.12 * slow,
                        "idle_energy_kwh": 0.12 * slow * energy,
                        "between_energy_kwh": 0.07 * slow * energy,
                        "utilisation": 0.9 / slow,
                        "goal_target": np.nan if goal is None else goal,
                        "goal_reached": None if goal is None else bool(len(hit)),
                        "goal_censored": None if goal is None else not len(hit),
                        "energy_to_goal_kwh": energy * reached,
                        "best_score": np.nanmax(score),
                        "energy_method": "modelled",
                        "energy_meter": "model",
                        "energy_domains": "cpu",
                        "sample_hz": 5.0,
                        "flags": "",
                        "enforcement": "cgroup-v1",
                        "region": "world",
                        "carbon_year": 2023,
                        "pue": 1.1,
                        "notes": "",
                    }
                )
                trials += [
                    {
                        "folder": folder,
                        "sut": sut,
                        "hash": digest,
                        "repetition": repetition,
                        "worker": f"worker-{i % wn}",
                        "trial": f"worker-{i % wn}/{i // wn}",
                        "phi": json.dumps({"lr": i}),
                        "duration_ms": ms[i],
                        "energy_kwh": kwh[i],
                        "carbon_g": kwh[i] * 475,
                        "cost": usd[i],
                        "score": score[i],
                        "outcome": classes[i]
                        if classes[i] in ("failed", "pruned")
                        else "completed",
                        "waste_class": classes[i],
                    }
                    for i in range(budget)
                ]
                rises = np.flatnonzero(np.diff(np.concatenate([[-np.inf], best])) > 0)
                at = np.append(done[rises], jct)
                curves.append(
                    pd.DataFrame(
                        {
                            "folder": folder,
                            "time_ms": at,
                            "job_energy_kwh": at / jct * energy * 0.98,
                            "oc": at / jct * oc * 0.98,
                            "score": np.append(best[rises], best[rises][-1]),
                        }
                    )
                )
    return pd.DataFrame(runs), pd.DataFrame(trials), pd.concat(curves, ignore_index=True)


def as_losses(
    runs: pd.DataFrame, curves: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The same search for the least of a loss: the mirror image of its scores."""
    turned = {name: -runs[name] for name in ("best_score", "goal_target")}
    runs = runs.assign(**turned, goal_score="loss", goal_direction="minimize")
    return runs, None if curves is None else curves.assign(score=-curves["score"])
