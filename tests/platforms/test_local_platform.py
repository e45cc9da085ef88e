"""Every kind of enforcement that this machine offers, with real processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest
from tests.platforms.processes import (
    body,
    ending,
    group_folders,
    is_dead,
    python,
    shell,
    wait_until,
)

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms import local as local_platform
from trialwatt.platforms.base import Role
from trialwatt.platforms.liveness import RunIsLive
from trialwatt.platforms.local import LocalPlatform

HOG = """
data = []
while True:
    data.append(bytearray(b"x") * (4 << 20))
    time.sleep(0.02)
"""
SAY_IDS = """
print(json.dumps({"pid": os.getpid(), "session": os.getsid(0)}), flush=True)
"""
BURN = """
import sys, time
sys.stdin.readline()
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
"""
ECHO = """
for line in sys.stdin:
    print(line, end="", flush=True)
"""


def test_messages_go_both_ways_and_other_output_goes_to_the_log(local, tmp_path):
    handle = local.start(python("print('no message', flush=True); print(3)" + ECHO))
    handle.send({"step": "load", "phi": {"lr": 0.1}})
    handle.send({"step": "train"})
    assert body(local) == {"step": "load", "phi": {"lr": 0.1}}
    assert body(local) == {"step": "train"}
    assert handle.alive
    handle.stop()
    assert (tmp_path / "run/logs/worker-0.log").read_text() == "no message\n3\n"


def test_a_large_message_arrives_whole(local):
    handle = local.start(python(ECHO))
    text = "x" * (3 << 20)
    handle.send({"text": text})
    assert body(local) == {"text": text}


def test_send_does_not_wait_for_a_component_that_does_not_listen(local):
    handle = local.start(shell("exec sleep 600"))
    handle.send({"text": "x" * (3 << 20)})
    handle.send({"text": "another"})
    assert handle.alive  # whoever waits for it to listen waits until it ends
    handle.stop(grace_s=1)
    assert ending(local, "worker-0").reason == "stopped"


def test_much_output_to_the_log_does_not_block(local, tmp_path):
    local.start(Role("head", "service", ("sh", "-c", "yes | head -c 5000000"), 1, 64, speaks=False))
    assert ending(local, "head").code == 0
    assert (tmp_path / "run/logs/head.log").stat().st_size == 5_000_000


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [("exit 0", 0, ""), ("exit 3", 3, "error"), ("kill -INT $$", 130, "signal")],
)
def test_endings(local, command, code, reason):
    handle = local.start(shell(f"seq 30 >&2; {command}"))
    end = ending(local, "worker-0")
    assert (end.code, end.reason) == (code, reason)
    assert end.tail.split() == [str(n) for n in range(11, 31)]
    assert not handle.alive
    assert handle.oom_kills() == 0


def test_sigkill_by_somebody_is_not_taken_for_memory(local):
    local.start(shell("kill -KILL $$"))
    end = ending(local, "worker-0")
    assert (end.code, end.reason) == (137, "signal")


def test_environment(local, run_id):
    source = "print(json.dumps(dict(os.environ)), flush=True)"
    local.start(python(source, cpu=1.9, environment={"MINE": "1", "MKL_NUM_THREADS": "7"}))
    seen = body(local)
    assert seen["TRIALWATT_RUN"] == run_id
    assert seen["TRIALWATT_COMPONENT"] == "worker-0"
    assert seen["TRIALWATT_CPU_COUNTER"].split(":")[0] in ("cpuacct", "cpustat", "self")
    assert (seen["OMP_NUM_THREADS"], seen["OPENBLAS_NUM_THREADS"]) == ("1", "1")
    assert (seen["MINE"], seen["MKL_NUM_THREADS"]) == ("1", "7")


def test_it_leads_its_own_session(local):
    local.start(python(SAY_IDS))
    seen = body(local)
    assert seen["session"] == seen["pid"] != os.getsid(0)


def test_cpu_quota_is_enforced(group_kind, local):
    spin = """
sys.stdin.readline()
before, began = time.process_time(), time.monotonic()
while time.process_time() - before < 0.3:
    pass
took = {"cpu_s": time.process_time() - before, "seconds": time.monotonic() - began}
print(json.dumps(took), flush=True)
sys.stdin.readline()
"""
    handle = local.start(python(spin, cpu=0.3))
    before = handle.usage().cpu_ns
    handle.send({})
    took = body(local)
    assert 0.75 < took["seconds"] < 10  # a second at 0.3 of a core, or a little less
    assert handle.usage().cpu_ns - before >= took["cpu_s"] * 1e9 * 0.9


def test_the_component_and_the_coordinator_read_the_same_counter(local):
    source = """
