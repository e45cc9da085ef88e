"""Whole jobs with a fault at a random moment: nothing lost, nothing left, nothing said wrong.

Those that are marked `faults` are as many, and as random, as TRIALWATT_FAULTS and
TRIALWATT_FAULT_SEED say; each adds its outcome to TRIALWATT_FAULT_OUTCOMES (`make test-faults`).
"""

import os
import shutil
from pathlib import Path

import pytest
from tests.faults.injection import inject
from tests.faults.job import Job
from tests.faults.kinds import FAULTS, WORKFLOW, Draw, Fault, draws, mount, unmount
from tests.faults.outcome import FILE, TABLE, Outcome, append, page, read
from tests.faults.scene import Scene
from tests.faults.workflow import Workflow

from trialwatt import suts

COUNT, SEED, OUTCOMES, SUTS = (
    os.environ.get(f"TRIALWATT_FAULT{name}", default)
    for name, default in (("S", "20"), ("_SEED", "1"), ("_OUTCOMES", ""), ("_SUTS", ""))
)
TWELVE_POINTS = {
    "lr": {"choices": [0.001, 0.003, 0.01]},
    "decay": {"choices": [1e-6]},
    "ls": {"choices": [16, 32]},
    "ln": {"choices": [1, 2]},
}
POINTS = 12
EVERY = ("plain", "optuna", "ray", "hyperopt", WORKFLOW)
USUAL = [
    Draw("SIGKILL of a worker", "plain", "trials", 1),
    Draw("SIGKILL of the coordinator", "optuna", "trials", 2),
    Draw("disk full", "plain", "trials", 3),
    Draw("a meter hangs", "plain", "trials", 4),
    Draw("no file descriptors", "plain", "trials", 5),
]
"""Part of every test run."""


def _there() -> list[str]:
    asked = SUTS.split(",") if SUTS else [*EVERY]
    return [name for name in asked if name == WORKFLOW or not suts.get(name).available()]


@pytest.fixture
def injected(tmp_path, monkeypatch, digits, testbed_facts, run_config):
    """Inject one fault into a job of its own; its outcome."""

    def made(draw: Draw, fault: Fault) -> Scene:
        if draw.sut == WORKFLOW:
            return Workflow(tmp_path)
        sampler = "grid" if "grid" in suts.get(draw.sut).samplers else "random"
        search = {"sampler": sampler} | ({} if sampler == "grid" else {"budget": POINTS})
        keys = {"space": TWELVE_POINTS, "search": search, "epochs": 20, "deadline_s": 150}
        config = run_config(draw.sut, testbed=fault.testbed, **(keys | fault.keys))
        data = shutil.copy(digits, tmp_path / "digits.safetensors")
        return Job(tmp_path, config, POINTS, data, testbed_facts)

    def run(draw: Draw) -> Outcome:
        fault = FAULTS[draw.fault]
        if fault.tmpfs and os.geteuid() != 0:
            pytest.skip("only root can mount a small file system")
        monkeypatch.setenv("TRIALWATT_RUNTIME_DIR", str(tmp_path / "runtime"))
        scene = made(draw, fault)
        if fault.tmpfs:
            mount(scene.results)
        try:
            return inject(draw, scene)
        finally:
            scene.close()
            if fault.tmpfs:
                unmount(scene.results)

    return run


@pytest.mark.parametrize("draw", USUAL, ids=str)
def test_nothing_is_lost_and_nothing_is_left(injected, draw):
    outcome = injected(draw)
    assert outcome.violations == []


@pytest.mark.faults
@pytest.mark.parametrize("draw", draws(int(COUNT), int(SEED), _there()), ids=str)
def test_whatever_happens_nothing_is_lost_and_nothing_is_left(injected, draw):
    outcome = injected(draw)
    if OUTCOMES:
        append(outcome, Path(OUTCOMES))
    assert outcome.violations == []


def test_the_page_of_faults_is_made_of_the_outcomes():
    assert TABLE.read_text(encoding="utf-8") == page(read(FILE))


def test_the_same_seed_draws_the_same_faults_each_before_any_comes_again():
    every = draws(len(FAULTS), 3, [*EVERY])
    assert every == draws(len(FAULTS), 3, [*EVERY])
    assert {draw.fault for draw in every} == FAULTS.keys()
    assert every != draws(len(FAULTS), 4, [*EVERY])
