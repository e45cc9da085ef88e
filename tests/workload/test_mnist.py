"""The base workload learns on the real images."""

import statistics

import pytest
from tests.workload.watching import Log, train

from trialwatt.config.goals import base_workload
from trialwatt.config.identity import repetition_seed, trial_seed
from trialwatt.workload.images import pin_threads

PHI = {"lr": 0.001, "decay": 1e-6, "ls": 64, "ln": 1}


@pytest.mark.slow
def test_five_epochs_reach_a_macro_f1_of_0_955(mnist, request):
    load = base_workload(request.config.rootpath, "mnist")
    assert (load.batch, load.epochs, load.algorithm) == (50, 5, "adam")
    pin_threads(1)
    seeds = [repetition_seed(1, number) for number in range(1, 6)]
    found = [
        train(load, PHI, trial_seed(seed, PHI), str(mnist), seed, Log()).scores["macro_f1"]
        for seed in seeds
    ]
    assert statistics.median(found) >= 0.955, found
