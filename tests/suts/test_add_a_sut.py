"""The worked examples of docs/add-a-sut.md, installed as another package and run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.examples import DOCS, block, install

from trialwatt import suts
from trialwatt.config.files import plan_of_files
from trialwatt.config.space import contains
from trialwatt.contract.reading import manifest, trials
from trialwatt.suts.base import Sut

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What pip would make of the files, on the path of this process and of its workers."""
    site = tmp_path / "site"
    install("add-a-sut.md", ["climb.py", "climb_alone.py"], site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    yield site
    for module in ("climb", "climb_alone"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("name", ["climb", "climb-alone"])
@pytest.mark.parametrize("sampler", ["random", "climb"])
def test_an_example_is_found_and_runs_a_whole_job(
    installed, run_job, tmp_path, run_config, name, sampler
):
    assert name in suts.names()
    assert name not in suts.names(own=True)
    search = {"sampler": sampler, "budget": 6}
    folder = run_job(tmp_path / "results", name, search=search)
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    found = trials(folder)
    assert sorted(trial["number"] for trial in found.values()) == list(range(6))
    space = run_config(name).workload.space
    assert all(contains(space, trial["phi"]) for trial in found.values())
    assert run["best"]["score"] == max(trial["scores"]["macro_f1"] for trial in found.values())


def test_the_examples_stand_in_the_matrix_and_in_a_plan(installed, tmp_path):
    command = [sys.executable, "-m", "trialwatt.cli", "suts"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert "\nclimb: available\nclimb-alone: available\n" in f"\n{done.stdout}"
    offered = r"^  climb +climb \(one change\); climb-alone \(one change\)$"
    assert re.search(offered, done.stdout, re.M)

    shutil.copytree(ROOT / "config", tmp_path / "config")
    for file in ("config/experiments/climb.yaml", "config/climb.yaml"):
        (tmp_path / file).write_text(block("add-a-sut.md", file))
    plan = plan_of_files([tmp_path / "config/climb.yaml"], root=tmp_path)
    assert {run.sut for run in plan.runs.values()} == {"climb"}
    assert {run.workload.search.sampler for run in plan.runs.values()} == {"climb"}
    assert {run.workload.workers.count for run in plan.runs.values()} >= {1, 2}


def test_the_table_of_answers_names_what_the_seam_has():
    text = (DOCS / "add-a-sut.md").read_text()
    table = text[text.index("## The answers") : text.index("`trials.run(")]
    named = {name for cell in re.findall(r"^\| (`.*?) \|", table, re.M)
             for name in re.findall(r"`(\w+)", cell)}  # fmt: skip
    for name in named:
        assert hasattr(Sut, name) or name in Sut.__annotations__, name
    asked = {name for name, value in vars(Sut).items() if callable(value)}
    assert asked - named <= {"planned_roles", "worker", *vars(object)}
