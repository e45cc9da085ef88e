"""`trialwatt doctor`: what it finds, what it says to do, and that it changes nothing."""

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.workflows import ONE_JOB, copied

from trialwatt.config.files import plan_of_files
from trialwatt.config.models import Testbed
from trialwatt.filelock import NoFileLocks
from trialwatt.lifecycle.doctor import machine, software
from trialwatt.lifecycle.doctor.command import doctor_command, said
from trialwatt.lifecycle.doctor.results import results
from trialwatt.lifecycle.reap import PARTIAL
from trialwatt.platforms.cgroups.base import Host
from trialwatt.platforms.leftovers import left
from trialwatt.platforms.liveness import SUFFIX, LiveRun
from trialwatt.platforms.processes import RUN_VARIABLE
from trialwatt.suts.services import scratch, scratch_left


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A copy of the project on a machine where no run was killed."""
    monkeypatch.setenv("TRIALWATT_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setattr(machine, "foreign_now", lambda: _Quiet)
    folder = copied(tmp_path / "project", ONE_JOB)
    monkeypatch.chdir(folder)
    shutil.copytree(Path(__file__).parents[3] / "envs", folder / "envs", dirs_exist_ok=True)
    return folder


class _Quiet:
    share = 0.0


@pytest.fixture
def doctor(project):
    """Call it; returns the exit code and the lines."""

    def call(fix=False):
        lines: list[str] = []
        code = doctor_command([], None, fix, lines.append)
        return code, lines

    return call


def of(findings, state):
    return [(one.subject, one.said) for one in findings if one.state == state]


def test_a_machine_in_order_has_no_problem_and_is_left_as_it_was(doctor, project):
    before = sorted(project.rglob("*"))
    code, lines = doctor()
    assert code == 0, lines
    assert lines[-1].startswith("no problems")
    assert any(line.startswith("ok       control groups: ") or "soft" in line for line in lines)
    assert sorted(project.rglob("*")) == before


def test_every_problem_and_every_note_says_what_to_do(doctor, project):
    (project / "results" / PARTIAL / "r-1").mkdir(parents=True)
    code, lines = doctor()
    assert code == 1
    for line in lines[:-1]:
        assert line.startswith("ok ") or "\n         → " in line, line
    assert "problem  left over: the half-written records of run r-1" in "\n".join(lines)


def test_only_with_fix_are_leftovers_removed(doctor, project):
    folder = project / "results" / PARTIAL / "r-1"
    folder.mkdir(parents=True)
    assert doctor()[0] == 1 and folder.is_dir()
    code, lines = doctor(fix=True)
    assert code == 0 and not folder.exists()
    assert "ok       reap: removed the half-written records of run r-1" in lines


def test_a_wrong_configuration_does_not_keep_it_from_looking_at_the_rest(doctor, project):
    (project / "config" / "config.yaml").write_text(f"{ONE_JOB}\nsede: 1\n")
    code, lines = doctor()
    assert code == 1
    assert 'did you mean "seed"?' in lines[0]
    assert any("Python" in line for line in lines)


# --- what is installed ------------------------------------------------------------------------


def test_packages_that_are_not_as_the_lock_has_them_are_named(tmp_path):
    (tmp_path / "envs").mkdir()
    lock = tmp_path / software.LOCK
    lock.write_text("# Python 2.7.\npydantic==1.0\nno-such-package==3 \\\n    --hash=sha256:0\n")
    found = list(software.software(tmp_path, ()))
    assert of(found, "problem")[0][0] == "Python"
    (packages,) = [text for subject, text in of(found, "note") if subject == "packages"]
    assert "no-such-package is missing" in packages and "(not 1.0)" in packages


def test_a_planned_sut_that_cannot_run_is_a_problem_and_another_a_note(tmp_path, monkeypatch):
    from trialwatt.suts.plain import Plain

    monkeypatch.setattr(Plain, "available", classmethod(lambda cls: "needs a thing"))
    assert ("SUT plain", "needs a thing") in of(software.software(tmp_path, ["plain"]), "problem")
    assert ("SUT plain", "needs a thing") in of(software.software(tmp_path, []), "note")


# --- the machine ------------------------------------------------------------------------------


def test_a_busy_machine_is_a_problem_unless_the_testbed_allows_it(monkeypatch):
    class Busy:
        share = 0.5

        def __str__(self):
            return "others take half"

    monkeypatch.setattr(machine, "foreign_now", Busy)
    for allowed, state in ((True, "note"), (False, "problem")):
        found = list(machine._quiet_and_clocks(Testbed(allow_busy_machine=allowed)))
        assert ("foreign CPU time", "others take half") in of(found, state)


def test_a_clock_that_is_set_meanwhile_is_noticed(monkeypatch):
    moments = iter([100.0, 100.5])
    monkeypatch.setattr(machine, "foreign_now", lambda: _Quiet)
    monkeypatch.setattr(machine.time, "time", lambda: next(moments))
    monkeypatch.setattr(machine.time, "monotonic", lambda: 7.0)
    found = list(machine._quiet_and_clocks(Testbed()))
    assert ("clock", "the clock of the day was set by +500 ms while it was looked at") in of(
        found, "note"
    )


def test_a_full_disk_and_a_folder_without_locks_are_told(tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 1, 1)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _path: usage)

    def no_locks(*_):
        raise NoFileLocks("no locks here")

    monkeypatch.setattr(machine, "flocked", no_locks)
    found = list(machine.room(tmp_path / "results"))
    assert of(found, "problem") == [("disk", f"0 MB free in {tmp_path}")]
    assert of(found, "note") == [("locks", "no locks here")]
    assert not (tmp_path / "results").exists()


def test_too_few_descriptors_are_a_problem():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        assert machine._descriptors().state == "problem"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- what dead runs have left -----------------------------------------------------------------


def test_a_record_and_the_process_of_a_dead_run_are_found_and_a_living_ones_are_not(tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    (runtime / f"gone-1{SUFFIX}").write_text("")
    live = LiveRun.take("here-1", runtime)
    names = ("gone-1", "here-1", "strange-1")
    sleeping = [
        subprocess.Popen(["sleep", "1000"], env=os.environ | {RUN_VARIABLE: name}) for name in names
    ]
    try:
        found = left(runtime, Host())
    finally:
        for process in sleeping:
            process.kill()
            process.wait()
        live.release()
    gone, here, strange = (f"process {process.pid}, a component" for process in sleeping)
    problems, notes = of(found, "problem"), of(found, "note")
    assert ("left over", "the record of run gone-1, which was cut off") in problems
    assert ("left over", f"{gone} of run gone-1, which is dead") in problems
    assert ("left over", f"{strange} of run strange-1, which is not on record here") in notes
    assert here not in str(found) and "run here-1" not in str(found)
    assert (runtime / f"gone-1{SUFFIX}").exists()


def test_scratch_folders_of_living_runs_are_not_left_over():
    mine = [scratch("doctor", name) for name in ("living", "dead")]
    for folder in mine:
        folder.mkdir()
    try:
        found = scratch_left({"living"})
    finally:
        for folder in mine:
            folder.rmdir()
    assert mine[1] in found and mine[0] not in found


# --- the results ------------------------------------------------------------------------------


@pytest.fixture
def repetition(project):
    """Write the manifest of a repetition of the plan's first run, or of another run."""
    plan = plan_of_files([], ask_platform=False)
    planned = next(iter(plan.configurations))

    def write(run=planned, repetition=1, **keys) -> Path:
        folder = project / plan.here.results / run / f"rep{repetition}"
        folder.mkdir(parents=True)
        manifest = {"format": 1, "run_id": "x", "hash": "y", "repetition": repetition}
        manifest |= {"config": {}, "host": {"cores": 1, "memory_mb": 1}, "status": "completed"}
        (folder / "run.json").write_text(json.dumps(manifest | keys))
        return folder

    write.plan = plan
    return write


