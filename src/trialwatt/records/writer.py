"""Append-only event records: one JSON object a line, one write a line."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialwatt.clock import Stamp, now
from trialwatt.credentials import redacted
from trialwatt.records.remote import hub

FREE_TEXTS = frozenset({"detail", "error", "reason", "text"})
"""Keys of events whose values may hold what a library has said."""


class EventWriter:
    """Events of one component, as docs/records.md describes them.

    A line is handed to the kernel in a single write: a kill at any moment loses at most the line
    being written. Raises OSError (a full disk, say) to its caller; nothing is buffered.

    In a pod, whose files go with it, the line is also with the run's hub when `write` returns.
    """

    def __init__(self, folder: Path, run_id: str, component: str):
        path = Path(folder) / "records" / f"{component}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        _drop_cut_line(self._fd)
        self._run, self._who = run_id, component
        self._hub = hub()

    def write(self, kind: str, at: Stamp | None = None, **keys: Any) -> Stamp:
        """Write one event that happened `at` (now, unless given)."""
        at = at or now()
        keys |= {key: redacted(keys[key]) for key in FREE_TEXTS & keys.keys()}
        event = {"t": at.utc_ns, "m": at.mono_ns, "run": self._run, "who": self._who, "kind": kind}
        line = json.dumps(event | keys, separators=(",", ":"), allow_nan=False) + "\n"
        data = line.encode()
        written = os.write(self._fd, data)
        if written != len(data):  # a full disk can take a part of it
            os.write(self._fd, data[written:])
        if self._hub is not None:
            self._hub.append(self._who, "records", data)
        return at

    def close(self) -> None:
        """Force what was written to the disk and close the file."""
        os.fsync(self._fd)
        os.close(self._fd)
        if self._hub is not None:
            self._hub.close()


def _drop_cut_line(fd: int) -> None:
    """A predecessor that was killed in mid-write may have left a line without its end."""
    size = os.fstat(fd).st_size
    tail = os.pread(fd, 65536, max(0, size - 65536))
    if tail and not tail.endswith(b"\n"):
        os.ftruncate(fd, size - len(tail) + tail.rfind(b"\n") + 1)


@dataclass(frozen=True)
class Progress:
    """Trials of one component, by its own records: their start and end lines.

    unfinished: start lines of those without an end; the last of them is the one that runs.
    """

    started: list[dict[str, Any]]
    ended: list[dict[str, Any]]
    unfinished: list[dict[str, Any]]
    completed: int
    cpu_ns: int


def progress(folder: Path, component: str) -> Progress:
    """Read records/<component>.jsonl; a line that was cut off is passed over."""
    path = Path(folder) / "records" / f"{component}.jsonl"
    started, ended, cpu_ns = [], [], 0
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if event["kind"] != "trial":
            continue
        cpu_ns = event.get("cpu_ns", cpu_ns)
        if event["status"] == "start":
            started.append(event)
        elif event["status"] == "end":
            ended.append(event)
    over = {event["trial"] for event in ended}
    unfinished = [event for event in started if event["trial"] not in over]
    completed = sum(event["outcome"] == "completed" for event in ended)
    return Progress(started, ended, unfinished, completed, cpu_ns)
