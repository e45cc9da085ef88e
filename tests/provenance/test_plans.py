import json
import random
import shutil
from pathlib import Path

import pytest
from tests.fuzz import all_clean, mutations, wrong_json

from trialwatt.config.files import plan_of_files
from trialwatt.config.identity import hash_of, run_folder, run_hash
from trialwatt.config.plan import Here, Plan
from trialwatt.errors import TrialwattError
from trialwatt.provenance.plans import read_plan

ROOT = Path(__file__).resolve().parents[2]
FIRST = Path(__file__).with_name("plan-format-1.json")
MINE = """
experiments: [baseline, r-cpu]
suts: [plain]
repetitions: 2
testbed: mine
set: {workers.count: 1}
only: {search.pruner: null}
"""


@pytest.fixture
def root(tmp_path) -> Path:
    """A project whose testbed reads a series of intensities from outside."""
    place = tmp_path / "project"
    shutil.copytree(ROOT / "config", place / "config")
    testbed = (place / "config/testbeds/local.yaml").read_text()
    series = tmp_path / "intensity.csv"
    shutil.copy(ROOT / "docs/example/intensity.csv", series)
    (place / "config/testbeds/mine.yaml").write_text(f"{testbed}\ncarbon_series: {series}\n")
    (tmp_path / "mine.yaml").write_text(MINE)
    return place


@pytest.fixture
def written(root, tmp_path) -> Path:
    plan = plan_of_files([tmp_path / "mine.yaml"], root)
    file = tmp_path / "plan.json"
    file.write_text(plan.as_json(), encoding="utf-8")
    return file


def test_it_holds_what_is_needed_and_no_path_of_this_machine(written, tmp_path, root):
    assert str(tmp_path) not in written.read_text(encoding="utf-8")
    planned = plan_of_files([tmp_path / "mine.yaml"], root)
    plan = read_plan(tmp_path)
    assert plan.model_dump() == planned.model_dump() and plan.as_json() == planned.as_json()
    assert list(plan.experiments) == ["baseline", "r-cpu"]
    folders = plan.folders("baseline")
    assert len(folders) == 2 and folders[0].endswith("/rep1")
    assert not plan.sweeps("baseline") and list(plan.sweeps("r-cpu")) == ["plain-grid"]
    assert plan.carbon_series == ["intensity.csv"]
    assert {"mine.yaml", "intensity.csv", "config/testbeds/mine.yaml"} <= set(plan.files)
    assert plan.context.price_per_cpu_h > 0 and plan.context.intensity is None
    assert [row.hash for row in plan.experiments["baseline"].rows] == [
        folders[0].split("/")[2].rsplit("-", 1)[1]
    ]
    assert set(plan.warm_up_folders) == {"plain"}


def test_what_all_runs_have_in_common_stands_in_it_once(written):
    content = json.loads(written.read_text(encoding="utf-8"))
    assert {"space", "search", "batch", "deadline_s"} < content["workload"].keys()
    assert len(content["runs"]) > 2
    for run in content["runs"].values():
        assert run.keys() == {"sut", "workload"} and run["workload"].keys() == {"workers"}


def test_what_runs_here_has_the_places_of_this_machine(tmp_path, root):
    plan = plan_of_files([tmp_path / "mine.yaml"], root)
    series = str(tmp_path / "intensity.csv")
    assert plan.testbed.carbon_series == series
    assert {run.testbed.carbon_series for run in plan.runs.values()} == {series}
    assert plan.paths(plan.carbon_series) == [series]
    assert str(tmp_path / "mine.yaml") in plan.source("baseline")["config_files"]
    for folder, run in plan.runs.items():
        assert run_folder(run) == folder
        assert hash_of(plan.config(folder)) == run_hash(run)


