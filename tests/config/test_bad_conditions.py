"""Every condition that cannot be is one exact sentence, at the file and key where it stands."""

import pytest

from trialwatt.errors import ConfigError

WORKLOAD, SPACE = "workloads/small.yaml", "spaces/four.yaml"


def said(project) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem) for problem in caught.value.problems]


def conditioned(project, **conditions):
    for name, when in conditions.items():
        project.edit(SPACE, name, "when", to=when)


@pytest.mark.parametrize(
    ("when", "sentence"),
    [
        ({}, None),
        ([], "lr.when: must hold keys (got [])"),
        ({"ls": []}, "lr.when.ls: must not be empty"),
        ({"ls": 8}, "lr.when.ls: must be a list (got 8)"),
        (
            {"decoy": [0.0]},
            'lr.when.decoy: there is no hyperparameter "decoy"; there are: decay, ls, ln;'
            ' did you mean "decay"?',
        ),
        ({"lr": [0.01]}, "lr.when.lr: a hyperparameter cannot depend on itself"),
        ({"ls": [8, 9]}, "lr.when.ls[1]: ls never has this value; it is one of: 8, 16 (got 9)"),
        ({"ls": [8.0]}, "lr.when.ls[0]: ls never has this value; it is one of: 8, 16 (got 8.0)"),
        ({"ls": ["8"]}, 'lr.when.ls[0]: ls never has this value; it is one of: 8, 16 (got "8")'),
        ({"ln": [True]}, "lr.when.ln[0]: ln never has this value; it is one of: 1 (got true)"),
    ],
)
def test_a_condition_that_cannot_be(project, when, sentence):
    conditioned(project, lr=when)
    if sentence is None:
        assert project.plan().runs
    else:
        assert said(project) == [f"config/spaces/four.yaml: {sentence}"]


@pytest.mark.parametrize(
    ("axis", "value", "sentence"),
    [
        (
            {"low": 1, "high": 9, "step": 2},
            4,
            "lr.when.ls[0]: ls never has this value; it is between 1 and 9 in steps of 2 (got 4)",
        ),
        (
            {"low": 1, "high": 9},
            9.5,
            "lr.when.ls[0]: ls never has this value; it is between 1 and 9, a whole number"
            " (got 9.5)",
        ),
        (
            {"low": 1.0, "high": 9.0, "levels": 3},
            1.0,
            "lr.when.ls: ls is a continuous range, without values that could be listed",
        ),
    ],
)
def test_a_range_that_never_has_the_value(project, axis, value, sentence):
    project.edit(SPACE, "ls", to=axis)
    conditioned(project, lr={"ls": [value]})
    assert said(project) == [f"config/spaces/four.yaml: {sentence}"]


def test_a_cycle_is_named_once(project):
    conditioned(project, lr={"ls": [8]}, ls={"ln": [1]}, ln={"lr": [0.01]}, decay={"lr": [0.01]})
    assert said(project) == [
        "config/spaces/four.yaml: lr.when: is a cycle: lr needs ls needs ln needs lr"
    ]


def test_a_network_needs_its_hyperparameters_in_every_phi(project):
    project.edit("config.yaml", "suts", to=["plain"])
    conditioned(project, ls={"lr": [0.001]}, decay={"lr": [0.01]})
    assert sorted(said(project)) == [
        "config/spaces/four.yaml: decay.when: adam needs decay (weight decay) in every φ",
        "config/spaces/four.yaml: ls.when: ff needs ls (units per hidden layer) in every φ",
    ]


@pytest.mark.parametrize(
    ("sut", "search", "sentence"),
    [
        ("alpha", {}, "alpha: it searches no space with conditions"),
        (
            "optuna",
            {"sampler": "grid"},
            "optuna: its GridSampler takes every combination; the sampler bruteforce takes each"
            " point once",
        ),
        ("optuna", {"sampler": "bruteforce"}, None),
        ("plain", {"sampler": "grid"}, None),
    ],
)
def test_a_sut_that_cannot_put_a_condition_to_its_framework_says_why(
    project, sut, search, sentence
):
    project.edit("config.yaml", "suts", to=[sut])
    project.edit(WORKLOAD, "search", to=search)
    conditioned(project, ls={"lr": [0.001]})
    expected = [f"config/spaces/four.yaml: ls.when: {sentence}"] if sentence else []
    assert [one for one in said(project) if " ff needs " not in one] == expected
