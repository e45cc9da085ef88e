"""What the settings' `replay` plans, refuses and names as not available."""

import json

import pytest

from trialwatt.config.plan import Plan
from trialwatt.errors import ConfigError

TABLE = {
    "title": "Trials",
    "base": "small",
    "set": {"validate_each_epoch": True},
    "suts": ["alpha"],
}
COST = {
    "title": "Cost",
    "base": "small",
    "vary": {"search.budget": [2, 4], "epochs": [1, 2]},
    "set": {"search.sampler": "random"},
    "suts": ["alpha", "beta"],
}
SAM = {"title": "S-Sam", "base": "small", "vary": {"search.sampler": "all"}, "suts": ["alpha"]}
DUR = {"title": "S-Dur", "base": "small", "vary": {"epochs": [1, 3, 5, 7]}, "suts": ["alpha"]}
PHI = {"title": "S-Phi", "base": "small", "vary": {"space": ["two", "four", "other"]}}
SPACE = {
    "lr": {"choices": [0.001, 0.01]},
    "decay": {"choices": [0.0]},
    "ls": {"choices": [8]},
    "ln": {"choices": [1]},
}


@pytest.fixture
def replaying(project):
    """A project whose settings replay S-Sam on a table of small."""
    for name, data in (("table", TABLE), ("cost", COST), ("s-sam", SAM), ("s-dur", DUR)):
        project.write(f"experiments/{name}.yaml", data)
    project.write("experiments/s-phi.yaml", PHI | {"suts": ["alpha"]})
    project.write("spaces/two.yaml", SPACE)
    project.write("spaces/other.yaml", SPACE | {"lr": {"choices": [0.001, 0.1]}})
    project.edit("config.yaml", "experiments", to=["table", "cost"])
    project.edit("config.yaml", "repetitions", to=3)
    replay = {"table": "table", "cost": "cost", "searches": 5, "experiments": ["s-sam"]}
    project.edit("config.yaml", "replay", to=replay)
    return project


def labels(plan, name):
    planned, runs = plan.replay.experiments[name], plan.replay.configurations
    return [(runs[run.folder].sut, run.label) for run in planned.runs]


def lacking(plan, name):
    return {
        each.treatment or each.sut: each.reason
        for each in plan.replay.experiments[name].unavailable
    }


def test_what_is_replayed_is_expanded_as_what_is_measured(replaying):
    plan = replaying.plan()
    assert labels(plan, "s-sam") == [
        ("alpha", "search.sampler=grid"),
        ("alpha", "search.sampler=random"),
    ]
    replaying.edit("config.yaml", "experiments", to=["table", "cost", "s-sam"])
    measured = replaying.plan()
    own, other = measured.experiments["s-sam"].runs, plan.replay.experiments["s-sam"].runs
    assert own == other  # a live run of a strategy is known by its very configuration
    assert other[0].folder not in plan.configurations
    assert plan.replay.folder in plan.configurations
    assert plan.table_folders == [f"{plan.replay.folder}/rep{number}" for number in (1, 2, 3)]


def test_a_plan_comes_back_from_its_file_and_is_as_it_was_without_a_replay(replaying):
    plan = replaying.plan()
    assert Plan.model_validate(json.loads(plan.as_json()) | {"here": plan.here}) == plan
    asked = plan.replayed("s-sam")
    assert [config["workload"]["search"]["sampler"] for config in asked["configs"]] == [
        "grid",
        "random",
    ]
    assert asked["cost"] == "metrics/cost/runs.parquet"
    replaying.edit("config.yaml", "replay", to=None)
    without = replaying.plan()
    assert "replay" not in json.loads(without.as_json())
    assert without.runs == plan.runs and without.digest == plan.digest


def test_set_only_and_suts_are_the_replays_own(replaying):
    replaying.edit("config.yaml", "replay", "set", to={"search.budget": 3})
    replaying.edit("config.yaml", "replay", "only", to={"search.sampler": ["random", "tpe"]})
    replaying.edit("config.yaml", "replay", "suts", to=["alpha", "gamma"])
    plan = replaying.plan()
    assert set(labels(plan, "s-sam")) == {
        ("alpha", "search.sampler=random"),
        ("gamma", "search.sampler=random"),
        ("gamma", "search.sampler=tpe"),
        ("alpha", "search.sampler=grid"),  # the Baseline
        ("gamma", "search.sampler=grid"),
    }
    assert 'offers no sampler "tpe"' in lacking(plan, "s-sam")["search.sampler=tpe"]
    assert {c["workload"]["search"]["budget"] for c in plan.replayed("s-sam")["configs"]} == {3}


def test_an_unknown_sut_is_named_at_its_place(replaying):
    replaying.edit("config.yaml", "replay", "suts", to=["alpa"])
    with pytest.raises(ConfigError, match=r"replay.suts\[0\]: there is no SUT \"alpa\""):
        replaying.plan()


def test_an_absent_framework_is_known_when_it_is_replayed(replaying):
    replaying.edit("config.yaml", "replay", "suts", to=["absent"])
    assert {sut for sut, _ in labels(replaying.plan(), "s-sam")} == {"absent"}


