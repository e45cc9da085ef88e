"""A small trial table of real runs, and larger ones whose numbers are chosen."""

import shutil
from pathlib import Path

import pytest
from benchmarks.synthetic_table import CONTEXT

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
testbed: local
experiments: [trial-table]
base: digits-ff
repetitions: 3
"""


@pytest.fixture(scope="session")
def table_runs(tmp_path_factory, run_job):
    """Folders of two repetitions of the digits workload by plain, every epoch validated."""
    results = tmp_path_factory.mktemp("table") / "results"
    keys = {"epochs": 3, "validate_each_epoch": True}
    return [run_job(results, "plain", repetition, **keys) for repetition in (1, 2)]


@pytest.fixture(scope="session")
def measured(table_runs):
    """The trial table of real runs: 4 φ, 2 seeds, 3 epochs."""
    from trialwatt.replay.measured import table_of

    return table_of(table_runs, CONTEXT, processes=1)


@pytest.fixture
def results_of(tmp_path):
    """Make a results folder, with the plan of the shipped experiment, of folders of runs."""

    def make(folders):
        from trialwatt.config.files import plan_of_files
        from trialwatt.config.plan import NAME

        shutil.copytree(ROOT / "config", tmp_path / "config")
        (tmp_path / "config/config.yaml").write_text(CONFIG)
        plan = plan_of_files([], tmp_path)
        folder = tmp_path / "results"
        folder.mkdir()
        (folder / NAME).write_text(plan.as_json())
        for own, planned in zip(folders, plan.folders("trial-table"), strict=False):
            shutil.copytree(own, folder / planned)
        return folder

    return make
