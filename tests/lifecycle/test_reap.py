"""What a killed run left is removed; what somebody else put there is named and left alone."""

import json
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest
from tests.fuzz import all_clean, mutations, wrong_json
from tests.users import ALICE, needs_users

from trialwatt.lifecycle.jobs import JOB_FILE
from trialwatt.lifecycle.reap import PARTIAL, reap
from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.liveness import SUFFIX

JOB = next(
    (Path(__file__).parents[2] / "results/reference/results/runs/reference").glob("plain-*/rep1")
)


@pytest.fixture
def partial(tmp_path, monkeypatch):
    """The folder of half-written runs, on a machine where no run was killed."""
    monkeypatch.setenv("TRIALWATT_RUNTIME_DIR", str(tmp_path / "runtime"))
    folder = tmp_path / "results" / PARTIAL
    folder.mkdir(parents=True)
    return folder


def reaped(partial) -> str:
    return "\n".join(reap(partial.parent, "local"))


def test_a_half_written_run_is_removed(partial):
    (partial / "r-1" / "records").mkdir(parents=True)
    assert reaped(partial) == "removed the half-written records of run r-1"
    assert list(partial.iterdir()) == []


def test_what_a_link_leads_to_is_not_touched(partial, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    (partial / "r-1").symlink_to(tmp_path / "mine")
    (partial / "r-2").mkdir()
    (partial / "r-2" / "inside").symlink_to(tmp_path / "mine")
    (partial / "r-3").write_text("a file")
    os.mkfifo(partial / "r-4")
    said = reaped(partial)
    for name in ("r-1", "r-3", "r-4"):
        assert f"left alone: {partial / name}: no folder" in said
    assert "removed the half-written records of run r-2" in said
    assert (tmp_path / "mine" / "file").read_text() == "kept"


def test_a_folder_of_half_written_runs_that_is_a_link_is_left_alone(partial, tmp_path):
    partial.rmdir()
    (tmp_path / "mine" / "r-1").mkdir(parents=True)
    partial.symlink_to(tmp_path / "mine")
    assert "it is a link, and was not made by a run" in reaped(partial)
    assert (tmp_path / "mine" / "r-1").is_dir()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_a_job_that_is_no_file_is_not_waited_for(partial, make):
    (partial / "r-1").mkdir()
    make(partial / "r-1" / JOB_FILE)
    said = reaped(partial)
    assert "run r-1 may have left something: its job.json" in said
    assert "removed the half-written records of run r-1" in said


def test_the_job_of_another_run_is_not_cleaned_up_after(partial):
    (partial / "r-1").mkdir()
    (partial / "r-1" / JOB_FILE).write_bytes((JOB / JOB_FILE).read_bytes())
    assert "is of another run" in reaped(partial)


@pytest.mark.parametrize("count", [12, pytest.param(1_000, marks=pytest.mark.slow)])
def test_damaged_jobs_stop_nothing(partial, count):
    rng, good = random.Random(count), (JOB / JOB_FILE).read_bytes()
    run_id = json.loads(good)["run_id"]

    def clean_up(data):
        (partial / run_id).mkdir()
        (partial / run_id / JOB_FILE).write_bytes(data)
        reaped(partial).encode()
        assert list(partial.iterdir()) == []

    wrong = (json.dumps(wrong_json(json.loads(good), rng)).encode() for _ in range(count))
    all_clean([b"[" * 5000, b"\0", *wrong], clean_up, ())
    all_clean((mutations(good, rng) for _ in range(count)), clean_up, ())


def test_strange_records_of_runs_are_named_and_left_alone(partial, tmp_path, capsys):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    (tmp_path / "mine").write_text("kept")
    (runtime / f"a-link{SUFFIX}").symlink_to(tmp_path / "mine")
    (runtime / f"a-folder{SUFFIX}").mkdir()
    os.mkfifo(runtime / f"a-pipe{SUFFIX}")
    (runtime / SUFFIX).write_text("")
    (runtime / f"A \x1b[2J{SUFFIX}").write_text("")
    assert reaped(partial) == ""
    said = capsys.readouterr().err
    for name in ("a-link", "a-folder", "a-pipe", "A \\x1b[2J"):
        assert f"left alone: {runtime}/{name}{SUFFIX}: no record of a run" in said
    assert len(list(runtime.iterdir())) == 5
    assert (tmp_path / "mine").read_text() == "kept"


def record(tmp_path, *lines) -> Path:
    """The runtime folder of a dead run gone-1, in whose record these lines stand."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    text = "\n".join([*map(json.dumps, lines), ""])
    (runtime / f"gone-1{SUFFIX}").write_bytes(text.encode())
    return runtime


def test_what_a_record_names_but_is_no_control_group_is_left_alone(partial, tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    groups = {name: tmp_path / "trialwatt" / name for name in ("gone-1", "mine")}
    for group in groups.values():
        group.mkdir(parents=True)
    lines = [{"group": str(group)} for group in groups.values()]
    lines += [{"group": 5}, {"unit": []}, {"unit": "ssh.service"}, 5, [], {"group": "\0"}]
    text = "\n".join([*map(json.dumps, lines), "[" * 5000, "\udcff", ""])
    (runtime / f"gone-1{SUFFIX}").write_bytes(text.encode(errors="surrogateescape"))
    assert "removed the processes of run gone-1" in reaped(partial)
    assert groups["mine"].is_dir() and groups["gone-1"].is_dir()
    assert list(runtime.iterdir()) == []


@pytest.fixture
def bystander():
    """A process that has nothing to do with any run."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def test_a_forged_record_ends_no_process(partial, tmp_path, bystander):
    group = tmp_path / "trialwatt" / "gone-1"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text(f"{bystander.pid}\n")
    record(tmp_path, {"group": str(group)}, {"group": f"/sys/fs/cgroup/../../{group}"})
    assert "removed the processes of run gone-1" in reaped(partial)
    assert bystander.poll() is None
    assert (group / "cgroup.procs").exists()


@pytest.fixture
def group():
    """A control group with the name of the run gone-1, made by root."""
    hierarchy = tree.v1_hierarchies(Path("/proc")).get("cpu") or tree.v2_hierarchy(Path("/proc"))
    if hierarchy is None or os.geteuid() != 0:
        pytest.skip("only root can make control groups, where they are mounted")
    made = hierarchy.mount / tree.TOP / "gone-1"
    made.mkdir(parents=True)
    yield made
    tree.destroy(made)


@pytest.mark.parametrize("way", ["ours", "another's", "through a link", "in another's name"])
def test_only_a_group_that_we_have_made_ends_with_its_run(partial, tmp_path, group, bystander, way):
    tree.write(group / "cgroup.procs", bystander.pid)
    named = group
    if way == "another's":
        os.chown(group, ALICE, ALICE)
    elif way == "through a link":
        (tmp_path / "link").symlink_to(group.parent.parent)
        named = tmp_path / "link" / tree.TOP / "gone-1"
    elif way == "in another's name":
        named = group / "trialwatt" / "gone-2"
        named.mkdir(parents=True)
    record(tmp_path, {"group": str(named)})
    reaped(partial)
    if way == "ours":
        assert bystander.wait(60) == -signal.SIGKILL
        assert not group.exists()
    else:
        assert bystander.poll() is None
        assert named.is_dir()


@needs_users
def test_a_half_written_run_of_another_user_is_left_alone(partial):
    """Neither removed, nor believed in what it says of itself."""
    (partial / "r-1").mkdir()
    (partial / "r-1" / JOB_FILE).write_text("[" * 5000)
    os.chown(partial / "r-1", ALICE, ALICE)
    assert reaped(partial) == f"left alone: {partial / 'r-1'}: of a run of the user {ALICE}"
    assert (partial / "r-1" / JOB_FILE).exists()


def test_what_cannot_be_removed_stays_and_is_named(partial):
    folder = partial / "r-1"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(1500):  # deeper than a path can say
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
    finally:
        os.chdir(before)
    try:
        assert "what run r-1 has left stays: " in reaped(partial)
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_what_a_sut_left_is_not_removed_through_a_link(partial, tmp_path):
    """Hyperopt's scratch folder is in that of the run."""
    job = json.loads((JOB / JOB_FILE).read_bytes())
    folder = partial / job["run_id"]
    folder.mkdir()
    job["config"]["sut"] = "hyperopt"
    (folder / JOB_FILE).write_text(json.dumps(job))
    (tmp_path / "mine").mkdir()
    (folder / "sut").symlink_to(tmp_path / "mine")
    said = reaped(partial)
    assert "may have left something" in said and "it is a link" in said
    assert (tmp_path / "mine").is_dir()
    assert not folder.exists()
