"""Whether a run's components were of the versions that its coordinator had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialwatt.records.installation import differences


def flags(manifest: Mapping[str, Any]) -> list[str]:
    """Why a run must be read with care: a sentence for each group of components that differs from
    the coordinator, or from the first group. Nothing of records that do not tell."""
    groups = manifest.get("installed") or []
    found = []
    for number, group in enumerate(groups):
        named = ", ".join(group.get("components") or [])
        own = _shared(manifest.get("coordinator") or {}, groups)
        if other := differences(own, group):
            found.append(f"{named}: other versions than the coordinator's: {'; '.join(other)}")
        elif number and (other := differences(groups[0], group)):
            found.append(f"{named}: other versions than other components': {'; '.join(other)}")
    return found


def _shared(coordinator: Mapping[str, Any], groups: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The coordinator, without the packages that only it was asked for."""
    asked = {name for group in groups for name in group.get("packages") or {}}
    packages = coordinator.get("packages") or {}
    return {**coordinator, "packages": {n: v for n, v in packages.items() if n in asked}}
