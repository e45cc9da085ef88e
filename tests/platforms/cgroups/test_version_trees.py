"""What is written into the files of control groups, on a folder that plays the kernel."""

from __future__ import annotations

import os
import subprocess

import pytest
from tests.platforms.cgroups.kerneltree import V1_FILES, V2_FILES, KernelTree

from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.cgroups.base import EnforcementError, Host
from trialwatt.platforms.cgroups.v1 import V1Groups
from trialwatt.platforms.cgroups.v2 import LEAF, V2Groups

V2_MOUNT = "30 1 0:29 / {mount} rw - cgroup2 cgroup2 rw\n"
V1_MOUNTS = "30 1 0:29 / {mount} rw - cgroup cgroup rw,cpu,cpuacct,memory\n"


@pytest.fixture
def v2(tmp_path, monkeypatch) -> KernelTree:
    made = KernelTree(tmp_path, V2_FILES, monkeypatch)
    made.place("0::/\n", V2_MOUNT)
    return made


@pytest.fixture
def v1(tmp_path, monkeypatch) -> KernelTree:
    made = KernelTree(tmp_path, V1_FILES, monkeypatch)
    made.place("2:cpu,cpuacct,memory:/own\n", V1_MOUNTS)
    (made.mount / "own").mkdir()
    return made


def read(path) -> str:
    return path.read_text().strip()


def test_v2_as_root(v2):
    groups = V2Groups("run-1", Host(proc=v2.proc, uid=0))
    run = v2.mount / "trialwatt" / "run-1"
    assert groups.traces() == [{"group": str(run)}]
    assert not run.exists()
    group = groups.make("worker-0", 0.3, 96)
    for folder in (v2.mount, v2.mount / "trialwatt", run):
        assert read(folder / "cgroup.subtree_control") == "+cpu +memory"
    folder = run / "worker-0"
    assert read(folder / "cpu.max") == "30000 100000"
    assert read(folder / "memory.max") == str(96 << 20)
    assert read(folder / "memory.swap.max") == "0"
    assert group.limits() == {"cpu": 0.3, "memory_mb": 96.0, "swap": "off"}
    assert group.cpu_counter == f"cpustat:{folder / 'cpu.stat'}"
    group.admit(4711)
    assert group.pids() == [4711]
    group.remove()
    groups.remove()
    assert not (v2.mount / "trialwatt").exists()