from trialwatt.platforms.cgroups.container import read_cpu_ns
sum(range(3_000_000))
print(json.dumps({"cpu_ns": read_cpu_ns()}), flush=True)
sys.stdin.readline()
"""
    handle = local.start(python(source))
    said = body(local)["cpu_ns"]
    assert said == pytest.approx(handle.usage().cpu_ns, rel=0.1, abs=30e6)


def test_usage_counts_dead_children_and_never_falls(local):
    source = f"""
import subprocess
for _ in range(2):
    subprocess.run([sys.executable, "-c", {BURN!r}], stdin=subprocess.DEVNULL)
print(json.dumps({{}}), flush=True)
sys.stdin.readline()
"""
    handle = local.start(python(source))
    seen, done = [], threading.Event()

    def sample():
        while not done.wait(0.02):
            seen.append(handle.usage().cpu_ns)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        body(local)
    finally:
        done.set()
        sampler.join()
    final = handle.stop().cpu_ns
    assert seen == sorted(seen)
    assert final >= max(seen)
    assert final >= 0.6e9
    assert handle.usage().cpu_ns == final


def test_usage_tells_memory_and_its_peak(local):
    source = """
sys.stdin.readline()
data = bytearray(b"x") * (40 << 20)
print(json.dumps({}), flush=True)
sys.stdin.readline()
del data
print(json.dumps({}), flush=True)
sys.stdin.readline()
"""
    handle = local.start(python(source))
    handle.send({})
    body(local)
    full = handle.usage()
    assert 40 << 20 < full.memory_bytes < 128 << 20
    handle.send({})
    body(local)
    empty = handle.usage()
    assert empty.memory_bytes < full.memory_bytes - (30 << 20)
    assert empty.peak_memory_bytes >= full.memory_bytes
    assert handle.stop().peak_memory_bytes >= full.memory_bytes


def test_a_kill_for_memory_is_seen_as_that_and_the_others_live_on(local):
    other = local.start(python(ECHO, index=1))
    handle = local.start(python(HOG, memory_mb=64))
    end = ending(local, "worker-0")
    assert (end.code, end.reason) == (137, "memory")
    assert handle.oom_kills() >= 1
    assert other.alive and other.oom_kills() == 0
    other.send({"still": "here"})
    assert body(local) == {"still": "here"}
    assert handle.stop().peak_memory_bytes >= 50 << 20


def test_a_child_killed_for_memory_is_seen_while_the_main_process_lives(group_kind, local):
    source = f"""
