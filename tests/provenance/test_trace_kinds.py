"""Every kind of file of a results folder, on the reference that lies in the repository."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.provenance.render import render_json, render_text
from trialwatt.provenance.trace import trace, trace_command

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"
RESULTS = REFERENCE / "results"
SWEEP = "sweeps/r-cpu/plain-grid"
KEPT = ("plan.json", "metrics/r-cpu", "sweeps", "testbeds", "page.html", "tables", "paper")


def configurations(experiment: str) -> list[str]:
    plan = json.loads((RESULTS / "plan.json").read_text())
    return sorted({run["folder"] for run in plan["experiments"][experiment]["runs"]})


def runs_of(table: str) -> int:
    """Rows of an experiment's runs.csv."""
    with (RESULTS / f"metrics/{table}/runs.csv").open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.DictReader(file))


ALL = len(list((RESULTS / "runs").glob("*/*/rep*")))
R_CPU = runs_of("r-cpu")
ASKED_FOR = [
    len(json.loads((RESULTS / SWEEP / f"move{n}.json").read_text())["new"]) for n in (0, 1)
]
"""Scouting runs, and then those of all blocks."""
CONFIGURATION = configurations("framework-cost")[0]
REPETITIONS = sorted(path.name for path in (RESULTS / CONFIGURATION).glob("rep*"))
RUN = f"{CONFIGURATION}/rep1"
FILES = json.loads((RESULTS / RUN / "run.json").read_text())["files"]
EVENTS, SAMPLES = (
    next(name for name in FILES if name.startswith(folder)) for folder in ("records", "samples")
)


@pytest.fixture
def copy(tmp_path) -> Path:
    """Part of the reference, to be changed: one experiment's metrics and one configuration."""
    root = tmp_path / "copy"
    shutil.copytree(REFERENCE / "config", root / "config")
    shutil.copy(REFERENCE / "ro-crate-metadata.json", root)
    for name in (*KEPT, CONFIGURATION):
        place = root / "results" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (RESULTS / name).is_dir():
            shutil.copytree(RESULTS / name, place)
        else:
            shutil.copy(RESULTS / name, place)
    return root / "results"


@pytest.mark.parametrize(
    ("name", "kind", "experiment", "runs"),
    [
        ("plan.json", "plan", "all", ALL),
        ("page.html", "page", "all", ALL),
        ("testbeds/reference.json", "testbed", "all", ALL),
        ("../ARTIFACT.md", "map", "all", ALL),
        ("../artifact.json", "map", "all", ALL),
        ("../ro-crate-metadata.json", "map", "all", ALL),
        ("../config/config.yaml", "configuration file", "all", ALL),
        ("../config/experiments/r-cpu.yaml", "configuration file", "r-cpu", R_CPU),
        ("metrics/r-cpu/runs.parquet", "metrics", "r-cpu", R_CPU),
        ("metrics/r-cpu/runs.csv", "metrics", "r-cpu", R_CPU),
        ("metrics/r-cpu/trials.csv", "metrics", "r-cpu", R_CPU),
        ("metrics/r-cpu/dictionary.json", "metrics", "r-cpu", R_CPU),
        ("metrics/r-cpu/convergence.json", "metrics", "r-cpu", R_CPU),
        ("metrics/r-cpu/unavailable.json", "metrics", "r-cpu", R_CPU),
        (f"{SWEEP}/move0.json", "sweep", "r-cpu", 0),
        (f"{SWEEP}/move1.json", "sweep", "r-cpu", ASKED_FOR[0]),
        (f"{SWEEP}/move2.json", "sweep", "r-cpu", sum(ASKED_FOR)),
        (f"{SWEEP}/end.json", "sweep", "r-cpu", sum(ASKED_FOR)),
        ("tables/r-cpu.csv", "table/results", "r-cpu", R_CPU),
        ("paper/paper.pdf", "paper", "all", ALL),
        ("paper/numbers.json", "paper", "all", ALL),
        ("warm-ups/reference/ray", "warm-up", "none of the plan's", 1),
        (f"warm-ups/reference/ray/{EVENTS}", "warm-up", "none of the plan's", 1),
    ],
)
def test_each_kind_of_file(name, kind, experiment, runs):
    found = trace(RESULTS / name)
    assert found.ok, found.problems
    assert (found.chain.kind, found.chain.experiment.id) == (kind, experiment)
    assert len(found.chain.runs) == runs
    if kind != "warm-up" and runs:
        assert {check.part for check in found.checks} >= {"config", "manifest", "record"}
        assert found.chain.energy.methods == ["modelled"] and found.chain.hosts
    text = render_text(found)
    assert "The chain holds: " in text and "unchanged" not in text
    assert "whether the records are genuine" in text
    assert json.loads(render_json(found))["ok"] is True


