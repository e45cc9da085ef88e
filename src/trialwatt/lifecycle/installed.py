"""What is installed here: the versions of what a run used, and what a worker image has.

`python -m trialwatt.lifecycle.installed` prints the latter, in a pod of the image.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import packages_distributions

from trialwatt import suts, workload
from trialwatt.config.functions import distributions
from trialwatt.config.models import RunConfig
from trialwatt.meters.base import Meter
from trialwatt.platforms.base import PlatformKind
from trialwatt.records.manifest import versions
from trialwatt.records.testbed_facts import cpu_model
from trialwatt.suts.base import Sut

HARNESS = ("trialwatt", "pydantic", "psutil", "snakemake")
"""What is part of every run, whatever it measures."""


def image_facts() -> dict:
    """Versions, what the SUTs lack (name → sentence), which modules can be imported, and the node
    below."""
    lacking = {name: suts.get(name).available() for name in suts.names()}
    return {
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "cpu_model": cpu_model(),
        "packages": versions_of_all(),
        "modules": sorted(packages_distributions()),
        "suts_lacking": {name: reason for name, reason in lacking.items() if reason},
    }


def versions_used(
    config: RunConfig,
    sut: type[Sut],
    platform: type[PlatformKind],
    meters: Iterable[Meter],
) -> dict[str, str]:
    """Installed versions (of the coordinator) by PyPI name: of the harness, the workload, the SUT
    with the strategies of this run, the platform, and the meters that were read.
    """
    tpu = workload.TPU_PACKAGES if config.workload.workers.accelerator == "tpu" else ()
    measuring = (name for meter in meters for name in meter.packages)
    trial = config.workload.trial
    trained = distributions(trial) if trial else workload.PACKAGES
    return versions(
        [*HARNESS, *trained, *tpu, *sut.packages(config), *platform.packages, *measuring]
    )


def versions_of_all() -> dict[str, str]:
    """Installed versions of the harness, the workload and of every SUT with what all of its
    strategies need: what a run of any of them could use here.
    """
    found = [*HARNESS, *workload.PACKAGES]
    for name in suts.names():
        sut = suts.get(name)
        strategies = (*sut.samplers.values(), *sut.pruners.values())
        found += [*([sut.package] if sut.package else []), *sut.needs]
        found += [need for each in strategies for need in each.needs]
    return versions(found)


if __name__ == "__main__":
    json.dump(image_facts(), sys.stdout)
    print()
