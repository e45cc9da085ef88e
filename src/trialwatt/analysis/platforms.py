"""Which testbeds are scalings of one machine, so that they are one platform."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from trialwatt.provenance.chain import read_manifest
from trialwatt.records.manifest import NAME


def platforms_of(runs: pd.DataFrame, results: Path) -> dict[str, str]:
    """Testbed → platform, as the manifests of its runs tell: the machine and how it is used.

    Testbeds of one host and one way to run workers there (local, kubernetes) are one platform,
    called by the first of them; two that share any host are one as well.
    """
    machines: dict[str, set[tuple]] = {}
    for testbed, folder in sorted(set(zip(runs["testbed"], runs["folder"], strict=True))):
        manifest = read_manifest(Path(results) / folder / NAME)
        host = (manifest.get("host") or {}).get("name_hash") or ("unknown host of", testbed)
        way = (manifest["config"].get("testbed") or {}).get("platform", "local")
        machines.setdefault(testbed, set()).add((host, way))
    found: dict[str, str] = {}
    for testbed, own in machines.items():
        known = (other for other in found if machines[other] & own)
        found[testbed] = found.get(next(known, ""), testbed)
    return found
