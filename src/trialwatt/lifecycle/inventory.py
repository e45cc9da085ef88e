"""What the components of a run say of what is installed where they are, against what is here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from trialwatt.config.identity import canonical_json
from trialwatt.errors import TrialwattError
from trialwatt.records.installation import INSTALLED, differences, here
from trialwatt.suts.base import Job

FIRST_LINES = 100
"""Of a component's records: it says it before it does anything else."""
ALLOWED = (
    "or let it run all the same with the testbed's allow_other_versions, which is on record and "
    "flags it"
)


class OtherVersions(TrialwattError):
    """A component is of other versions than the coordinator, and the testbed does not allow it."""


class Inventory:
    """Of one run: component → what it said."""

    def __init__(self, job: Job, remedy: str):
        """remedy: of the platform (PlatformKind.renewal)."""
        self._remedy = remedy
        self._own = here(job.packages)
        self._allowed = job.config.testbed.allow_other_versions
        self._told: dict[str, dict[str, Any]] = {}

    def take(self, component: str, told: Mapping[str, Any] | None) -> None:
        """Raises OtherVersions. told: None where it says nothing, as older versions do."""
        self._told[component] = dict(told or {})
        found = differences(self._own, self._told[component])
        if found and not self._allowed:
            raise OtherVersions(
                f"{component} is not of the coordinator's versions: {'; '.join(found)}: "
                f"{self._remedy}, {ALLOWED}"
            )

    def read(self, folder: Path, components: Iterable[str]) -> None:
        """Take what components have written of it in their records. Raises OtherVersions."""
        for component in components:
            path = folder / "records" / f"{component}.jsonl"
            if component in self._told or not path.exists():
                continue
            with path.open(encoding="utf-8") as lines:
                for line in islice(lines, FIRST_LINES):
                    if f'"kind":"{INSTALLED}"' in line:
                        event = json.loads(line)
                        self.take(component, {key: event.get(key) for key in self._own})
                        break

    def facts(self, code: Mapping[str, Any], packages: Mapping[str, str]) -> dict[str, Any]:
        """The keys `code`, `packages`, `coordinator` and `installed` of a manifest.

        code, packages: those of the coordinator, with its commit.
        """
        groups: dict[str, dict[str, Any]] = {}
        for component, told in sorted(self._told.items()):
            group = groups.setdefault(canonical_json(told), {"components": []} | told)
            group["components"].append(component)
        installed = list(groups.values())
        known: dict[str, set[str]] = {}
        for each in installed:
            for name, version in (each.get("packages") or {}).items():
                known.setdefault(name, set()).add(version)
        codes = {each.get("code_sha256") or "unknown" for each in installed}
        joined = {name: "/".join(sorted(versions)) for name, versions in sorted(known.items())}
        if codes - {self._own["code_sha256"]}:  # whose commit nobody knows
            version = joined.get("trialwatt", "unknown")
            done_by = {"version": version, "commit": None, "dirty": None}
        else:
            done_by = dict(code)
        return {
            "code": done_by | {"sha256": "/".join(sorted(codes)) or None},
            "packages": joined,
            "coordinator": self._own | {"packages": dict(packages), "code": dict(code)},
            "installed": installed,
        }
