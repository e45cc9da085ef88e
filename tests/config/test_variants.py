"""What each SUT makes of the treatments: strategies that it lacks, stand-ins, several ways."""

import pytest

from trialwatt.errors import ConfigError

NODE = "experiments/r-node.yaml"


def runs(plan, sut=None):
    """(SUT, sampler, pruner, label, Baseline?) of the experiment's runs."""
    planned = [(plan.run(r.folder), r) for r in plan.experiments["r-node"].runs]
    return [
        (run.sut, run.workload.search.sampler, run.workload.search.pruner, r.label, r.is_baseline)
        for run, r in planned
        if sut in (None, run.sut)
    ]


def lacking(plan):
    return [(u.sut, u.treatment) for u in plan.experiments["r-node"].unavailable]


def test_all_samplers_of_all_suts_each_runs_what_it_has(project):
    project.edit(NODE, "vary", to={"search.sampler": "all"})
    project.edit(NODE, "suts", to=["alpha", "beta", "gamma"])
    plan = project.plan()
    assert [(sut, label.split("=")[1]) for sut, *_, label, _ in runs(plan)] == [
        ("alpha", "grid"),
        ("gamma", "grid"),
        ("alpha", "random"),
        ("beta", "random"),
        ("gamma", "random"),
        ("beta", "tpe"),
        ("gamma", "tpe"),
    ]
    assert lacking(plan) == [
        ("beta", "search.sampler=grid"),
        ("alpha", "search.sampler=tpe"),
        ("gamma", "search.sampler=gp"),  # who has it names what is missing; the others never will
    ]
    reasons = [one.reason for one in plan.experiments["r-node"].unavailable]
    assert reasons[1] == 'alpha offers no sampler "tpe"; it has: grid, random'
    assert "pip install no-such-package nor-this-one" in reasons[2]


def test_without_a_grid_random_draws_stand_in_and_the_control_runs_both(project):
    project.edit(NODE, "suts", to=["alpha", "beta", "gamma"])
    plan = project.plan()
    assert [(sut, sampler) for sut, sampler, *_ in runs(plan)][:4] == [
        ("alpha", "grid"),
        ("alpha", "random"),
        ("beta", "random"),
        ("gamma", "grid"),
    ]
    assert [r.is_baseline for r in plan.experiments["r-node"].runs] == [False] * 4 + [True] * 4
    stand_in = plan.run(plan.experiments["r-node"].runs[1].folder).workload.search
    assert (stand_in.sampler, stand_in.budget) == ("random", None)  # null means pS


def test_the_stand_in_is_the_baseline_where_the_sampler_varies(project):
    project.edit(NODE, "vary", to={"search.sampler": "all"})
    project.edit(NODE, "suts", to=["alpha", "beta"])
    flagged = [(sut, sampler) for sut, sampler, *_, baseline in runs(project.plan()) if baseline]
    assert flagged == [("alpha", "grid"), ("beta", "random")]


def test_two_ways_share_what_is_the_same(project):
    project.write("spaces/two.yaml", {**project.read("spaces/four.yaml"), "ls": {"choices": [8]}})
    ways = [
        {"space": ["two", "four"]},
        {
            "space": ["two", "four"],
            "search.sampler": ["random", "tpe"],
            "search.budget": [4],
        },
    ]
    project.edit(NODE, "vary", to=ways)
    project.edit(NODE, "suts", to=["alpha", "beta"])
    plan = project.plan()
    assert [(sut, label, baseline) for sut, *_, label, baseline in runs(plan)] == [
        ("alpha", "space=two", False),
        ("alpha", "space=four", True),
        ("alpha", "space=two, search.sampler=random, search.budget=4", False),
        ("beta", "space=two, search.sampler=random, search.budget=4", False),
        ("beta", "space=two, search.sampler=tpe, search.budget=4", False),
        ("alpha", "space=four, search.sampler=random, search.budget=4", False),
        ("beta", "space=four, search.sampler=random, search.budget=4", True),
        ("beta", "space=four, search.sampler=tpe, search.budget=4", False),
    ]
    assert ("beta", "space=two") in lacking(plan)  # no grid, and here that is the question
    assert plan.experiments["r-node"].varies == ["space", "search.sampler", "search.budget"]


