"""A project with one repetition on disk, a table made of it, and files to hang a chain on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from trialwatt.provenance.chain import chain

FOLDER = "runs/local/plain-digits-abc123/rep1"


def add_run(results: Path, folder: str, status: str = "completed") -> Path:
    """A repetition folder whose run.json names its two record files."""
    place = results / folder
    (place / "records").mkdir(parents=True)
    files = {}
    for name in ("records/harness.jsonl", "records/worker-0.jsonl"):
        (place / name).write_text(f"{folder} {name}\n")
        files[name] = hashlib.sha256((place / name).read_bytes()).hexdigest()
    manifest = {
        "format": 1,
        "folder": str(Path(folder).parent),
        "hash": "abc123",
        "repetition": int(folder[-1]),
        "status": status,
        "config": {
            "sut": "plain",
            "seed": 1,
            "testbed_name": "local",
            "workload": {
                "dataset": "digits",
                "search": {"sampler": "grid"},
                "workers": {"count": 4, "cpu": 2.0, "memory_mb": 2048},
            },
        },
        "code": {"version": "0.1.0", "commit": "b" * 40, "dirty": False},
        "packages": {"torch": "2.13.0"},
        "host": {"cpu_model": "Synthetic CPU", "cores": 2},
        "meters": {"model": {"domains": [{"name": "cpu", "method": "modelled"}]}},
        "headline_meter": "model",
        "files": files,
    }
    (place / "run.json").write_text(json.dumps(manifest))
    return place


class Project:
    """root/, root/config/, root/results/ and a chain over all of it."""

    def __init__(self, root: Path):
        self.root, self.results = root, root / "results"
        self.experiment = root / "config" / "experiments" / "r-node.yaml"
        self.experiment.parent.mkdir(parents=True)
        self.experiment.write_text("title: R-Node\n")
        (root / "config" / "config.yaml").write_text("repetitions: 1\n")
        self.run = add_run(self.results, FOLDER)
        self.table = self.results / "metrics" / "r-node" / "runs.parquet"
        self.table.parent.mkdir(parents=True)
        self.table.write_bytes(b"a table")

    def add_run(self, folder: str) -> str:
        add_run(self.results, folder)
        return folder

    def chain(self, folders=(FOLDER,), **changes) -> dict:
        return chain(
            **{
                "kind": "figure/resource",
                "experiment": {"id": "r-node", "file": self.experiment},
                "folders": folders,
                "tables": [self.table],
                "results": self.results,
                "root": self.root,
                "config_files": [Path("config/config.yaml")],
                "code": {"version": "0.1.0", "commit": None, "dirty": None},
                **changes,
            }
        )


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path / "project")
