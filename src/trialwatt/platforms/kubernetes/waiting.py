"""Waiting until a pod of the deploy stage is ready or has ended, and until one is deleted."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from trialwatt.credentials import redacted
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import TAIL_LINES
from trialwatt.platforms.kubernetes.access import NOT_FOUND, Api, ApiFault
from trialwatt.platforms.kubernetes.containers import MAIN, initial_statuses, own_status
from trialwatt.platforms.kubernetes.faults import IMAGE_FAULTS, held_up, will_not_start
from trialwatt.platforms.kubernetes.options import Kubernetes

PERIOD_S = 1.0

CONFLICT = 409


def wait_for(
    api, kubernetes: Kubernetes, namespace: str, name: str, until: Callable[[dict], bool]
) -> dict:
    """The pod, once `until` says so of it.

    Raises TrialwattError: it gets no node within schedule_s, its image cannot be pulled, it ends
    badly (with the last lines of its log), or it does not come that far within start_s.
    """
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    began, placed = time.monotonic(), None
    warnings = Warnings(api, namespace, name)
    while True:
        pod = api.get(path)
        if until(pod):
            return pod
        now = time.monotonic()
        if pod["spec"].get("nodeName"):
            placed = placed or now
        elif now - began > kubernetes.schedule_s:
            raise TrialwattError(f"pod {name} gets no node: {_unplaced(pod)}{warnings.quoted}")
        warnings.look(pod)
        _refuse_faults(api, kubernetes, path, pod)
        if placed is not None and now - placed > kubernetes.start_s:
            raise TrialwattError(
                f"pod {name} does not start within {kubernetes.start_s:g} s (kubernetes.start_s): "
                f"{_state(pod) or pod['status'].get('phase')}{warnings.quoted}"
            )
        time.sleep(PERIOD_S)


class Warnings:
    """What the cluster warns of a pod that is waited for: each is said once, as it comes."""

    def __init__(self, api: Api, namespace: str, name: str):
        self._api, self._path, self._name = api, f"/api/v1/namespaces/{namespace}/events", name
        self._last = ""
        self._may_look = True

    @property
    def quoted(self) -> str:
        """The last one, to be put behind a sentence."""
        return f"; the cluster's last warning: {self._last}" if self._last else ""

    def look(self, pod: dict) -> None:
        if not self._may_look:
            return
        query = {"fieldSelector": f"involvedObject.name={self._name}"}
        try:
            found = self._api.get(self._path, **query).get("items") or []
        except ApiFault:  # they are a help, and no more
            self._may_look = False
            return
        of_it = [
            each
            for each in found
            if each.get("type") == "Warning"
            and (each.get("involvedObject") or {}).get("uid") == pod["metadata"].get("uid")
        ]
        if not of_it:
            return
        last = max(of_it, key=lambda each: each.get("lastTimestamp") or each.get("eventTime") or "")
        said = f"{last.get('reason')}: {last.get('message')}"
        if said != self._last:
            self._last = said
            print(f"pod {self._name} waits: {redacted(said)}", file=sys.stderr, flush=True)


def _refuse_faults(api, kubernetes: Kubernetes, path: str, pod: dict) -> None:
    name, state = pod["metadata"]["name"], own_status(pod).get("state", {})
    waiting = state.get("waiting") or {}
    reason, said = waiting.get("reason", ""), waiting.get("message", "")
    if reason in IMAGE_FAULTS:
        raise TrialwattError(
            f"kubernetes.image: {kubernetes.image} cannot be used ({reason}: {said}). Is its "
            "name right, is it on the nodes (image_pull_policy), and does the registry let "
            "them pull it (image_pull_secret_env)?"
        )
    if will_not_start(waiting):
        raise TrialwattError(f"pod {name} cannot be started ({reason}: {said})")
    if held := held_up(pod):
        raise TrialwattError(f"pod {name} cannot be started: {held}")
    for_good = "terminated" in state and pod["spec"].get("restartPolicy") == "Never"
    if for_good or pod["status"].get("phase") == "Failed":
        raise TrialwattError(f"pod {name} failed: {_state(pod)}\n{tail(api, path)}".rstrip())


def tail(api, path: str) -> str:
    """The last lines of the log of our container in a pod."""
    query = {"container": MAIN, "tailLines": TAIL_LINES}
    _, _, text = api.raw("GET", f"{path}/log", query=query)
    return text.decode(errors="replace")


def _unplaced(pod: dict) -> str:
    for condition in pod["status"].get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return condition.get("message") or condition.get("reason") or "no reason is given"
    return "the scheduler has not seen it"


def _state(pod: dict) -> str:
    """Why it is not where it should be, in the cluster's own words."""
    said = [pod["status"].get("reason", ""), pod["status"].get("message", "")]
    for status in initial_statuses(pod):
        if not (status.get("started") or status.get("ready")):
            said.append(f"the container {status['name']}, which this cluster adds, is not started")
    for state in (own_status(pod).get("state") or {}).values():
        said += [state.get("reason", ""), state.get("message", "")]
        if state.get("exitCode"):
            said.append(f"exit code {state['exitCode']}")
    return ", ".join(part for part in said if part)


def delete_namespace(api: Api, name: str, patience_s: float) -> None:
    """Delete a namespace with all that is in it. Raises TrialwattError where that takes longer."""
    path = f"/api/v1/namespaces/{name}"
    try:
        api.delete(path)
    except ApiFault as error:
        if error.status != CONFLICT:  # it is going already
            raise
    wait_until_gone(api, path, patience_s)


def wait_until_gone(api: Api, path: str, patience_s: float, uid: str = "") -> None:
    """Return when there is no such object any more, or (uid: its own) another one of its name.

    Raises TrialwattError after patience_s.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            there = api.get(path)
        except ApiFault as error:
            if error.status == NOT_FOUND:
                return
            raise
        if uid and there["metadata"]["uid"] != uid:
            return
        if time.monotonic() > deadline:
            name, why = path.rsplit("/", 1)[1], what_holds(there)
            raise TrialwattError(
                f"{name} is not gone after {patience_s:g} s: {why}. Look at it with "
                f"`kubectl get --raw {path}`"
            )
        time.sleep(PERIOD_S)


def what_holds(there: dict) -> str:
    """Finalizers and conditions of an object that is being deleted."""
    said = []
    finalizers = [
        *(there["metadata"].get("finalizers") or []),
        *((there.get("spec") or {}).get("finalizers") or []),
    ]
    if finalizers:
        said.append(f"finalizers {', '.join(finalizers)}")
    for condition in (there.get("status") or {}).get("conditions") or []:
        if condition.get("status") == "True" and condition.get("message"):
            said.append(f"{condition['type']}: {condition['message']}")
    return "; ".join(said) or "the cluster gives no reason"
