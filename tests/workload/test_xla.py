"""The TPU path, run on torch_xla's own CPU device.

torch_xla belongs to one release of torch, which is not ours, so it lives in an environment of
its own: TRIALWATT_XLA_PYTHON names its interpreter (docs/workload.md says how to make it).
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PHI = {"lr": 0.01, "decay": 1e-6, "ls": 32, "ln": 1}
CNN = {"lr": 0.01, "decay": 1e-6, "ls": 32, "channels": 4}


@pytest.mark.slow
def test_trials_train_through_torch_xla_as_they_do_on_the_cpu(digits, workload):
    python = os.environ.get("TRIALWATT_XLA_PYTHON")
    if not python:
        pytest.skip(
            "needs torch_xla in an environment of its own: name its python in "
            "TRIALWATT_XLA_PYTHON (docs/workload.md)"
        )
    space = {name: {"choices": [value]} for name, value in CNN.items()}
    jobs = [
        (workload(epochs=4, algorithm=name).model_dump(mode="json"), PHI | {"lr": lr})
        for name, lr in (("adam", 0.01), ("adamw", 0.01), ("rmsprop", 0.003), ("sgd", 0.1))
    ]
    jobs.append((workload(model="cnn", epochs=4, space=space).model_dump(mode="json"), CNN))
    environment = os.environ | {
        "PJRT_DEVICE": "CPU",
        "PYTHONPATH": str(HERE.parents[1] / "src"),
    }
    done = subprocess.run(
        [python, str(HERE / "xla_trials.py"), str(digits), json.dumps(jobs)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert "torch_xla's device is CPU, not a TPU" in said["refusal"]
    for trial in said["trials"]:
        for name, expected in trial["expected"].items():
            assert trial["scores"][name] == pytest.approx(expected, abs=0.03)
        assert trial["scores"] == trial["again"]
        assert trial["test"]["macro_f1"] > 0.5
        assert trial["weights_on"] == ["cpu"]
        assert trial["held_on"] == ["xla"]
        # 92 steps: what is compiled and fetched grows with the shapes and epochs, not the steps.
        assert 0 < trial["compiled"] <= 20
        assert trial["fetched"] <= 4
