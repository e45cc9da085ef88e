"""What is installed here: the versions of what a run used, and what a worker image has.

`python -m trialwatt.lifecycle.installed` prints the latter, in a pod of the image.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import packages_distributions
from typing import Any

from trialwatt import suts, workload
from trialwatt.config.functions import distributions
from trialwatt.config.models import RunConfig
from trialwatt.meters.base import Meter
from trialwatt.platforms.base import PlatformKind
from trialwatt.records.installation import differences, here, versions
from trialwatt.suts.base import Sut

EVERYWHERE = ("trialwatt", "pydantic", "psutil")
"""What is part of every component of every run, whatever it measures."""
HARNESS = (*EVERYWHERE, "snakemake")
"""What is part of every run."""


def image_facts() -> dict[str, Any]:
    """Versions and code, the SUTs and what they lack (name → sentence), which modules can be
    imported, and the node below."""
    lacking = {name: suts.get(name).available() for name in suts.names()}
    return {
        **here(_names_of_all()),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "modules": sorted(packages_distributions()),
        "suts": sorted(lacking),
        "suts_lacking": {name: reason for name, reason in lacking.items() if reason},
    }


def versions_used(
    config: RunConfig,
    sut: type[Sut],
    platform: type[PlatformKind],
    meters: Iterable[Meter],
) -> dict[str, str]:
    """Installed versions (of the coordinator) by PyPI name: of the harness, what the components
    need, the platform, and the meters that were read.
    """
    measuring = (name for meter in meters for name in meter.packages)
    needed = needed_by_components(config, sut)
    return versions([*HARNESS, *needed, *platform.packages, *measuring])


def needed_by_components(config: RunConfig, sut: type[Sut]) -> tuple[str, ...]:
    """PyPI names, sorted: of what is everywhere, the workload, and the SUT with the strategies of
    this run."""
    tpu = workload.TPU_PACKAGES if config.workload.workers.accelerator == "tpu" else ()
    trial = config.workload.trial
    trained = distributions(trial) if trial else workload.PACKAGES
    return tuple(sorted({*EVERYWHERE, *trained, *tpu, *sut.packages(config)}))


def other_versions(told: Mapping[str, Any], needed: Iterable[str]) -> list[str]:
    """What an image is of another version in than what is here, or lacks; see `differences`.

    told: its `here`. needed: SUTs that it must have all of; of others, what both have counts.
    """
    must = {*EVERYWHERE, *workload.PACKAGES, *(name for sut in needed for name in _own(sut))}
    own = here(_names_of_all())
    shared = must | (told.get("packages") or {}).keys()
    packages = {name: known for name, known in own["packages"].items() if name in shared}
    return differences(own | {"packages": packages}, told)


def _names_of_all() -> list[str]:
    """PyPI names of what a run of any SUT could use here: the workload, each SUT's framework, and
    what all of its strategies need."""
    found = [*EVERYWHERE, *workload.PACKAGES]
    for name in suts.names():
        kind = suts.get(name)
        strategies = (*kind.samplers.values(), *kind.pruners.values())
        found += [*_own(name), *(need for each in strategies for need in each.needs)]
    return found


def _own(sut: str) -> list[str]:
    kind = suts.get(sut)
    return [*([kind.package] if kind.package else []), *kind.needs]


if __name__ == "__main__":
    json.dump(image_facts(), sys.stdout)
    print()
