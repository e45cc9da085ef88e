"""The time of a trial before anything was measured: of the same order as that of a real one."""

import time

import pytest
from tests.workload.watching import Log, train

from trialwatt.config.catalogue import DATASETS
from trialwatt.config.space import draw
from trialwatt.workload import prepared
from trialwatt.workload.calibration import seconds_of_trial
from trialwatt.workload.images import pin_threads


def test_it_grows_with_the_epochs_and_with_what_is_validated(workload):
    once, twice = (seconds_of_trial(workload(epochs=epochs), 1) for epochs in (1, 2))
    each = seconds_of_trial(workload(epochs=2, validate_each_epoch=True), 1)
    assert 0 < once < twice < 2 * once
    assert twice < each == pytest.approx(2 * once)
    pruned = workload(epochs=2, search={"sampler": "random", "pruner": "median"})
    assert seconds_of_trial(pruned, 1) == pytest.approx(each)


def test_it_is_near_the_time_of_real_trials(workload, digits):
    import random

    load = workload(epochs=20)
    pin_threads(1)
    phi = draw(load.space, random.Random(1))
    train(load, phi, 1, str(digits), 1, Log())  # what is slow the first time only
    began = time.perf_counter()
    train(load, phi, 1, str(digits), 1, Log())
    took = time.perf_counter() - began
    assert took / 5 < seconds_of_trial(load, 1) < took * 5  # others may use the machine


def test_the_shapes_are_those_of_the_prepared_datasets(digits):
    facts, shape = prepared.facts(digits), DATASETS["digits"]
    assert sum(facts.train_per_class) == shape.train
    assert (facts.height, facts.width) == (shape.height, shape.width)
    assert (facts.classes, facts.scale) == (shape.classes, shape.scale)
