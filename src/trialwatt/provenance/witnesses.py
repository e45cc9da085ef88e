"""Which checksums of a results folder's files are on record anywhere in it, and where.

Metrics, the plan, moves of sweeps and the pages have no sidecar of their own. What was made of
them has one, and an archive lists every file.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.provenance import crate
from trialwatt.provenance.chain import Chain, validated
from trialwatt.provenance.foreign import read_json

_SIDECARS = ("tables/*.json", "tables/best/*.json", "paper/paper.json")
"""Between them they name all metrics, manifests and configuration files."""

Named = dict[str, dict[str, list[str]]]
"""Name in the archive → SHA-256 → who says so."""


def witnesses(results: Path, root: Path | None) -> tuple[Named, list[str]]:
    """What is on record, and the files that should be a record of it but cannot be read."""
    named: Named = defaultdict(lambda: defaultdict(list))
    faults: list[str] = []
    for pattern in _SIDECARS:
        for sidecar in sorted(results.glob(pattern)):
            own = sidecar.relative_to(results).as_posix()
            try:
                links = _links(validated(_provenance(sidecar), where=str(sidecar)))
            except TrialwattError as error:
                faults.append(str(error))
                continue
            for name, checksum in links.items():
                named[name][checksum].append(own)
    if root is not None and (root / crate.NAME).exists():
        try:
            for name, checksum in crate.checksums(root / crate.NAME).items():
                if checksum:
                    named[name][checksum].append(crate.NAME)
        except TrialwattError as error:
            faults.append(str(error))
    return {name: dict(sums) for name, sums in named.items()}, faults


def _provenance(sidecar: Path) -> object:
    content = read_json(sidecar)
    return content.get("provenance") if isinstance(content, dict) else content


def _links(known: Chain) -> dict[str, str]:
    links = {f"results/{file}": checksum for file, checksum in known.tables.items()}
    links |= {f"results/{run.folder}/run.json": run.run_json_sha256 for run in known.runs}
    links |= known.config
    if known.experiment.file and known.experiment.sha256:
        links[known.experiment.file] = known.experiment.sha256
    return links
