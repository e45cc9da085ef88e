"""What the coordinator must be allowed to do: k8s/rights.yaml grants just this, and where runs are
given a namespace, k8s/rights-namespace.yaml."""

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
SHARED_CLAIMS = "trialwatt-shared"
"""Name of the ConfigMap with the claims on what is shared in a namespace that is given."""

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

CLAIM = "trialwatt-run"
"""Name of the ConfigMap by which a run holds a namespace that it is given."""

IN_A_NAMESPACE: tuple[Right, ...] = (
    *_all("get list watch create delete deletecollection", "pods", "components are pods"),
    *_all("get", "pods", "what a failed component said", subresource="log"),
    *_all("get create update", "pods", "records and data", subresource="proxy"),
    *_all("list watch", "events", "why a pod cannot be placed or started"),
    *_all("list", "resourcequotas", "whether an administrator's has room for a run"),
    *_all("create deletecollection", "secrets", "tokens and passwords of a run"),
    *_all("get", "secrets", "the data pod is used again", name=SHARED_SECRET),
    *_all("create", "configmaps", "one run at a time holds the namespace"),
    *_all("get patch delete", "configmaps", "whose run that is, and if it lives", name=CLAIM),
    *_all("get patch delete", "configmaps", "who uses what is shared", name=SHARED_CLAIMS),
    *_all(
        "create deletecollection",
        "networkpolicies",
        "nothing else talks to a run",
        group="networking.k8s.io",
    ),
)
"""In the namespace that runs are given."""
OF_THE_CLUSTER = tuple(right for right in NEEDED if right.resource == "nodes")
"""What there is no doing without cluster-wide, where runs are given a namespace."""

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def review(right: Right, namespace: str = "") -> dict:
    """The question whether the asking user has a right (SelfSubjectAccessReview), in a namespace
    (empty: in all of them)."""
    attributes = {
        "namespace": namespace,
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


def missing(api, namespace: str | None = None) -> list[Right]:
    """The needed rights that the coordinator's user does not have. namespace: the one that runs are
    given, if they have none of their own."""

    def is_allowed(right: Right, where: str) -> bool:
        answer = api.call("POST", REVIEW, review(right, where), outage_s=0)
        return bool((answer.get("status") or {}).get("allowed"))

    if namespace is None:
        return [right for right in NEEDED if not is_allowed(right, "")]
    lacking = [right for right in IN_A_NAMESPACE if not is_allowed(right, namespace)]
    return lacking + [right for right in OF_THE_CLUSTER if not is_allowed(right, "")]


def sentence(rights: list[Right], namespace: str | None = None) -> str:
    """One sentence that names each of the missing rights."""
    named = ", ".join(str(right) for right in rights)
    file = "k8s/rights-namespace.yaml" if namespace else "k8s/rights.yaml"
    where = f" (in the namespace {namespace})" if namespace else ""
    return (
        f"the cluster does not allow{where}: {named}. An administrator can grant what is needed "
        f"with `kubectl apply -f {file}` (see docs/kubernetes.md)"
    )
