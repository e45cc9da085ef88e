"""Run by test_xla.py in an environment with torch_xla: trials on its CPU device, as JSON.

Arguments: the prepared digits, and a JSON list of (workload, φ).
"""

import json
import sys

import torch_xla
import torch_xla.debug.metrics as xla_metrics
from watching import Log, score_of, train

from trialwatt.config.models import Workload
from trialwatt.workload import dataset, devices


def main(data: str, jobs: list) -> None:
    refusal = devices.device_problem("tpu")
    devices.XLA_HARDWARE = ("TPU", "CPU")  # the stand-in is what is wanted here
    torch_xla.device()  # autograd counts the devices at its first use, which is on the CPU here
    found = []
    for workload, phi in jobs:
        load = Workload.model_validate(workload)
        on_xla = load.model_copy(
            update={"workers": load.workers.model_copy(update={"accelerator": "tpu"})}
        )
        expected = train(load, phi, 7, data, 1, Log()).scores
        xla_metrics.clear_all()
        trained = train(on_xla, phi, 7, data, 1, Log())
        compiled = (xla_metrics.metric_data("CompileTime") or [0])[0]
        fetched = xla_metrics.counter_value("aten::_local_scalar_dense") or 0
        again = train(on_xla, phi, 7, data, 1, Log())
        held = dataset.load(data, load.validation_share, 1, torch_xla.device())
        found.append(
            {
                "expected": expected,
                "scores": trained.scores,
                "again": again.scores,
                "test": score_of(on_xla, phi, trained.model, data),
                "weights_on": sorted({str(w.device) for w in trained.model.values()}),
                "compiled": compiled,
                "fetched": fetched,
                "held_on": sorted({t.device.type for t in (held.train_images, held.train_index)}),
            }
        )
    print(json.dumps({"refusal": refusal, "trials": found}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
