"""Mount tables as they are found on machines and in containers."""

from __future__ import annotations

import pytest

from trialwatt.platforms.cgroups.tree import v1_hierarchies, v2_hierarchy, v2_path


@pytest.fixture
def machine(tmp_path):
    """Writes a proc folder; {top} in it is the folder that stands for /sys/fs/cgroup."""
    top = tmp_path / "sys fs" / "cgroup"
    (tmp_path / "proc" / "self").mkdir(parents=True)
    top.mkdir(parents=True)

    def make(mountinfo: str, cgroup: str, folders: list[str]):
        escaped = str(top).replace(" ", "\\040")
        (tmp_path / "proc/self/mountinfo").write_text(mountinfo.replace("{top}", escaped))
        (tmp_path / "proc/self/cgroup").write_text(cgroup)
        for folder in folders:
            (top / folder).mkdir(parents=True)
        return tmp_path / "proc", top

    return make


def test_joined_controllers_share_a_folder(machine):
    proc, top = machine(
        "32 31 0:29 / {top}/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "33 31 0:30 / {top}/memory rw,nosuid shared:10 - cgroup cgroup rw,memory\n"
        "34 31 0:31 / {top}/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd\n",
        "4:memory:/user.slice/a\n3:cpu,cpuacct:/user.slice\n1:name=systemd:/x\n0::/y\n",
        ["cpu,cpuacct/user.slice", "memory/user.slice/a"],
    )
    found = v1_hierarchies(proc)
    assert found["cpu"].own == found["cpuacct"].own == top / "cpu,cpuacct/user.slice"
    assert found["memory"].own == top / "memory/user.slice/a"
    assert v2_hierarchy(proc) is None


def test_a_container_sees_its_part_of_the_hierarchy(machine):
    proc, top = machine(
        "33 31 0:30 /docker/abc {top}/memory ro - cgroup cgroup rw,memory\n",
        "4:memory:/docker/abc/inner\n",
        ["memory/inner"],
    )
    assert v1_hierarchies(proc)["memory"].own == top / "memory/inner"


def test_a_path_outside_of_the_mount_means_its_top(machine):
    proc, top = machine(
        "33 31 0:30 / {top} rw - cgroup2 cgroup2 rw\n", "0::/../other\n", ["unrelated"]
    )
    assert v2_hierarchy(proc).own == top


def test_version_2(machine):
    proc, top = machine(
        "33 31 0:30 / {top} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
        "0::/user.slice/user-1000.slice\n",
        ["user.slice/user-1000.slice"],
    )
    hierarchy = v2_hierarchy(proc)
    assert (hierarchy.mount, hierarchy.own) == (top, top / "user.slice/user-1000.slice")
    assert v2_path(proc, "self") == "/user.slice/user-1000.slice"
    assert v1_hierarchies(proc) == {}
