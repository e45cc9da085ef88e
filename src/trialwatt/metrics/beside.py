"""What stands beside an experiment's tables: how its sweeps ended, and what cannot be run here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from trialwatt.provenance.files import write_whole

CONVERGENCE, UNAVAILABLE = "convergence.json", "unavailable.json"


def write_beside(folder: Path, ends: Iterable[str], unavailable: Sequence[dict]) -> None:
    """Write both files into the folder of the tables.

    ends: files, one per sweep, of how it ended: sut, sampler, testbed and the fields of its
    verdict. unavailable: sut and treatment (either may be None) and the reason, of each.
    """
    sweeps = [json.loads(Path(end).read_text(encoding="utf-8")) for end in ends]
    contents = {CONVERGENCE: {"sweeps": sweeps}, UNAVAILABLE: {"unavailable": unavailable}}
    for name, content in contents.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / name, text)
