"""How a run came out, without reading all of its records."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trialwatt.errors import TrialwattError
from trialwatt.provenance.foreign import read_json
from trialwatt.provenance.jsontext import parse_json
from trialwatt.records.manifest import MANIFEST, MOST_BYTES, check_shape
from trialwatt.records.sealed import record_file

COMPLETED, FAILED = "completed", "failed"
STATUSES = (COMPLETED, "infeasible", "deadline", FAILED)
"""What becomes of a run, in the order in which it is told."""
LIFECYCLE = ("deploy", "setup", "trials", "collect", "test", "metrics", "undeploy")
"""The steps of a run, in order."""


@dataclass(frozen=True)
class Outcome:
    """status and reason as in run.json; jct_ms: NaN where the run did not complete."""

    status: str
    jct_ms: float
    reason: str = ""


def job_completion_time_ms(setup_start_ns: float, collect_end_ns: float) -> float:
    """JCT: start of setup to end of result collection, ms (design)."""
    return (collect_end_ns - setup_start_ns) / 1e6


def outcome(folder: Path) -> Outcome:
    """The outcome of a repetition's folder. Raises TrialwattError where it is no whole run."""
    try:
        manifest = read_json(folder / MANIFEST, MOST_BYTES)
        if not isinstance(manifest, dict):
            raise TypeError(f"{MANIFEST} is no manifest")
        check_shape(manifest, MANIFEST)
        status, reason = manifest["status"], manifest.get("reason") or ""
        if status != COMPLETED:
            return Outcome(status, math.nan, reason)
        marks: dict[tuple[str, str], int] = {}
        harness = record_file(folder, "records/harness.jsonl").read_bytes().decode("utf-8")
        for line in harness.splitlines():
            event: Any = parse_json(line)
            if event["kind"] == "step":
                marks.setdefault((event["step"], event["status"]), event["m"])  # as the reader
        jct_ms = job_completion_time_ms(marks["setup", "start"], marks["collect", "end"])
        return Outcome(status, jct_ms, reason)
    except TrialwattError as error:
        raise TrialwattError(f"{folder}: is no whole run: {error}; remove it to redo it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrialwattError(
            f"{folder}: is no whole run: {error!r}; remove it to redo it"
        ) from error
