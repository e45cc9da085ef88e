"""Pods of other coordinators on the nodes of a run: who was there, since when and for how long."""

from __future__ import annotations

import threading
from collections.abc import Set
from dataclasses import dataclass, field

from trialwatt.clock import Stamp, now
from trialwatt.platforms.base import Disturbance
from trialwatt.platforms.kubernetes import faults
from trialwatt.platforms.kubernetes.capacity import ENDED
from trialwatt.platforms.kubernetes.containers import own_status
from trialwatt.platforms.kubernetes.facts import hashed
from trialwatt.platforms.kubernetes.manifests import COMPONENT, MANAGED, OWNER, PART, RUN_ID

SELECTOR = f"{MANAGED}=trialwatt"
NOTHING = "nothing: they share the nodes' processors, memory and caches"
IDLE = "data"
"""Component of the shared pods that do nothing while a run is going on."""


@dataclass
class _Visit:
    """nodes: hashes of the names of all that it was on. seconds: None while it lasts."""

    coordinator: str
    run: str
    since: Stamp
    nodes: set[str] = field(default_factory=set)
    seconds: float | None = None

    def told(self) -> Disturbance:
        what = f"run {self.run}" if self.run else "a probe of an image"
        nodes = f"{len(self.nodes)} node{'' if len(self.nodes) == 1 else 's'}"
        text = f"{what} of the coordinator {self.coordinator} was on {nodes} of this run"
        return Disturbance("beside", self.since, self.seconds or 0.0, text, NOTHING)


class Neighbours:
    """Of one run; safe to use from several threads.

    It is told of pods that are there or have changed, of those that are gone, and of the nodes on
    which components of the run live.
    """

    def __init__(self, run_id: str):
        self._run_id = run_id
        self._lock = threading.Lock()
        self._pods: dict[str, tuple[tuple[str, str], str]] = {}  # uid → (coordinator, run), node
        self._nodes: Set[str] = frozenset()
        self._now: dict[tuple[str, str], _Visit] = {}
        self._over: list[_Visit] = []
        self._told = 0

    def changed(self, pod: dict) -> None:
        metadata, node = pod["metadata"], faults.node_of(pod)
        labels = metadata.get("labels") or {}
        run = labels.get(RUN_ID, "")
        is_other = labels.get(MANAGED) == "trialwatt" and run != self._run_id
        idles = PART in labels and labels.get(COMPONENT) == IDLE
        lives = node and (pod.get("status") or {}).get("phase") not in ENDED
        lives = lives and "terminated" not in own_status(pod).get("state", {})
        if is_other and not idles and lives:
            with self._lock:
                self._pods[metadata["uid"]] = (labels.get(OWNER, "unknown"), run), node
                self._look()
        else:
            self.deleted(pod)

    def deleted(self, pod: dict) -> None:
        with self._lock:
            if self._pods.pop(pod["metadata"]["uid"], None):
                self._look()

    def run_is_on(self, nodes: Set[str]) -> None:
        with self._lock:
            self._nodes = nodes
            self._look()

    def taken(self) -> list[Disturbance]:
        """Those that were over since this was last asked."""
        with self._lock:
            found, self._told = self._over[self._told :], len(self._over)
        return [visit.told() for visit in found]

    def facts(self) -> list[dict]:
        """For the manifest: all of them so far, by their beginning."""
        with self._lock:
            visits = sorted([*self._over, *self._now.values()], key=lambda v: v.since.mono_ns)
        return [
            {
                "coordinator": visit.coordinator,
                "run_id": visit.run or None,
                "since_utc_ns": visit.since.utc_ns,
                "seconds": visit.seconds,
                "node_hashes": sorted(visit.nodes),
            }
            for visit in visits
        ]

    def _look(self) -> None:
        here: dict[tuple[str, str], set[str]] = {}
        for who, node in self._pods.values():
            if node in self._nodes:
                here.setdefault(who, set()).add(hashed(node))
        for who, nodes in here.items():
            self._now.setdefault(who, _Visit(*who, now())).nodes.update(nodes)
        for who in self._now.keys() - here.keys():
            visit = self._now.pop(who)
            visit.seconds = round((now().mono_ns - visit.since.mono_ns) / 1e9, 3)
            self._over.append(visit)
