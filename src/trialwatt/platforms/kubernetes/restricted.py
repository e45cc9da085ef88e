"""What Pod Security's level "restricted" asks of every pod, and every pod here keeps to."""

from __future__ import annotations

USER = 10001
"""User and group of the image's processes; of no person."""


def of_pod() -> dict:
    """The securityContext of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def of_container() -> dict:
    """The securityContext of a container: it writes to its mounts alone."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
