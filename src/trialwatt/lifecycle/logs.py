"""The logs of a run's components: whatever a library has printed there, no credentials stay."""

from __future__ import annotations

from pathlib import Path

from trialwatt.credentials import redacted

LOGS = "logs"


def hide_credentials(folder: Path) -> None:
    """In all logs of a run's folder, once nobody writes them any more."""
    for log in (path for path in (folder / LOGS).rglob("*") if path.is_file()):
        content = log.read_bytes().decode("utf-8", "surrogateescape")
        shown = redacted(content)
        if shown != content:
            log.write_bytes(shown.encode("utf-8", "surrogateescape"))
