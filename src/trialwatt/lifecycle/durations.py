"""How long finished runs took, and so how long others may take."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from trialwatt.errors import TrialwattError
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST, MOST_BYTES

PAUSE_S = 60.0
"""A longer time between two runs was no part of a workflow."""


class Took(NamedTuple):
    """Of which SUT a run was, and from when to when it went (UTC, ns)."""

    sut: str
    started_ns: int
    ended_ns: int

    @property
    def seconds(self) -> float:
        return (self.ended_ns - self.started_ns) / 1e9


class Durations:
    """Of finished runs, in seconds, by their configuration and by their SUT."""

    def __init__(self, runs: Iterable[Path]):
        """runs: folders of repetitions, each in that of its configuration. Raises TrialwattError
        where a manifest is damaged."""
        self._of_folder: dict[Path, list[float]] = {}
        self._of_sut: dict[str, list[float]] = {}
        found = {run: took(run / MANIFEST) for run in runs}
        for run, each in found.items():
            self._of_folder.setdefault(run.parent, []).append(each.seconds)
            self._of_sut.setdefault(each.sut, []).append(each.seconds)
        self.between_s = _between_s(found.values())
        """From the end of a run to the start of the next: median."""

    def done(self, folder: Path) -> int:
        """Finished repetitions of a configuration."""
        return len(self._of_folder.get(folder, ()))

    def expected(self, folder: Path, sut: str) -> float | None:
        """Median of the same configuration, else of the SUT's runs, else of all, with what passes
        until the next run; None without any."""
        near = self._of_folder.get(folder) or self._of_sut.get(sut)
        near = near or [seconds for each in self._of_sut.values() for seconds in each]
        return statistics.median(near) + self.between_s if near else None


def _between_s(runs: Iterable[Took]) -> float:
    ordered = sorted(runs, key=lambda each: each.started_ns)
    gaps = [(after.started_ns - before.ended_ns) / 1e9 for before, after in pairwise(ordered)]
    near = [gap for gap in gaps if 0 <= gap <= PAUSE_S]
    return statistics.median(near) if near else 0.0


def took(manifest: Path) -> Took:
    """Raises TrialwattError where the manifest of a run is damaged."""
    data = read_json(manifest, MOST_BYTES)
    keys = ("started_utc_ns", "ended_utc_ns")
    config = data.get("config") if isinstance(data, dict) else None
    sut = config.get("sut") if isinstance(config, dict) else None
    if not isinstance(sut, str) or not all(type(data.get(key)) is int for key in keys):
        raise TrialwattError(
            f"{manifest}: does not say of which SUT the run is, and when it began and ended; "
            "remove its folder to redo it"
        )
    return Took(sut, data["started_utc_ns"], data["ended_utc_ns"])
