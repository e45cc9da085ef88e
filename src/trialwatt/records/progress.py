"""What a component's records say while its run still goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
