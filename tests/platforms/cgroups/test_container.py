"""The counter that a component reads itself, per kind."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from trialwatt.platforms.cgroups import container


@pytest.fixture
def counter(monkeypatch):
    def set_to(value: str):
        monkeypatch.setenv(container.VARIABLE, value)
        container._counter.cache_clear()
        return container.read_cpu_ns

    yield set_to
    _, descriptor = container._counter()
    if descriptor >= 0:
        os.close(descriptor)
    container._counter.cache_clear()


def test_cpuacct(counter, tmp_path):
    file = tmp_path / "cpuacct.usage"
    file.write_text("1234567890\n")
    read = counter(f"cpuacct:{file}")
    assert read() == 1234567890
    file.write_text("1234567891\n")
    assert read() == 1234567891


def test_cpustat_is_in_microseconds(counter, tmp_path):
    file = tmp_path / "cpu.stat"
    file.write_text("usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n")
    assert counter(f"cpustat:{file}")() == 1_234_567_000


def test_self_counts_children_that_it_waited_for(counter):
    read = counter("self")
    before = read()
    burn = "import time\nwhile time.process_time() < 0.2: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    assert 0.2e9 <= read() - before < 2e9


def test_without_a_platform_it_is_self(counter, monkeypatch):
    read = counter("self")
    monkeypatch.delenv(container.VARIABLE)
    container._counter.cache_clear()
    assert read() >= time.process_time_ns() // 2


def test_an_unknown_kind_is_an_error(counter):
    with pytest.raises(ValueError, match="joules"):
        counter("joules:3")()
    counter("self")


def test_it_is_cheap(counter, tmp_path):
    file = tmp_path / "cpu.stat"
    file.write_text("usage_usec 1234567\nuser_usec 1000000\n")
    read = counter(f"cpustat:{file}")
    costs = []
    for _ in range(200):
        started = time.perf_counter_ns()
        read()
        costs.append(time.perf_counter_ns() - started)
    assert sorted(costs)[20] < 20_000
