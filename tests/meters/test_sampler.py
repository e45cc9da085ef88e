from __future__ import annotations

import contextlib
import csv
import errno
import os
import resource
import signal
import threading
import time
from pathlib import Path

import pytest

from trialwatt.config.models import Testbed
from trialwatt.meters.base import Domain, Meter, MeterError
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.machine import Machine
from trialwatt.meters.model import PowerModel
from trialwatt.meters.sampler import Sampler
from trialwatt.platforms.base import Usage

POWER = PowerParameters(
    min_w=1, max_w=4, memory_w_per_gb=0.4, included_gb_per_vcpu=0, source="a table"
)


class Steps(Meter):
    """A counter that grows by 10 at each reading, and a domain that can be made to fail."""

    name = "steps"

    def __init__(self):
        self.value = 2**52
        self.fails: Exception | None = None
        self.missing = False

    @classmethod
    def probe(cls, testbed, power=None): ...

    @classmethod
    def open(cls, testbed, power=None):
        return cls()

    @property
    def domains(self):
        return (
            Domain("package-0", "cpu", "uj", "counter", 2**60),
            Domain("gpu-0", "accelerator", "w", "polled"),
        )

    def read(self, load):
        if self.fails:
            raise self.fails
        self.value += 10
        return {"package-0": float(self.value)} | ({} if self.missing else {"gpu-0": 1 / 3})


