"""The section `kubernetes` of a testbed, and what else of the testbed matters on a cluster."""

from __future__ import annotations

import os
import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from trialwatt.config.keys import one_of
from trialwatt.config.models import Limits, Model, Options, Testbed, Variable

IMAGE = "TRIALWATT_IMAGE"
"""Environment variable: the worker image, where the testbed names none."""
METERS = ("prometheus", "model")
"""Those that do not read the machine that they run on."""
MILLICORE = 0.001
PREFIX_LENGTH = 30
"""A namespace's name is <prefix>-<run id>, and must not be longer than 63 characters."""


def _dns_label(value: str) -> str:
    if len(value) > PREFIX_LENGTH or not re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
        raise ValueError(
            "must be a DNS label (lower-case letters, digits and dashes, none of these at either "
            f"end) of at most {PREFIX_LENGTH} characters (got {value!r})"
        )
    return value


def _namespace(value: str) -> str:
    if not re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        raise ValueError(f"must be the name of a namespace (got {value!r})")
    return value


def _priority(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", value):
        raise ValueError(f"must be the name of a PriorityClass (got {value!r})")
    return value


def _is_none(value: object) -> bool:
    return value is None


def _label_key(value: str) -> str:
    name = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
    if not re.fullmatch(rf"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?{name}", value):
        raise ValueError(f"must be as a key of Kubernetes' labels: [domain/]name (got {value!r})")
    return value


def _label_value(value: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value):
        raise ValueError(f"must be as a value of Kubernetes' labels (got {value!r})")
    return value


LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Seconds = Annotated[float, Field(ge=1, le=3600)]


class Toleration(Model):
    """A taint of nodes that pods may be placed on in spite of it, as Kubernetes has it.

    Without `key` every taint, without `effect` every effect.
    """

    key: LabelKey | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.key is None and self.operator != "Exists":
            raise ValueError("without `key` the operator must be Exists")
        if self.operator == "Exists" and self.value:
            raise ValueError("with the operator Exists there is no `value`")
        return self


class NodeAccelerator(Model):
    """How a worker gets an accelerator of a type: `count` devices of a resource that nodes offer.

    The selector and the tolerations are added to those of all pods.
    """

    resource: LabelKey
    count: Annotated[int, Field(ge=1)] = 1
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: list[Toleration] = []


class HubLimits(Limits):
    """CPU and memory of the pod that takes in the records of a run."""

    cpu: Annotated[float, Field(ge=MILLICORE)] = 0.25
    memory_mb: Annotated[int, Field(ge=64)] = 256


class Kubernetes(Options):
    """How to reach a cluster, and what pods need to find their place in it.

    `context` null is the current one of the kubeconfig. `namespace` is one that an administrator
    has made: all runs are in it, one after another, where else each has one of its own. `image` is
    the worker image, by tag or digest. A private registry's credentials, the content of a docker
    config.json, are read from the environment variable that `image_pull_secret_env` names.
    `priority_class` is the PriorityClass of every pod, where the cluster's own default is none.
    `ephemeral_mb` is the disk of each pod.
    """

    # A new name of the cluster, or of the image, redoes nothing. The digest of the image is in
    # each manifest, as the version of the code is.
    access = frozenset(
        {
            "context",
            "namespace",
            "namespace_prefix",
            "image",
            "image_pull_policy",
            "image_pull_secret_env",
            "priority_class",
            "schedule_s",
            "start_s",
            "undeploy_s",
        }
    )

    context: Annotated[str, Field(min_length=1)] | None = None
    # One that is not given is left out, so that records of older runs stay what they were.
    namespace: Annotated[str, AfterValidator(_namespace)] | None = Field(None, exclude_if=_is_none)
    namespace_prefix: Annotated[str, AfterValidator(_dns_label)] = "trialwatt"
    image: Annotated[str, Field(pattern=r"^\S+$")] | None = None
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    image_pull_secret_env: Variable | None = None
    priority_class: Annotated[str, AfterValidator(_priority)] | None = Field(
        None, exclude_if=_is_none
    )
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: list[Toleration] = []
    accelerators: dict[Literal["gpu", "tpu"], NodeAccelerator] = {}
    hub: HubLimits = HubLimits()
    ephemeral_mb: Annotated[int, Field(ge=64)] = 2048
    schedule_s: Seconds = 60
    start_s: Seconds = 300
    undeploy_s: Seconds = 120

    def problems(self, testbed: Testbed) -> list[tuple[str, str]]:
        if testbed.platform == "kubernetes":
            return []
        return [("", f'only the platform kubernetes reads it, not "{testbed.platform}"')]

    def completed(self) -> Self:
        """With the image that the environment names, where the testbed names none itself."""
        image = os.environ.get(IMAGE)
        return self.model_copy(update={"image": image}) if image and not self.image else self


def section(testbed: Testbed) -> Kubernetes:
    """That of a testbed whose platform it is, which has been validated."""
    found = testbed.options(Kubernetes)
    assert found is not None, "validated with the configuration"
    return found


def testbed_problems(testbed: Testbed) -> list[tuple[str, str]]:
    """Whether the testbed's keys make sense together on a cluster; asks no cluster."""
    found = []
    if testbed.options(Kubernetes) is None:
        found.append(("kubernetes", "is missing; `kubernetes: {}` takes the current context"))
    for index, name in enumerate(testbed.meters):
        if name not in METERS:
            there = one_of(METERS)
            message = f'"{name}" would read the machine of the coordinator; a cluster has: {there}'
            found.append((f"meters.{index}", message))
    if testbed.enforcement != "auto":
        message = "a cluster's nodes enforce the limits in their own way: leave it out"
        found.append(("enforcement", message))
    if testbed.allow_oversubscription:
        message = "a cluster gives no pod what its nodes do not have: leave it out"
        found.append(("allow_oversubscription", message))
    if testbed.environment:
        message = "pods have nothing of the user's environment: leave it out"
        found.append(("environment", message))
    if testbed.service.cpu < MILLICORE:
        message = f"must be at least a millicore (got {testbed.service.cpu:g})"
        found.append(("service.cpu", message))
    return found