def test_pruners_that_a_sampler_excludes_are_not_available(project):
    project.edit(NODE, "vary", to={"search.pruner": "all"})
    project.edit(NODE, "suts", to=["gamma"])
    plan = project.plan()
    assert [pruner for _, _, pruner, *_ in runs(plan)] == ["none", "asha", "halting"]
    assert lacking(plan) == [("gamma", "search.pruner=pbt")]


def test_accelerators_that_are_not_there_are_not_available(project):
    project.edit(NODE, "vary", to={"workers.accelerator": "all"})
    plan = project.plan()
    assert [label for *_, label, _ in runs(plan)] == [
        "workers.accelerator=cpu",
        "workers.accelerator=gpu",
    ]
    (one,) = plan.experiments["r-node"].unavailable
    assert (one.sut, one.treatment) == (None, "workers.accelerator=tpu")
    assert one.reason == "there is no tpu here"


def test_a_sweep_plans_every_step_that_it_may_try(project):
    sweep = {"start": 0.5, "step": 0.25, "maximum": 1.2, "tolerance": 0.1}
    project.edit("workloads/small.yaml", "workers", to={"count": 1, "cpu": 2})
    project.edit(NODE, "vary", to={"workers.cpu": sweep})
    project.edit(NODE, "suts", to=["alpha", "beta"])
    plan = project.plan()
    sweeps = plan.sweeps("r-node")
    assert list(sweeps) == ["alpha-grid", "alpha-random", "beta-random"]
    for one in sweeps.values():
        assert [step.value for step in one.steps] == [0.5, 0.75, 1.0]
        assert one.baseline.value == 2
        assert one.tolerance == 0.1
        runs = [plan.run(step.folder) for step in (*one.steps, one.baseline)]
        assert {run.workload.search.sampler for run in runs} == {one.sampler}
        assert {run.sut for run in runs} == {one.sut}
    assert plan.experiments["r-node"].fixed_folders == []
    assert len(plan.fixed_repetitions()) == 2  # the experiment Baseline's own


def test_only_narrows_a_sweep_and_keeps_the_baseline(project):
    project.edit(NODE, "vary", to={"workers.count": {"start": 1, "step": 1, "maximum": 4}})
    project.edit("config.yaml", "only", to={"workers.count": [1, 3]})
    (sweep,) = project.plan().sweeps("r-node").values()
    assert [step.value for step in sweep.steps] == [1, 3]
    assert sweep.baseline.value == 2


def test_a_budget_of_the_whole_grid_is_no_budget(project):
    first = set(project.plan().runs)
    project.edit("config.yaml", "set", to={"search.budget": 4})
    assert set(project.plan().runs) == first


def test_each_sut_is_warmed_up_with_its_baseline(project):
    project.edit(NODE, "suts", to=["alpha", "beta"])
    plan = project.plan()
    assert list(plan.warm_ups) == ["alpha", "beta"]
    warm_up = plan.run(plan.warm_ups["beta"]).workload
    assert (warm_up.search.sampler, warm_up.workers.count) == ("random", 2)


def test_a_target_names_an_experiment(project):
    from trialwatt.config.files import experiments_among

    assert experiments_among({"r_node", "all"}, project.root) == ["r-node"]
    assert experiments_among(set(), project.root) == []
    for target in ("r-node", "r_nod"):  # as its file, and misspelt
        with pytest.raises(ConfigError, match=f"{target}: no such target; did you mean r_node"):
            experiments_among({target, "all"}, project.root)
    assert experiments_among({"all", "runs", "figures_of_r_node", "light_archive"}) == []


def test_the_settings_add_suts_that_can_run(project):
    project.edit("config.yaml", "optional_suts", to=["gamma", "absent", "alpha"])
    plan = project.plan()
    node = plan.experiments["r-node"]
    assert {plan.run(run.folder).sut for run in node.runs} == {"alpha", "gamma"}
    assert [one.sut for one in node.unavailable] == ["absent"]


def test_what_an_experiment_sets_all_its_runs_have_and_the_settings_do_not_undo(project):
    project.edit("config.yaml", "set", to={"epochs": 7, "batch": 11})
    project.edit(NODE, "set", to={"epochs": 3})
    plan = project.plan()
    planned = [plan.run(run.folder).workload for run in plan.experiments["r-node"].runs]
    assert {(workload.epochs, workload.batch) for workload in planned} == {(3, 11)}
    assert any(run.is_baseline for run in plan.experiments["r-node"].runs)
    others = [plan.run(run.folder).workload for run in plan.experiments["baseline"].runs]
    assert {workload.epochs for workload in others} == {7}
