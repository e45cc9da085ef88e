"""What many tests need: the prepared digits, small configurations, synthetic records."""

import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from trialwatt.contract.fixtures import *  # noqa: F403

ROOT = Path(__file__).resolve().parents[1]

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # the machine is small; tests run side by side

# How long an example takes says something of the machine: nothing is asserted of that.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell does that to what it starts with &
    signal.signal(signal.SIGINT, signal.default_int_handler)


MEASURES = {"cluster", "contract", "faults", "lifecycle", "meters", "platforms", "suts", "workload"}
"""Folders whose tests start workers, which take turns on a machine."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """What starts workers runs one after the other in one process, the rest beside it in another,
    each folder's tests together, as they share what is slow to make (`make test`). Faults alone go
    side by side (`make test-faults`)."""
    if config.option.markexpr == "faults":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            parts = nodeid.split("::")[0].split("/")
            top = parts[1] if parts[0] == "tests" else parts[-2]  # of the package: contract
            return "machine" if top in MEASURES or top.startswith("test_workflow") else top

    return ByFolder(config, log)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory) -> Path:
    """The prepared MNIST; skipped where TRIALWATT_DATA does not hold the raw files."""
    from trialwatt.config.rawfiles import raw_file_problems
    from trialwatt.workload.sources import prepare

    folder = os.environ.get("TRIALWATT_DATA")
    if not folder or raw_file_problems("mnist", Path(folder)):
        pytest.skip("needs MNIST's raw files: name their folder in TRIALWATT_DATA")
    path = tmp_path_factory.mktemp("data") / "mnist.safetensors"
    prepare("mnist", path)
    return path


@pytest.fixture(scope="session")
def synthetic():
    """The module benchmarks/synthetic.py: Synthetic (a size) and write_run."""
    name = "benchmarks_synthetic"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / "synthetic.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def run_folder(synthetic, tmp_path):
    """A synthetic run of 20 trials on two workers, 20 s long."""
    return synthetic.write_run(tmp_path, synthetic.Synthetic(trials=20, workers=2, seconds=20))
