"""The kernel's own refusal of programs and connections, for this process and all that it starts.

Python's audit hooks see what Python does; compiled libraries that read a stranger's files go past
them. A seccomp filter (Linux, seccomp(2)) holds for both, needs no rights and cannot be undone.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

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
