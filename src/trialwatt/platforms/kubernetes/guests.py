"""The namespace that all runs of a testbed share, and the plain pods of the deploy stage in it."""

from __future__ import annotations

import base64
import secrets

from trialwatt.platforms.kubernetes import capacity, restricted
from trialwatt.platforms.kubernetes.hub import PORT
from trialwatt.platforms.kubernetes.hub_client import TOKEN
from trialwatt.platforms.kubernetes.options import Kubernetes
from trialwatt.platforms.kubernetes.rights import SHARED_SECRET

LABELS = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/part": "shared"}
FOLDER = "/run/trialwatt"


def namespace_of(kubernetes: Kubernetes) -> str:
    return f"{kubernetes.namespace_prefix}-shared"


def namespace(name: str) -> dict:
    """Refuses pods that want more than Pod Security's level "restricted" gives."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": LABELS
            | {
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/enforce-version": "latest",
            },
        },
    }


def network_policy() -> dict:
    """Only the port that opens to the token is open, and no pod here reaches anything.

    From everywhere: the API server, which passes the data on, is no pod and has no address that is
    known.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "trialwatt", "labels": LABELS},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"protocol": "TCP", "port": PORT}]}],
        },
    }


def secret(token: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SHARED_SECRET, "labels": LABELS},
        "stringData": {TOKEN: token},
    }


def new_token() -> str:
    return secrets.token_urlsafe(32)


def token_in(secret: dict) -> str:
    return base64.b64decode(secret["data"][TOKEN]).decode()


def pull_secret(content: str) -> dict:
    """The credentials of a private registry: the content of a docker config.json."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "registry", "labels": LABELS},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": content},
    }


def pod(
    kubernetes: Kubernetes,
    name: str,
    command: list[str],
    disk_mb: int,
    deadline_s: int | None = None,
    serves: bool = False,
) -> dict:
    """A pod without any right, in the limits of a hub.

    disk_mb: of its writable folder. deadline_s: it is ended then, whoever is still there. serves:
    it is ready when it answers on the hub's port, is started again when it fails, and gets the
    shared token.
    """
    selector, tolerations = capacity.placement(kubernetes, "cpu")
    limits = {
        "cpu": f"{round(kubernetes.hub.cpu * 1000)}m",
        "memory": f"{kubernetes.hub.memory_mb}Mi",
        "ephemeral-storage": f"{disk_mb}Mi",
    }
    container = {
        "name": name,
        "image": kubernetes.image,
        "imagePullPolicy": kubernetes.image_pull_policy,
        "command": command,
        "resources": {"requests": limits, "limits": limits},
        "securityContext": restricted.of_container(),
        "volumeMounts": [
            {"name": "scratch", "mountPath": FOLDER, "subPath": "run"},
            {"name": "scratch", "mountPath": "/tmp", "subPath": "tmp"},
        ],
    }
    if serves:
        container |= {
            "ports": [{"containerPort": PORT}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
            "env": [
                {
                    "name": TOKEN,
                    "valueFrom": {"secretKeyRef": {"name": SHARED_SECRET, "key": TOKEN}},
                }
            ],
        }
    spec = {
        "restartPolicy": "Always" if serves else "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": restricted.of_pod(),
        "containers": [container],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": f"{disk_mb}Mi"}}],
        "nodeSelector": selector,
        "tolerations": [one.model_dump(exclude_none=True) for one in tolerations],
    }
    if kubernetes.image_pull_secret_env:
        spec["imagePullSecrets"] = [{"name": "registry"}]
    if deadline_s:
        spec["activeDeadlineSeconds"] = deadline_s
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS | {"trialwatt/component": name}},
        "spec": spec,
    }
