"""What differs between devices, and how a machine without one says so."""

import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from trialwatt.errors import TrialwattError
from trialwatt.workload import devices
from trialwatt.workload.devices import device_of, device_problem


@pytest.fixture(autouse=True)
def ask_anew():
    device_problem.cache_clear()
    yield
    device_problem.cache_clear()


def test_the_cpu_is_always_there_and_asking_imports_nothing():
    code = (
        "import sys\n"
        "from trialwatt.workload.devices import device_problem\n"
        "assert device_problem('cpu') == ''\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert device_of("cpu") == torch.device("cpu")


def test_a_gpu_is_there_or_it_is_said_what_is_missing():
    problem = device_problem("gpu")
    if torch.cuda.is_available():
        assert problem == ""
        assert device_of("gpu").type == "cuda"
        return
    missing = "build without CUDA" if torch.version.cuda is None else "sees no CUDA device"
    assert problem.startswith("accelerator gpu: torch ") and missing in problem
    with pytest.raises(TrialwattError, match=missing):
        device_of("gpu")


@pytest.mark.skipif(
    bool(find_spec("torch_xla") or find_spec("torch_tpu")), reason="a TPU package is installed"
)
def test_a_tpu_without_its_package_is_said_to_miss_it():
    assert "neither torch_tpu nor torch_xla is installed" in device_problem("tpu")


def test_what_the_packages_tell_needs_no_torch(monkeypatch):
    monkeypatch.setattr(devices.sys, "executable", "false")
    monkeypatch.setattr(devices, "version", lambda _package: "2.13.0+cpu")
    assert "torch 2.13.0+cpu is a build without CUDA" in device_problem("gpu")


def test_a_torch_that_fails_at_the_question_is_a_problem_too(monkeypatch):
    monkeypatch.setattr(devices.sys, "executable", "false")
    monkeypatch.setattr(devices, "version", lambda _package: "2.13.0")
    assert device_problem("gpu") == (
        "accelerator gpu: torch fails where it looks for one: exit code 1"
    )


def test_an_unknown_accelerator_is_answered_with_the_known_ones():
    with pytest.raises(TrialwattError, match="accelerator fpga: there are: cpu, gpu, tpu"):
        device_of("fpga")


@pytest.mark.gpu
def test_a_gpu_trains_to_the_same_scores_with_the_whole_dataset_on_it(workload, digits):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    from tests.workload.watching import Log, score_of, train

    from trialwatt.workload import dataset

    phi = {"lr": 0.01, "decay": 1e-6, "ls": 32, "ln": 1}
    found = {}
    for accelerator in ("cpu", "gpu"):
        load = workload(epochs=5, workers={"count": 1, "accelerator": accelerator})
        trained = train(load, phi, 7, str(digits), 1, Log())
        test = score_of(load, phi, trained.model, str(digits))
        found[accelerator] = (trained.scores["macro_f1"], test["macro_f1"])
    assert found["gpu"] == pytest.approx(found["cpu"], abs=0.02)
    data = dataset.load(str(digits), 0.2, 1, device_of("gpu"))
    assert data.train_images.is_cuda and data.train_index.is_cuda