def test_the_same_plan_is_the_same_text_in_another_folder(written, root, tmp_path):
    other = tmp_path / "other" / "deeper"
    shutil.copytree(root, other)
    again = plan_of_files([tmp_path / "mine.yaml"], other).as_json()
    assert again == written.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format=9), "has format 9, newer than 2"),
        (lambda c: c.update(format="2"), "format '2' is not known here, only 1 and 2"),
        (lambda c: c.update(generator="x"), "of another workflow"),
        (lambda c: c["experiments"].update({"../x": baseline(c)}), r"experiments\.\.\./x"),
        (lambda c: baseline(c).update(file="/etc/x"), r"experiments\.baseline\.file"),
        (lambda c: baseline(c)["runs"][0].update(folder="runs/../x"), r"runs\.0\.folder"),
        (lambda c: c["runs"].update({"../../x": a_run(c)}), r"runs\.\.\./\.\./x"),
        (lambda c: a_sweep(c).update(sut="a/b"), r"sweeps\.0\.sut"),
        (lambda c: a_sweep(c)["steps"].append("runs/a/b"), "r-cpu: sweeps.0: runs/a/b: no run"),
        (lambda c: c["runs"].popitem(), "no such run"),
        (lambda c: c["experiments"]["r-cpu"].update(more=1), "more"),
        (lambda c: c["experiments"]["r-cpu"].update(id="../x"), None),
        (lambda c: c.pop("context"), "context"),
        (lambda c: c["files"].append("../x"), r"files\.\d+: .*not a path inside"),
        (lambda c: c["testbed"].update(carbon_series="/etc/x"), "not a path inside the project"),
        (lambda c: c.update(repetitions=10**9), "repetitions: over 1000000 of all runs"),
        (lambda c: c.update(repetitions=0), "repetitions"),
        (lambda c: c.update(here={"results": "/etc"}), None),
        (lambda c: c.update(warm_up="yes"), "warm_up"),
    ],
)
def test_a_strangers_plan_is_checked(written, tmp_path, change, said):
    """said None: it changes nothing."""
    content = json.loads(written.read_text(encoding="utf-8"))
    before = read_plan(tmp_path)
    change(content)
    written.write_text(json.dumps(content))
    if said is None:
        assert read_plan(tmp_path) == before and before.here == Here()
        return
    with pytest.raises(TrialwattError, match=f"plan.json: .*{said}"):
        read_plan(tmp_path)


def baseline(content: dict) -> dict:
    return content["experiments"]["baseline"]


def a_sweep(content: dict) -> dict:
    return content["experiments"]["r-cpu"]["sweeps"][0]


def a_run(content: dict) -> dict:
    return next(iter(content["runs"].values()))


def test_a_missing_or_damaged_one(tmp_path):
    (tmp_path / "plan.json").unlink(missing_ok=True)
    with pytest.raises(TrialwattError, match="missing"):
        read_plan(tmp_path)
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(TrialwattError, match="damaged"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["context"].update(targets="x"), "context.targets"),
        (lambda c: c["context"].update(price_per_cpu_h=float("inf")), "context.price_per_cpu_h"),
        (lambda c: c["context"].update(pue="1"), "context.pue"),
        (lambda c: c["power"]["gcp-median"].update(min_w=99), "power.gcp-median: .*max_w"),
        (lambda c: c.update(runs=[]), "runs"),
        (lambda c: a_run(c).update(workload=5), "runs.*workload"),
        (lambda c: a_run(c)["workload"].update(batch=float("nan")), "runs.*JSON compliant"),
        (lambda c: c["workload"].update(batch=float("nan")), "workload.*JSON compliant"),
        (lambda c: c["testbed"].update(pue=float("nan")), "testbed: .*JSON compliant"),
        (lambda c: c["experiments"].update(x={"runs": [5]}), "experiments.x"),
        (lambda c: c["experiments"].update(x=5), "experiments.x"),
        (lambda c: baseline(c)["runs"][0].update(treatment={"a": []}), ".*treatment.a: must be"),
        (lambda c: c.update(more="\ud800"), "damaged, not JSON .it holds half"),
        (lambda c: c.update(format="\x1b[2J"), "format"),
    ],
)
def test_a_value_of_another_type_is_named(written, tmp_path, change, said):
    content = json.loads(written.read_text())
    change(content)
    written.write_text(json.dumps(content))
    with pytest.raises(TrialwattError, match=f"(?s)plan.json: {said}") as caught:
        read_plan(tmp_path)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("of", ["this format", "the first format"])
