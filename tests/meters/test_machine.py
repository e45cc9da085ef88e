from __future__ import annotations

import os
import time

import psutil
import pytest

from trialwatt.meters.machine import Machine


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    machine.close()


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_busy_time_holds_what_we_burn(machine):
    busy, own = machine.busy_ns(), machine.own_usage()[0]
    burn(0.3)
    assert machine.own_usage()[0] - own >= 290_000_000
    assert machine.busy_ns() - busy >= 250_000_000  # ticks of 10 ms


def test_busy_time_is_all_but_idle_iowait_and_steal(machine):
    before = machine.busy_ns() / 1e9
    times = psutil.cpu_times()
    after = machine.busy_ns() / 1e9
    expected = times.user + times.nice + times.system + times.irq + times.softirq
    assert before - 1 <= expected <= after + 1  # whole ticks, of every core and kind


def test_memory(machine):
    memory = psutil.virtual_memory()
    assert machine.memory_bytes == memory.total
    assert machine.memory_gb * 1024 == machine.memory_mb == memory.total // 2**20
    pairs = []  # others use more or less meanwhile: one pair in ten must agree
    for _ in range(10):
        memory = psutil.virtual_memory()
        pairs.append((machine.used_bytes(), memory.total - memory.available))
    assert any(ours == pytest.approx(theirs, rel=0.1) for ours, theirs in pairs), pairs
    assert machine.own_usage()[1] == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


def test_load_is_the_mean_over_the_interval(machine):
    load = machine.load(busy_ns=300, elapsed_ns=200)
    assert (load.cores, load.busy_cores) == (os.cpu_count(), 1.5)


def test_stolen_time_is_its_own_counter_and_not_busy_time(tmp_path):
    """Its hypervisor gave 7 s to others; fields are in ticks, and guest is part of user."""
    tick = os.sysconf("SC_CLK_TCK")
    stat = tmp_path / "stat"
    fields = [seconds * tick for seconds in (1, 2, 3, 100, 200, 4, 5, 7, 1, 1)]
    stat.write_text(f"cpu  {' '.join(map(str, fields))}\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    machine = Machine(str(stat))
    assert machine.stolen_ns() == 7 * 10**9
    assert machine.busy_ns() == 15 * 10**9
    machine.close()


def test_stolen_time_is_that_of_the_machine(machine):
    before = machine.stolen_ns() / 1e9
    assert before - 1 <= psutil.cpu_times().steal <= machine.stolen_ns() / 1e9 + 1
