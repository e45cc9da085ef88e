"""Which testbeds are scalings of one machine, so that they are one platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST, MOST_BYTES, check_shape


def platforms_of(runs: pd.DataFrame, results: Path) -> dict[str, str]:
    """Testbed → platform, as the manifests of its runs tell: the machine and how it is used.

    Testbeds of one host and one way to run workers there (their `platform`) are one platform,
    called by the first of them; two that share any host are one as well. Raises TrialwattError
    where a manifest is missing or damaged.
    """
    machines: dict[str, set[tuple[Any, ...]]] = {}
    for testbed, folder in sorted(set(zip(runs["testbed"], runs["folder"], strict=True))):
        manifest = _manifest(Path(results) / folder / MANIFEST)
        host = (manifest.get("host") or {}).get("name_hash") or ("unknown host of", testbed)
        testbed_of = manifest["config"].get("testbed")
        way = testbed_of.get("platform", "local") if isinstance(testbed_of, dict) else "local"
        machines.setdefault(testbed, set()).add((host, way))
    found: dict[str, str] = {}
    for testbed, own in machines.items():
        known = (other for other in found if machines[other] & own)
        found[testbed] = found.get(next(known, ""), testbed)
    return found


def _manifest(file: Path) -> dict[str, Any]:
    manifest = read_json(file, MOST_BYTES)
    if not isinstance(manifest, dict) or "config" not in manifest:
        raise TrialwattError(f"{file}: not a run's manifest")
    check_shape(manifest, file)
    return manifest