def test_a_damaged_plan_is_refused_in_words(written, tmp_path, count, of):
    rng = random.Random(count)
    good = written.read_bytes() if of == "this format" else FIRST.read_bytes()

    def read(data):
        written.write_bytes(data)
        plan = read_plan(tmp_path)
        assert isinstance(plan, Plan)
        for name in plan.experiments:
            assert plan.folders(name) is not None and plan.sweeps(name) is not None
            assert plan.files_of(name) and plan.experiments[name].rows is not None

    value = json.loads(good)
    wrong = (json.dumps(wrong_json(value, rng)).encode() for _ in range(count))
    assert all_clean(wrong, read, (TrialwattError,))
    assert all_clean((mutations(good, rng) for _ in range(count)), read, (TrialwattError,))


# --- the first format -----------------------------------------------------------------------------


@pytest.fixture
def first(tmp_path) -> Path:
    """A results folder with a plan of the first format."""
    shutil.copy(FIRST, tmp_path / "plan.json")
    return tmp_path


def test_the_first_format_says_the_same(first):
    content, plan = json.loads(FIRST.read_text()), read_plan(first)
    for part in content["experiments"]:
        own = plan.experiments[part["id"]]
        assert [row.model_dump() for row in own.rows] == part["rows"]
        assert plan.folders(own.id) == part["folders"] and own.varies == part["varied"]
        assert sorted(part["config_files"]) == sorted(plan.files_of(own.id))
    assert plan.context.model_dump() == content["context"]
    runs = {folder: plan.config(folder) for folder in plan.configurations}
    assert runs == content["plan"]["runs"]
    assert plan.warm_up_folders == content["warm_ups"]
    assert len(plan.as_json()) < 0.6 * len(FIRST.read_text())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["experiments"][0].update(id="../x"), r"experiments\.0\.id"),
        (lambda c: c["experiments"][0].update(file="/etc/x"), r"experiments\.0\.file"),
        (lambda c: c["experiments"][0].update(folders=["runs/../x/rep1"]), r"folders\.0"),
        (lambda c: c["experiments"][0]["folders"].pop(), r"0\.folders: not what the plan"),
        (lambda c: c["experiments"][0]["rows"][0].update(hash="x"), r"rows\.0: not what the plan"),
        (lambda c: c["experiments"][0]["rows"].pop(), r"0\.rows: not what the plan in it says"),
        (lambda c: c["experiments"].append(c["experiments"][0]), "two of one name"),
        (lambda c: c["experiments"][1]["sweeps"][0].update(id="a/b"), r"sweeps\.0\.id"),
        (lambda c: c["experiments"][1]["sweeps"][0].update(tolerance=1), None),
        (lambda c: c["experiments"][1]["sweeps"][0].update(repetitions=9), r"1\.sweeps: not what"),
        (lambda c: c["experiments"][1].update(more=1), "more"),
        (lambda c: c["plan"]["testbed"].update(carbon_series=None), "carbon_series: not what"),
        (lambda c: c["warm_ups"].update(plain="../x"), "warm_ups: not what the plan"),
        (lambda c: next(iter(c["plan"]["runs"].values())).update(seed=9), "not of the testbed and"),
        (lambda c: c.pop("context"), "context"),
        (lambda c: c.update(context={"targets": "x"}), "context"),
        (lambda c: c["plan"].update(runs=[]), "plan.runs"),
        (lambda c: c["plan"]["runs"].update(x={"testbed": 5}), "plan.runs.x"),
        (lambda c: c["plan"]["experiments"].update(x={"runs": [5]}), "plan.experiments"),
        (lambda c: c["plan"]["testbed"].update(pue=float("nan")), "plan.*JSON compliant"),
    ],
)
def test_one_of_the_first_format_that_contradicts_itself_is_refused(first, change, said):
    content = json.loads(FIRST.read_text())
    change(content)
    (first / "plan.json").write_text(json.dumps(content))
    if said is None:
        assert read_plan(first).sweeps("r-cpu")["plain-grid"].tolerance == 1
        return
    with pytest.raises(TrialwattError, match=f"plan.json: .*{said}"):
        read_plan(first)
