"""The deploy stage of a cluster: it is looked at and described, what runs share is brought up."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
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
) -> None:
    """Write the record of a testbed that is a cluster: its facts, its image, its idle power.

    A probe pod of the worker image runs for a moment, the only thing that is made. suts: those
    that the plan needs. Raises TrialwattError with everything that keeps runs from being served.
    """
    from trialwatt.platforms.kubernetes import access, facts, image, preflight

    preflight.forget()
    if found := preflight.problems(testbed, []):
        raise TrialwattError(report(found))
    api = access.connect(testbed.kubernetes.context)
    try:
        image = image.ask_image(api, testbed)
    finally:
        api.close()
    lacking = {sut: image["suts_lacking"][sut] for sut in suts if sut in image["suts_lacking"]}
    if lacking:
        raise TrialwattError(
            report(
                f"{sut} cannot run in the image {image['image']}: {lacking[sut]}" for sut in lacking
            )
        )
    cluster = facts.cluster_facts(testbed)
    size = cluster["cores"], cluster["memory_mb"] / 1024
    with open_available(testbed, power) as chosen:
        idle = measure_idle(chosen.meters, testbed.idle_s, testbed.sample_hz, size)
        host = facts.host_of(cluster, image)
        record = describe(name, testbed, power, chosen.facts(), idle, host)
    node = facts.hashed(image.pop("node"))
    write_testbed(output, record | {"cluster": cluster | {"image": image | {"node_hash": node}}})


def bring_up_data(testbed: Testbed, data: Path, output: Path) -> None:
    """Have the data pod serve a prepared dataset, and note so. Raises TrialwattError."""
    from trialwatt.platforms.kubernetes import access, shared

    api = access.connect(testbed.kubernetes.context)
    try:
        source = shared.data_source(api, testbed, data)
    finally:
        api.close()
    noted = {"name": source.name, "sha256": source.sha256, "namespace": source.namespace}
    write_whole(output, json.dumps(noted, indent=1) + "\n")


def undeploy(testbed: Testbed, results: Path) -> None:
    """Remove what runs have left on the cluster and what they share; says what that was.

    The notes of `bring_up_data` stay: without them, what was measured would count as out of date.
    The next run brings the data up again. Raises TrialwattError where something is not gone in
    time.
    """
    from trialwatt.platforms.kubernetes import access, shared

    said = reap(results, testbed.platform, testbed)
    api = access.connect(testbed.kubernetes.context)
    try:
        said += shared.remove(api, testbed)
    finally:
        api.close()
    print("\n".join(said) or "nothing was left on the cluster", file=sys.stderr, flush=True)


def report(problems: Iterable[str]) -> str:
    """All problems as one message."""
    found = list(problems)
    count = f"{len(found)} problem{'' if len(found) == 1 else 's'}; no run was started."
    return "\n".join(["the cluster cannot be used:", *(f"- {one}" for one in found), count])
