"""The run's hub, for a process whose files are seen by nobody else: a pod on a cluster."""

from __future__ import annotations

import os
from pathlib import Path

from trialwatt.platforms.hub.client import ADDRESS, HubClient


class Remote:
    """Where record lines and kept files of this process outlive its pod."""

    def __init__(self, client: HubClient):
        self._client = client

    @classmethod
    def here(cls) -> Remote | None:
        """The hub that the environment names; None where the files of this machine will do."""
        return cls(HubClient.here()) if os.environ.get(ADDRESS) else None

    def append(self, component: str, line: bytes) -> None:
        """Append to the component's records. When it returns, the line will not be lost.

        It is sent again until the hub has it, and stands there once. Raises OSError after a
        minute without an answer.
        """
        self._client.append(component, "records", line)

    def put(self, name: str, path: Path) -> None:
        """Keep a copy of a file under a name relative to the run's folder."""
        self._client.put(name, path)

    def delete(self, name: str) -> None:
        """Drop that copy; one that is not there is none."""
        self._client.delete(name)

    def close(self) -> None:
        self._client.close()
