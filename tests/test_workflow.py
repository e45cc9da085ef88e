"""The workflow as a user calls it: from the configuration to the report, and its interruptions."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.blocks import chance_of_order, check_blocks
from tests.lifecycle import faulty
from tests.workflows import copied, snakemake, start

from trialwatt.provenance.trace import trace
from trialwatt.replay.experiment import read_replayed
from trialwatt.review.verify import verify

SMALL = """
experiments: [baseline, r-cpu]
base: digits-ff
set: {workers.count: 2, workers.cpu: 2, epochs: 1, space: tiny}
only: {workers.cpu: [1, 2, 3, 4]}
suts: [plain]
repetitions: 1
"""
SPACE = """
lr: {choices: [0.001, 0.01]}
decay: {choices: [0.000001]}
ls: {choices: [16]}
ln: {choices: [1]}
"""


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project without results, with a small configuration in config.yaml."""
    copied(tmp_path, f"testbed: local\n{SMALL}")
    bed = tmp_path / "config" / "testbeds" / "local.yaml"  # the machine may be busy with others
    bed.write_text(bed.read_text().replace("quiet_wait_s: 5", "quiet_wait_s: 0"))
    (tmp_path / "config" / "spaces" / "tiny.yaml").write_text(SPACE)
    return tmp_path


def slow(project: Path) -> Path:
    """The same project with trials of some seconds, to be interrupted in them."""
    file = project / "config" / "config.yaml"
    text = file.read_text().replace("epochs: 1,", "epochs: 150,")
    file.write_text(text.replace("[baseline, r-cpu]", "[baseline]").replace("only:", "#"))
    return project