def test_fewer_epochs_are_first_ones_and_more_are_named(replaying):
    replaying.edit("config.yaml", "replay", "experiments", to=["s-dur"])
    plan = replaying.plan()
    assert [label for _, label in labels(plan, "s-dur")] == ["epochs=1", "epochs=3", "epochs=5"]
    assert lacking(plan, "s-dur") == {"epochs=7": "7 epochs: the trial table has 5"}


def test_parts_of_the_space_are_searched_and_others_named(replaying):
    replaying.edit("config.yaml", "replay", "experiments", to=["s-phi"])
    plan = replaying.plan()
    assert [label for _, label in labels(plan, "s-phi")] == ["space=two", "space=four"]
    assert "lr=0.1" in lacking(plan, "s-phi")["space=other"]


def test_of_a_function_only_its_author_knows_what_fewer_epochs_are(replaying):
    (replaying.root / "mine.py").write_text("def train(phi, data, epochs, seed, report): ...\n")
    small = {
        "trial": "mine:train",
        "space": "four",
        "workers": {"count": 2},
        "goal": {"score": "loss", "direction": "minimize"},
    }
    replaying.write("workloads/small.yaml", small)
    replaying.edit("config.yaml", "replay", "experiments", to=["s-dur"])
    plan = replaying.plan()
    assert [label for _, label in labels(plan, "s-dur")] == ["epochs=5"]
    assert "replay.begins_alike: true" in lacking(plan, "s-dur")["epochs=1"]
    replaying.edit("config.yaml", "replay", "begins_alike", to=True)
    assert len(labels(replaying.plan(), "s-dur")) == 3


RESOURCE = "is a resource experiment, which is never replayed: its trials would last differently"
CASES = [
    (["replay", "table"], "tabel", "replay.table: is none of the experiments that are measured "
     "(table, cost); add it to `experiments`"),
    (["replay", "table"], "cost", "replay.table: must be one configuration of the control, which "
     "adds nothing to a trial; it has 5"),
    (["replay", "cost"], "table", "replay.cost: tells no cost of frameworks: it must vary "
     "search.budget and epochs"),
    (["replay", "cost"], "elsewhere", "replay.cost: is none of the experiments that are measured "
     "(table, cost), and no runs.parquet of one that was measured elsewhere"),
    (["replay", "cost"], "no/runs.parquet", "replay.cost: there is no no/runs.parquet; make the "
     "metrics of that experiment first"),
    (["replay", "experiments"], ["s-sam", "r-node"], f"replay.experiments[1]: {RESOURCE}"),
    (["replay", "experiments"], ["s-sam", "s-sam"], "replay.experiments[1]: s-sam stands in the "
     "list already"),
    (["replay", "experiments"], [], "replay.experiments: must not be empty"),
    (["replay", "experiments"], ["s-smam"], "replay.experiments[0]: there is no "
     'config/experiments/s-smam.yaml; did you mean "s-sam"?'),
    (["replay", "serches"], 3, 'replay.serches: unknown key; did you mean "searches"?'),
    (["replay", "searches"], 0, "replay.searches: must be at least 1 (got 0)"),
    (["replay", "set"], {"search.budgt": 3}, "replay.set.search.budgt: a workload has no such key; "
     'did you mean "search.budget"?'),
    (["replay", "only"], {"epochs": [1]}, "replay.only.epochs: no experiment of this configuration "
     "varies it; take it out, or set it to null in a file of your own"),
    (["replay", "set"], {"batch": 7}, "replay.experiments[0]: nothing of it can be replayed: batch "
     "7: the trial table is of 50"),
    (["replay", "set"], {"workers.memory_mb": 512}, "replay.experiments[0]: nothing of it can be "
     "replayed: workers.memory_mb 512: the trial table is of 2048"),
    (["repetitions"], 2, "repetitions: a trial table needs at least 3, its seeds (got 2)"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{'.'.join(case[0])}={case[1]}")
def test_what_cannot_be_is_said_with_its_place(replaying, case):
    path, to, sentence = case
    replaying.edit("config.yaml", *path, to=to)
    with pytest.raises(ConfigError) as caught:
        replaying.plan()
    assert [str(each) for each in caught.value.problems] == [f"config/config.yaml: {sentence}"]


@pytest.mark.parametrize(
    ("set_", "said"),
    [
        ({"search.sampler": "random"}, "must cover a whole grid"),
        ({"search.budget": 2}, "must cover its whole grid"),
        ({"search.pruner": "median"}, "needs every epoch of every trial"),
        ({"validate_each_epoch": False}, "needs every epoch of every trial"),
    ],
)
def test_a_table_is_every_epoch_of_a_whole_grid(replaying, set_, said):
    replaying.edit("experiments/table.yaml", "set", to=TABLE["set"] | set_)
    with pytest.raises(ConfigError, match=said) as caught:
        replaying.plan()
    assert all(each.key == "replay.table" for each in caught.value.problems)


def test_a_cost_that_was_measured_elsewhere_is_copied(replaying):
    file = replaying.root / "law" / "runs.parquet"
    file.parent.mkdir()
    file.write_bytes(b"")
    replaying.edit("config.yaml", "replay", "cost", to="law/runs.parquet")
    plan = replaying.plan()
    assert plan.replay.cost is None and plan.replay.cost_file == "replay/cost/runs.parquet"
    assert plan.here.cost == str(file)
    assert str(replaying.root) not in plan.as_json()
