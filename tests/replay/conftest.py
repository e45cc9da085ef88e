"""A small trial table of real runs, and larger ones whose numbers are chosen."""

import pytest
from benchmarks.synthetic_table import CONTEXT


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