def test_a_run_that_a_sweep_scouted_is_told_from_the_others(copy):
    """Its record is as any other's; only its place says that it does not count."""
    scouted = copy / CONFIGURATION.replace("runs/", "scouts/")
    shutil.copytree(copy / RUN, scouted)
    found = trace(scouted)
    assert found.ok, found.problems
    assert (found.chain.kind, found.chain.experiment.id) == ("scouting run", "none of the plan's")
    assert "a scouting run: it showed a sweep where to look" in render_text(found)
    (copy / CONFIGURATION.replace("runs/", "scouts/") / EVENTS).write_text("")
    assert not trace(scouted).ok


def test_a_configuration_names_its_repetitions():
    found = trace(RESULTS / CONFIGURATION)
    assert found.ok and found.chain.kind == "configuration"
    assert found.said == (f"its repetitions: {', '.join(REPETITIONS)}",)
    assert [run.folder for run in found.chain.runs] == [
        f"{CONFIGURATION}/{name}" for name in REPETITIONS
    ]
    assert "framework-cost" in found.chain.experiment.id


@pytest.mark.parametrize("name", ["", "run.json", "job.json", EVENTS, SAMPLES])
def test_a_file_of_a_run_is_traced_as_part_of_it(name):
    found = trace(RESULTS / RUN / name)
    assert found.ok and found.chain.kind == "run"
    assert [run.folder for run in found.chain.runs] == [RUN]
    assert "framework-cost" in found.chain.experiment.id
    assert "config/experiments/framework-cost.yaml" in found.chain.config
    manifest = next(check for check in found.checks if check.part == "manifest")
    assert manifest.state == "agrees" and "tables/" in manifest.note
    if name not in ("", "run.json"):
        assert f"{name} is a file of this run" in found.said[0]


def test_what_a_light_archive_leaves_out_is_traced_too():
    gone = next(name for name in FILES if name.startswith("logs"))
    found = trace(RESULTS / RUN / gone)
    assert found.ok and {c.state for c in found.checks if c.path == gone} == {"left out"}
    with pytest.raises(TrialwattError, match=r"there is no such file, and run\.json does not"):
        trace(RESULTS / RUN / "logs" / "nothing.log")


def test_a_record_that_differs_and_one_that_is_of_no_run(copy):
    record = copy / RUN / SAMPLES
    record.write_bytes(record.read_bytes() + b"\n")
    found = trace(record)
    assert found.problems == (f"{RUN}/{SAMPLES}: its checksum differs",)
    more = copy / RUN / "more.jsonl"
    more.write_text("{}\n")
    assert "more.jsonl: run.json does not name it" in trace(more).problems[0]
    assert any("more.jsonl: not in the manifest" in w for w in trace(copy / RUN).warnings)


def test_metrics_of_which_the_tables_say_otherwise(copy):
    file = copy / "metrics" / "r-cpu" / "runs.parquet"
    file.write_bytes(file.read_bytes() + b"x")
    *rest, own = trace(file).problems
    assert own.startswith("runs.parquet: its checksum differs from that in tables/")
    assert all("run.json: missing" in problem for problem in rest) and len(rest) == R_CPU


def test_what_nothing_names_is_there_and_no_more(copy, project):
    (copy.parent / "ro-crate-metadata.json").unlink()
    for name in ("plan.json", "page.html", "metrics/r-cpu/runs.csv"):
        found = trace(copy / name)
        assert found.checks[0].state == "no checksum"
    text = render_text(trace(project.run))
    assert "The chain holds: 2 files have the checksum that it names." in text
    assert "1 file has no checksum on record: there, but nothing to compare with." in text


def test_a_manifest_that_says_it_is_of_another_run(copy):
    (copy / CONFIGURATION / "rep2").rename(copy / CONFIGURATION / "rep9")
    found = trace(copy / CONFIGURATION)
    assert any("rep9/run.json: says that it is of" in problem for problem in found.problems)
    assert any("rep2/run.json: missing" in problem for problem in found.problems)
    assert "rep2  of which nothing is known" not in render_text(found)


