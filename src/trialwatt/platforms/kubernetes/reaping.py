"""Removing namespaces of runs whose coordinator is dead."""

from __future__ import annotations

import json
import time

from trialwatt.platforms.kubernetes import manifests, owner
from trialwatt.platforms.kubernetes.access import Api
from trialwatt.platforms.kubernetes.gone import delete_namespace

SILENCE_S = 600
"""A coordinator of another machine that has been silent for so long counts as dead."""


def reap(api: Api, patience_s: float, all_hosts: bool = False) -> list[str]:
    """Remove what dead coordinators of this machine have left, or (all_hosts) of any machine.

    Returns the ids of the runs. Namespaces without our labels are not touched. Raises
    TrialwattError where one does not go within patience_s.
    """
    selector = f"{manifests.MANAGED}=trialwatt,{manifests.RUN_ID}"
    found = api.get("/api/v1/namespaces", labelSelector=selector)
    reaped = []
    for namespace in found.get("items") or []:
        metadata = namespace["metadata"]
        run_id = (metadata.get("labels") or {}).get(manifests.RUN_ID)
        if run_id and is_dead(metadata.get("annotations") or {}, all_hosts, time.time()):
            delete_namespace(api, metadata["name"], patience_s)
            reaped.append(run_id)
    return reaped


def is_dead(annotations: dict, all_hosts: bool, now_s: float) -> bool:
    """Whether the coordinator that these annotations name is dead, as far as that can be known."""
    try:
        who = json.loads(annotations.get(manifests.OWNER_FACTS, "{}"))
        silent_s = now_s - float(annotations.get(manifests.HEARTBEAT, "0"))
    except ValueError:
        return False  # written by somebody else
    if not isinstance(who, dict) or not who:
        return False
    if owner.is_here(who):
        return not owner.lives(who)
    return all_hosts and silent_s > SILENCE_S
