"""Which kind of enforcement is chosen, and what is said where one cannot be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.platforms.processes import group_folders, offered

from trialwatt.config.models import Testbed
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
