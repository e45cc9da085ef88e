import json
import random
import shutil
from pathlib import Path

import pytest
from tests.fuzz import all_clean, mutations, wrong_json

from trialwatt.config.files import plan_of_files
from trialwatt.errors import TrialwattError
from trialwatt.provenance.planfile import plan_text, read_plan

ROOT = Path(__file__).resolve().parents[2]
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
    file.write_text(plan_text(plan, root), encoding="utf-8")
    return file


def test_it_holds_what_is_needed_and_no_path_of_this_machine(written, tmp_path, root):
    assert str(tmp_path) not in written.read_text(encoding="utf-8")
    plan = read_plan(written)
    baseline, r_cpu = plan.experiments
    assert [baseline.id, r_cpu.id] == ["baseline", "r-cpu"]
    assert len(baseline.folders) == 2 and baseline.folders[0].endswith("/rep1")
    assert baseline.sweeps == [] and [sweep.id for sweep in r_cpu.sweeps] == ["plain-grid"]
    assert plan.carbon_series == ["intensity.csv"]
    assert {"mine.yaml", "intensity.csv", "config/testbeds/mine.yaml"} <= set(plan.files)
    assert plan.context["price_per_cpu_h"] > 0 and plan.context["intensity"] is None
    assert {row.hash for row in baseline.rows} == {
        folder.split("/")[2].rsplit("-", 1)[1] for folder in baseline.folders
    }
    assert set(plan.warm_ups) == {"plain"}


def test_the_same_plan_is_the_same_text_in_another_folder(written, root, tmp_path):
    other = tmp_path / "other" / "deeper"
    shutil.copytree(root, other)
    again = plan_text(plan_of_files([tmp_path / "mine.yaml"], other), other)
    assert again == written.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(format=9), "has format 9, newer than 1"),
        (lambda c: c.update(format="1"), "format '1' is not known"),
        (lambda c: c.update(generator="x"), "of another workflow"),
        (lambda c: c["experiments"][0].update(id="../x"), r"experiments\.0\.id"),
        (lambda c: c["experiments"][0].update(file="/etc/x"), r"experiments\.0\.file"),
        (lambda c: c["experiments"][0].update(folders=["runs/../x/rep1"]), r"folders\.0"),
        (lambda c: c["experiments"][1]["sweeps"][0].update(id="a/b"), r"sweeps\.0\.id"),
        (lambda c: c["experiments"][1].update(more=1), "more"),
        (lambda c: c.pop("context"), "context"),
    ],
)
def test_a_strangers_plan_is_checked(written, change, said):
    content = json.loads(written.read_text(encoding="utf-8"))
    change(content)
    written.write_text(json.dumps(content))
    with pytest.raises(TrialwattError, match=said):
        read_plan(written)


def test_a_missing_or_damaged_one(tmp_path):
    with pytest.raises(TrialwattError, match="missing"):
        read_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(TrialwattError, match="damaged"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"context": {"targets": "x"}}, "context: .*targets"),
        ({"context": {"price_per_cpu_h": float("inf")}}, "context: .*price_per_cpu_h"),
        ({"context": {"pue": "1"}}, "context: .*pue"),
        ({"plan": {"runs": []}}, "plan: .*runs"),
        ({"plan": {"runs": {"x": {"testbed": 5}}}}, "plan: .*testbed"),
        ({"plan": {"experiments": {"x": {"runs": [5]}}}}, "plan: .*experiments"),
        ({"plan": {"seed": float("nan")}}, "plan: .*JSON compliant"),
        (
            {"generator": "x" * 9, "generator2": "\ud800"},
            "damaged, not JSON .it holds half",
        ),
        ({"format": "\x1b[2J"}, "format"),
    ],
)
def test_a_value_of_another_type_is_named(written, change, said):
    content = json.loads(written.read_text())
    written.write_text(json.dumps(content | change))
    with pytest.raises(TrialwattError, match=f"(?s)plan.json: {said}") as caught:
        read_plan(written)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("count", [100, pytest.param(5_000, marks=pytest.mark.slow)])
def test_a_damaged_plan_is_refused_in_words(written, count):
    rng, good = random.Random(count), written.read_bytes()

    def read(data):
        written.write_bytes(data)
        plan = read_plan(written)
        assert isinstance(plan.files, list) and isinstance(plan.runs, dict)

    value = json.loads(good)
    wrong = (json.dumps(wrong_json(value, rng)).encode() for _ in range(count))
    assert all_clean(wrong, read, (TrialwattError,))
    assert all_clean((mutations(good, rng) for _ in range(count)), read, (TrialwattError,))
