"""The value behind the goal: made from the whole grid, committed, and read by the metrics."""

import json
import statistics
from pathlib import Path

import pytest

from trialwatt.config.catalogue import DATASETS
from trialwatt.config.goals import (
    base_workload,
    read_references,
    targets,
    write_reference,
)
from trialwatt.config.space import grid
from trialwatt.errors import ConfigError, TrialwattError
from trialwatt.workload.reference import train_grid

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {"torch": "0"}


@pytest.fixture
def reference(workload, digits):
    return train_grid(workload(epochs=1), digits, 2, "a test", PACKAGES, lambda text: None)


def test_every_point_of_the_grid_is_trained_once_per_seed(reference, workload, digits):
    assert [point.phi for point in reference.points] == grid(workload().space)
    assert all(len(p.macro_f1) == len(p.accuracy) == 2 for p in reference.points)
    assert len(set(reference.seeds)) == 2
    again = train_grid(workload(epochs=1), digits, 2, "a test", PACKAGES, lambda text: None)
    assert again.points == reference.points and again.seeds == reference.seeds


def test_the_best_is_the_greatest_median_and_the_target_99_percent_of_it(reference):
    medians = [sum(point.macro_f1) / 2 for point in reference.points]
    assert reference.best() == pytest.approx(max(medians))
    assert reference.target() == pytest.approx(0.99 * max(medians))
    assert reference.target("accuracy") == pytest.approx(
        0.99 * max(sum(point.accuracy) / 2 for point in reference.points)
    )


def test_it_is_read_as_it_was_written(reference, tmp_path):
    path = write_reference(tmp_path, reference)
    assert read_references(tmp_path) == {"digits": reference}
    assert targets(tmp_path) == {"digits": reference.target()}
    assert [item.name for item in path.parent.iterdir()] == ["digits.json"]
    assert targets(tmp_path / "nowhere") == {}


def test_a_damaged_or_renamed_file_is_named(reference, tmp_path):
    path = write_reference(tmp_path, reference)
    path.rename(path.with_name("mnist.json"))
    with pytest.raises(TrialwattError, match="is the reference of digits"):
        read_references(tmp_path)
    data = reference.model_dump(mode="json")
    del data["seeds"]
    path.write_text(json.dumps(data))
    path.with_name("mnist.json").unlink()
    with pytest.raises(TrialwattError, match=r"digits.json: seeds: .* `trialwatt reference`"):
        read_references(tmp_path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(TrialwattError, match=r"digits\.json"):
        read_references(tmp_path)


def test_the_base_workload_is_that_of_the_design(tmp_path):
    load = base_workload(ROOT, "digits")
    assert (load.dataset, load.model, load.algorithm) == ("digits", "ff", "adam")
    assert (load.batch, load.epochs, len(grid(load.space))) == (50, 5, 24)
    with pytest.raises(ConfigError, match="mnist-ff"):
        base_workload(tmp_path, "digits")


@pytest.mark.parametrize("dataset", sorted(path.stem for path in ROOT.glob("config/goals/*.json")))
def test_a_committed_reference_is_of_the_shipped_base_grid(dataset):
    """It must be made anew when the base workload changes."""
    reference = read_references(ROOT)[dataset]
    assert dataset in DATASETS
    assert len(reference.seeds) >= 3
    shipped = base_workload(ROOT, dataset)
    kept = {"model", "algorithm", "batch", "epochs", "validation_share", "space", "fixed"}
    assert reference.workload.model_dump(include=kept) == shipped.model_dump(include=kept)
    assert [point.phi for point in reference.points] == grid(shipped.space)


def test_the_committed_reference_of_the_digits_can_be_repeated(digits):
    """Its best point, trained anew: the code still reaches what the goal is made from."""
    from tests.workload.watching import Log, train

    from trialwatt.config.identity import trial_seed
    from trialwatt.workload.prepared import facts

    reference = read_references(ROOT)["digits"]
    assert reference.dataset_sha256 == facts(digits).sha256
    best = max(reference.points, key=lambda point: statistics.median(point.macro_f1))
    seed = reference.seeds[0]
    trained = train(
        reference.workload, best.phi, trial_seed(seed, best.phi), str(digits), seed, Log()
    )
    # Another CPU may round otherwise, and a training amplifies that a little.
    assert trained.scores["macro_f1"] == pytest.approx(best.macro_f1[0], abs=0.01)


def test_the_metrics_get_the_targets_and_a_figure_names_the_file_behind_its_goal(monkeypatch):
    from trialwatt.config.files import plan_of_files

    monkeypatch.chdir(ROOT)  # rules run there
    monkeypatch.delenv("TRIALWATT_DATA", raising=False)
    plan = plan_of_files([])
    assert plan.context.targets == targets(ROOT)
    assert plan.datasets == ["digits"]
    files = plan.source(next(iter(plan.experiments)))["config_files"]
    assert [file for file in files if "goals" in file] == ["config/goals/digits.json"]
