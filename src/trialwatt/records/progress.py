"""What a component's records say while its run still goes on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """Trials of one component, by its own records: all that it started, and the unfinished one."""

    started: list[dict]
    open: dict | None
    completed: int
    cpu_ns: int


def progress(folder: Path, component: str) -> Progress:
    """Read records/<component>.jsonl; a line that was cut off is passed over."""
    path = Path(folder) / "records" / f"{component}.jsonl"
    started, ended, completed, cpu_ns = [], set(), 0, 0
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if event["kind"] != "trial":
            continue
        cpu_ns = event["cpu_ns"]
        if event["status"] == "start":
            started.append(event)
        elif event["status"] == "end":
            ended.add(event["trial"])
            completed += event["outcome"] == "completed"
    unfinished = [event for event in started if event["trial"] not in ended]
    return Progress(started, unfinished[-1] if unfinished else None, completed, cpu_ns)
