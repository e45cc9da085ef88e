"""Under which conditions runs were measured that a replay is held against, or takes its framework's
cost from: versions, machine, power model. What differs from the replay's own is told, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.records.installation import differences
from trialwatt.records.manifest import MANIFEST, read_manifest
from trialwatt.replay.table import Facts

_OURS = "trialwatt"


@dataclass(frozen=True)
class Conditions:
    """packages: version by PyPI name, trialwatt itself left out. machine: processor and cores.
    power: how energy was measured, and by which power model where it is modelled."""

    packages: Mapping[str, str]
    machine: str
    power: str

    def apart(self, other: Conditions) -> list[str]:
        """What `other` has differently, of what both know; a sentence each."""
        shared = self.packages.keys() & other.packages.keys()
        own = {name: self.packages[name] for name in sorted(shared)}
        found = differences({"packages": own}, {"packages": dict(other.packages)})
        pairs = (("machine", self.machine, other.machine), ("energy", self.power, other.power))
        return [*found, *(f"{k} {there} (not {here})" for k, here, there in pairs if here != there)]


def of_table(facts: Facts, packages: Mapping[str, str] | None = None) -> Conditions:
    """Those of a trial table; packages: those that replay it here, beside the table's own."""
    return _conditions(
        facts.packages | dict(packages or {}), facts.host, facts.methods, facts.config
    )


def of_runs(file: Path, rows: pd.DataFrame) -> list[Conditions]:
    """Those of rows of a runs table, as they stand in the results folder that it lies in; one for
    each kind. Raises TrialwattError where the records are not there."""
    root = _root(file)
    found = list[Conditions]()
    for row in rows.drop_duplicates("folder").to_dict("records"):
        said = read_manifest(root / row["folder"] / MANIFEST)
        method = str(row["energy_method"])
        one = _conditions(said.get("packages") or {}, said["host"], method, said["config"])
        if one not in found:
            found.append(one)
    return found


def told_apart(own: Conditions, file: Path, rows: pd.DataFrame, what: str) -> list[str]:
    """What is to be said of runs (`what` they are, in words) that are held beside a replay."""
    try:
        others = of_runs(file, rows)
    except TrialwattError as error:
        why = str(error).replace(f"{_root(file)}/", "")  # the same wherever the results lie
        return [f"{what}: with which versions and on which machine is not known ({why})"]
    return [f"{what}: {said}" for said in _each(own.apart(other) for other in others)]


def _root(file: Path) -> Path:
    """The results folder of a runs table."""
    return file.resolve().parents[2]


def _each(found: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys(said for own in found for said in own))


def _conditions(
    packages: Mapping[str, str], host: Mapping[str, Any], method: str, config: Mapping[str, Any]
) -> Conditions:
    model = config.get("testbed", {}).get("power_model")
    return Conditions(
        packages={name: known for name, known in packages.items() if name != _OURS},
        machine=f"{host.get('cpu_model', 'unknown')}, {host['cores']} cores",
        power=f"{method} ({model})" if "modelled" in method else method,
    )
