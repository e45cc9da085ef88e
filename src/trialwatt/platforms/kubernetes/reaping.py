"""Removing namespaces of runs whose coordinator is dead: whose each is, and if that lives."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from pathlib import Path

from trialwatt.platforms.kubernetes import manifests
from trialwatt.platforms.kubernetes.access import Api
from trialwatt.platforms.kubernetes.rights import CLAIM
from trialwatt.platforms.kubernetes.space import release_given
from trialwatt.platforms.kubernetes.waiting import delete_namespace
from trialwatt.platforms.processes import read_stat

SILENCE_S = 600
"""A coordinator of another machine that has been silent for so long counts as dead."""


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
        if run_id and is_dead(metadata.get("annotations") or {}, all_hosts, time.time()):
            left.append((run_id, given or metadata["name"]))
    return left


def _claim(api: Api, given: str) -> list[dict]:
    """What the run that has a given namespace has left there to tell of it, if one has."""
    found = api.find(f"/api/v1/namespaces/{given}/configmaps/{CLAIM}")
    return [] if found is None else [found["metadata"]]


def is_dead(annotations: dict, all_hosts: bool, now_s: float) -> bool:
    """Whether the coordinator that these annotations name is dead, as far as that can be known."""
    try:
        who = json.loads(annotations.get(manifests.OWNER_FACTS, "{}"))
        silent_s = now_s - float(annotations.get(manifests.HEARTBEAT, "0"))
    except ValueError:
        return False  # written by somebody else
    if not isinstance(who, dict) or not who:
        return False
    if is_here(who):
        return not lives(who)
    return all_hosts and silent_s > SILENCE_S


def own_facts() -> dict:
    """This process, so that another one of this machine can tell whether it lives."""
    stat = read_stat(os.getpid())
    return _place() | {"pid": os.getpid(), "start": stat.start if stat else 0}


def owner_label(owner: dict) -> str:
    """A short hash of an owner, as the value of a label."""
    return hashlib.sha256(json.dumps(owner, sort_keys=True).encode()).hexdigest()[:16]


def is_here(owner: dict) -> bool:
    """Whether it is, or was, a process that this machine can judge.

    Another container of this machine has processes of its own, which are not seen from here.
    """
    here = _place()
    rebooted = owner.get("boot") != here["boot"]
    return owner.get("host") == here["host"] and (
        rebooted or owner.get("processes") == here["processes"]
    )


def lives(owner: dict) -> bool:
    """Whether an owner of this machine lives: the same boot, process number and start time."""
    here = _place()
    if any(owner.get(key) != here[key] for key in here):
        return False
    stat = read_stat(int(owner.get("pid", 0)))
    return stat is not None and stat.start == owner.get("start") and stat.state != "Z"


def _place() -> dict:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {
        "host": socket.gethostname(),
        "boot": boot,
        "processes": str(Path("/proc/self/ns/pid").readlink()),
    }
