"""Results made of synthetic records: two systems, three treatments, one of them with holes."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from trialwatt.config.plan_parts import ExperimentRow
from trialwatt.figures.make import Source, make_figures, make_table
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.experiment_notes import write_notes
from trialwatt.metrics.tables import build_tables
from trialwatt.page.labs import CONTRIBUTED
from trialwatt.page.make import write_comparison, write_page
from trialwatt.records.manifest import write_manifest

HARM = "</script><img src=x onerror=\"document.title='harm'\"><b>&'"
CONTEXT = MetricsContext(
    price_per_cpu_h=0.03,
    price_per_gb_h=0.004,
    currency="USD",
    price_date="2025-01-01",
    intensity=475.0,
    region="world",
    carbon_year=2023,
    targets={"digits": 0.9},
)
EXPERIMENTS = (
    {"id": "r-node", "title": "How many workers", "varied": ["workers.count"]},
    {"id": "s-sam", "title": "Which sampler", "varied": ["search.sampler"]},
    {"id": "r-mem", "title": "How much memory", "varied": ["workers.memory_mb"]},
)
VARIED = {one["id"]: one["varied"][0] for one in EXPERIMENTS}
ANSWERS = """hypothesis,scope,verdict,sentence
H1,plain in r-node,undecided: one platform,H1 for plain in r-node: undecided: one platform.
H1,all,demonstration only: undecided: one platform,H1: undecided: one platform (2 scopes).
H2,all,undecided: too few runs,H2: undecided: too few runs (1 scope).
"""


class Bench:
    """A results folder that is filled run by run."""

    testbed = "lab"

    def __init__(self, root: Path, synthetic, **manifest):
        self.root, self.results = root, root / "results"
        self.synthetic, self.manifest = synthetic, manifest

    def run(self, sut: str, workers: int, repetition: int, sampler="grid", **manifest) -> Path:
        size = self.synthetic.Synthetic(
            trials=4, workers=workers, seconds=4, hz=5, seed=workers + len(sampler) + len(sut)
        )
        made = self.synthetic.write_run(self.root / "made", size, repetition)
        label = f"runs/{self.testbed}/x-{workers}-{sampler}-{_hash(sut, workers, sampler)}"
        folder = self.results / label / f"rep{repetition}"
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        before = json.loads((folder / "run.json").read_text())
        config = before["config"] | {"sut": sut, "testbed_name": self.testbed}
        config["workload"]["search"]["sampler"] = sampler
        write_manifest(
            folder,
            before
            | {
                "folder": label,
                "hash": _hash(sut, workers, sampler),
                "config": config,
                "code": {"version": "0.1.0", "commit": "c" * 40, "dirty": False},
                "packages": {"trialwatt": "0.1.0"},
                "started_utc_ns": self.synthetic.UTC_NS,
                "ended_utc_ns": self.synthetic.UTC_NS + 9_000_000_000,
            }
            | self.manifest
            | manifest,
        )
        return folder

    def fill(self, experiments: Mapping[str, list], unavailable: Mapping[str, list]) -> None:
        """experiments: name → rows (sut, workers, sampler, treatment, value, manifests)."""
        for name, rows in experiments.items():
            folders, placed = [], {}
            for sut, workers, sampler, treatment, value, manifests in rows:
                key = _hash(sut, workers, sampler)
                placed[key] = ExperimentRow(
                    experiment=name,
                    hash=key,
                    treatment=treatment,
                    treatment_value=value,
                    is_baseline=workers == 2,
                    varied=VARIED.get(name, ""),
                )
                for repetition, manifest in enumerate(manifests, start=1):
                    label = f"runs/{self.testbed}/x-{workers}-{sampler}-{key}/rep{repetition}"
                    if not (self.results / label).exists():
                        self.run(sut, workers, repetition, sampler, **manifest)
                    folders.append(self.results / label)
            metrics = self.results / "metrics" / name
            build_tables(folders, list(placed.values()), CONTEXT, metrics, processes=1)
            write_notes(metrics, [], unavailable.get(name, []))
            make_table(self.source(name))
        (self.results / "tables/answers.csv").write_text(ANSWERS)

    def source(self, name: str) -> Source:
        return Source(name, self.results, self.root, code={"version": "0.1.0"})


def _hash(sut: str, workers: int, sampler: str) -> str:
    import hashlib

    return hashlib.sha256(f"{sut}{workers}{sampler}".encode()).hexdigest()[:10]


def rows_of(sut: str = "optuna") -> dict[str, list]:
    """Rows of the experiments: a system beside the control."""
    infeasible = {"status": "infeasible", "reason": "no worker could start: 64 MB"}
    good: list[dict] = [{}, {}]
    return {
        "r-node": [
            *(("plain", n, "grid", f"workers.count={n}", float(n), good) for n in (1, 2)),
            *((sut, n, "grid", f"workers.count={n}", float(n), good) for n in (1, 2)),
            (sut, 4, "grid", "workers.count=4", 4.0, [infeasible, infeasible]),
        ],
        "s-sam": [
            ("plain", 2, "grid", "search.sampler=grid", None, good),
            (sut, 2, "grid", "search.sampler=grid", None, good),
            (sut, 2, "tpe", "search.sampler=tpe", None, good),
        ],
    }


UNAVAILABLE = {
    "s-sam": [
        {
            "sut": "plain",
            "treatment": "search.sampler=tpe",
            "reason": 'plain offers no sampler "tpe"; it has: grid, random',
        }
    ]
}


@pytest.fixture(scope="session")
def make_bench(synthetic):
    """Make and fill a results folder below a root. figures: with one; manifest: keys of all runs'
    manifests."""

    def make(root: Path, figures: bool = False, **manifest) -> Bench:
        bench = Bench(root, synthetic, **manifest)
        bench.fill(rows_of(), UNAVAILABLE)
        if figures:
            make_figures(["resource"], bench.source("r-node"))
        return bench

    return make


@pytest.fixture(scope="session")
def bench(make_bench, tmp_path_factory) -> Bench:
    """Do not change it: it is made once."""
    return make_bench(tmp_path_factory.mktemp("page"), figures=True)


@pytest.fixture(scope="session")
def page(bench) -> Path:
    """The page of that bench."""
    return write_page(bench.results, EXPERIMENTS, bench.results / "page.html", processes=1)


def contribute(bench, name: str, plan: dict) -> Path:
    """Put a results folder where `trialwatt import` puts it."""
    folder = bench.results / CONTRIBUTED
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"name": name}))
    (folder / name / "results").mkdir(parents=True)
    (folder / name / "results/plan.json").write_text(json.dumps(plan))
    return folder / name


def plan_of(title: str) -> dict:
    """A plan with three experiments of this title, and no run."""
    part = {"title": title, "varies": [], "compared": [], "file": "a.yaml", "runs": []}
    numbers = {"seed": 1, "repetitions": 1, "most_repetitions": 1, "warm_up": False}
    return {
        **{
            "generator": "trialwatt",
            "format": 2,
            "testbed_name": "lab",
            "testbed": {},
            "workload": {},
        },
        **{**numbers, "base": None, "set": {}, "power": {}, "files": ["a.yaml"]},
        **{"workload": {}, "runs": {}},
        "context": dataclasses.asdict(CONTEXT),
        "experiments": dict.fromkeys(("r-node", "s-sam", "theirs"), part),
    }


@pytest.fixture(scope="session")
def two_labs(make_bench, tmp_path_factory):
    """A results folder with an imported one, whose names mean harm."""
    bench = make_bench(tmp_path_factory.mktemp("two"))
    other = make_bench(
        tmp_path_factory.mktemp("other"), host={"cpu_model": HARM, "cores": 2, "memory_mb": 8000}
    )
    for file in other.results.glob("metrics/*/runs.parquet"):
        runs = pd.read_parquet(file).replace({"sut": {"optuna": HARM}})
        runs["reason"] = runs["reason"].where(runs["status"] == "completed", HARM)
        runs.to_parquet(file)
    folder = contribute(bench, "their-lab", plan_of(HARM))
    shutil.copytree(other.results, folder / "results", dirs_exist_ok=True)
    write_comparison(bench.results, EXPERIMENTS, bench.results / "comparison.html", processes=1)
    return bench
