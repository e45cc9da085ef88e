"""The deploy stage of a remote platform: it is looked at, what runs share is brought up."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from trialwatt import platforms
from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.lifecycle.installed import other_versions
from trialwatt.lifecycle.inventory import ALLOWED
from trialwatt.lifecycle.reap import reap
from trialwatt.meters.choose import open_available
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed


def describe_cluster(
    name: str,
    testbed: Testbed,
    power: PowerParameters | None,
    suts: Sequence[str],
    output: Path,
    imports: Sequence[str] = (),
) -> None:
    """Write the record of a testbed that is a cluster: its facts, its image, its idle power.

    suts: those that the plan needs. imports: modules that its functions import.

    Raises TrialwattError with everything that keeps runs from being served.
    """
    platform = platforms.get(testbed.platform)
    if found := platform.problems(testbed, []):
        raise TrialwattError(report(found))
    site = platform.site(testbed)
    lacking = []
    if not testbed.allow_other_versions and (others := other_versions(site.installed, suts)):
        said = "; ".join(others)
        remedy = f"{platform.renewal}, {ALLOWED}"
        lacking.append(f"the worker image is not of the versions here: {said}: {remedy}")
    lacking += [f"the worker image has no SUT {sut}" for sut in suts if sut not in site.suts]
    lacking += [site.lacking[sut] for sut in suts if sut in site.lacking]
    lacking += [
        f'the workload imports "{name}", which is not there: {site.more}'
        for name in imports
        if name not in site.modules
    ]
    if lacking:
        raise TrialwattError(report(lacking))
    size = site.cores, site.memory_gb
    with open_available(testbed, power) as chosen:
        idle = measure_idle(chosen.meters, testbed.idle_s, testbed.sample_hz, size)
        record = describe(name, testbed, power, chosen.facts(), idle, site.host)
    write_testbed(output, record | site.facts)


def bring_up_data(testbed: Testbed, data: Path, output: Path) -> None:
    """Have a prepared dataset served to all runs, and note so. Raises TrialwattError."""
    noted = platforms.get(testbed.platform).share(testbed, data)
    write_whole(output, json.dumps(noted, indent=1) + "\n")


def undeploy(testbed: Testbed, results: Path) -> None:
    """Remove what runs have left on the cluster and what they share; says what that was.

    The notes of `bring_up_data` stay: without them, what was measured would count as out of date.
    The next run brings the data up again. Raises TrialwattError where something is not gone in
    time.
    """
    said = reap(results, testbed.platform, testbed)
    said += platforms.get(testbed.platform).unshare(testbed)
    print("\n".join(said) or "nothing was left on the cluster", file=sys.stderr, flush=True)


def report(problems: Iterable[str]) -> str:
    """All problems as one message."""
    found = list(problems)
    count = f"{len(found)} problem{'' if len(found) == 1 else 's'}; no run was started."
    return "\n".join(["the cluster cannot be used:", *(f"- {one}" for one in found), count])
