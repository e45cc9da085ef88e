"""A workload by a function of the user's, with a condition and an error to be small: measured,
made into a table, and searched."""

import pytest
from benchmarks.synthetic_table import CONTEXT

from trialwatt.config.functions import find
from trialwatt.config.models import RunConfig, Search, Testbed, Workload
from trialwatt.contract.fixtures import BUSY
from trialwatt.lifecycle.execute import execute
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.extract import extract_run
from trialwatt.replay.measured import table_of
from trialwatt.replay.results import read_results, write_results
from trialwatt.replay.run import Replay, Wanted
from trialwatt.workload.inputs import take_in

SOURCE = """
import time


def train(phi, data, epochs, seed, report):
    least = phi.get("depth", 8) / 10 + seed % 7 / 100
    for epoch in range(1, epochs + 1):
        until = time.process_time() + 0.02 * phi.get("depth", 8)
        while time.process_time() < until:
            pass
        loss = least + 1 / epoch
        if report(epoch, {"loss": loss}):
            break
    return {"loss": loss}
"""
SPACE = {
    "booster": {"choices": ["tree", "linear"]},
    "depth": {"choices": [2, 4], "when": {"booster": ["tree"]}},
    "rate": {"choices": [0.1, 0.3]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, testbed_facts):
    root = tmp_path_factory.mktemp("own")
    (root / "own.py").write_text(SOURCE)
    found = find("own:train", root)
    workload = Workload.model_validate(
        {
            "trial": found.function,
            "epochs": 4,
            "validate_each_epoch": True,
            "space": SPACE,
            "goal": {"score": "loss", "direction": "minimize", "target": 0.55},
            "workers": {"count": 2, "cpu": 2, "memory_mb": 512},
        }
    )
    prepared = root / workload.data
    take_in(found.function, root / found.file, prepared, imports=True)
    bed = {"cpu_per_vcpu": 0.5, "meters": ["model"], "idle_s": 0} | BUSY
    config = RunConfig(
        sut="plain",
        workload=workload,
        testbed_name="test",
        testbed=Testbed.model_validate(bed),
        seed=1,
    )
    return execute(config, 1, str(prepared), str(testbed_facts), str(root / "results"))


def test_its_epochs_are_measured_and_searched(folder, tmp_path):
    table = table_of([folder], CONTEXT)
    assert not table.holes and table.scores == ["loss"]
    assert len(table.frame) == 6 * (1 + 4)
    linear = table.frame["phi.booster"] == "linear"
    assert table.frame.loc[linear, "phi.depth"].isna().all()
    epochs = table.frame[table.frame["epoch"] > 0]
    assert (epochs["cpu_seconds"] > 0.02).all()
    # the epochs of depth 2 compute a quarter of those without a depth
    light, heavy = epochs["phi.depth"] == 2, epochs["phi.depth"].isna()
    spent = epochs.groupby([light, heavy])["cpu_seconds"].mean()
    assert spent[True, False] < 0.5 * spent[False, True]

    metrics = extract_run(folder, MetricsContext.of(CONTEXT.model_dump()))
    jobs = metrics.trials["dynamic_energy_kwh"].sum() * 3.6e6
    parts = table.frame[["dynamic_j", "import_dynamic_j"]].sum().sum()
    assert parts == pytest.approx(jobs)

    wanted = Wanted("optuna", Search(sampler="tpe", pruner="median", budget=20), 2)
    replay = Replay(table, wanted)
    write_results(replay.searches(20, 1), replay, table, 1, tmp_path / "searches")
    found = read_results(tmp_path / "searches")
    assert found.said["table"]["workload"] == "own:train"
    assert found.searches["goal_target"].eq(0.55).all() and found.searches["goal_reached"].any()
    least = table.frame["score.loss"].min()
    assert found.searches["best_score"].min() == pytest.approx(least)
