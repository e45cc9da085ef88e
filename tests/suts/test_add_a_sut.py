"""The worked example of docs/add-a-sut.md, installed as another package and run."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.lifecycle.reading import manifest, trials

from trialwatt import suts
from trialwatt.config.files import plan_of_files
from trialwatt.config.space import contains
from trialwatt.suts.base import Sut

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "add-a-sut.md"


def block(file: str) -> str:
    """The code block of the document that begins with the name of this file."""
    (found,) = re.findall(
        rf"^```\w+\n# {re.escape(file)}\n(.*?)^```$", DOCUMENT.read_text(), re.S | re.M
    )
    return found


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What pip would make of the two files, on the path of this process and of its workers."""
    site = tmp_path / "site"
    project = tomllib.loads(block("pyproject.toml"))["project"]
    info = site / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (site / "climb.py").write_text(block("climb.py"))
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in project["entry-points"].items()
        )
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    yield site
    sys.modules.pop("climb", None)


def test_the_example_is_found_and_runs_a_whole_job(installed, run_job, tmp_path, run_config):
    assert "climb" in suts.names()
    assert "climb" not in suts.names(own=True)
    search = {"sampler": "climb", "budget": 6}
    folder = run_job(tmp_path / "results", "climb", search=search)
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    found = trials(folder)
    assert sorted(trial["number"] for trial in found.values()) == list(range(6))
    space = run_config("climb").workload.space
    assert all(contains(space, trial["phi"]) for trial in found.values())
    assert run["best"]["score"] == max(trial["scores"]["macro_f1"] for trial in found.values())


def test_the_example_stands_in_the_matrix_and_in_a_plan(installed, tmp_path):
    command = [sys.executable, "-m", "trialwatt.cli", "suts"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "\nclimb: available\n" in f"\n{done.stdout}"
    assert re.search(r"^sampler climb .* available \(one change\)", done.stdout, re.M)

    shutil.copytree(ROOT / "config", tmp_path / "config")
    for file in ("config/experiments/climb.yaml", "config/climb.yaml"):
        (tmp_path / file).write_text(block(file))
    plan = plan_of_files([tmp_path / "config/climb.yaml"], root=tmp_path)
    assert {run.sut for run in plan.runs.values()} == {"climb"}
    assert {run.workload.search.sampler for run in plan.runs.values()} == {"climb"}
    assert {run.workload.workers.count for run in plan.runs.values()} >= {1, 2}


def test_the_table_of_answers_names_what_the_seam_has():
    text = DOCUMENT.read_text()
    table = text[text.index("## The answers") : text.index("`trials.run(")]
    named = {name for cell in re.findall(r"^\| (`.*?) \|", table, re.M)
             for name in re.findall(r"`(\w+)", cell)}  # fmt: skip
    for name in named:
        assert hasattr(Sut, name) or name in Sut.__annotations__, name
    asked = {name for name, value in vars(Sut).items() if callable(value)}
    assert asked - named <= {"planned_roles", "worker", *vars(object)}
