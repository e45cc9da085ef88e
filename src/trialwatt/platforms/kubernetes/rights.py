"""What the coordinator must be allowed to do; k8s/rights.yaml grants just this."""

from __future__ import annotations

from typing import NamedTuple


class Right(NamedTuple):
    """A verb on a resource (with its group and subresource), and what it is needed for.

    name: of the only object that it is needed for; empty: of all.
    """

    verb: str
    resource: str
    why: str
    group: str = ""
    subresource: str = ""
    name: str = ""

    def __str__(self) -> str:
        path = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        path = f"{path}.{self.group}" if self.group else path
        return f"{self.verb} {path}" + (f" ({self.name})" if self.name else "")


def _all(verbs: str, resource: str, why: str, **more: str) -> list[Right]:
    return [Right(verb, resource, why, **more) for verb in verbs.split()]


SHARED_SECRET = "trialwatt-shared"
"""Name of the Secret that lets a later coordinator use the data pod of an earlier one."""

NEEDED: tuple[Right, ...] = (
    *_all("get list create patch delete", "namespaces", "each run has one of its own"),
    *_all("get list watch create delete", "pods", "components are pods"),
    *_all("get", "pods", "what a failed component said", subresource="log"),
    *_all("get create update", "pods", "records and data", subresource="proxy"),
    *_all("list watch", "events", "why a pod cannot be placed or started"),
    *_all("create", "secrets", "tokens and passwords of a run"),
    *_all("get", "secrets", "the data pod is used again", name=SHARED_SECRET),
    *_all("create patch", "resourcequotas", "a run takes no more than it says"),
    *_all("create", "networkpolicies", "nothing else talks to a run", group="networking.k8s.io"),
    *_all("list", "nodes", "room for the workers, and the facts in the records"),
)
"""All cluster-wide, as a namespace is only made for its run."""

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def review(right: Right) -> dict:
    """The question whether the asking user has a right (SelfSubjectAccessReview)."""
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }


def missing(api) -> list[Right]:
    """The needed rights that the coordinator's user does not have."""
    return [
        right
        for right in NEEDED
        if not (api.call("POST", REVIEW, review(right), outage_s=0).get("status") or {}).get(
            "allowed"
        )
    ]


def sentence(rights: list[Right]) -> str:
    """One sentence that names each of the missing rights."""
    named = ", ".join(str(right) for right in rights)
    return (
        f"the cluster does not allow: {named}. An administrator can grant what is needed with "
        "`kubectl apply -f k8s/rights.yaml` (see docs/kubernetes.md)"
    )
