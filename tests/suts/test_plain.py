"""plain: its split covers the grid, its draws are in the space, and a replacement goes on."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spaces import BOOSTERS, POINTS, text
from tests.suts.scripted import ScriptedTrials, job_of, search

from trialwatt.config.space import contains, grid
from trialwatt.suts.plain import Plain

SPACE = {"lr": {"low": 0.1, "high": 0.7, "step": 0.2}, "ls": {"choices": [16, 32, 64]}}


def score(phi, epoch):
    return phi["lr"] * phi["ls"]


def keys(trials):
    return [json.dumps(phi, sort_keys=True) for phi, *_ in trials]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**40))
def test_the_workers_share_out_the_grid(workers, seed):
    with tempfile.TemporaryDirectory() as folder:
        job = job_of(
            Path(folder), "plain", SPACE, {"sampler": "grid"}, seed, workers={"count": workers}
        )
        sut = Plain()
        found = search(sut, job, score, workers)
        assert [number for _, number, *_ in found] == list(range(12))
        assert sorted(keys(found)) == sorted(
            json.dumps(phi, sort_keys=True) for phi in grid(job.workload.space)
        )
        assert sut.best(job).phi == {"lr": 0.7, "ls": 64}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(0, 2**40))
def test_random_draws_are_in_the_space_whatever_the_number_of_workers(budget, seed):
    options = {"sampler": "random", "budget": budget}
    space = SPACE | {"decay": {"low": 1e-6, "high": 1e-2, "log": True}}

    def found(folder, workers):
        job = job_of(Path(folder), "plain", space, options, seed, workers={"count": workers})
        trials = search(Plain(), job, score, workers)
        assert all(contains(job.workload.space, phi) for phi, *_ in trials)
        return keys(trials)

    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as three:
        assert len(found(one, 1)) == budget
        assert found(one, 1) == found(three, 3)


def test_a_smaller_budget_takes_a_part_of_the_grid(tmp_path):
    job = job_of(tmp_path, "plain", SPACE, {"sampler": "grid", "budget": 5})
    found = search(Plain(), job, score)
    assert len(set(keys(found))) == 5


def test_a_replacement_runs_what_its_predecessor_had_not_started(tmp_path):
    job = job_of(tmp_path, "plain", SPACE, {"sampler": "grid"}, workers={"count": 2})
    trials = ScriptedTrials(job, score, started=[1, 3, 5])
    Plain().work(job, 1, trials)
    assert [number for _, number, *_ in trials.ran] == [7, 9, 11]


def test_without_a_completed_trial_there_is_no_best(tmp_path):
    assert Plain().best(job_of(tmp_path, "plain", SPACE, {})) is None


def test_what_is_noted_does_not_grow_with_the_trials(tmp_path):
    """And the first of equals wins, whichever worker ran it."""
    job = job_of(tmp_path, "plain", SPACE, {"sampler": "random", "budget": 3000})
    flat = ScriptedTrials(job, lambda phi, epoch: 0.5)
    Plain().work(job, 0, flat)
    assert len(flat.ran) == 3000 and [note["number"] for note in flat.notes] == [0]
    sut, rising = Plain(), ScriptedTrials(job, score)
    sut.work(job, 0, rising)
    assert len(rising.notes) <= 12  # as many scores as the space has points
    sut.notes = rising.notes
    scores = [score(phi, 1) for phi, *_ in rising.ran]
    assert sut.best(job).number == scores.index(max(scores))


def test_options_are_refused():
    options = {"sampler_options": {"a": 1, "b": 2}, "pruner_options": {"c": 3}}
    workload = job_of(Path(), "plain", SPACE, options).workload
    assert [key for key, _ in Plain.search_problems(workload)] == [
        "search.sampler_options.a",
        "search.sampler_options.b",
        "search.pruner_options.c",
    ]


@pytest.mark.parametrize("name", Plain.samplers)
def test_another_seed_is_another_order_or_draw(name):
    def phis(seed):
        return Plain.samplers[name].make(job_of(Path(), "plain", SPACE, {}, seed))

    assert phis(1) == phis(1) != phis(2)


@pytest.mark.parametrize("sampler", ["grid", "random"])
def test_conditions_hold_in_every_phi(sampler, tmp_path):
    budget = {"grid": None, "random": 600}[sampler]
    options = {"sampler": sampler, "budget": budget}
    job = job_of(tmp_path, "plain", BOOSTERS, options, workers={"count": 2}, epochs=1)
    assert Plain.condition_problems(job.workload) == {}
    found = search(Plain(), job, lambda phi, epoch: 0.5, workers=2)
    assert len(found) == (budget or POINTS)
    assert {text(phi) for phi, *_ in found} == {text(phi) for phi in grid(job.workload.space)}
