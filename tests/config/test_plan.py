import json
import time

import pytest

from trialwatt.config.identity import run_folder, run_hash
from trialwatt.config.planner import load_plan
from trialwatt.errors import TrialwattError

NODE = "experiments/r-node.yaml"


def treatments(plan, experiment="r-node"):
    return [
        (plan.run(r.folder).sut, r.label, r.is_baseline) for r in plan.experiments[experiment].runs
    ]


def test_a_run_of_two_experiments_is_one_run(project):
    plan = project.plan()
    baseline = plan.experiments["baseline"].runs
    assert [(r.label, r.value, r.is_baseline) for r in baseline] == [("baseline", None, True)]
    assert treatments(plan) == [
        ("alpha", "workers.count=1", False),
        ("alpha", "workers.count=2", True),
    ]
    node = plan.experiments["r-node"]
    assert node.runs[1].folder == baseline[0].folder
    assert [r.value for r in node.runs] == [1, 2]
    assert (node.title, node.file, node.varies) == (
        "R-Node",
        "config/experiments/r-node.yaml",
        ["workers.count"],
    )
    assert list(plan.runs) == [baseline[0].folder, node.runs[0].folder]
    assert plan.datasets == ["digits"]


def test_the_baseline_is_added_where_the_list_lacks_it(project):
    project.edit(NODE, "vary", "workers.count", to=[1, 3])
    assert treatments(project.plan()) == [
        ("alpha", "workers.count=2", True),
        ("alpha", "workers.count=1", False),
        ("alpha", "workers.count=3", False),
    ]


def test_a_value_written_in_another_way_is_still_the_baseline(project):
    project.edit("workloads/small.yaml", "workers", to={"count": 2, "cpu": 1})
    project.edit(NODE, "vary", to={"workers.cpu": [0.5, 1.0]})
    assert treatments(project.plan()) == [
        ("alpha", "workers.cpu=0.5", False),
        ("alpha", "workers.cpu=1.0", True),
    ]


def test_several_keys_vary_in_every_combination(project):
    project.edit(NODE, "vary", to={"workers.count": [1, 2], "epochs": [1, 5]})
    runs = project.plan().experiments["r-node"].runs
    assert [run.treatment for run in runs] == [
        {"workers.count": count, "epochs": epochs} for count in (1, 2) for epochs in (1, 5)
    ]
    assert [run.is_baseline for run in runs] == [False, False, False, True]
    assert runs[0].label == "workers.count=1, epochs=1"
    assert runs[0].value is None


def test_spaces_can_vary_by_name(project):
    project.write("spaces/two.yaml", {**project.read("spaces/four.yaml"), "ls": {"choices": [8]}})
    project.edit(NODE, "vary", to={"space": ["two"]})
    plan = project.plan()
    runs = plan.experiments["r-node"].runs
    assert [(r.label, len(plan.run(r.folder).workload.space["ls"].choices)) for r in runs] == [
        ("space=four", 2),
        ("space=two", 1),
    ]


def test_settings_replace_base_suts_and_single_keys(project):
    project.write("workloads/big.yaml", {**project.read("workloads/small.yaml"), "epochs": 9})
    settings = {"base": "big", "suts": ["beta"], "set": {"search.sampler": "random", "batch": 7}}
    for key, value in settings.items():
        project.edit("config.yaml", key, to=value)
    plan = project.plan()
    assert {run.sut for run in plan.runs.values()} == {"beta"}
    for run in plan.runs.values():
        load = run.workload
        assert (load.epochs, load.batch, load.search.sampler) == (9, 7, "random")


def test_later_files_win_key_by_key(project):
    project.write("more.yaml", {"repetitions": 5})
    plan = project.plan(project.root / "config/more.yaml")
    assert (plan.repetitions, plan.testbed_name) == (5, "bench")


def test_a_small_number_that_snakemake_reads_as_text_stays_a_number(project):
    project.edit("spaces/four.yaml", "lr", to=None)
    text = (project.root / "config/config.yaml").read_text()
    project.write("config.yaml", text + "set: {fixed.lr: 1e-4}\n")
    config = project.read("config.yaml")
    assert config["set"] == {"fixed.lr": "1e-4"}  # YAML 1.1, as Snakemake
    plan = load_plan(config, root=project.root, files=project.files)
    assert {run.workload.fixed["lr"] for run in plan.runs.values()} == {1e-4}


