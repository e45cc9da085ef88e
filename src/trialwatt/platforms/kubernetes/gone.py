"""Deleting what takes its time to go: returns when it is gone, or says what holds it."""

from __future__ import annotations

import time

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes.access import Api, ApiFault

PERIOD_S = 1.0
NOT_FOUND, CONFLICT = 404, 409


def delete_namespace(api: Api, name: str, patience_s: float) -> None:
    """Delete a namespace with all that is in it. Raises TrialwattError where that takes longer."""
    path = f"/api/v1/namespaces/{name}"
    try:
        api.delete(path)
    except ApiFault as error:
        if error.status != CONFLICT:  # it is going already
            raise
    wait_until_gone(api, path, patience_s)


def wait_until_gone(api: Api, path: str, patience_s: float) -> None:
    """Return when there is no such object any more. Raises TrialwattError after patience_s."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            there = api.get(path)
        except ApiFault as error:
            if error.status == NOT_FOUND:
                return
            raise
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
