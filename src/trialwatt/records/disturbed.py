"""What from outside has held a job up, or slowed it down, by the events of its run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DISTURBANCE = "disturbance"
"""Kind of the events, by the harness: `what`, `seconds`, `text`, `waited`; their time is when it
began."""
_MOST_TEXT = 200


def flags(events: Iterable[Mapping[str, Any]], window: tuple[int, int] | None) -> list[str]:
    """Why a run must be read with care: one sentence where its job was disturbed.

    window: start of setup and end of result collection (monotonic ns); None where the job did not
    come so far.
    """
    if window is None:
        return []
    within = []
    for event in events:
        if event.get("kind") != DISTURBANCE:
            continue
        seconds, began = event.get("seconds"), event["m"]
        seconds = float(seconds) if isinstance(seconds, int | float) else 0.0
        if began <= window[1] and began + seconds * 1e9 >= window[0]:
            within.append((seconds, str(event.get("text", ""))[:_MOST_TEXT]))
    if not within:
        return []
    longest = max(within)
    more = f", the longest of {len(within)} disturbances" if len(within) > 1 else ""
    return [f"disturbed within the job for {longest[0]:.0f} s{more}: {longest[1]}"]