def test_folders_carry_the_hash_and_are_found_again(project):
    plan = project.plan()
    for folder, run in plan.runs.items():
        assert folder == run_folder(run)
        assert folder.rpartition("-")[2] == run_hash(run)
        for where in (folder, f"results/{folder}", f"results/{folder}/rep2"):
            assert plan.run(where) == run
    with pytest.raises(TrialwattError, match="no run runs/bench/alpha-x in the plan"):
        plan.run("runs/bench/alpha-x")


def test_repetition_folders(project):
    project.edit("config.yaml", "results", to="out")
    plan = project.plan()
    (baseline,) = {run.folder for run in plan.experiments["baseline"].runs}
    assert plan.fixed_repetitions("baseline") == [f"out/{baseline}/rep1", f"out/{baseline}/rep2"]
    assert len(plan.fixed_repetitions()) == 4 == len(set(plan.fixed_repetitions()))
    with pytest.raises(TrialwattError, match="there are: baseline, r-node"):
        plan.fixed_repetitions("r-mem")


def order(plan, repetitions):
    """(workers, repetition) of all runs, as order_priority ranks them."""
    ranks = {
        (run.workload.workers.count, rep): plan.order_priority(folder, rep)
        for folder, run in plan.runs.items()
        for rep in range(1, repetitions + 1)
    }
    assert len(set(ranks.values())) == len(ranks)
    return sorted(ranks, key=ranks.get)


def test_the_order_is_a_permutation_that_follows_the_seed(project):
    project.edit(NODE, "vary", "workers.count", to=[1, 2, 3, 4])
    plan = project.plan()
    first = order(plan, 2)
    assert first == order(project.plan(), 2)
    assert first != sorted(first)
    folder = next(iter(plan.runs))
    assert plan.order_priority(f"results/{folder}", "1") == plan.order_priority(folder, 1)
    project.edit("config.yaml", "repetitions", to=3)
    longer = order(project.plan(), 3)
    assert [place for place in longer if place[1] < 3] == first
    project.edit("config.yaml", "seed", to=2)
    assert order(project.plan(), 3) != longer


def test_the_plan_as_json_is_the_same_for_the_same_configuration(project):
    first = project.plan().as_json()
    for name in ("spaces/four.yaml", "workloads/small.yaml", "config.yaml"):
        project.write(name, dict(reversed(project.read(name).items())))
    assert project.plan().as_json() == first  # the order of keys in a file means nothing
    plan = json.loads(first)
    assert (plan["repetitions"], plan["context"]["price_per_cpu_h"]) == (2, 0.03)
    assert plan["experiments"]["r-node"]["runs"][1]["is_baseline"] is True
    assert str(project.root) not in first


def test_a_price_changes_no_run_and_a_limit_changes_all(project):
    folders = set(project.plan().runs)
    project.edit("prices.yaml", "sets", "gcp-n2", "per_vcpu_h", to=1.0)
    project.edit("testbeds/bench.yaml", "pue", to=1.5)
    assert set(project.plan().runs) == folders
    project.edit("testbeds/bench.yaml", "cpu_per_vcpu", to=0.2)
    assert not set(project.plan().runs) & folders


def test_the_files_that_were_read_are_listed(project):
    project.write("workloads/unused.yaml", "nothing: at all\n")
    project.write("more.yaml", {"seed": 2})
    names = [
        *("carbon", "config", "experiments/baseline", "experiments/r-node", "more", "power"),
        *("prices", "spaces/four", "testbeds/bench", "workloads/small"),
    ]
    plan = project.plan(project.root / "config/more.yaml")
    assert plan.files == [f"config/{name}.yaml" for name in names]


def test_the_tables_of_the_testbed_are_chosen(project):
    plan = project.plan()
    assert (plan.context.price_per_gb_h, plan.context.carbon_year) == (0.004, 2018)
    assert (list(plan.power), plan.power_model.max_w) == (["gcp-median"], 4.11)


def test_a_thousand_runs_are_planned_in_about_a_second(project):
    project.edit("testbeds/bench.yaml", "allow_oversubscription", to=True)
    project.edit(
        NODE, "vary", to={"workers.count": list(range(1, 26)), "epochs": list(range(1, 21))}
    )
    project.edit(NODE, "suts", to=["alpha", "beta"])
    project.edit("workloads/small.yaml", "search", to={"sampler": "random", "budget": 25})
    start = time.process_time()
    plan = project.plan()
    spent = time.process_time() - start
    assert len(plan.runs) == 1000
    assert spent < 3  # CPU seconds; about 1 on an idle machine
