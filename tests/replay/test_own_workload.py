"""A workload of a user's own from end to end, by the commands: table, searches, comparison,
estimate."""

from pathlib import Path

import pytest
import yaml
from benchmarks.synthetic_table import CONTEXT
from typer.testing import CliRunner

from trialwatt.cli import app
from trialwatt.config.functions import find
from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.contract.fixtures import BUSY
from trialwatt.lifecycle.execute import execute
from trialwatt.replay.measured import table_of
from trialwatt.workload.inputs import take_in

ROOT = Path(__file__).resolve().parents[2]
SPACE = {
    "trees": {"choices": [1, 4]},
    "criterion": {"choices": ["gini"]},
    "features": {"choices": [0.3]},
    "pruned": {"choices": [True, False]},
    "depth": {"choices": [2, 4], "when": {"pruned": [True]}},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory, testbed_facts):
    """Three seeds of the random forest that comes as an example, on six φ."""
    root = tmp_path_factory.mktemp("forest")
    data = yaml.safe_load((ROOT / "config/workloads/breast-cancer.yaml").read_text())
    found = find(data["trial"], ROOT)
    workload = Workload.model_validate(
        data
        | {"trial": found.function, "epochs": 3, "space": SPACE, "validate_each_epoch": True}
        | {"search": {"sampler": "grid"}, "goal": data["goal"] | {"target": 1.0}}
    )
    prepared = root / workload.data
    take_in(found.function, ROOT / found.file, prepared, imports=True)
    bed = {"cpu_per_vcpu": 0.5, "meters": ["model"], "idle_s": 0} | BUSY
    config = RunConfig(
        sut="plain",
        workload=workload,
        testbed_name="test",
        testbed=Testbed.model_validate(bed),
        seed=1,
    )
    paths = (str(prepared), str(testbed_facts), str(root / "results"))
    folders = [execute(config, repetition, *paths) for repetition in (1, 2, 3)]
    return table_of(folders, CONTEXT).write(root / "table.parquet")


def said(*arguments):
    done = CliRunner().invoke(app, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.slow
def test_a_forest_is_measured_searched_compared_and_estimated(table, tmp_path):
    folders = []
    for sampler, pruner in (("random", "none"), ("tpe", "median")):
        folders.append(tmp_path / sampler)
        strategy = ("--sampler", sampler, "--pruner", pruner, "--budget", 6, "--workers", 2)
        out = said(
            "replay", table, *strategy, "--searches", 20, "--flagged", "--output", folders[-1]
        )
        assert f"optuna {sampler} + {pruner}, 20 searches of 6 trials" in out
    written = said("compare", *folders, "--output", tmp_path / "compared").split()
    assert (tmp_path / "compared" / "attainment.pdf").is_file() and len(written) > 4
    chosen = ("--sut", "plain", "--sut", "optuna", "--pruner", "none", "--searches", 20)
    out = said("estimate", table, "--flagged", *chosen, "--seconds", 0.1)
    assert "until log_loss is 1: median" in out
    assert "least energy for each goal reached:" in out
    for name in ("plain random", "optuna tpe"):
        assert f"\n{name} " in out, name
    assert "not estimated: optuna cmaes" in out
