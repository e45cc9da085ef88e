"""How a run came out, without reading all of its records."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.records.manifest import NAME

COMPLETED, FAILED = "completed", "failed"


@dataclass(frozen=True)
class Outcome:
    """status and reason as in run.json; jct_ms: NaN where the run did not complete."""

    status: str
    jct_ms: float
    reason: str = ""


def outcome(folder: Path) -> Outcome:
    """The outcome of a repetition's folder. Raises TrialwattError where it is no whole run."""
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
        status, reason = manifest["status"], manifest.get("reason") or ""
        if status != COMPLETED:
            return Outcome(status, math.nan, reason)
        marks = {}
        for line in (folder / "records" / "harness.jsonl").read_text("utf-8").splitlines():
            event = json.loads(line)
            if event["kind"] == "step":
                marks[event["step"], event["status"]] = event["m"]
        return Outcome(status, (marks["collect", "end"] - marks["setup", "start"]) / 1e6, reason)
    except (OSError, ValueError, KeyError) as error:
        raise TrialwattError(
            f"{folder}: is no whole run: {error!r}; remove it to redo it"
        ) from error
