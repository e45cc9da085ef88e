"""The sampler: one thread that writes what the components use and what the meters read."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from trialwatt.clock import Stamp, now
from trialwatt.meters.base import MachineLoad, Meter, MeterError
from trialwatt.meters.bounds import can_be_used
from trialwatt.meters.machine import Machine
from trialwatt.meters.sample_files import (
    DEVICES,
    STOLEN,
    USAGE,
    device_fields,
    heading,
    power_field,
    stamped,
    usage_fields,
)
from trialwatt.platforms.base import Usage

_FIRST_INTERVAL_S = 0.05  # what the first reading of a model is the mean of
ANSWER_S = 20.0
"""A meter that has not answered by then never will: the run ends, rather than wait for it."""
_LOOK_S = 0.5
T = TypeVar("T")


class Sampler:
    """Writes samples/usage.csv, power-<meter>.csv and gpu.csv of a run (see docs/records.md).

    Meters that are not read at each sample are left alone. folder: the run's folder. machine:
    makes what is sampled as the machine and the harness (Platform.machine). All rows of
    one sample carry the same stamp, taken before it. A reading that fails leaves an empty field
    and its reason in `errors`, once. A write that fails, or a reading that does not come back, ends
    the sampling, and the next check(), tick() or stop() raises MeterError.
    """

    def __init__(
        self,
        meters: dict[str, Meter],
        folder: Path,
        hz: float,
        machine: Callable[[], Machine] = Machine,
    ):
        self.errors: list[str] = []
        self._meters = {name: meter for name, meter in meters.items() if meter.sampled}
        self._with_devices = {n: meter for n, meter in self._meters.items() if meter.devices}
        self._folder = Path(folder) / "samples"
        self._hz, self._make_machine = hz, machine
        self._watched: dict[str, Callable[[], Usage]] = {}
        self._files: dict[str, _Table] = {}
        self._failure: Exception | None = None
        self._reading: tuple[str, float] | None = None  # which meter is read now, since when
        self._beats: Beats | None = None
        self._thread: threading.Thread | None = None
        self._open = False
        self._ended = threading.Event()
        # Two locks: usage functions run without the second, so that unwatch() never waits for one.
        self._sampling = threading.Lock()  # one sample at a time
        self._writing = threading.Lock()  # the files and the list of the watched

    @property
    def missed(self) -> int:
        """Beats that were skipped because a sample took too long or the machine was too busy."""
        return self._beats.missed if self._beats else 0

    def start(self) -> Sampler:
        """Open the files, take the first sample and start the thread.

        Raises MeterError if the files cannot be made or there are samples in the folder already.
        """
        self._machine = self._make_machine()
        try:
            self._open_files()
            self._last_mono, self._last_busy = time.monotonic_ns(), self._machine.busy_ns()
            self._last_stolen: int | None = None
            time.sleep(_FIRST_INTERVAL_S)
            self._open = True
            self.tick()
        except BaseException as error:
            self._close()
            if isinstance(error, OSError):
                raise _cannot_write(error) from error
            raise
        self._beats = Beats(self._hz)
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()
        return self

    def watch(self, component: str, usage: Callable[[], Usage]) -> None:
        """From now on this component is in every sample; writes its first row."""
        line = stamped(now()) + self._usage_fields(component, usage)
        with self._writing:
            self._watched[component] = usage
            self._write("usage", line)

    def unwatch(self, component: str, final: Usage) -> None:
        """Its last row. Nothing that was read before comes after it."""
        with self._writing:
            if self._watched.pop(component, None) is not None:
                fields = usage_fields(component, final.cpu_ns, final.memory_bytes)
                self._write("usage", stamped(now()) + fields)

    def tick(self) -> Stamp:
        """An extra sample now, from any thread; returns its stamp.

        Raises MeterError if samples cannot be written.
        """
        if not self._open:
            raise RuntimeError("the sampler is not running")
        taken: list[Stamp | Exception] = []
        # In a thread of its own, for a meter may keep whoever reads it for ever.
        thread = threading.Thread(target=self._sample_into, args=(taken,), daemon=True)
        thread.start()
        while thread.is_alive():
            self.check()
            thread.join(_LOOK_S)
        self.check()
        (stamp,) = taken
        if isinstance(stamp, Exception):
            raise stamp
        return stamp

    def check(self) -> None:
        """Raises MeterError if the sampling has failed, or a meter does not answer."""
        reading = self._reading
        if reading and not self._failure and time.monotonic() - reading[1] > ANSWER_S:
            self._failure = _no_answer(reading[0])
        if isinstance(self._failure, MeterError):
            raise self._failure
        if self._failure:
            raise _cannot_write(self._failure) from self._failure

    def stop(self) -> None:
        """A last sample and the end; idempotent. Raises MeterError like tick()."""
        if self._thread is None:
            return
        self._ended.set()
        thread, self._thread = self._thread, None
        try:
            while thread.is_alive():
                self.check()
                thread.join(_LOOK_S)
            self.tick()
        finally:
            self._close()

    def __enter__(self) -> Sampler:
        return self.start()

    def __exit__(self, kind, error, trace) -> None:
        try:
            self.stop()
        except MeterError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # do not hide what went wrong first

    # --- the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.wait(self._beats.wait_s()) and not self._failure:
            try:
                self._sample()
            except Exception as error:  # must surface at tick() or stop(), not die with the thread
                self._failure = self._failure or error

    def _sample_into(self, taken: list[Stamp | Exception]) -> None:
        try:
            taken.append(self._sample())
        except Exception as error:  # for whoever waits for it
            taken.append(error)

    def _sample(self) -> Stamp:
        with self._sampling:
            stamp = now()
            if self._failure:
                return stamp
            busy = self._machine.busy_ns()
            elapsed = max(1, stamp.mono_ns - self._last_mono)
            load = known_load(self._machine, busy - self._last_busy, elapsed)
            self._last_mono, self._last_busy = stamp.mono_ns, busy

            power = {name: self._power_fields(name, load) for name in self._meters}
            devices = self._device_lines()
            own_cpu, own_memory = self._machine.own_usage()
            used, stolen = self._machine.used_bytes(), self._machine.stolen_ns()
            components = [
                (component, usage, self._usage_fields(component, usage))
                for component, usage in list(self._watched.items())
            ]
            head = stamped(stamp)
            with self._writing:
                for name, fields in power.items():
                    self._write(_power(name), head + fields)
                for fields in devices:
                    self._write("gpu", head + fields)
                self._write("usage", f"{head}machine,{busy},{used}")
                self._write("usage", f"{head}harness,{own_cpu},{own_memory}")
                if stolen != self._last_stolen:  # on most machines once
                    self._write("usage", head + usage_fields(STOLEN, stolen, None))
                    self._last_stolen = stolen
                for component, usage, fields in components:
                    if self._watched.get(component) is usage:  # not unwatched meanwhile
                        self._write("usage", head + fields)
        return stamp

    def _power_fields(self, name: str, load) -> str:
        meter = self._meters[name]
        try:
            readings = self._asked(name, lambda: meter.read(load))
        except Exception as error:  # a meter of another package may raise anything
            self._remember(f"meter {name}: {type(error).__name__}: {error}")
            return "," * (len(meter.domains) - 1)
        fields = []
        for domain in meter.domains:
            fields.append(power_field(domain, readings.get(domain.name)))
            if not fields[-1]:
                self._remember(f"meter {name}: no reading of {domain.name}")
        return ",".join(fields)

    def _asked(self, name: str, ask: Callable[[], T]) -> T:
        self._reading = name, time.monotonic()
        try:
            return ask()
        finally:
            self._reading = None

    def _device_lines(self) -> list[str]:
        lines = []
        for name, meter in self._with_devices.items():
            try:
                uses = self._asked(name, meter.device_use)
            except Exception as error:  # as of its power
                self._remember(f"meter {name}: use of devices: {type(error).__name__}: {error}")
                uses = {}
            lines += [device_fields(device, uses.get(device)) for device in meter.devices]
        return lines

    def _usage_fields(self, component: str, usage: Callable[[], Usage]) -> str:
        try:
            used = usage()
        except Exception as error:  # the component may be gone, or its platform may fail
            self._remember(f"usage of {component}: {type(error).__name__}: {error}")
            return usage_fields(component, None, None)
        return usage_fields(component, used.cpu_ns, used.memory_bytes)

    def _remember(self, text: str) -> None:
        if text not in self.errors:
            self.errors.append(text)

    # --- the files --------------------------------------------------------------------------

    def _open_files(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        tables = {"usage": USAGE}
        tables |= {_power(n): [d.name for d in m.domains] for n, m in self._meters.items()}
        if self._with_devices:
            tables["gpu"] = DEVICES
        for name, columns in tables.items():
            self._files[name] = _Table(self._folder / f"{name}.csv", heading(columns))

    def _write(self, table: str, line: str) -> None:
        """One line; the caller holds the writing lock."""
        if self._failure or table not in self._files:
            return
        try:
            self._files[table].append(line)
        except OSError as error:
            self._failure = error

    def _close(self) -> None:
        self._open = False
        with self._writing:
            for table in self._files.values():
                table.close()
            self._files.clear()
        self._machine.close()


def known_load(machine: Machine, busy_ns: int, elapsed_ns: int) -> MachineLoad:
    """Not known where the machine's counter cannot be right; nor is what is modelled by it."""
    load = machine.load(busy_ns, elapsed_ns)
    known = can_be_used(busy_ns, elapsed_ns, load.cores)
    return load if known else replace(load, busy_cores=math.nan)


