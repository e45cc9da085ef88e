"""What an experiment is about, from the keys that it varies; what folders are called."""

import json
from pathlib import Path

import pytest

from trialwatt.config.factors import (
    FACTORS,
    RESOURCE,
    SEARCH,
    compared,
    factor,
    families,
    heading,
    hypotheses,
    joined,
    plural,
    split,
    tells_cost,
)
from trialwatt.config.identity import run_folder, run_hash, run_label
from trialwatt.config.keys import settable
from trialwatt.config.models import RunConfig, WorkloadFile
from trialwatt.metrics.dictionary import RUNS

REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "results"
MANIFESTS = sorted((REFERENCE / "runs").glob("*/*/rep*/run.json"))


def test_every_factor_is_a_key_of_a_workload_and_has_a_column():
    assert set(FACTORS) <= set(settable(WorkloadFile))
    columns = {column.name: column for column in RUNS}
    for one in FACTORS.values():
        assert columns[one.column].kind == one.kind
        assert one.title and one.said and one.short and one.label and one.definition
        assert (one.reserved != "") == (one.family == RESOURCE)


def test_the_value_of_each_column(run_config):
    run = run_config(search={"sampler": "random"}, batch=64, algorithm="sgd")
    found = {one.column: one.of(run.workload) for one in FACTORS.values()}
    assert (
        found.items()
        >= {
            **{"wn": 2, "wcpu": 2, "wmem_mb": 1024, "accelerator": "cpu"},
            **{"sampler": "random", "pruner": "none", "budget": 4, "pS": 4},
            **{"dataset": "digits", "model": "ff", "algorithm": "sgd", "batch": 64, "epochs": 2},
        }.items()
    )


@pytest.mark.parametrize(
    ("ways", "about"),
    [
        ([], ()),
        ([["epochs"]], ("epochs",)),
        ([["space"], ["space", "search.sampler", "search.budget"]], ("space",)),
        ([["batch", "epochs"]], ("batch", "epochs")),
        ([["batch"], ["epochs"]], ("batch", "epochs")),
    ],
)
def test_an_experiment_compares_what_all_its_ways_vary(ways, about):
    assert compared(ways) == about
    assert split(joined(about)) == about


def test_the_keys_of_a_label_are_those_of_its_treatment():
    assert split("space=ff-6, search.budget=24") == ("space", "search.budget")


def test_families_of_known_and_of_other_keys():
    assert families(["workers.count", "batch"]) == {RESOURCE, SEARCH}
    assert families(["search.sampler_options.n_startup"]) == {SEARCH}
    assert families(["deadline_s"]) == families([]) == set()
    assert factor("deadline_s").column == "deadline_s"


def test_headings_and_plurals():
    assert heading("R-Node", ["workers.count"]) == "R-Node by number of workers"
    assert heading("Mine", ["search.sampler", "epochs"]) == (
        "Mine by sampling strategy and trial duration"
    )
    assert heading("Baseline", []) == "Baseline"
    assert heading("The batch size", ["batch"]) == "The batch size"
    assert [plural(FACTORS[key].said) for key in ("space", "workers.count", "batch")] == (
        ["space sizes", "numbers of workers", "batch sizes"]
    )


@pytest.mark.parametrize("key", ["algorithm", "batch", "epochs"])
def test_folders_name_what_is_not_as_it_always_was(run_config, key):
    usual, other = {
        "algorithm": ("adam", "sgd"),
        "batch": (50, 64),
        "epochs": (5, 20),
    }[key]
    usual, other = run_config(**{key: usual}), run_config(**{key: other})
    assert run_label(usual) == "digits-ff-grid-2x2cpu-1024mb"
    said = {"algorithm": "sgd", "batch": "batch64", "epochs": "epochs20"}[key]
    assert run_label(other) == f"digits-ff-grid-2x2cpu-1024mb-{said}"
    assert run_hash(usual) != run_hash(other)


def test_no_hash_and_no_folder_of_the_reference_has_changed():
    assert len(MANIFESTS) > 100
    for file in MANIFESTS:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        run = RunConfig.model_validate(manifest["config"])
        folder = file.parents[1].relative_to(REFERENCE).as_posix()
        assert run_hash(run) == manifest["hash"]
        assert run_folder(run) == folder == manifest["folder"]


def test_which_hypothesis_is_told_of():
    assert hypotheses(["workers.memory_mb"]) == {"H1"}
    assert hypotheses(["search.pruner"]) == hypotheses(["batch"]) == {"H2"}
    assert hypotheses(["workers.count", "space"]) == {"H1", "H2"}
    assert hypotheses(["epochs"]) == hypotheses([]) == set()  # more epochs take more energy
    assert hypotheses(["search.budget"]) == set()  # and so do more trials


def test_number_and_length_of_trials_together_tell_what_a_framework_costs():
    assert tells_cost(["search.budget", "epochs"])
    assert not tells_cost(["search.budget"]) and not tells_cost(["epochs", "space"])
