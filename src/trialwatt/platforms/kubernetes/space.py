"""Where a run is in a cluster: in a namespace that is made for it, or in one that it is given.

Both carry whose run it is, and that its coordinator lives, so that what a dead one has left is
found: the one on itself, the other on an object in it that only one run at a time can have.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import manifests
from trialwatt.platforms.kubernetes.access import NOT_FOUND, Api, ApiFault, suppress_status
from trialwatt.platforms.kubernetes.owners import is_dead
from trialwatt.platforms.kubernetes.rights import CLAIM
from trialwatt.platforms.kubernetes.waiting import CONFLICT, PERIOD_S, delete_namespace

KINDS = ("api/v1:pods", "apis/networking.k8s.io/v1:networkpolicies", "api/v1:secrets")
"""What a run makes in such a namespace: <group and version>:<resource>."""


class Space(ABC):
    """The namespace of one run. is_taken: there may be something of the run in it."""

    has_quota: bool
    """Whether the run has a ResourceQuota there; in a namespace of others they say what it may."""
    sees_others: bool
    """Whether it may see pods elsewhere on its nodes."""

    def __init__(self, api: Api, place: manifests.Place):
        self._api, self._place, self.is_taken = api, place, False
        self.path = f"/api/v1/namespaces/{place.namespace}"

    def take(self, who: Mapping) -> None:
        """Take it for the run. who: the process that does it (see owners)."""
        try:
            self._take(json.dumps(who), self._now())
            self.is_taken = True
        except ApiFault as fault:
            self.is_taken = fault.status == 0 or fault.status >= 500  # nobody knows
            raise

    def beat(self) -> None:
        """The coordinator lives."""
        self._api.patch(
            self._marked, {"metadata": {"annotations": {manifests.HEARTBEAT: self._now()}}}
        )

    def _now(self) -> str:
        return str(round(self._api.utc()))

    @abstractmethod
    def _take(self, who: str, now: str) -> None:
        """Make the object that is marked."""

    @property
    @abstractmethod
    def _marked(self) -> str:
        """Path of the object that carries the marks."""

    @abstractmethod
    def release(self) -> None:
        """Remove all of the run. Raises TrialwattError where something is left, with why."""


class OwnNamespace(Space):
    """Made for the run, and deleted after it."""

    has_quota = sees_others = True

    def _take(self, who: str, now: str) -> None:
        made = manifests.namespace(self._place, who, now)
        self._api.post("/api/v1/namespaces", made)

    @property
    def _marked(self) -> str:
        return self.path

    def release(self) -> None:
        delete_namespace(self._api, self._place.namespace, self._place.kubernetes.undeploy_s)


class GivenNamespace(Space):
    """An administrator's: what the run makes in it is removed object by object."""

    has_quota = sees_others = False

    def _take(self, who: str, now: str) -> None:
        claim = manifests.claim(self._place, CLAIM, who, now)
        while True:
            try:
                self._api.post(f"{self.path}/configmaps", claim)
                return
            except ApiFault as fault:
                if fault.status != CONFLICT:
                    raise
                self._free(fault)

    def _free(self, refused: ApiFault) -> None:
        """Remove a run whose coordinator is dead. Raises TrialwattError where it is not."""
        if (found := self._api.find(self._marked)) is None:
            return
        metadata = found["metadata"]
        if not is_dead(metadata.get("annotations") or {}, True, self._api.utc()):
            raise TrialwattError(
                f"the namespace {self._place.namespace} holds another run, and one that is given "
                "holds one at a time: try again when that is over, or name another namespace"
            ) from refused
        run_id = metadata["labels"][manifests.RUN_ID]
        release_given(self._api, self._place.namespace, run_id, self._place.kubernetes.undeploy_s)

    @property
    def _marked(self) -> str:
        return f"{self.path}/configmaps/{CLAIM}"

    def release(self) -> None:
        kubernetes, run_id = self._place.kubernetes, self._place.run_id
        release_given(self._api, self._place.namespace, run_id, kubernetes.undeploy_s)


def space_of(api: Api, place: manifests.Place) -> Space:
    return (GivenNamespace if place.kubernetes.namespace else OwnNamespace)(api, place)


def release_given(api: Api, namespace: str, run_id: str, patience_s: float) -> None:
    """Remove a run from a namespace that it was given, the claim last.

    Raises TrialwattError where its pods are not gone in time.
    """
    remove_labelled(api, namespace, {manifests.RUN_ID: run_id}, patience_s)
    path = f"/api/v1/namespaces/{namespace}/configmaps/{CLAIM}"
    with suppress_status(NOT_FOUND):
        if api.get(path)["metadata"].get("labels", {}).get(manifests.RUN_ID) == run_id:
            api.delete(path)


def remove_labelled(api: Api, namespace: str, labels: Mapping[str, str], patience_s: float) -> None:
    """Remove what carries these labels and that we are Trialwatt's, and nothing else.

    Raises TrialwattError where pods are not gone in time.
    """
    wanted = {manifests.MANAGED: "trialwatt"} | dict(labels)
    selector = ",".join(f"{key}={value}" for key, value in wanted.items())
    paths = [
        f"/{group}/namespaces/{namespace}/{kind}"
        for group, _, kind in (each.partition(":") for each in KINDS)
    ]
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
    for path in paths:
        api.call("DELETE", path, options, {"labelSelector": selector})
    deadline = time.monotonic() + patience_s
    while left := api.get(paths[0], labelSelector=selector).get("items"):
        if time.monotonic() > deadline:
            names = ", ".join(pod["metadata"]["name"] for pod in left)
            raise TrialwattError(
                f"pods in the namespace {namespace} are not gone after {patience_s:g} s: {names}. "
                f"Look at them with `kubectl get pods -n {namespace} -l {selector}`"
            )
        time.sleep(PERIOD_S)