class _Table:
    """A CSV file that is only appended to, one write per line."""

    def __init__(self, path: Path, first: str):
        self._path = path
        # O_EXCL: samples of two runs must never end up in one file.
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        self.append(first)

    def append(self, line: str) -> None:
        rest = f"{line}\n".encode()
        try:
            while rest:  # a disk that fills up takes a part, and refuses the rest
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error

    def close(self) -> None:
        os.close(self._descriptor)


def _power(meter: str) -> str:
    return f"power-{meter}"


def _no_answer(meter: str) -> MeterError:
    return MeterError(
        f"the meter {meter} has not answered for {ANSWER_S:g} s. Without its samples the run is no "
        "result: see what keeps it, or take it out of the testbed's meters, and run it again."
    )


def _cannot_write(error: Exception) -> MeterError:
    return MeterError(
        f"the run's samples cannot be written: {error}. "
        "Without samples the run is no result: make room or allow writing there, and run it again."
    )


class Beats:
    """Deadlines every 1/hz seconds from now on; beats that were missed are skipped, not caught up.

    `missed` counts them.
    """

    def __init__(self, hz: float):
        self._period_ns = 1_000_000_000 / hz
        self._start_ns = time.monotonic_ns()
        self._beat = 0
        self.missed = 0

    def wait_s(self) -> float:
        """Moves on to the next beat and returns the seconds until then."""
        now_ns = time.monotonic_ns()
        due = int((now_ns - self._start_ns) / self._period_ns) + 1
        # A wait may end early by the clock's resolution: never give the same beat twice.
        due = max(due, self._beat + 1)
        self.missed += due - self._beat - 1
        self._beat = due
        return max(0.0, (self._start_ns + due * self._period_ns - now_ns) / 1e9)
