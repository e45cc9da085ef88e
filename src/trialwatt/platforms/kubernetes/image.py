"""The worker image: how a user gets one, the rule that builds it, and what a pod of it says."""

from __future__ import annotations

import json
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from trialwatt import __version__
from trialwatt.credentials import redacted
from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes.containers import MAIN
from trialwatt.platforms.kubernetes.faults import has_ended, image_of
from trialwatt.platforms.kubernetes.options import IMAGE, section
from trialwatt.platforms.kubernetes.owners import own_facts
from trialwatt.platforms.kubernetes.shared import open_namespace
from trialwatt.platforms.kubernetes.waiting import wait_for

TAG = f"trialwatt-worker:{__version__}"
FILE = "envs/Containerfile"
BUILDERS = ("docker", "podman")

PROBE = "probe"
DISK_MB = 64
DEADLINE_S = 600
COMMAND = ["python", "-m", "trialwatt.lifecycle.installed"]


def how_to_get_one() -> str:
    """What a user without an image is told: how to build it, and to bring it to the nodes."""
    return "\n".join(
        [
            "kubernetes.image: no worker image is named. Build it with docker or podman:",
            "    snakemake --profile k8s image",
            *_after("docker"),
            "  With podman these commands are others: the rule above ends with them.",
        ]
    )


def _after(builder: str) -> list[str]:
    """The ways to the nodes of what this builder has built, under the name that it gave."""
    if builder == "podman":
        # kind and minikube look into docker's images only; podman names an image in full.
        name, archive = f"localhost/{TAG}", "trialwatt-worker.tar"
        saved = f"podman save --output {archive} {name}"
        ways = [
            f"{saved} && kind load image-archive {archive}",
            f"{saved} && minikube image load {archive}",
            f"{saved}, and on each node: ctr -n k8s.io images import {archive}",
        ]
    else:
        name = TAG
        ways = [f"kind load docker-image {name}", f"minikube image load {name}"]
    pushed = f"REGISTRY/{TAG}"
    ways += [f"{builder} tag {name} {pushed} && {builder} push {pushed}"]
    return [
        "  bring it to the nodes, in one of these ways:",
        *(f"    {way}" for way in ways),
        f"  and name it ({pushed} if it was pushed) in",
        f"  the testbed, kubernetes.image, or: export {IMAGE}={name}",
    ]


def command(project: Path, arguments: Sequence[str] = ()) -> list[str]:
    """The command that builds the image. Raises TrialwattError where nothing here can build it."""
    file = str(project / FILE)
    return [_builder(), "build", "--file", file, "--tag", TAG, *arguments, str(project)]


def _builder() -> str:
    """The first of BUILDERS that works: docker's client is of no use without its daemon."""
    said = []
    for builder in BUILDERS:
        if shutil.which(builder) is None:
            continue
        asked = subprocess.run(
            [builder, "version"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        if asked.returncode == 0:
            return builder
        said.append(f"{builder} is installed and does not work: {asked.stderr.strip()[-500:]}")
    if said:
        raise TrialwattError("\n".join(said))
    raise TrialwattError(
        f"neither docker nor podman is installed here, and one of them builds {FILE}: install one, "
        f"or build it on another machine: docker build --file {FILE} --tag {TAG} ."
    )


def build(project: Path, arguments: Sequence[str] = ()) -> None:
    """Build the image and say what comes next.

    arguments: for docker or podman, as "--platform=linux/arm64". Raises TrialwattError where it
    cannot be built.
    """
    asked = command(project, arguments)
    print(redacted(shlex.join(asked)), file=sys.stderr, flush=True)
    code = subprocess.run(asked, check=False).returncode
    if code:
        raise TrialwattError(f"{asked[0]} could not build {FILE} (exit code {code}); see above")
    print("\n".join([f"built {TAG}. Now:", *_after(asked[0])]), file=sys.stderr, flush=True)


def ask_image(api, testbed) -> dict:
    """Facts of the testbed's image, with its digest; the pod is gone when this returns.

    Raises TrialwattError: the image cannot be pulled or started, or is no worker image.
    """
    kubernetes = section(testbed)
    name = f"{PROBE}-{secrets.token_hex(4)}"  # other coordinators may have one
    shared = open_namespace(api, kubernetes, name, own_facts())
    path = f"{shared.pods}/{name}"
    try:
        api.post(shared.pods, shared.pod_of(name, PROBE, COMMAND, DISK_MB, DEADLINE_S))
        pod = wait_for(api, kubernetes, shared.space, name, has_ended)
        _, _, said = api.raw("GET", f"{path}/log", query={"container": MAIN})
    finally:
        api.delete(path, gracePeriodSeconds=0)
        shared.ledger.drop(name)
    try:
        facts = json.loads(said.decode().strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise TrialwattError(
            f"kubernetes.image: {kubernetes.image} is no worker image of trialwatt: it says "
            f"{said[:200]!r}. Build one with `snakemake --profile k8s image`"
        ) from error
    return facts | {
        "image": kubernetes.image,
        "digest": digest_of(image_of(pod)),
        "node": pod["spec"]["nodeName"],
    }


def digest_of(image_id: str) -> str:
    """sha256:… of a container's imageID, whatever stands before it; empty where it has none."""
    _, found, digest = image_id.rpartition("sha256:")
    return f"sha256:{digest}" if found else ""
