"""What a worker image has: asked in a pod of it, once, before the first run."""

from __future__ import annotations

import json

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import guests
from trialwatt.platforms.kubernetes.gone import wait_until_gone
from trialwatt.platforms.kubernetes.options import section
from trialwatt.platforms.kubernetes.shared import open_namespace
from trialwatt.platforms.kubernetes.waiting import has_ended, wait_for

POD = "probe"
DISK_MB = 64
DEADLINE_S = 600
COMMAND = ["python", "-m", "trialwatt.lifecycle.image_facts"]


def ask_image(api, testbed) -> dict:
    """Facts of the testbed's image, with its digest; the pod is gone when this returns.

    Raises TrialwattError: the image cannot be pulled or started, or is no worker image.
    """
    kubernetes = section(testbed)
    space, _ = open_namespace(api, kubernetes)
    pods = f"/api/v1/namespaces/{space}/pods"
    path = f"{pods}/{POD}"
    api.delete(path, gracePeriodSeconds=0)  # of a call that was cut off
    wait_until_gone(api, path, kubernetes.undeploy_s)
    try:
        api.post(pods, guests.pod(kubernetes, POD, COMMAND, DISK_MB, DEADLINE_S))
        pod = wait_for(api, kubernetes, space, POD, has_ended)
        _, _, said = api.raw("GET", f"{path}/log")
    finally:
        api.delete(path, gracePeriodSeconds=0)
    (status,) = pod["status"]["containerStatuses"]
    try:
        facts = json.loads(said.decode().strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise TrialwattError(
            f"kubernetes.image: {kubernetes.image} is no worker image of trialwatt: it says "
            f"{said[:200]!r}. Build one with `snakemake --profile k8s image`"
        ) from error
    return facts | {
        "image": kubernetes.image,
        "digest": digest_of(status.get("imageID", "")),
        "node": pod["spec"]["nodeName"],
    }


def digest_of(image_id: str) -> str:
    """sha256:… of a container's imageID, whatever stands before it; empty where it has none."""
    _, found, digest = image_id.rpartition("sha256:")
    return f"sha256:{digest}" if found else ""
