"""A results folder whose trial table and live runs are drawn: what is replayed on it is real."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from benchmarks.synthetic_table import CONTEXT, made

from trialwatt.config.identity import hash_of
from trialwatt.files import sha256
from trialwatt.metrics.context import MetricsContext
from trialwatt.replay.experiment import read_said, replayed
from trialwatt.replay.sensitivity import make_sensitivity
from trialwatt.replay.workflow import TABLE, Asked, make_check, make_searches

LIVE = "runs/test/live-{hash}/rep{number}"
STRATEGIES = (("plain", "grid"), ("plain", "random"), ("optuna", "tpe"), ("optuna", "cmaes"))


def add_manifest(results: Path, folder: str, hash_: str, config: dict) -> str:
    """A run's manifest as chains read it; returns its checksum."""
    manifest = {
        "format": 1,
        "folder": str(Path(folder).parent),
        "hash": hash_,
        "repetition": int(folder.rpartition("/rep")[2]),
        "status": "completed",
        "config": config,
        "files": {},
    }
    file = results / folder / "run.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(manifest))
    return sha256(file)


def asked_of(table, strategies=STRATEGIES, searches=30, **changed) -> Asked:
    """What a plan would ask: these strategies with a budget of 12."""
    rows, configs = [], []
    for sut, sampler in strategies:
        config = json.loads(json.dumps(table.facts.config)) | {"sut": sut}
        config["workload"] |= {
            "search": {"sampler": sampler, "budget": 12},
            "validate_each_epoch": False,
            **changed,
        }
        configs.append(config)
        treatment = f"search.sampler={sampler}"
        row = {"experiment": "s-sam", "varied": "search.sampler", "hash": hash_of(config)}
        rows.append(row | {"treatment": treatment})
    absent = {"sut": "plain", "treatment": "search.sampler=tpe", "reason": 'no sampler "tpe"'}
    more = {"cost": None, "cost_elsewhere": False, "unavailable": [absent]}
    return Asked.of({"rows": rows, "configs": configs, "searches": searches, "seed": 1} | more)


class Replaying:
    """root/, root/results/ with a table of so many seeds, and what is replayed on it."""

    def __init__(self, root: Path, seeds: int = 3):
        self.root, self.results = root, root / "results"
        self.folder = self.results / "replay" / "s-sam"
        file = root / "config/experiments/s-sam.yaml"
        file.parent.mkdir(parents=True)
        file.write_text("title: S-Sam\n")
        table = made(seeds, goal={"target": 0.8})
        config = table.facts.config
        sources = tuple(
            one.model_copy(update={"manifest": add_manifest(self.results, one.folder, "x", config)})
            for one in table.facts.sources
        )
        facts = table.facts.model_copy(update={"sources": sources})
        self.table = type(table)(table.frame, facts)
        self.table.write(self.results / TABLE)
        self.described = SimpleNamespace(
            experiment="s-sam",
            title="S-Sam",
            results=self.results,
            root=root,
            file=file,
            config_files=(),
            code={"version": "1"},
        )

    def search(self, asked: Asked, processes: int = 1) -> None:
        output = self.folder / "searches.parquet"
        make_searches(asked, self.described, self.results, output, processes)

    def live(self, place: int, count: int, **changed: float) -> None:
        """As many live runs of a strategy as the plan's only experiment: these searches of it, with
        these columns multiplied."""
        found = replayed(self.folder, read_said(self.folder))
        one = found.strategies[place]
        rows = one.searches.iloc[:count]
        folders = [LIVE.format(hash=one.said["hash"], number=n) for n in rows["search"]]
        for folder in folders:
            add_manifest(self.results, folder, one.said["hash"], {"sut": one.said["sut"]})
        runs = rows.assign(folder=folders, status="completed", flags="")
        for name, factor in changed.items():
            runs[name] *= factor
        file = self.results / "metrics/s-sam/runs.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(runs).to_parquet(file, index=False)

    def sensitivity(self, asked: Asked) -> None:
        """Without other power models, whose energies are of records."""
        make_sensitivity(
            replace(asked, cost_elsewhere=True),
            self.described,
            self.results,
            self.folder / "sensitivity.parquet",
            {},
            MetricsContext.of(CONTEXT.model_dump(), []),
            processes=1,
        )

    def check(self) -> None:
        make_check(["s-sam"], self.described, self.results, self.folder / "replay.json")