def test_runs_that_are_no_results_are_problems(repetition):
    repetition(repetition=1)
    repetition(repetition=2, status="failed", reason="the network\nmore")
    (repetition(repetition=3) / "run.json").write_text("{")
    (repetition(repetition=4) / "run.json").unlink()
    found = list(results(repetition.plan))
    texts = [text for _, text in of(found, "problem")]
    assert len(texts) == 3
    assert texts[0].endswith("rep2 has failed: the network")
    assert "holds no run.json" in texts[2]
    assert of(found, "ok") == [("results", "1 run as they should be")]


def test_a_run_of_no_planned_configuration_is_a_note(repetition):
    repetition()
    repetition("runs/local/plain-other-0123456789")
    (noted,) = of(results(repetition.plan), "note")
    assert "plain-other-0123456789 is of no configuration of this plan" in noted[1]


def test_metrics_that_are_older_than_their_records_are_a_note(repetition, project):
    folder = repetition()
    made = project / "results" / "metrics" / "baseline" / "runs.parquet"
    made.parent.mkdir(parents=True)
    made.write_text("")
    newest = (folder / "run.json").stat().st_mtime
    os.utime(made, (newest + 1, newest + 1))
    assert not of(results(repetition.plan), "note")
    os.utime(made, (newest - 1, newest - 1))
    assert of(results(repetition.plan), "note") == [
        ("metrics", "of baseline are older than its records")
    ]


def test_what_files_say_cannot_disturb_the_terminal(repetition):
    repetition(status="failed", reason="\x1b[2J")
    (found,) = [one for one in results(repetition.plan) if one.state == "problem"]
    assert "\x1b" not in said(found)


def test_the_command_ends_with_1_where_there_is_a_problem(project):
    (project / "results" / PARTIAL / "r-1").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "trialwatt.cli", "doctor"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "1 problem," in done.stdout or "2 problems," in done.stdout
