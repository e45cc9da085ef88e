"""What only soft enforcement has: affinity, and the bookkeeping of processes that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.platforms.processes import body, ending, is_dead, python, shell, wait_until

from trialwatt.config.models import Testbed
from trialwatt.platforms.cgroups.base import Host
from trialwatt.platforms.cgroups.soft import SoftGroups
from trialwatt.platforms.local import LocalPlatform
from trialwatt.platforms.processes import carriers, read_all, read_stat


@pytest.fixture
def local(run_id, tmp_path):
    made = LocalPlatform.open(run_id, Testbed(enforcement="soft"), tmp_path / "run")
    yield made
    made.remove()


def test_affinity_is_set_before_the_command_starts(local):
    source = "print(json.dumps({'cores': sorted(os.sched_getaffinity(0))}), flush=True)"
    local.start(python(source, cpu=0.3))
    assert body(local) == {"cores": local.facts["components"]["worker-0"]["affinity"]}
    assert local.facts["components"]["worker-0"]["cpu"] == 1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_components_are_spread_over_the_cores():
    groups = SoftGroups("r", Host())
    made = [groups.make(f"worker-{index}", 1, 64) for index in range(2)]
    assert made[0].cores != made[1].cores
    made[0].remove()
    assert groups.make("worker-2", 1, 64).cores == made[0].cores
    groups.remove()


def test_more_cores_than_there_are_means_all():
    groups = SoftGroups("r", Host())
    assert groups.make("worker-0", 10_000, 64).cores == os.sched_getaffinity(0)
    groups.remove()


def test_the_memory_of_the_whole_tree_counts(local):
    """Neither of the two is over the limit, both together are."""
    source = """
import subprocess
hold = "import time; input(); data = bytearray(b'x') * (40 << 20); time.sleep(600)"
hold = [sys.executable, "-c", hold]
children = [subprocess.Popen(hold, stdin=subprocess.PIPE, text=True) for _ in range(2)]
print(json.dumps({"pids": [child.pid for child in children]}), flush=True)
sys.stdin.readline()
for child in children:
    print(file=child.stdin, flush=True)
time.sleep(600)
"""
    handle = local.start(python(source, memory_mb=80))
    pids = body(local)["pids"]
    handle.send({})
    assert ending(local, "worker-0").reason == "memory"
    assert wait_until(lambda: all(is_dead(pid) for pid in pids))
    assert handle.oom_kills() == 3


def test_cpu_time_of_a_child_that_nobody_waited_for_is_kept(local, tmp_path):
    over = tmp_path / "over"
    source = f"""
import subprocess
burn = '''
import os, time
while time.process_time() < 0.4:
    pass
while not os.path.exists({str(over)!r}):
    time.sleep(0.05)
'''
launch = "setsid " + sys.executable + ' -c "$0" >/dev/null & echo $!'
child = subprocess.run(["sh", "-c", launch, burn], stdout=subprocess.PIPE, check=True)
print(json.dumps({{"pid": int(child.stdout)}}), flush=True)
time.sleep(600)
"""
    handle = local.start(python(source))
    child = body(local)["pid"]
    assert wait_until(lambda: handle.usage().cpu_ns > 0.4e9)
    over.touch()
    assert wait_until(lambda: is_dead(child))
    assert handle.stop().cpu_ns > 0.4e9


def test_a_process_of_any_name_is_read():
    process = subprocess.Popen(
        [sys.executable, "-c", "open('/proc/self/comm', 'w').write('a) R (b'); input()"],
        stdin=subprocess.PIPE,
    )
    try:
        assert wait_until(lambda: b"a) R" in _comm(process.pid))
        stat = read_stat(process.pid)
        assert (stat.pid, stat.parent) == (process.pid, os.getpid())
        assert stat.resident_bytes > 1 << 20
        assert read_all()[process.pid].start == stat.start
    finally:
        process.communicate(b"\n")
    assert read_stat(process.pid) is None


def _comm(pid: int) -> bytes:
    return Path(f"/proc/{pid}/comm").read_bytes()


def test_carriers_match_the_whole_run_id():
    environment = os.environ | {"TRIALWATT_RUN": "one-two", "TRIALWATT_COMPONENT": "worker-3"}
    process = subprocess.Popen(["sleep", "60"], env=environment)
    try:
        wait_until(lambda: carriers("one-two", [process.pid]))
        assert carriers("one-two", [process.pid]) == {process.pid: "worker-3"}
        assert carriers("one", [process.pid]) == {}
    finally:
        process.kill()
        process.wait()
    assert carriers("one-two", [process.pid]) == {}


def test_the_watchdog_ends_with_its_work(local):
    local.start(shell("exec sleep 60")).stop(grace_s=1)
    assert wait_until(
        lambda: not any(thread.name == "memory-watchdog" for thread in threading.enumerate())
    )
