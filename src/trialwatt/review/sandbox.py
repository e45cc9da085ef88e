"""What a process that reads a stranger's results must not do: start programs, open connections,
import what measures, take all of the machine. It holds for this process and those that it forks."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Collection
from dataclasses import dataclass

BLOCKED = (
    "torch",
    "torchvision",
    "torch_tpu",
    "torch_xla",
    "optuna",
    "hyperopt",
    "ray",
    "pyspark",
    "smac",
    "syne_tune",
    "kubernetes",
    "snakemake",
)
"""Frameworks and cluster clients: results must be made again without them."""
CLIENTS = ("kubernetes", "snakemake")
"""What is blocked where searches are replayed again, which is the frameworks' own work."""
_FORBIDDEN = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn")

_CALLS = {
    "x86_64": (0xC000003E, {"socket": 41, "execve": 59, "ptrace": 101, "execveat": 322}),
    "aarch64": (0xC00000B7, {"socket": 198, "execve": 221, "ptrace": 117, "execveat": 281}),
}
"""Machine → what the kernel calls it, and the numbers of the calls that are refused."""
_IO_URING_SETUP = 425
"""Of both machines; through it connections could be opened without those calls."""
_OTHER_NUMBERS = 0x40000000
"""From here on are numbers of another convention (x32), of which nothing is allowed."""
_NUMBER, _MACHINE = 0, 4
"""Places in struct seccomp_data."""
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOWED, _REFUSED = 0x7FFF0000, 0x00050000 | 1  # with EPERM
_NO_NEW_RIGHTS, _SET_FILTER, _FILTER = 38, 22, 2


@dataclass(frozen=True)
class Limits:
    """What a process that reads results may take at most, and each that it forks.

    seconds: of CPU time. memory_bytes: of its own, shared libraries not counted.
    """

    seconds: int
    memory_bytes: int
    file_bytes: int


class _Missing:
    """Finds none of the blocked modules, as if they were not installed."""

    def __init__(self, blocked: Collection[str]):
        self._blocked = blocked

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self._blocked:
            raise ModuleNotFoundError(f"{name} is not to be had in a verification", name=name)


def confine(limits: Limits, blocked: Collection[str] = BLOCKED) -> None:
    """From now on nothing that is blocked can be imported, no program or connection be started, and
    no more be taken than the limits allow."""
    loaded = [name for name in blocked if name in sys.modules]
    assert not loaded, f"imported before the verification began: {', '.join(loaded)}"
    sys.meta_path.insert(0, _Missing(blocked))
    sys.addaudithook(_refuse)
    for kind, most in (
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    seal()  # where the kernel has no filter, the hook stands alone, and no paper is compiled


def _refuse(event: str, arguments: tuple) -> None:
    if event in _FORBIDDEN or event == "socket.connect":
        raise PermissionError(f"{event} is not allowed in a verification")


def seal() -> str:
    """Refuse them from now on, for this thread and those that it starts; returns why it could
    not, empty where it holds."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _CALLS:
        return f"no filter of system calls is known for {sys.platform} on {machine}"
    program = _program(*_CALLS[machine])
    steps = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(steps))
    given = ctypes.create_string_buffer(header, len(header))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    for call in (
        (_NO_NEW_RIGHTS, 1, 0, 0, 0),
        (_SET_FILTER, _FILTER, ctypes.addressof(given), 0, 0),
    ):
        if prctl(*call):
            return f"the kernel takes no filter of system calls: {os.strerror(ctypes.get_errno())}"
    return ""


def _program(machine: int, calls: dict[str, int]) -> bytes:
    """The filter in classic BPF: 8 bytes a step; jumps count the steps to skip."""
    refused = [*calls.values(), _IO_URING_SETUP]
    steps = [
        (_LOAD, 0, 0, _MACHINE),
        (_IF_EQUAL, 1, 0, machine),
        (_RETURN, 0, 0, _REFUSED),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, len(refused) + 1, 0, _OTHER_NUMBERS),
    ]
    steps += [(_IF_EQUAL, len(refused) - place, 0, number) for place, number in enumerate(refused)]
    steps += [(_RETURN, 0, 0, _ALLOWED), (_RETURN, 0, 0, _REFUSED)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
