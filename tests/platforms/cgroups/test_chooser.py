"""Which kind of enforcement is chosen, and what is said where one cannot be had."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.platforms.processes import group_folders, offered
from tests.users import ALICE, needs_users, said_by, shared_folder

from trialwatt.config.models import Testbed
from trialwatt.platforms.cgroups import tree
from trialwatt.platforms.cgroups.base import EnforcementError, Host
from trialwatt.platforms.cgroups.chooser import KINDS, choose
from trialwatt.platforms.local import LocalPlatform

GROUP_KINDS = [kind for kind in KINDS if kind != "soft"]


def mounted_for_root() -> bool:
    """Whether root sees a writable hierarchy with CPU and memory controllers. Own reading."""
    controllers = set()
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        mount, options, kind = left.split()[4], left.split()[5].split(","), right.split()
        if "rw" not in options:
            continue
        if kind[0] == "cgroup":
            controllers |= set(kind[2].split(","))
        elif kind[0] == "cgroup2":
            controllers |= set(Path(mount, "cgroup.controllers").read_text().split())
    return {"cpu", "memory"} <= controllers


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
@pytest.mark.skipif(not mounted_for_root(), reason="no writable hierarchy is mounted here")
def test_root_gets_real_groups(runtime):
    assert choose("auto", runtime).kind in GROUP_KINDS


@pytest.mark.parametrize("named", GROUP_KINDS)
def test_this_machine_offers(named):
    """Shows in the list of skipped tests which kinds were not tried, and why."""
    if offered()[named]:
        pytest.skip(f"{named}: {offered()[named]}")


def test_auto_is_the_best_of_what_is_offered(runtime):
    choice = choose("auto", runtime)
    best = next(kind for kind, reason in offered().items() if not reason)
    assert choice.kind == best, choice.passed_over
    assert list(choice.passed_over) == list(KINDS)[: list(KINDS).index(best)]


def test_soft_works_everywhere(runtime):
    assert choose("soft", runtime).kind == "soft"


def test_probes_leave_nothing(runtime):
    choose("auto", runtime)
    assert list(runtime.iterdir()) == []
    assert group_folders(f"probe-{os.getpid()}-") == []


@pytest.fixture
def bare_host(tmp_path) -> Host:
    """A machine with no control groups at all."""
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "mountinfo").write_text("22 27 0:21 / /proc rw - proc proc rw\n")
    (proc / "self" / "cgroup").write_text("0::/\n")
    return Host(proc=proc, systemd_run="no-such-systemd-run")


@pytest.mark.parametrize("named", GROUP_KINDS)
def test_a_named_kind_that_cannot_be_had_is_an_error(named, runtime, bare_host):
    with pytest.raises(EnforcementError, match=f"{named} cannot be had.*mounted.*auto"):
        choose(named, runtime, bare_host)


def test_auto_without_groups_is_soft_and_says_why(runtime, bare_host):
    choice = choose("auto", runtime, Host(proc=bare_host.proc))
    assert choice.kind == "soft"
    assert list(choice.passed_over) == GROUP_KINDS
    assert all("mounted" in reason for reason in choice.passed_over.values())


@pytest.mark.skipif(
    not any(offered()[kind] for kind in GROUP_KINDS), reason="every kind can be had here"
)
def test_the_preflight_names_it_too():
    missing = next(kind for kind in GROUP_KINDS if offered()[kind])
    (problem,) = LocalPlatform.problems(Testbed(enforcement=missing), [])
    assert missing in problem and "auto" in problem


def test_open_fails_before_anything_is_made(tmp_path, bare_host, runtime):
    with pytest.raises(EnforcementError):
        LocalPlatform.open("r", Testbed(enforcement="cgroup-v1"), tmp_path / "run", bare_host)
    assert not (tmp_path / "run").exists()
    assert list(runtime.iterdir()) == []


CHOOSE = """
from pathlib import Path
from trialwatt.platforms.cgroups.base import Host
from trialwatt.platforms.cgroups.chooser import choose
Path(sys.argv[2]).mkdir(mode=0o700)
print(choose("auto", Path(sys.argv[2]), Host(proc=Path(sys.argv[3]))))
"""


@pytest.fixture
def open_folder(tmp_path) -> Path:
    """A folder in which every user may make one."""
    return shared_folder(tmp_path, "open", 0o1777)


@needs_users
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_a_user_without_rights_falls_back_beside_the_groups_of_root(open_folder, mode):
    tops = {h.mount / tree.TOP for h in tree.v1_hierarchies(Path("/proc")).values()}
    if (v2 := tree.v2_hierarchy(Path("/proc"))) is not None:
        tops.add(v2.mount / tree.TOP)
    if not tops:
        pytest.skip("no control groups are mounted here")
    theirs = [top / f"beside-{os.getpid()}" for top in tops]
    try:
        for folder in theirs:
            folder.mkdir(parents=True)
            folder.parent.chmod(mode)
        said = said_by(ALICE, CHOOSE, open_folder / "runtime", "/proc")
        assert "Choice(kind='soft'" in said
        assert "Permission denied" in said  # why the better kinds are passed over
        assert all(folder.is_dir() for folder in theirs)
    finally:
        for folder in theirs:
            folder.parent.chmod(0o755)
            tree.destroy(folder)


HIDDEN = ("unshare", "-m", "sh", "-c", 'mount -t proc -o hidepid=1 proc /proc && exec "$@"', "sh")


@needs_users
def test_a_user_who_sees_no_other_ones_processes_has_soft_limits(open_folder):
    if subprocess.run([*HIDDEN, "true"], capture_output=True).returncode != 0:
        pytest.skip("this container may not mount /proc")
    said = said_by(ALICE, CHOOSE, open_folder / "runtime", "/proc", through=HIDDEN)
    assert "Choice(kind='soft'" in said


@needs_users
@pytest.mark.parametrize("empty", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_the_same_where_groups_lie_that_root_made(open_folder, tmp_path, version, empty):
    """On folders that play either version's tree, the way to ours closed by root's."""
    mount, proc = tmp_path / "cgroup", tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (mount / "trialwatt").mkdir(parents=True)
    if not empty:
        (mount / "trialwatt" / "a-run").mkdir()
    kind = "cgroup2 cgroup2 rw" if version == 2 else "cgroup cgroup rw,cpu,cpuacct,memory"
    (proc / "self" / "mountinfo").write_text(f"30 1 0:29 / {mount} rw - {kind}\n")
    (proc / "self" / "cgroup").write_text("0::/\n" if version == 2 else "2:cpu,cpuacct,memory:/\n")
    for name in ("cgroup.procs", "cgroup.subtree_control", "cgroup.controllers"):
        (mount / name).write_text("cpu memory\n" if name.endswith("controllers") else "")
        (mount / name).chmod(0o666)
    if version == 2:  # as one that is handed to the user, but for what root has made in it
        mount.chmod(0o1777)
        (mount / "trialwatt" / "cgroup.subtree_control").write_text("")
    said = said_by(ALICE, CHOOSE, open_folder / "runtime", proc)
    assert "Choice(kind='soft'" in said
    assert "control groups cannot be made here (Permission denied" in said
    assert (mount / "trialwatt").is_dir()
