"""The YAML files that we ship: valid, with a schema that does not drift from the models."""

import itertools
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
from pydantic import TypeAdapter

from trialwatt.config.catalogue import ALGORITHMS, DATASETS, MODELS
from trialwatt.config.factors import hypotheses, tells_cost
from trialwatt.config.files import plan_of_files
from trialwatt.config.goals import read_references
from trialwatt.config.loading import Problems, validated
from trialwatt.config.models import Experiment, Space, Testbed, Workload
from trialwatt.config.origins import Origins
from trialwatt.config.schema import FOLDER, schema_text, schemas
from trialwatt.config.space import grid
from trialwatt.config.tables import CarbonTable, PowerTable, PriceTable
from trialwatt.config.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "config").rglob("*.yaml"))


def load(name):
    data, problems = read_yaml(ROOT / name, name)
    assert problems == []
    return data


def model(kind, name):
    problems = Problems()
    found, _ = validated(kind, load(name), Origins(name), problems)
    assert list(problems) == []
    return found


def test_the_schemas_are_those_of_the_models():
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / FOLDER).iterdir()}
    expected = {name: schema_text(schema) for name, schema in schemas().items()}
    assert files == expected, "run `trialwatt schema --write`"


@pytest.mark.parametrize("name", FILES)
def test_each_file_names_its_schema_and_obeys_it(name):
    path = ROOT / name
    head, _, reference = path.read_text(encoding="utf-8").partition("\n")[0].partition("$schema=")
    assert head == "# yaml-language-server: "
    schema = json.loads((path.parent / reference).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(load(name))


def test_the_schema_refuses_what_the_models_refuse():
    schema = schemas()
    workload = {"space": "ff-24", "workers": {"cuont": 1}}
    with pytest.raises(jsonschema.ValidationError, match="cuont"):
        jsonschema.validate(workload, schema["workload"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema["space"])


def test_the_base_grid_is_the_one_of_the_design():
    for name in ("digits-ff", "mnist-ff"):
        data = load(f"config/workloads/{name}.yaml")
        data["space"] = load(f"config/spaces/{data['space']}.yaml")
        workload = Workload.model_validate(data, strict=True)
        points = grid(workload.space)
        assert len(points) == 24
        assert {p["lr"] for p in points} == {1e-4, 1e-3, 1e-2}
        assert {p["decay"] for p in points} == {1e-6, 1e-4}
        assert {(p["ls"], p["ln"]) for p in points} == {(32, 1), (32, 2), (128, 1), (128, 2)}
        assert (workload.workers.count, workload.workers.cpu) == (4, 2)
        assert (workload.batch, workload.epochs) == (50, 5)


def test_the_largest_shipped_treatment_fits_two_cores():
    testbed = model(Testbed, "config/testbeds/local.yaml")
    most = max(model(Experiment, "config/experiments/r-node.yaml").vary["workers.count"])
    assert most * 2 * testbed.cpu_per_vcpu <= 2


@pytest.fixture
def shipped(tmp_path):
    """The plan of shipped files, with the settings of one more."""
    shutil.copytree(ROOT / "config", tmp_path / "config")

    def plan(*names, **settings):
        more = tmp_path / "config" / "more.yaml"
        more.write_text(json.dumps(settings))
        files = [tmp_path / "config" / name for name in names]
        return plan_of_files([*files, more], root=tmp_path)

    return plan


EXPERIMENTS = {
    *("baseline", "r-mem", "r-cpu", "r-acl", "r-node"),
    *("s-sam", "s-pru", "s-phi", "s-dur", "framework-cost"),
}


def test_the_default_is_the_baseline_and_two_experiments_on_two_suts(shipped):
    plan = shipped()
    assert list(plan.experiments) == ["baseline", "r-node", "s-pru"]
    assert set(plan.warm_ups) == {"plain", "optuna"}
    assert plan.datasets == ["digits"]
    assert plan.repetitions >= 3
    for run in plan.runs.values():
        workers = run.workload.workers
        assert workers.count * workers.cpu * plan.testbed.cpu_per_vcpu <= 2


def test_every_split_of_the_reference_reaches_the_goal_of_the_default(shipped):
    (target,) = {run.workload.goal.target for run in shipped().runs.values()}
    points = read_references(ROOT)["digits"].points
    assert target <= min(map(max, zip(*(point.macro_f1 for point in points), strict=True)))


@pytest.mark.parametrize("name", ["mnist.yaml", "quick.yaml", "reference.yaml", "paper.yaml"])
def test_the_others_run_all_of_r_node(shipped, name):
    runs = shipped(name, testbed="two-cores").experiments["r-node"].runs
    assert {run.treatment["workers.count"] for run in runs} == {1, 2, 4}


def test_quick_has_two_suts_in_every_experiment_and_the_others_in_two_treatments(shipped):
    plan = shipped("quick.yaml")
    assert set(plan.experiments) == EXPERIMENTS
    for experiment in plan.experiments.values():
        assert {"plain", "optuna"} <= {plan.run(run.folder).sut for run in experiment.runs}
    workers = {run.workload.workers.count for run in plan.runs.values()}
    assert (plan.repetitions, plan.testbed.cpu_per_vcpu, min(workers)) == (2, 0.5, 1)
    others = plan.experiments["framework-cost"].runs
    others = [run for run in others if plan.run(run.folder).sut == "ray"]
    assert [(run.label, run.is_baseline) for run in others] == [
        ("search.budget=6, epochs=1", True),
        ("search.budget=24, epochs=1", False),
        ("search.budget=6, epochs=5", False),
    ]
    samplers = [r.treatment["search.sampler"] for r in plan.experiments["s-sam"].runs]
    assert len(set(samplers)) >= 6


def test_paper_is_everything_on_mnist(shipped):
    plan = shipped("paper.yaml", testbed="two-cores")
    assert set(plan.experiments) == EXPERIMENTS
    assert plan.datasets == ["mnist"]
    assert plan.repetitions == 5
    for name in ("r-mem", "r-cpu"):
        for sweep in plan.sweeps(name).values():
            steps = [step.value for step in sweep.steps]
            assert steps[:2] == {"r-mem": [256, 384], "r-cpu": [1, 2]}[name]
        assert {s.id for s in plan.experiments[name].sweeps} >= {"plain-grid", "optuna-grid"}
    spaces = {r.treatment["space"] for r in plan.experiments["s-phi"].runs}
    assert len(spaces) >= 5
    ways = {tuple(r.treatment) for r in plan.experiments["s-phi"].runs}
    assert ways == {("space",), ("space", "search.sampler", "search.budget")}


def test_the_cost_of_frameworks_is_told_by_trials_that_cost_the_same(shipped):
    plan = shipped("paper.yaml", testbed="two-cores", suts=["plain", "optuna", "ray"])
    cost = plan.experiments["framework-cost"]
    assert tells_cost(cost.compared) and not hypotheses(cost.compared)
    runs = [plan.run(run.folder) for run in cost.runs]
    for run in runs:
        assert run.workload.search.sampler == "random" and run.workload.validate_each_epoch
        assert {len(run.workload.space[name].choices) for name in ("ls", "ln")} == {1}
    cells = {
        sut: {
            (r.workload.search.budget, r.workload.epochs, r.workload.search.pruner)
            for r in runs
            if r.sut == sut
        }
        for sut in ("plain", "optuna", "ray")
    }
    alike = {(6, 1, "none"), (24, 1, "none"), (6, 5, "none")}
    assert cells["plain"] == cells["ray"] == alike
    assert cells["optuna"] == alike | {(6, 5, "threshold")}  # which says what a report costs
    baseline = {run.label for run in cost.runs if run.is_baseline}
    assert baseline == {"search.budget=6, epochs=1"}  # its own, for it sets what all its runs have


def test_the_spaces_are_nested():
    names = ["ff-6", "ff-12", "ff-24", "ff-48", "ff-96"]
    grids = [{tuple(sorted(phi.items())) for phi in grid(model_of_space(name))} for name in names]
    assert [len(one) for one in grids] == [int(name.split("-")[1]) for name in names]
    assert all(small < large for small, large in itertools.pairwise(grids))


def model_of_space(name):
    return TypeAdapter(Space).validate_python(load(f"config/spaces/{name}.yaml"), strict=True)


def test_the_tables_say_when_and_whence():
    prices = model(PriceTable, "config/prices.yaml").sets
    regions = model(CarbonTable, "config/carbon.yaml").regions
    powers = model(PowerTable, "config/power.yaml").models
    assert set(prices) == {"gcp-e2", "gcp-n2", "gcp-c3"}
    assert set(regions) == {"DEU", "FRA", "USA", "world"}
    assert set(powers) == {"gcp-ice-lake", "gcp-sapphire-rapids", "gcp-epyc-3", "gcp-median"}
    for entry in [*prices.values(), *regions.values(), *powers.values()]:
        assert entry.source.strip()
        assert entry.date


def test_the_catalogue_is_what_the_workload_implements():
    from trialwatt.workload.algorithms import ALGORITHMS as OPTIMIZERS
    from trialwatt.workload.networks import NETWORKS
    from trialwatt.workload.sources import SOURCES

    assert set(MODELS) == set(NETWORKS)
    assert set(ALGORITHMS) == set(OPTIMIZERS)
    assert set(DATASETS) == set(SOURCES)
