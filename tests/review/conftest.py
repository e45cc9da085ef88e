"""A small project whose records are synthetic and whose results are made as the rules make them."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import pytest
from tests.review.believable import APART_NS, make_believable, testbed

from trialwatt.analysis.sweeping import Move, next_move, observed, write_end
from trialwatt.config.files import plan_of_files
from trialwatt.figures.products import PRODUCTS, archived, make
from trialwatt.files import sha256
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics import extract, series
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import unpack, write_archive
from trialwatt.provenance.plans import write_plan
from trialwatt.records.manifest import write_manifest
from trialwatt.review.pack import pack
from trialwatt.review.tree import ABOUT, WORKFLOW

ROOT = Path(__file__).resolve().parents[2]
CODE = {"version": "0.1.0", "commit": "c" * 40, "dirty": False}
CONFIG = """
testbed: lab
experiments: [more-cpu]
base: digits-ff
set: {workers.count: 2, workers.cpu: 1, space: tiny, fixed.ln: 1, fixed.decay: 0.000001}
suts: [plain]
repetitions: 1
"""
EXPERIMENT = """
title: More CPU
base: digits-ff
vary:
  workers.cpu: {start: 1, step: 1, maximum: 2, until: jct}
suts: [plain]
"""
SPACE = """
lr: {choices: [0.0001, 0.001, 0.01]}
ls: {choices: [32, 128]}
"""


class Project:
    """Everything relative to its root, which is the current folder while something is made."""

    def __init__(self, root: Path, synthetic, more: tuple[Path, ...] = ()):
        """more: configuration files that are merged over its own, as by --configfile."""
        self.root, self.synthetic = root, synthetic
        self.results = root / "results"
        root.mkdir()
        for name in (*WORKFLOW, *ABOUT, "config", "paper"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, root / name)
        (root / "config/config.yaml").write_text(CONFIG)
        (root / "config/experiments/more-cpu.yaml").write_text(EXPERIMENT)
        (root / "config/spaces/tiny.yaml").write_text(SPACE)
        local = (root / "config/testbeds/local.yaml").read_text()
        own = re.sub(r"sample_hz: \d+", "sample_hz: 10", local)  # as the synthetic records have it
        (root / "config/testbeds/lab.yaml").write_text(own)
        self.plan = plan_of_files(more, root)
        self.measured = 0

    def measure(self, folder: Path, config) -> None:
        """A synthetic repetition in place of a run."""
        size = self.synthetic.Synthetic(trials=6, workers=2, seconds=8, hz=10)
        repetition = int(folder.name.removeprefix("rep")) if folder.name[:3] == "rep" else 0
        made = self.synthetic.write_run(self.root / "made", size, repetition)
        folder.parent.mkdir(parents=True, exist_ok=True)
        made.rename(folder)
        manifest = json.loads((folder / "run.json").read_text())
        log = folder / "logs/driver.log"
        log.parent.mkdir()
        log.write_text("said by a component\n")
        manifest["files"]["logs/driver.log"] = sha256(log)
        label = folder.parent.relative_to(self.results).as_posix()
        self.measured += 1
        power = PowerParameters.of(self.plan.power_model)
        manifest |= make_believable(folder, config, power, repetition, self.measured)
        manifest |= {
            "folder": label,
            "hash": label.rsplit("-", 1)[-1],
            "repetition": repetition,
            "config": config.model_dump(mode="json"),
            "code": CODE,
            "packages": {"trialwatt": "0.1.0"},
            "started_utc_ns": self.synthetic.UTC_NS + self.measured * APART_NS,
            "ended_utc_ns": self.synthetic.UTC_NS + self.measured * APART_NS + 90_000_000_000,
        }
        write_manifest(folder, manifest)

    def make(self) -> None:
        """Runs, sweeps and all that follows, as the rules and their scripts do it."""
        plan, results = self.plan, Path("results")
        (results / "testbeds").mkdir(parents=True)
        facts = testbed(PowerParameters.of(plan.power_model), self.synthetic.UTC_NS)
        (results / "testbeds/lab.json").write_text(json.dumps(facts, indent=2) + "\n")
        write_plan(results, plan.as_json(), plan.here.elsewhere)
        self.measure(self.results / "warm-ups/lab/plain", plan.run(plan.warm_ups["plain"]))
        measured = {name: self.run_experiment(name) for name in plan.experiments}
        for name, product in archived().items():
            if product.replayed:
                continue  # the plan replays nothing
            for experiment in plan.experiments if product.of_each else [""]:
                folders, ends = measured.get(experiment, ([], []))
                parts = product.parts(plan, experiment)
                own = {"experiment": experiment, "folders": folders, "ends": ends}
                make(name, parts, results, **own)

    def make_paper(self) -> None:
        """numbers.json, the PDF and its sidecar."""
        make("paper", PRODUCTS["paper"].parts(self.plan), Path("results"))

    def run_experiment(self, name: str) -> tuple[list[Path], list[str]]:
        plan, results = self.plan, Path("results")
        folders = {results.parent / folder for folder in plan.fixed_repetitions(name)}
        ends = []
        for sweep_name, sweep in plan.sweeps(name).items():
            place = results / "sweeps" / name / sweep_name
            place.mkdir(parents=True)
            move = None
            while move is None or not move.is_last:
                move = next_move(sweep, move, observed(results))
                move.write(place / f"move{move.number}.json")
                for new in move.new:
                    self.measure(self.results / new, plan.run(new))
                folders |= {results / new for new in move.repetitions}
            write_end(sweep, Move.read(place / f"move{move.number}.json"), place / "end.json")
            ends.append(str(place / "end.json"))
        return sorted(folders), ends

    def pack(self, output: Path) -> Path:
        return pack(Path(), Path("results"), output, self.plan.files, CODE)


class Unpacked:
    """An archive, unpacked to be tampered with."""

    def __init__(self, archive: Path, folder: Path):
        self.folder = folder
        unpack(archive, folder)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def relist(self) -> None:
        """Put the checksums of what is there into the RO-Crate, as a careful forger would."""
        listing = self / crate.NAME
        content = json.loads(listing.read_text())
        for entity in content["@graph"]:
            file = self.folder / entity["@id"]
            if "sha256" in entity and file.is_file():
                entity["sha256"] = sha256(file)
        listing.write_text(json.dumps(content))

    def archive(self, output: Path) -> Path:
        files = (file for file in self.folder.rglob("*") if file.is_file())
        return write_archive(
            output, {file.relative_to(self.folder).as_posix(): file for file in files}
        )


@pytest.fixture(scope="session")
def project(tmp_path_factory, synthetic) -> Project:
    """Do not change it: it is made once."""
    made = Project(tmp_path_factory.mktemp("lab") / "project", synthetic)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.root)
        made.make()
    return made


@pytest.fixture(scope="session")
def archive(project, tmp_path_factory) -> Path:
    """The project's archive. Do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        return project.pack(tmp_path_factory.mktemp("archive") / "lab.zip")


@pytest.fixture(scope="session")
def archive_of_another_processor(tmp_path_factory, synthetic) -> Path:
    """As `archive`, made where the last bits of energies, times and costs come out otherwise."""
    made = Project(tmp_path_factory.mktemp("elsewhere") / "project", synthetic)
    with pytest.MonkeyPatch.context() as patch:
        for module in (extract, series):
            patch.setattr(module, "J_PER_KWH", math.nextafter(module.J_PER_KWH, 0.0))
        patch.chdir(made.root)
        made.make()
        return made.pack(tmp_path_factory.mktemp("archive") / "elsewhere.zip")


@pytest.fixture
def unpacked(archive, tmp_path) -> Unpacked:
    """The archive's files, to be changed at will."""
    return Unpacked(archive, tmp_path / "unpacked")
