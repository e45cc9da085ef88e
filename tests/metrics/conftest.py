"""Synthetic records, from the generator that the benchmarks use."""

import importlib.util
import sys
from pathlib import Path

import pytest

_FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "synthetic.py"


@pytest.fixture(scope="session")
def synthetic():
    """The module benchmarks/synthetic.py: Synthetic (a size) and write_run."""
    name = "benchmarks_synthetic"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _FILE)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def run_folder(synthetic, tmp_path):
    """A synthetic run of 20 trials on two workers, 20 s long."""
    return synthetic.write_run(tmp_path, synthetic.Synthetic(trials=20, workers=2, seconds=20))