def workers(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            job = process.environ().get("TRIALWATT_JOB", "")
            if job.startswith(str(project)) and "trialwatt.lifecycle.worker" in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def run_folders(project: Path) -> list[Path]:
    return sorted((project / "results" / "runs").glob("*/*/rep*"))


REPLAYED = """
experiments: [trial-table, s-sam]
base: digits-ff
set: {workers.count: 2, workers.cpu: 2, epochs: 2, space: tiny}
only: {search.sampler: [random]}
suts: [plain]
repetitions: 3
warm_up: false
replay:
  table: trial-table
  searches: 20
  experiments: [s-sam, s-dur]
  suts: [plain, optuna]
  only: {search.sampler: [grid, random, cmaes]}
"""


@pytest.mark.slow
def test_replayed_searches_are_made_checked_and_verified_with_all_else(project):
    settings = project / "config" / "config.yaml"
    settings.write_text(f"testbed: local\n{REPLAYED}")
    table = project / "config" / "experiments" / "trial-table.yaml"  # of the largest space there
    table.write_text(table.read_text().replace("space: ff-96", "space: tiny"))
    code, said = snakemake(project, "archive", "light_archive")
    assert code == 0, said
    found = read_replayed(project / "results", "s-sam")
    checked = {one["search"]["sampler"] for one in found.said["strategies"] if one["coverage"]}
    assert checked == {"grid", "random"}
    assert any("cmaes searches ranges only" in one["reason"] for one in found.unavailable)
    short = read_replayed(project / "results", "s-dur")
    assert {one["epochs"] for one in short.said["strategies"]} == {1, 2}
    assert {one["treatment"] for one in short.unavailable} == {"epochs=5", "epochs=10"}

    figure = project / "results/figures/replay/s-sam/attainment.svg"
    traced = trace(figure)
    assert not traced.problems
    assert len({run.folder for run in traced.chain.runs}) == 3 + 2 * 3
    for name in ("trialwatt-local.zip", "trialwatt-local-light.zip"):
        verdict = verify(project / "results/archive" / name)
        assert verdict.ok, verdict.problems
        assert any("drawn by chance, were replayed again" in note for note in verdict.notes)
        assert {"replay-s-sam", "replay-s-dur"} < {claim["id"] for claim in verdict.claims}
    code, said = snakemake(project)
    assert code == 0 and "Nothing to be done" in said, said


def test_from_nothing_to_a_report_that_can_be_traced(project):
    code, said = snakemake(project)
    assert code == 0, said
    assert "warm-up of plain, not counted" in said
    assert said.count("not counted") == 1 + 3 and "scouting digits-ff-grid-2x4cpu" in said
    assert re.search(r"\[\d/\d\+?\] .*repetition 1; about .* left", said), said
    assert "results/report.html" in said
    assert "results/page.html" in said
    assert "results/figures/baseline/lifecycle.svg" in said
    assert "results/tables/baseline.csv" in said
    end = project / "results/sweeps/r-cpu/plain-grid/end.json"
    ended = json.loads(end.read_text())
    assert ended["state"] in ("converged", "not converged", "undecided") and ended["demonstration"]
    assert [value for value, _ in ended["scouted"]] == [1, 2, 4]
    assert "H1" in (project / "results/tables/answers.md").read_text()
    asked = json.loads((end.parent / "move1.json").read_text())["new"]
    assert len(run_folders(project)) == len(asked) >= 3
    for folder in run_folders(project):
        assert json.loads((folder / "run.json").read_text())["status"] == "completed"
        assert str(project) not in (folder / "job.json").read_text()

    code, said = snakemake(project)
    assert code == 0
    assert "Nothing to be done" in said

    code, said = snakemake(project, "archive")
    assert code == 0, said
    verdict = verify(project / "results/archive/trialwatt-local.zip")
    assert verdict.ok, verdict.problems
    claims = [claim["id"] for claim in verdict.claims]
    assert claims == ["baseline", "r-cpu", "H1", "H2", "paper"]

    moves = sorted(end.parent.glob("move*.json"))
    step = next(one for one in asked if "2x4cpu" in one)
    kept = [folder.stat().st_ino for folder in run_folders(project) if step not in str(folder)]
    shutil.rmtree(project / "results" / step)
    for path in (*moves[1:], end):
        path.unlink()  # as if the sweep had been interrupted in its first block
    code, said = snakemake(project, "runs")
    assert code == 0, said
    assert said.count("repetition 1") == 1
    assert set(kept) < {folder.stat().st_ino for folder in run_folders(project)}

    check_more_blocks(project)

    trialwatt = Path(sys.executable).parent / "trialwatt"
    figure = "results/figures/baseline/lifecycle.png"
    trace = subprocess.run(
        [trialwatt, "trace", figure], cwd=project, capture_output=True, text=True, check=True
    ).stdout
    for part in ("config/experiments/baseline.yaml", "records.zst", "modelled"):
        assert part in trace
    baseline = next(folder for folder in run_folders(project) if "2x2cpu" in str(folder))
    with (baseline / "records.zst").open("r+b") as record:
        record.seek(-1, os.SEEK_END)
        last = record.read(1)[0]
        record.seek(-1, os.SEEK_END)
        record.write(bytes([last ^ 1]))
    changed = subprocess.run(
        [trialwatt, "trace", figure], cwd=project, capture_output=True, text=True, check=False
    )
    assert changed.returncode != 0
    assert "its checksum differs" in changed.stdout


def check_more_blocks(project):
    """A block is added to the one that there is; all of the workflow ran in its order, but for the
    run of the first block that was lost and made again."""
    first = {folder: folder.stat().st_ino for folder in run_folders(project)}
    code, said = snakemake(project, "runs", "--config", "repetitions=2")
    assert code == 0, said
    after = {folder: folder.stat().st_ino for folder in run_folders(project)}
    assert len(after) == 2 * len(first) and after.items() >= first.items()
    found = check_blocks(project / "results", again="2x4cpu")
    assert sorted(found.number) == [0] * 4 + sorted([1, 2] * len(first))
    assert chance_of_order(list(found[found.number > 0].place)) > 0.05


def test_a_run_that_fails_twice_is_a_hole_that_is_shown_and_not_forgiven(
    project, tmp_path, monkeypatch
):
    site = tmp_path / "site"
    faulty.install(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    settings = project / "config" / "config.yaml"
    settings.write_text(settings.read_text().replace("[plain]", "[plain, faulty]"))
    code, said = snakemake(project, "baseline")
    assert code != 0
    assert "the framework lost its results; it is tried once more" in said
    assert "1 of 2 runs failed twice; tables and figures show the holes" in said
    table = (project / "results" / "tables" / "baseline.md").read_text()
    assert "faulty" in table and "failed" in table
    assert (project / "results" / "figures" / "baseline" / "lifecycle.png").exists()

    code, said = snakemake(project, "baseline")  # nothing is run again, nothing forgotten
    assert code != 0
    assert "tried once more" not in said
    assert "1 of 2 runs failed twice" in said


# SIGTERM goes SIGINT's way and takes half a minute: with the slow ones.
@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGINT, signal.SIGKILL],
)
def test_an_interrupted_workflow_leaves_nothing_and_goes_on_at_the_next_call(project, number):
    process = start(slow(project), "runs")
    try:
        until(lambda: len(workers(project)) == 2, 600)
        os.kill(process.pid, number)  # as `kill` does: the workflow alone, not its children
        until(lambda: not workers(project), 10)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode != 0, said
    assert not run_folders(project)

    code, said = snakemake(project, "runs")
    assert code == 0, said
    assert len(run_folders(project)) == 1
    assert not list((project / "results" / ".partial").iterdir())


def test_a_second_workflow_on_the_same_results_is_refused(project):
    first = start(slow(project))
    try:
        until(lambda: workers(project), 600)
        code, said = snakemake(project)
        assert code != 0
        assert "another workflow is writing here" in said
        assert workers(project)
    finally:
        first.terminate()
        first.communicate(timeout=300)


def test_a_bad_configuration_is_refused_with_every_error_at_once(project):
    (project / "config" / "config.yaml").write_text(
        "testbed: local\nexperiments: [baseline, r-nod]\nrepetition: 3\nbase: digits-ff\n"
    )
    code, said = snakemake(project)
    assert code != 0
    assert "config/config.yaml: repetition: unknown key" in said
    assert "r-nod" in said
    assert "2 errors; nothing was started." in said
    assert not (project / "results" / "runs").exists()


def test_a_results_folder_that_cannot_be_written_is_refused(project):
    (project / "results").write_text("a file where the folder should be")
    code, said = snakemake(project)
    assert code != 0
    assert "results" in said


def test_an_experiment_can_be_named_though_the_configuration_does_not(project):
    (project / "config" / "config.yaml").write_text(f"testbed: local\n{SMALL}")
    code, said = snakemake(project, "-n", "s_dur", "--config", "suts=[optuna]")
    assert code == 0, said
    line = next(line for line in said.splitlines() if line.startswith("s-dur"))
    assert line.split()[1:4] == ["optuna", "4", "4"]