def test_the_facts_of_another_machine(copy):
    file = copy / "testbeds" / "reference.json"
    facts = json.loads(file.read_text())
    file.write_text(
        json.dumps(facts | {"host": {"cpu_model": "Other\nThe chain holds", "cores": 1}})
    )
    found = trace(file)
    assert "is not that of" in found.said[1] and not found.ok
    assert "\nThe chain holds" not in render_text(found)
    (copy / "testbeds" / "other.json").write_text("{}")
    with pytest.raises(TrialwattError, match="of another testbed"):
        trace(copy / "testbeds" / "other.json")


def test_a_sweep_without_one_of_its_moves(copy):
    (copy / SWEEP / "move1.json").unlink()
    found = trace(copy / SWEEP / "end.json")
    assert any("move1.json: there is no such file" in problem for problem in found.problems)
    (copy / SWEEP / "move0.json").write_text('{"new": ["../../etc"]}')
    found = trace(copy / SWEEP / "end.json")
    assert any("damaged, no move of a sweep" in problem for problem in found.problems)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("logs/plan.log", "a log of the workflow"),
        ("archive/trialwatt-lab.zip", "trialwatt verify"),
        ("comparison.html", "those of others"),
        ("replay/cost/runs.parquet", "measured elsewhere, where their records are"),
        ("../Snakefile", "the workflow's own file"),
        ("notes.txt", "not a figure with provenance inside"),
        ("metrics/other/runs.csv", "has no experiment of this name"),
        ("sweeps/r-cpu/other/move0.json", "has no sweep of this name"),
        ("../config/other.yaml", "no experiment of the plan.json there uses it"),
    ],
)
def test_what_is_of_nothing_known_says_so(copy, name, said, capsys):
    file = copy / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    assert trace_command(file) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "metrics", "metrics/r-cpu", "runs", "runs/reference", ".."])
def test_a_folder_that_is_none_of_a_run(name, capsys):
    assert trace_command(RESULTS / name) == 1
    said = capsys.readouterr().err
    assert "a folder, and no run's" in said and "what can be traced" in said


def test_a_damaged_plan_does_not_stop_a_runs_trace(copy):
    (copy / "plan.json").write_text("{")
    found = trace(copy / RUN)
    assert any("which experiments it is of is not known" in warning for warning in found.warnings)
    with pytest.raises(TrialwattError, match=r"plan\.json: damaged"):
        trace(copy / "metrics" / "r-cpu" / "runs.csv")


def test_links_pipes_and_folders_in_place_of_files(copy, tmp_path):
    run = copy / RUN
    secret = tmp_path / "secret"
    secret.write_text("x")
    other = run.with_name("rep2")
    for file in (run / "job.json", run / SAMPLES, run / EVENTS, other / "job.json"):
        file.unlink()
    os.mkfifo(run / "job.json")
    (run / SAMPLES).symlink_to("/dev/zero")
    (run / EVENTS).symlink_to(secret)
    problems = " ".join(trace(run).problems)
    assert "job.json: unreadable (a pipe or device" in problems
    assert f"{SAMPLES}: unreadable (a link that leads out" in problems
    assert f"{EVENTS}: unreadable (a link that leads out" in problems
    (other / "job.json").mkdir()
    assert "job.json: unreadable (a folder" in " ".join(trace(other).problems)
    for name in ("plan.json", "metrics/r-cpu/convergence.json", f"{SWEEP}/end.json"):
        (copy / name).unlink()
    os.mkfifo(copy / "metrics/r-cpu/convergence.json")
    os.mkfifo(copy / "plan.json")
    for name in ("plan.json", "metrics/r-cpu/convergence.json"):
        with pytest.raises(TrialwattError, match="a pipe or device"):
            trace(copy / name)


@pytest.mark.parametrize(
    "folder", ["", "metrics/r-cpu", "metrics/x", "sweeps/r-cpu/x", "../config"]
)
def test_a_name_with_a_line_break_is_one_line(copy, folder, capsys):
    for ending in ("", ".json", ".csv", ".svg", ".png"):
        file = copy / folder / f"x\nThe chain holds: 9 files{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
        assert trace_command(file) == 1
        assert "\nThe chain holds" not in capsys.readouterr().err


def test_what_lies_elsewhere_than_its_records(copy, capsys):
    shutil.rmtree(copy / "runs")
    for name in ("metrics/r-cpu/runs.csv", "tables/r-cpu.csv", "page.html"):
        assert trace_command(copy / name) == 1
        assert "note: no runs lie in" in capsys.readouterr().out
        assert trace_command(copy / name, results=RESULTS) == 0
        assert str(RESULTS) not in capsys.readouterr().out