def rows(folder, table) -> list[dict]:
    with (folder / "samples" / f"{table}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def of(folder, component) -> list[dict]:
    return [row for row in rows(folder, "usage") if row["component"] == component]


def test_the_files_are_as_the_record_format_says(tmp_path):
    meters = {"model": PowerModel.open(Testbed(), POWER), "steps": Steps()}
    with Sampler(meters, tmp_path, 20) as sampler:
        sampler.watch("worker-0", lambda: Usage(5, 6, 7))
        time.sleep(0.2)
        sampler.tick()  # a busy machine may have skipped the beats
        sampler.unwatch("worker-0", Usage(50, 60, 70))
    folder = tmp_path / "samples"
    assert {path.name for path in folder.iterdir()} == {
        "usage.csv",
        "power-model.csv",
        "power-steps.csv",
    }
    heads = {path.name: path.read_text().splitlines()[0] for path in folder.iterdir()}
    assert heads["usage.csv"] == "t,m,component,cpu_ns,memory_bytes"
    assert heads["power-model.csv"] == "t,m,cpu,memory"
    assert heads["power-steps.csv"] == "t,m,package-0,gpu-0"
    assert sampler.errors == []

    worker = of(tmp_path, "worker-0")
    assert {(r["cpu_ns"], r["memory_bytes"]) for r in worker[:-1]} == {("5", "6")}
    assert (worker[-1]["cpu_ns"], worker[-1]["memory_bytes"]) == ("50", "60")
    for component in ("machine", "harness"):
        cpu = [int(row["cpu_ns"]) for row in of(tmp_path, component)]
        assert len(cpu) >= 3 and cpu == sorted(cpu) and cpu[0] > 0

    steps = rows(tmp_path, "power-steps")
    first = int(steps[0]["package-0"])  # a whole number, exact
    assert [int(r["package-0"]) for r in steps] == [first + 10 * i for i in range(len(steps))]
    assert steps[0]["gpu-0"] == "0.333333"
    stamps = [(row["t"], row["m"]) for row in steps]
    assert stamps == [(row["t"], row["m"]) for row in of(tmp_path, "machine")]
    assert stamps == sorted(stamps) and len(set(stamps)) == len(stamps)


def test_modelled_watts_follow_from_the_machine_rows(tmp_path):
    """A reader can recompute the model's column from usage.csv, and so can the metrics."""
    with Sampler({"model": PowerModel.open(Testbed(), POWER)}, tmp_path, 10):
        end = time.thread_time() + 0.5
        while time.thread_time() < end:
            pass
    machine, power = of(tmp_path, "machine"), rows(tmp_path, "power-model")
    cores = os.cpu_count()
    for before, after, watts in zip(machine, machine[1:], power[1:], strict=False):
        busy = int(after["cpu_ns"]) - int(before["cpu_ns"])
        elapsed = int(after["m"]) - int(before["m"])
        assert float(watts["cpu"]) == pytest.approx(cores + 3 * busy / elapsed, abs=1e-5)
    assert max(float(row["cpu"]) for row in power) > cores + 1
    assert len({row["memory"] for row in power}) == 1


class Leaping(Machine):
    """Its CPU counter leaps at the fourth time that it is read, and goes on from there."""

    def __init__(self, level: int):
        super().__init__()
        self.read, self.level = 0, level

    def busy_ns(self):
        self.read += 1
        return (10**13 if self.read <= 3 else self.level) + self.read * 10**6


class Stolen(Machine):
    """Its hypervisor takes a second at the third sample; None: that is not known."""

    def __init__(self, known: bool):
        super().__init__()
        self.read, self.known = 0, known

    def stolen_ns(self):
        self.read += 1
        return (5 + (self.read > 2)) * 10**9 if self.known else None


def test_stolen_time_is_written_when_it_changes(tmp_path):
    with Sampler({}, tmp_path, 0.001, lambda: Stolen(True)) as sampler:
        for _ in range(3):
            sampler.tick()
    taken = [row["m"] for row in of(tmp_path, "machine")]
    found = [(row["m"], row["cpu_ns"], row["memory_bytes"]) for row in of(tmp_path, "stolen")]
    assert found == [(taken[0], "5000000000", ""), (taken[2], "6000000000", "")]


def test_stolen_time_that_is_not_known_is_not_written(tmp_path):
    with Sampler({}, tmp_path, 0.001, lambda: Stolen(False)):
        pass
    assert of(tmp_path, "stolen") == []


@pytest.mark.parametrize("level", [0, 10**15])
def test_nothing_is_modelled_where_the_counter_of_the_machine_leaps(tmp_path, level):
    model = PowerModel.open(Testbed(), POWER)
    with Sampler({"model": model}, tmp_path, 0.001, lambda: Leaping(level)) as sampler:
        for _ in range(3):
            sampler.tick()
    watts = [row["cpu"] for row in rows(tmp_path, "power-model")]
    assert [not cell for cell in watts] == [False, False, True, False, False]
    assert sampler.errors == ["meter model: no reading of cpu"]


def test_samples_come_at_the_rate_and_at_ticks(tmp_path):
    with Sampler({}, tmp_path, 20) as sampler:
        time.sleep(1)
        deadline = time.monotonic() + 30
        while len(of(tmp_path, "machine")) < 10:
            assert time.monotonic() < deadline, "too few beats"
            time.sleep(0.05)
        stamp = sampler.tick()
    moments = [int(row["m"]) for row in of(tmp_path, "machine")]
    assert stamp.mono_ns in moments
    # first, last, the tick, and 20 beats in a second; a busy machine may have skipped some
    beats = (moments[-1] - moments[0]) / 50e6
    assert beats >= 20
    assert len(moments) <= beats + 3
    between = (moments[-4] - moments[1]) / 50e6  # of beats, whose thread may be late at both ends
    assert len(moments) - 4 + sampler.missed >= between - 1


def test_a_slow_reading_skips_beats_and_never_bursts(tmp_path):
    slow = threading.Event()

    def usage():
        if not slow.is_set():
            slow.set()
            return Usage(1, 1, 1)  # the row that watch() writes
        time.sleep(0.12)
        return Usage(1, 1, 1)

    with Sampler({}, tmp_path, 20) as sampler:
        sampler.watch("slow", usage)
        deadline = time.monotonic() + 30
        while sampler.missed < 4:
            assert time.monotonic() < deadline, "nothing is skipped"
            time.sleep(0.05)
    moments = [int(row["m"]) for row in of(tmp_path, "machine")]
    # a beat that was skipped does not come later as well
    assert len(moments) + sampler.missed <= (moments[-1] - moments[0]) / 50e6 + 3


def test_a_failing_meter_or_usage_is_an_empty_field_and_is_remembered_once(tmp_path):
    meter = Steps()
    with Sampler({"steps": meter}, tmp_path, 50) as sampler:
        sampler.watch("worker-0", lambda: Usage(1, 2, 3))
        sampler.watch("worker-1", lambda: 1 / 0)
        sampler.tick()
        meter.missing = True
        sampler.tick()
        sampler.tick()
        meter.fails = RuntimeError("the bus is gone")
        sampler.tick()
        sampler.tick()
        meter.fails = None
        meter.missing = False
        sampler.tick()
    assert sampler.errors == [
        "usage of worker-1: ZeroDivisionError: division by zero",
        "meter steps: no reading of gpu-0",
        "meter steps: RuntimeError: the bus is gone",
    ]
    assert all(r["cpu_ns"] == r["memory_bytes"] == "" for r in of(tmp_path, "worker-1"))
    assert all(r["cpu_ns"] == "1" for r in of(tmp_path, "worker-0"))
    fields = [(bool(r["package-0"]), bool(r["gpu-0"])) for r in rows(tmp_path, "power-steps")]
    assert {(True, True), (True, False), (False, False)} == set(fields)
    assert fields[-1] == (True, True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_number_is_an_empty_field(tmp_path, value):
    class Odd(Steps):
        def read(self, load):
            return {"package-0": value, "gpu-0": value}

    with Sampler({"odd": Odd()}, tmp_path, 5):
        pass
    assert all(r["package-0"] == r["gpu-0"] == "" for r in rows(tmp_path, "power-odd"))


def test_nothing_comes_after_the_final_row(tmp_path):
    """Unwatching does not wait for a usage function that hangs, nor is its late answer written."""
    asked, go_on = threading.Event(), threading.Event()
    calls, answers = [], []

    def usage():
        calls.append(1)
        if len(calls) > 1:
            asked.set()
            answers.append(go_on.wait(60))
        return Usage(1, 1, 1)

    with Sampler({}, tmp_path, 50) as sampler:
        sampler.watch("worker-0", usage)
        assert asked.wait(60)
        sampler.unwatch("worker-0", Usage(2, 2, 2))
        assert not answers  # it still hangs
        go_on.set()
    assert [row["cpu_ns"] for row in of(tmp_path, "worker-0")][-1] == "2"


def test_a_component_may_come_back(tmp_path):
    with Sampler({}, tmp_path, 5) as sampler:
        for cpu in (1, 3):
            sampler.watch("worker-0", lambda cpu=cpu: Usage(cpu, 0, 0))
            sampler.unwatch("worker-0", Usage(cpu + 1, 0, 0))
        sampler.unwatch("worker-0", Usage(99, 0, 0))  # is not watched any more: no row
    assert [row["cpu_ns"] for row in of(tmp_path, "worker-0")] == ["1", "2", "3", "4"]


def test_many_threads_may_tick(tmp_path):
    with Sampler({"steps": Steps()}, tmp_path, 50) as sampler:
        threads = [
            threading.Thread(target=lambda: [sampler.tick() for _ in range(25)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    steps = rows(tmp_path, "power-steps")
    values = [int(row["package-0"]) for row in steps]
    assert len(values) > 100
    assert values == list(range(values[0], values[-1] + 1, 10))
    assert [int(row["m"]) for row in steps] == sorted(int(row["m"]) for row in steps)


@contextlib.contextmanager
def small_disk():
    """Files of this process may not grow beyond 8 kB: writes fail as on a full disk.

    No fixture: pytest writes its own output, maybe to a long file, before a fixture ends.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_surfaces_at_tick_and_stop(tmp_path):
    with small_disk():
        sampler = Sampler({"steps": Steps()}, tmp_path, 50).start()
        with pytest.raises(MeterError, match=r"usage\.csv.*make room"):
            for _ in range(1000):
                sampler.tick()
        size = (tmp_path / "samples" / "usage.csv").stat().st_size
        assert size == 8192
        with pytest.raises(MeterError):
            sampler.check()
        sampler.watch("worker-0", lambda: Usage(1, 1, 1))
        sampler.unwatch("worker-0", Usage(1, 1, 1))  # clean-up must go through
        with pytest.raises(MeterError):
            sampler.stop()
        sampler.stop()
        assert (tmp_path / "samples" / "usage.csv").stat().st_size == size


def test_a_failed_write_of_the_thread_surfaces(tmp_path):
    with small_disk():
        sampler = Sampler({"steps": Steps()}, tmp_path, 50).start()
        for index in range(60):
            sampler.watch(f"a-rather-long-name-of-a-worker-{index}", lambda: Usage(1, 1, 1))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not sampler._failure:
            time.sleep(0.02)
        with pytest.raises(MeterError, match=os.strerror(errno.EFBIG)):
            sampler.stop()


def test_what_went_wrong_first_is_not_hidden_by_a_full_disk(tmp_path):
    with pytest.raises(KeyError) as caught, small_disk(), Sampler({}, tmp_path, 50) as sampler:
        for _ in range(1000):
            try:
                sampler.tick()
            except MeterError:
                raise KeyError("the run itself") from None
    assert any("samples cannot be written" in note for note in caught.value.__notes__)


def test_samples_of_two_runs_never_share_a_file(tmp_path):
    with Sampler({}, tmp_path, 5):
        pass
    before = (tmp_path / "samples" / "usage.csv").read_bytes()
    with pytest.raises(MeterError, match=r"usage\.csv"):
        Sampler({}, tmp_path, 5).start()
    assert (tmp_path / "samples" / "usage.csv").read_bytes() == before


def test_it_leaves_no_thread_and_no_open_file(tmp_path):
    def files():
        return {(file.name, _opened(file)) for file in Path("/proc/self/fd").iterdir()}

    # what others have left may go meanwhile; what comes is the sampler's
    threads, open_files = set(threading.enumerate()), files()
    sampler = Sampler({"steps": Steps()}, tmp_path, 50)
    with sampler:
        assert len(set(threading.enumerate()) - threads) == 1
        assert str(tmp_path / "samples" / "usage.csv") in {path for _, path in files()}
    assert not set(threading.enumerate()) - threads
    assert not {each for each in files() - open_files if each[1]}
    with pytest.raises(RuntimeError, match="not running"):
        sampler.tick()


def _opened(descriptor: Path) -> str:
    """What it leads to; empty for the one with which this folder is read, which is closed now."""
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:
        return ""


def test_every_line_is_one_write_at_the_end_of_the_file(tmp_path, monkeypatch):
    written = []
    write = os.write

    def spy(descriptor, line):
        written.append(bytes(line))
        return write(descriptor, line)

    monkeypatch.setattr("trialwatt.meters.sampler.os.write", spy)
    with Sampler({"steps": Steps()}, tmp_path, 5) as sampler:
        sampler.tick()
    assert written and all(w.count(b"\n") == 1 and w.endswith(b"\n") for w in written)


def test_a_meter_that_does_not_answer_ends_the_sampling_and_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("trialwatt.meters.sampler.ANSWER_S", 0.2)
    release, asked = threading.Event(), threading.Event()

    class Hangs(Steps):
        def read(self, load):
            asked.set()
            release.wait(60)
            return super().read(load)

    meter = Steps()
    sampler = Sampler({"steps": meter}, tmp_path, 50).start()
    meter.read = Hangs().read
    try:
        assert asked.wait(60)
        with pytest.raises(MeterError, match=r"the meter steps has not answered for 0\.2 s"):
            sampler.tick()
        with pytest.raises(MeterError, match="has not answered"):
            sampler.stop()
        assert not sampler._open
    finally:
        release.set()
