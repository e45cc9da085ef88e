"""Readings of the meters and of the CPU time, taken by a thread and kept in memory."""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trialwatt.clock import now
from trialwatt.measure.sources import Source
from trialwatt.meters.base import MachineLoad
from trialwatt.meters.machine import Machine
from trialwatt.meters.sampler import Beats, known_load

_ALWAYS = ["t", "machine", "stolen", "script"]


@dataclass(frozen=True)
class Readings:
    """All (n,), in order of time: monotonic ns; CPU ns of the machine, that the
    hypervisor took, and of the script; raw values of each domain by name, NaN where one could not
    be read."""

    times_ns: np.ndarray
    machine_ns: np.ndarray
    stolen_ns: np.ndarray
    script_ns: np.ndarray
    values: dict[str, np.ndarray]
    cores: int
    memory_gb: float


class Sampling:
    """Reads from start() to stop(), `hz` times a second, and at each tick().

    script_ns: CPU time of the script so far;
    called by one thread at a time. What fails is a missing value, and its reason stands in
    `errors`, once.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        hz: float,
        script_ns: Callable[[], int],
    ):
        self.errors: list[str] = []
        self._sources, self._script_ns = sources, script_ns
        self._machine = Machine()
        self._names = [domain.name for source in sources for domain in source.domains]
        self._columns = {name: array("d") for name in _ALWAYS + self._names}
        self._last_ns = self._last_busy = 0
        self._hz = hz
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trialwatt-measure", daemon=True)

    def start(self) -> None:
        self._last_ns, self._last_busy = now().mono_ns, self._machine.busy_ns()
        self.tick()
        self._thread.start()

    def knot(self) -> tuple[int, int]:
        """This moment and the script's CPU time until now, both in ns; no meter is read."""
        with self._lock:
            return now().mono_ns, self._script_ns()

    def tick(self) -> None:
        """A reading of everything, now."""
        with self._lock:
            at, busy = now().mono_ns, self._machine.busy_ns()
            load = known_load(self._machine, busy - self._last_busy, max(1, at - self._last_ns))
            self._last_ns, self._last_busy = at, busy
            row = self._power(load) | {"t": at, "machine": busy, "script": self._script_ns()}
            row["stolen"] = self._machine.stolen_ns()
            for name, column in self._columns.items():
                column.append(row.get(name, math.nan))

    def stop(self) -> None:
        """A last reading, and the end; the meters stay open."""
        self._ended.set()
        self._thread.join()
        self.tick()
        self._machine.close()

    @property
    def readings(self) -> Readings:
        """Those so far."""
        with self._lock:
            kept = {name: np.array(column) for name, column in self._columns.items()}
        times, machine, stolen, script = (kept.pop(name) for name in _ALWAYS)
        cores, memory_gb = self._machine.cores, self._machine.memory_gb
        return Readings(times, machine, stolen, script, kept, cores, memory_gb)

    def _run(self) -> None:
        beats = Beats(self._hz)
        while not self._ended.wait(beats.wait_s()):
            try:
                self.tick()
            except Exception as error:  # the script goes on; what is not read is a gap
                self._remember(f"a reading failed: {type(error).__name__}: {error}")

    def _power(self, load: MachineLoad) -> dict[str, float]:
        found: dict[str, float] = {}
        for source in self._sources:
            try:
                found |= source.meter.read(load)
            except Exception as error:  # a meter of another package may raise anything
                self._remember(f"meter {source.name}: {type(error).__name__}: {error}")
        for name in self._names:
            if name not in found:
                self._remember(f"no reading of {name} at times")
        return {name: found[name] for name in self._names if name in found}

    def _remember(self, text: str) -> None:
        if text not in self.errors:
            self.errors.append(text)
