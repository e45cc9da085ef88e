"""Real runs of whole jobs, small enough for every test run."""

from pathlib import Path

import pytest


@pytest.fixture
def job(tmp_path, run_job):
    """Run one repetition in tmp_path/results; returns its folder."""

    def run(sut="plain", repetition=1, **keys) -> Path:
        return run_job(tmp_path / "results", sut, repetition, **keys)

    return run
