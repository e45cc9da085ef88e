"""The machine of a run on a cluster: what its pods have reserved, and what they use of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trialwatt.meters.base import MachineLoad
from trialwatt.platforms.base import Usage


class ReservedMachine:
    """Like meters.machine.Machine, of the pods that a run has reserved.

    Its busy time is the sum of the pods' CPU time, those that have ended too. The "harness" is
    the hub: the coordinator itself is no part of the testbed.
    """

    def __init__(
        self,
        capacity: Callable[[], tuple[float, int]],
        usages: Callable[[], Iterable[Usage]],
        hub: Callable[[], Usage],
    ):
        """capacity: cores and memory in MB, once all roles of the run are known."""
        self._capacity, self._usages, self._hub = capacity, usages, hub

    @property
    def cores(self) -> float:
        return self._capacity()[0]

    @property
    def memory_mb(self) -> int:
        return self._capacity()[1]

    @property
    def memory_bytes(self) -> int:
        return self.memory_mb << 20

    @property
    def memory_gb(self) -> float:
        return self.memory_mb / 1024

    def busy_ns(self) -> int:
        """CPU time of all pods of the run so far, in ns."""
        return sum(usage.cpu_ns for usage in self._usages())

    def stolen_ns(self) -> None:
        """What the hypervisors of its nodes gave to others is not known."""

    def used_bytes(self) -> int:
        """Memory of the pods that live."""
        return sum(usage.memory_bytes for usage in self._usages())

    def own_usage(self) -> tuple[int, int]:
        """The hub: CPU time in ns and memory in bytes."""
        usage = self._hub()
        return usage.cpu_ns, usage.memory_bytes

    def load(self, busy_ns: int, elapsed_ns: int) -> MachineLoad:
        return MachineLoad(self.cores, busy_ns / elapsed_ns, self.memory_gb)

    def close(self) -> None:
        """There is nothing open."""
