"""Read what a run wrote, in the plainest way: independent of the package's own readers."""

import json
from pathlib import Path

import pyarrow as pa


def manifest(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def events(folder: Path) -> list[dict]:
    """All events of a run, by the coordinator's monotonic clock."""
    ahead_ns = manifest(folder)["clock"]["offsets_ns"]
    with pa.input_stream(str(folder / "records.zst"), compression="zstd") as sealed:
        lines = [json.loads(line) for line in sealed.read().decode().splitlines()]
    lines = [line | {"m": line["m"] + ahead_ns.get(line["who"], 0)} for line in lines]
    return sorted(lines, key=lambda event: event["m"])


def trials(folder: Path) -> dict[str, dict]:
    """Trial id → its start and end events merged."""
    found: dict[str, dict] = {}
    for event in events(folder):
        if event["kind"] == "trial" and event["status"] != "step":
            found.setdefault(event["trial"], {}).update(event)
    return found
