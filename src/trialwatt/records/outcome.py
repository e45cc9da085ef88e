"""How a run came out, without reading all of its records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialwatt.errors import TrialwattError
from trialwatt.provenance.foreign import read_json
from trialwatt.provenance.jsontext import parse_json
from trialwatt.records.manifest import MOST_BYTES, NAME
from trialwatt.records.manifest_shape import check_shape

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
        manifest = read_json(folder / NAME, MOST_BYTES)
        if not isinstance(manifest, dict):
            raise TypeError(f"{NAME} is no manifest")
        check_shape(manifest, NAME)
        status, reason = manifest["status"], manifest.get("reason") or ""
        if status != COMPLETED:
            return Outcome(status, math.nan, reason)
        marks: dict[tuple[str, str], int] = {}
        for line in (folder / "records" / "harness.jsonl").read_text("utf-8").splitlines():
            event: Any = parse_json(line)
            if event["kind"] == "step":
                marks[event["step"], event["status"]] = event["m"]
        return Outcome(status, (marks["collect", "end"] - marks["setup", "start"]) / 1e6, reason)
    except TrialwattError as error:
        raise TrialwattError(f"{folder}: is no whole run: {error}; remove it to redo it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrialwattError(
            f"{folder}: is no whole run: {error!r}; remove it to redo it"
        ) from error
