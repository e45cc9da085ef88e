import numpy as np
import pytest

from trialwatt.workload.hyperparameters import hyperparameters

PHI = {"lr": 0.01, "decay": 1e-6, "ls": 32, "ln": 1}


def test_fixed_values_complete_a_phi(workload):
    load = workload(space={"lr": {"choices": [0.01]}}, fixed={"decay": 0, "ls": 16, "ln": 2})
    assert hyperparameters(load, {"lr": 0.01}) == {"lr": 0.01, "decay": 0, "ls": 16, "ln": 2}


def test_values_of_a_framework_become_plain_ones(workload):
    values = hyperparameters(workload(), PHI | {"ls": np.int64(32), "lr": np.float64(0.01)})
    assert values == PHI and {type(values["ls"]), type(values["lr"])} == {int, float}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ls": 0}, r"ls \(units per hidden layer\): must be a whole number of at least 1 \(got 0"),
        ({"ls": 2.5}, r"must be a whole number of at least 1 \(got 2.5\)"),
        ({"ln": True}, r"must be a whole number of at least 1 \(got True\)"),
        ({"lr": 0}, r"lr \(learning rate\): must be a number greater than 0"),
        ({"lr": float("nan")}, r"must be a number greater than 0 \(got nan\)"),
        ({"decay": -1e-6}, r"decay \(weight decay\): must be a number of at least 0"),
        ({"momentum": 0.9}, r"momentum: neither ff nor adam reads it"),
    ],
)
def test_a_value_that_cannot_be_is_named(workload, change, said):
    with pytest.raises(ValueError, match=said):
        hyperparameters(workload(), PHI | change)


def test_a_missing_value_is_named(workload):
    with pytest.raises(ValueError, match=r"ls \(units per hidden layer\) is missing"):
        hyperparameters(workload(), {key: PHI[key] for key in PHI if key != "ls"})