import subprocess
child = subprocess.run([sys.executable, "-c", {"import time" + HOG!r}])
print(json.dumps({{"code": child.returncode}}), flush=True)
sys.stdin.readline()
"""
    handle = local.start(python(source, memory_mb=64))
    assert body(local) == {"code": -signal.SIGKILL}
    assert handle.oom_kills() == 1
    assert handle.alive


def test_a_child_that_outlives_its_parent_is_removed(local):
    source = """(trap '' TERM; setsid sleep 1000 & echo "{\\"pid\\": $!}"); read line; exit 0"""
    handle = local.start(shell(source))
    child = body(local)["pid"]
    handle.usage()
    handle.send({})
    assert ending(local, "worker-0").code == 0
    assert not is_dead(child)
    handle.stop(grace_s=0.1)
    assert is_dead(child)


def test_stdin_is_closed_by_stop_and_stop_is_idempotent(local):
    handle = local.start(shell("trap '' TERM; echo '{}'; cat >/dev/null; exit 0"))
    body(local)
    first = handle.stop()
    assert handle.stop() == first
    assert ending(local, "worker-0").reason == ""  # it ended by itself, with 0
    assert local.inbox.empty()


def test_stop_from_two_threads_gives_one_ending(local):
    handle = local.start(shell("exec sleep 60"))
    threads = [threading.Thread(target=handle.stop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ending(local, "worker-0").reason == "stopped"
    assert local.inbox.empty()


def test_what_ignores_sigterm_is_killed_after_the_grace(local):
    seconds = []
    while not seconds or (seconds[-1] >= 3 and len(seconds) < 5):  # a busy machine may be late
        handle = local.start(shell("trap '' TERM; echo '{}'; while :; do sleep 1; done"))
        body(local)
        started = time.monotonic()
        handle.stop(grace_s=0.3)
        seconds.append(time.monotonic() - started)
        end = ending(local, "worker-0")
        assert (end.code, end.reason) == (137, "stopped")
    assert 0.3 <= min(seconds) < 3


def test_a_long_grace_is_cut(local):
    handle = local.start(shell("trap '' TERM; echo '{}'; while :; do sleep 1; done"))
    body(local)
    started = time.monotonic()
    handle.stop(grace_s=1000)
    assert 3.9 < time.monotonic() - started < 100


def test_send_after_the_end_does_nothing(local):
    handle = local.start(shell("exit 0"))
    ending(local, "worker-0")
    handle.send({"too": "late"})
    handle.stop()
    handle.send({"too": "late"})


def test_a_component_is_replaced_under_its_name(local, tmp_path):
    role = shell("echo one life >&2; read line; exit 4")
    first = local.start(role)
    with pytest.raises(TrialwattError, match="running already"):
        local.start(role)
    first.send({})
    ending(local, "worker-0")
    second = local.start(role)
    assert second.alive and not first.alive
    second.send({})
    assert ending(local, "worker-0").code == 4
    assert (tmp_path / "run/logs/worker-0.log").read_text() == "one life\n" * 2


def test_facts_hold_the_limits_as_they_were_read_back(kind, local):
    local.start(shell("exec sleep 60", cpu=0.25, memory_mb=96))
    facts = local.facts
    assert facts["kind"] == kind
    assert facts["kernel"] == os.uname().release
    limits = facts["components"]["worker-0"]
    assert limits["memory_mb"] == 96
    assert limits["cpu"] == (1 if kind == "soft" else 0.25)
    assert "/" not in json.dumps(facts["components"])


def test_remove_ends_everything_and_leaves_no_group(local, run_id, runtime, monkeypatch):
    monkeypatch.setattr(local_platform, "MAX_GRACE_S", 2)
    roles = [shell("trap '' TERM; while :; do sleep 1; done", index=i) for i in range(6)]
    handles = [local.start(role) for role in roles]
    started = time.monotonic()
    local.remove()
    assert time.monotonic() - started < 10  # side by side: one after the other takes 12
    assert not any(handle.alive for handle in handles)
    assert group_folders(run_id) == []
    assert list(runtime.iterdir()) == []
    local.remove()
    with pytest.raises(TrialwattError, match="removed"):
        local.start(roles[0])


def test_what_was_started_before_an_interruption_is_removed_too(local, run_id, monkeypatch):
    """Ctrl-C in the middle of start: there is no handle, and still nothing is left."""
    from trialwatt.platforms import local_handle

    pids = []

    def interrupted(self, work):
        pids.append(self._process.pid)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(local_handle.LocalHandle, "_thread", interrupted)
        with pytest.raises(KeyboardInterrupt):
            local.start(shell("exec sleep 60"))
    local.remove()
    assert pids and all(is_dead(pid) for pid in pids)
    assert group_folders(run_id) == []


def test_many_starts_and_stops_leave_nothing(local, run_id):
    before = threading.active_count()
    for _ in range(50):
        local.start(shell("exec cat")).stop(grace_s=1)
    assert not [folder for folder in group_folders("worker-0") if run_id in folder.parts]
    local.remove()
    assert group_folders(run_id) == []
    assert wait_until(lambda: threading.active_count() <= before)


def test_a_program_that_is_not_there(local):
    role = Role("head", "service", ("no-such-program",), 1, 64)
    with pytest.raises(TrialwattError, match="no-such-program"):
        local.start(role)


def test_less_cpu_than_a_group_can_give(group_kind, local):
    with pytest.raises(TrialwattError, match="cpu_per_vcpu"):
        local.start(shell("exit 0", cpu=0.001))


def test_a_run_id_is_open_once(local, kind, run_id, tmp_path):
    with pytest.raises(RunIsLive):
        LocalPlatform.open(run_id, Testbed(enforcement=kind), tmp_path / "other")


def test_run_ids_are_names(tmp_path):
    with pytest.raises(TrialwattError, match="a-z"):
        LocalPlatform.open("../up", Testbed(), tmp_path)


def test_shortages_name_need_supply_and_remedy():
    testbed = Testbed(enforcement="soft")
    roles = [shell("", index=i, cpu=100_000, memory_mb=1 << 40) for i in range(2)]
    cpu, memory = LocalPlatform.problems(testbed, roles)
    assert "200000 cores" in cpu and "cpu_per_vcpu" in cpu and "worker-1" in cpu
    assert f"{2 << 40} MB" in memory and "workers.count" in memory
    assert "allow_oversubscription" in cpu and "allow_oversubscription" in memory
    assert LocalPlatform.problems(Testbed(allow_oversubscription=True), roles) == []


def test_all_cores_of_the_machine_are_not_too_many():
    cores = len(os.sched_getaffinity(0))
    roles = [shell("", index=i, cpu=cores / 10) for i in range(10)]
    assert LocalPlatform.problems(Testbed(enforcement="soft"), roles) == []