def test_v2_counters(v2):
    group = V2Groups("run-1", Host(proc=v2.proc, uid=0)).make("worker-0", 1, 64)
    folder = v2.mount / "trialwatt/run-1/worker-0"
    (folder / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\n")
    (folder / "memory.current").write_text("4096\n")
    (folder / "memory.events").write_text("oom 9\noom_kill 2\noom_group_kill 1\n")
    assert (group.cpu_ns(), group.memory_bytes(), group.oom_kills()) == (1_500_000, 4096, 2)
    assert group.peak_bytes() == 0  # before Linux 5.19
    (folder / "memory.peak").write_text("8192\n")
    assert group.peak_bytes() == 8192


def test_v2_kills_through_the_kernel_or_one_by_one(v2):
    group = V2Groups("run-1", Host(proc=v2.proc, uid=0)).make("worker-0", 1, 64)
    folder = v2.mount / "trialwatt/run-1/worker-0"
    process = subprocess.Popen(["sleep", "60"])
    group.admit(process.pid)
    (folder / "cgroup.kill").write_text("")
    group.kill()
    assert read(folder / "cgroup.kill") == "1"
    (folder / "cgroup.kill").unlink()
    group.kill()
    assert process.wait(timeout=60) == -9


def test_two_runs_side_by_side(v2):
    host = Host(proc=v2.proc, uid=0)
    one, two = V2Groups("run-1", host), V2Groups("run-2", host)
    one.make("worker-0", 1, 64)
    two.make("worker-0", 1, 64)
    one.remove()
    assert not (v2.mount / "trialwatt/run-1").exists()
    assert (v2.mount / "trialwatt/run-2/worker-0").exists()


def test_v2_of_a_hybrid_machine_has_no_controllers(v2):
    (v2.mount / "cgroup.controllers").write_text("hugetlb\n")
    with pytest.raises(EnforcementError, match=r"no controller for: cpu, memory .*version 1"):
        V2Groups("run-1", Host(proc=v2.proc, uid=0))


def test_a_leaf_of_somebody_elses_tree_is_not_ours(v2):
    (v2.mount / "slice/session").mkdir(parents=True)
    v2.place("0::/slice/session\n", V2_MOUNT)
    with pytest.raises(EnforcementError, match=r"not delegated.*Delegate=yes"):
        V2Groups("run-1", Host(proc=v2.proc, uid=1000))
    assert not (v2.mount / "slice/session" / LEAF).exists()


def delegated_by_boundary(v2):
    (v2.mount / "service").mkdir()
    (v2.mount / "cgroup.procs").unlink()  # not writable for us
    v2.place("0::/service\n", V2_MOUNT)
    return v2.mount / "service"


def delegated_by_mark(v2):
    own = v2.mount / "slice" / "scope"
    (v2.mount / "slice").mkdir()
    own.mkdir()
    try:
        os.setxattr(own, "user.delegate", b"1")
    except OSError as error:
        pytest.skip(f"no extended attributes in the temporary folder: {error}")
    v2.place("0::/slice/scope\n", V2_MOUNT)
    return own


@pytest.mark.parametrize("delegate", [delegated_by_boundary, delegated_by_mark])
def test_v2_in_a_delegated_group(v2, delegate):
    own = delegate(v2)
    (own / "cgroup.procs").write_text("17\n18\n")
    groups = V2Groups("run-1", Host(proc=v2.proc, uid=1000))
    assert read(own / LEAF / "cgroup.procs") == "18"  # each was written; a real one keeps both
    assert read(own / "cgroup.subtree_control") == "+cpu +memory"
    groups.make("worker-0", 0.5, 64)
    assert read(own / "trialwatt/run-1/worker-0/cpu.max") == "50000 100000"

    inside = read(v2.proc / "self/cgroup") + "/" + LEAF + "\n"  # where the next start finds itself
    v2.place(inside, V2_MOUNT)
    again = V2Groups("run-2", Host(proc=v2.proc, uid=1000))
    assert again.traces() == [{"group": str(own / "trialwatt/run-2")}]


def test_v1_with_joined_controllers(v1):
    groups = V1Groups("run-1", Host(proc=v1.proc))
    run = v1.mount / "own/trialwatt/run-1"
    assert groups.traces() == [{"group": str(run)}]
    group = groups.make("worker-0", 0.25, 64)
    folder = run / "worker-0"
    assert read(folder / "cpu.cfs_quota_us") == "25000"
    assert read(folder / "memory.limit_in_bytes") == str(64 << 20)
    assert read(folder / "memory.swappiness") == "0"
    assert group.limits() == {"cpu": 0.25, "memory_mb": 64.0, "swap": "discouraged"}
    assert group.cpu_counter == f"cpuacct:{folder / 'cpuacct.usage'}"
    (folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    (folder / "memory.max_usage_in_bytes").write_text("123\n")
    assert (group.oom_kills(), group.peak_bytes()) == (3, 123)
    group.remove()
    groups.remove()
    assert not (v1.mount / "own/trialwatt").exists()


def test_v1_turns_swap_off_where_it_is_counted(v1):
    v1.files["memory.memsw.limit_in_bytes"] = "9223372036854771712\n"
    group = V1Groups("run-1", Host(proc=v1.proc)).make("worker-0", 1, 64)
    assert group.limits()["swap"] == "off"


def test_v1_names_what_is_not_mounted(v1):
    v1.place("2:memory:/\n", "30 1 0:29 / {mount} rw - cgroup cgroup rw,memory\n")
    with pytest.raises(EnforcementError, match=r"cpu, cpuacct$"):
        V1Groups("run-1", Host(proc=v1.proc))


def test_a_group_that_cannot_be_made_says_which_file(v1):
    del v1.files["cpu.cfs_quota_us"]
    with pytest.raises(EnforcementError, match=r"cpu\.cfs_quota_us"):
        V1Groups("run-1", Host(proc=v1.proc)).make("worker-0", 1, 64)


def test_a_group_that_does_not_go_away_is_an_error(v2, monkeypatch):
    (v2.mount / "busy/inner").mkdir(parents=True)
    with pytest.raises(EnforcementError, match="busy cannot be removed"):
        tree.remove(v2.mount / "busy", patience_s=0.05)
