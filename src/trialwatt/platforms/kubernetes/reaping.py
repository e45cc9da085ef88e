"""Removing namespaces of runs whose coordinator is dead."""

from __future__ import annotations

from trialwatt.platforms.kubernetes import manifests
from trialwatt.platforms.kubernetes.access import Api
from trialwatt.platforms.kubernetes.owners import is_dead
from trialwatt.platforms.kubernetes.rights import CLAIM
from trialwatt.platforms.kubernetes.space import release_given
from trialwatt.platforms.kubernetes.waiting import delete_namespace


def reap(
    api: Api, patience_s: float, all_hosts: bool = False, given: str | None = None
) -> list[str]:
    """Remove what dead coordinators of this machine have left, or (all_hosts) of any machine.

    given: the namespace that runs are given, where they have none of their own. Returns the ids of
    the runs. What has not our labels is not touched. Raises TrialwattError where something does
    not go within patience_s.
    """
    reaped = []
    for run_id, namespace in dead(api, all_hosts, given):
        if given:
            release_given(api, given, run_id, patience_s)
        else:
            delete_namespace(api, namespace, patience_s)
        reaped.append(run_id)
    return reaped


def dead(api: Api, all_hosts: bool, given: str | None = None) -> list[tuple[str, str]]:
    """The run and the namespace of each dead coordinator that has left something (see `reap`)."""
    if given:
        owned = _claim(api, given)
    else:
        selector = f"{manifests.MANAGED}=trialwatt,{manifests.RUN_ID}"
        found = api.get("/api/v1/namespaces", labelSelector=selector)
        owned = [namespace["metadata"] for namespace in found.get("items") or []]
    left = []
    for metadata in owned:
        run_id = (metadata.get("labels") or {}).get(manifests.RUN_ID)
        if run_id and is_dead(metadata.get("annotations") or {}, all_hosts, api.utc()):
            left.append((run_id, given or metadata["name"]))
    return left


def _claim(api: Api, given: str) -> list[dict]:
    """What the run that has a given namespace has left there to tell of it, if one has."""
    found = api.find(f"/api/v1/namespaces/{given}/configmaps/{CLAIM}")
    return [] if found is None else [found["metadata"]]
