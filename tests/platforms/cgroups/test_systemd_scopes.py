"""Scopes of the user's systemd, with a `systemd-run` that makes folders and a real process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.platforms.processes import body, ending, python, shell, wait_until

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.cgroups import systemd
from trialwatt.platforms.cgroups.base import EnforcementError, Host
from trialwatt.platforms.cgroups.chooser import choose
from trialwatt.platforms.liveness import LiveRun
from trialwatt.platforms.local import LocalPlatform
from trialwatt.platforms.reaping import reap_dead

RUN = """#!/bin/sh
echo "$@" >> "{top}/calls"
while [ "$1" != -- ]; do
    case "$1" in
        --unit=*) unit=${{1#--unit=}};;
        CPUQuota=*) percent=${{1#CPUQuota=}};;
        MemoryMax=*) memory=${{1#MemoryMax=}};;
    esac
    shift
done
shift
scope="{top}/cgroup/app.slice/$unit"
mkdir -p "$scope" "{top}/proc/$$"
echo "$(echo "${{percent%\\%}}" | awk '{{print $1 * 1000}}') 100000" > "$scope/cpu.max"
echo "$memory" > "$scope/memory.max"
echo 0 > "$scope/memory.swap.max"
printf 'usage_usec 250000\\nuser_usec 1\\n' > "$scope/cpu.stat"
echo 4096 > "$scope/memory.current"
printf 'oom 0\\noom_kill 0\\n' > "$scope/memory.events"
echo $$ > "$scope/cgroup.procs"
echo "0::/app.slice/$unit" > "{top}/proc/self/cgroup"
{extra}
cp "{top}/proc/self/cgroup" "{top}/proc/$$/new"
mv "{top}/proc/$$/new" "{top}/proc/$$/cgroup"
exec "$@"
"""
CTL = """#!/bin/sh
echo "systemctl $@" >> "{top}/calls"
[ "$2" != stop ] || rm -r "{top}/cgroup/app.slice/$3"
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(systemd, "VANISH_S", 0.05)
    top = tmp_path / "machine"
    (top / "proc/self").mkdir(parents=True)
    (top / "cgroup").mkdir()
    (top / "proc/self/mountinfo").write_text(f"30 1 0:1 / {top}/cgroup rw - cgroup2 cgroup2 rw\n")
    (top / "proc/self/cgroup").write_text("0::/session.scope\n")

    def make(extra: str = "") -> Host:
        for name, text in (("systemd-run", RUN), ("systemctl", CTL)):
            (top / name).write_text(text.format(top=top, extra=extra))
            (top / name).chmod(0o755)
        return Host(
            proc=top / "proc",
            uid=1000,
            systemd_run=str(top / "systemd-run"),
            systemctl=str(top / "systemctl"),
        )

    make.top = top
    return make


@pytest.fixture
def scoped(machine, run_id, tmp_path):
    host = machine()
    made = LocalPlatform.open(run_id, Testbed(enforcement="systemd"), tmp_path / "run", host)
    yield made
    made.remove()


def holders(run_id: str) -> list[Path]:
    """Processes that keep the scopes of a run."""
    wanted = (b"sh", systemd.HOLDER.encode(), f"TRIALWATT_RUN={run_id}".encode())
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if all(word in words.split(b"\0") for word in wanted):
            found.append(folder)
    return found


def test_a_component_lives_in_a_scope_with_its_limits(scoped, machine, run_id):
    source = "print(json.dumps({'counter': os.environ['TRIALWATT_CPU_COUNTER']}), flush=True)"
    handle = scoped.start(python(source + "\nsys.stdin.readline()", cpu=0.3, memory_mb=96))
    unit = f"trialwatt-{run_id}-worker-0.scope"
    scope = machine.top / "cgroup/app.slice" / unit
    assert body(scoped) == {"counter": f"cpustat:{scope}/cpu.stat"}
    (call,) = [line for line in (machine.top / "calls").read_text().splitlines() if unit in line]
    for words in (
        "--user --scope",
        f"--unit={unit}",
        "-p CPUQuota=30.0%",
        "-p CPUQuotaPeriodSec=100000us",
        f"-p MemoryMax={96 << 20}",
        "-p MemorySwapMax=0",
    ):
        assert words in call
    limits = scoped.facts["components"]["worker-0"]
    assert limits == {"cpu": 0.3, "memory_mb": 96.0, "swap": "off"}
    assert handle.usage().cpu_ns == 250_000_000
    assert handle.usage().memory_bytes == 4096


def test_a_holder_keeps_the_scope_until_the_last_reading(scoped, run_id):
    handle = scoped.start(shell("exit 3"))
    assert ending(scoped, "worker-0").code == 3
    assert len(holders(run_id)) == 1
    assert handle.stop().cpu_ns == 250_000_000
    assert wait_until(lambda: not holders(run_id))


def test_a_scope_that_stays_is_stopped_by_name(scoped, machine, run_id):
    scoped.start(shell("exec sleep 60")).stop(grace_s=1)
    unit = f"trialwatt-{run_id}-worker-0.scope"
    assert f"systemctl --user stop {unit}" in (machine.top / "calls").read_text()
    assert not (machine.top / "cgroup/app.slice" / unit).exists()


def test_a_refusal_of_systemd_is_told(machine, runtime):
    host = machine(extra="echo 'Failed to connect to bus: No medium found' >&2; exit 1")
    (machine.top / "systemd-run").write_text("#!/bin/sh\necho 'No medium found' >&2; exit 1\n")
    with pytest.raises(EnforcementError, match=r"D-Bus.*No medium found"):
        choose("systemd", runtime, host)
    assert list(runtime.iterdir()) == []


def test_a_controller_that_is_not_handed_down_is_told(machine, runtime):
    host = machine(extra='rm "$scope/cpu.max"')
    with pytest.raises(EnforcementError, match=r"cpu\.max.*Delegate=cpu"):
        choose("systemd", runtime, host)


def test_limits_that_are_not_kept_are_told(machine, runtime):
    host = machine(extra='echo "max 100000" > "$scope/cpu.max"')
    with pytest.raises(EnforcementError, match="limits are not kept"):
        choose("systemd", runtime, host)


def test_a_start_that_fails_is_an_error_and_leaves_nothing(scoped, machine, run_id):
    (machine.top / "systemd-run").write_text("#!/bin/sh\necho 'Unit exists' >&2; exit 1\n")
    with pytest.raises(TrialwattError, match=r"worker-0 cannot be started(.|\n)*Unit exists"):
        scoped.start(shell("exit 0"))
    assert holders(run_id) == []


def test_the_scopes_of_a_dead_run_are_stopped_by_name(machine, runtime):
    host = machine()
    live = LiveRun.take("dead", runtime)
    live.note({"kind": "systemd"}, {"unit": "trialwatt-dead-worker-0.scope"})
    live.leave()
    assert reap_dead(runtime, host) == ["dead"]
    calls = (machine.top / "calls").read_text()
    assert "systemctl --user stop trialwatt-dead-worker-0.scope" in calls
