"""One life of a component: its pod, what its agent tells, how it ended, how it is ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import (
    NO_PLACE,
    TAIL_BYTES,
    TAIL_LINES,
    Ending,
    Handle,
    Role,
    Usage,
    tail_of,
)
from trialwatt.platforms.kubernetes import faults
from trialwatt.platforms.kubernetes.access import Api, ApiFault
from trialwatt.platforms.kubernetes.containers import MAIN
from trialwatt.platforms.kubernetes.faults import Fault

if TYPE_CHECKING:
    from trialwatt.platforms.kubernetes.hub_proxy import HubProxy, Sender

MAX_GRACE_S = 4.0
WORD_S = 4.0
"""So long the agent's last word may take after the grace, and the pod's deletion."""
CAUSE_S = 5.0
"""An agent that was told to end knows not by whom; the pod's status says it soon."""
SILENCE_S = 120.0
ANSWER_S = 5.0


class Links:
    """What every life needs of its run."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        folder: Path,
        proxy: HubProxy,
        sender: Sender,
        drain: Callable,
    ):
        self.api, self.namespace, self.folder = api, namespace, folder
        self.proxy, self.sender, self.drain = proxy, sender, drain
        self._there: dict[str, tuple] = {}  # name → what the file was when the hub got it
        self._putting = threading.Lock()

    def put(self, name: str) -> None:
        """Have a file of the run's folder at the hub. A hundred workers get one job.json."""
        path = self.folder / name
        with self._putting:
            status = path.stat()
            now = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._there.get(name) != now:
                self.proxy.put(name, path)
                self._there[name] = now

    def pod(self, life: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods/{life}"


class PodHandle(Handle):
    """Its facts come from two sides: the pod's status (a watch), and its agent (the journal).

    ended(handle, ending) is called once, when it has ended.
    """

    def __init__(
        self, role: Role, life: str, links: Links, ended: Callable[[PodHandle, Ending], None]
    ):
        self.role, self.life = role, life
        self._links, self._tell_ending = links, ended
        self._created = self._heard = time.monotonic()
        self._usage = Usage(0, 0, 0)
        self._oom_kills = self._asked = self._counted = 0
        self._stopping = self._removed = False
        self._stop_lock = threading.RLock()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._gone = threading.Event()
        self._changed = threading.Condition()
        self._told_at: float | None = None  # when the agent said that it was told to end
        self._told_code = 0
        self._said_end = False
        self.pod: dict = {}
        self.limits: dict = {}
        self.environment: dict = {}  # kept and left_out of its image's, and set by the run
        self.boot = ""  # of its node, when it began there
        self.ending: Ending | None = None

    # --- the seam -----------------------------------------------------------------------------

    def send(self, message: dict) -> None:
        if self.alive:
            self._links.sender.send(self.life, {"say": message})

    @property
    def alive(self) -> bool:
        return not self._over.is_set()

    def usage(self) -> Usage:
        return self._usage

    def oom_kills(self) -> int:
        """See Handle.oom_kills. What a framework tells of a process that died may be here before
        the sample that counts it, so its agent is asked."""
        if self.limits and self.alive:  # there is one
            self._asked += 1
            self._links.sender.send(self.life, {"count": self._asked})
            self.wait_for(lambda: self._counted >= self._asked, ANSWER_S)
        return self._oom_kills

    def give(self, name: str) -> None:
        if not self.alive:
            return
        try:
            self._links.put(name)
        except (ApiFault, OSError) as error:
            raise TrialwattError(f"{name} cannot be given to {self.role.component}: {error}") from (
                error
            )
        self._links.sender.send(self.life, {"file": name})

    def fetch(self, name: str) -> None:
        if not self._links.proxy.get(name, self._links.folder / name):
            raise TrialwattError(f"{self.role.component} has left no file {name}")

    def stop(self, grace_s: float = 5.0) -> Usage:
        """See Handle.stop. The grace is cut to 4 s, so that it is gone within 10 s."""
        with self._stop_lock:
            if self._removed:
                return self._usage
            grace_s = min(grace_s, MAX_GRACE_S)
            self.terminate(grace_s)
            if self.address:  # else there is no agent that could hear it
                self._over.wait(grace_s + WORD_S)
            self._delete()
            self._removed = True
            return self._usage

    def terminate(self, grace_s: float) -> None:
        """Ask it to end; does not wait."""
        with self._lock:
            if self._stopping or not self.alive:
                self._stopping = True
                return
            self._stopping = True
        self._links.sender.send(self.life, {"stop": grace_s})

    @property
    def removed(self) -> bool:
        """Whether `stop` has deleted its pod."""
        return self._removed

    # --- what is told of it -------------------------------------------------------------------

    @property
    def address(self) -> str:
        return faults.address_of(self.pod)

    def wait_for(self, test: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something is true of it; False where it ended or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: test() or not self.alive, timeout_s)
        return test() and self.alive

    def pod_changed(self, pod: dict) -> None:
        self.pod = pod
        with self._changed:
            self._changed.notify_all()
        if fault := faults.fault_of(pod):
            self._after_its_words(fault)
        elif faults.node_is_lost(pod):
            detail = f"the cluster has lost sight of the node {faults.node_of(pod)}"
            self._end(Fault(faults.KILLED, "node", detail))

    def pod_deleted(self, pod: dict) -> None:
        self._gone.set()
        self._after_its_words(faults.fault_of(pod) or faults.deleted(pod))

    def agent_ended(self, code: int, told: str) -> None:
        """The agent's last word. told: by whom it was told to end, if it was."""
        self._heard = time.monotonic()
        with self._lock:
            self._said_end = True
            if told not in ("", "stop") and not self._stopping:
                if told.startswith("SIG"):  # the cluster ends the pod; it says why in a moment
                    self._told_at, self._told_code = time.monotonic(), code
                    return
                self._end(Fault(code, "unreachable", f"the component {told}"))
                return
            if code == faults.KILLED and self._oom_kills and not told:
                reason = "memory"
            else:
                reason = "signal" if code > 128 else "error"
            self._end(Fault(code, "" if code == 0 else reason))

    def sampled(self, samples: list[list[int]]) -> None:
        self._heard = time.monotonic()
        _, cpu_ns, memory, peak, oom_kills = samples[-1]
        self._usage = self._usage.then(cpu_ns, memory, peak)
        self._oom_kills = max(oom_kills, self._oom_kills)

    def counted(self, question: int, oom_kills: int) -> None:
        self._oom_kills = max(oom_kills, self._oom_kills)
        self._counted = question
        with self._changed:
            self._changed.notify_all()

    def check(self, schedule_s: float, start_s: float, last_event: str) -> None:
        """Called about once a second: ends it where a deadline is over."""
        if not self.alive:
            return
        waited = time.monotonic() - self._created
        if self._told_at is not None and time.monotonic() - self._told_at > CAUSE_S:
            self._end(Fault(self._told_code, "deleted", "the pod was told to end"))
        elif faults.is_running(self.pod) or self.limits:
            # Its agent speaks before the node reports that it runs, which one that is lost in
            # that second never does.
            if self.limits and time.monotonic() - self._heard > SILENCE_S:
                detail = f"no sign of life for {SILENCE_S:g} s from {faults.node_of(self.pod)}"
                self._end(Fault(faults.KILLED, "node", detail))
        elif not faults.node_of(self.pod):
            if waited > schedule_s:
                why = faults.unschedulable(self.pod) or last_event or "the scheduler says nothing"
                detail = f"no node took it within {schedule_s:g} s: {why}"
                self._end(Fault(faults.KILLED, "unschedulable", detail))
        elif waited > schedule_s + start_s:
            detail = f"its container did not start within {start_s:g} s: {last_event}"
            self._end(Fault(faults.KILLED, "image", detail))

    def give_up(self, reason: str, detail: str) -> None:
        """It may live, but nobody can hear it any more."""
        self._end(Fault(faults.KILLED, reason, detail))

    # --- its end ------------------------------------------------------------------------------

    def _after_its_words(self, fault: Fault) -> None:
        """What it has written before its end is in the journal, and comes first."""
        if not self.alive:
            return
        try:
            self._links.drain()
        except ApiFault as lost:
            fault = Fault(fault.code, fault.reason, f"{fault.detail} (its last words: {lost})")
        told = self._told_at is not None or "deletionTimestamp" in self.pod.get("metadata", {})
        if told and fault.reason in ("signal", "error"):  # it did as the cluster told it
            fault = Fault(fault.code, "deleted", f"the pod was deleted ({fault.detail.strip()})")
        self._end(fault)

    def _end(self, fault: Fault) -> None:
        if fault.reason == "node" and self.boot and self.alive:
            fault = faults.rebooted(fault, self.pod, self.boot, self._boot_of_its_node())
        with self._lock:
            if not self.alive:
                return
            reason = "stopped" if self._stopping and fault.reason else fault.reason
            self.ending = Ending(fault.code, reason, self._tail(fault))
            self._over.set()
        with self._changed:
            self._changed.notify_all()
        self._tell_ending(self, self.ending)

    def _boot_of_its_node(self) -> str:
        query = {"fieldSelector": f"metadata.name={faults.node_of(self.pod)}"}
        try:
            found = self._links.api.call("GET", "/api/v1/nodes", query=query, outage_s=0)
        except ApiFault:
            return ""
        return faults.boot_of(found.get("items") or [])

    def _tail(self, fault: Fault) -> str:
        """Its last lines: of its log here, or of the cluster's where the agent had no last word."""
        path = self._links.folder / "logs" / f"{self.role.component}.log"
        lines = tail_of(path) if path.exists() else []
        ran = faults.node_of(self.pod) and fault.reason not in NO_PLACE
        if ran and not self._said_end and not self._stopping:
            lines = self._cluster_log() or lines
        return "\n".join([*lines, *filter(None, [fault.detail.strip()])])

    def _cluster_log(self) -> list[str]:
        query = {"container": MAIN, "tailLines": TAIL_LINES, "limitBytes": TAIL_BYTES}
        try:
            path = f"{self._links.pod(self.life)}/log"
            _, _, data = self._links.api.raw("GET", path, query=query, answer_s=5)
        except ApiFault:
            return []  # the pod is gone, or its node: then what came before must do
        return data.decode(errors="replace").splitlines()

    def _delete(self) -> None:
        """Remove its pod. One that has said its end needs no time; another gets a second."""
        path, api = self._links.pod(self.life), self._links.api
        if self.alive:
            api.delete(path, gracePeriodSeconds=1)
            if not self._gone.wait(WORD_S):
                api.delete(path, gracePeriodSeconds=0)
            self._retire()
            self._after_its_words(Fault(faults.KILLED, "stopped"))
        else:
            api.delete(path, gracePeriodSeconds=0)
            if not self._said_end:
                self._retire()

    def _retire(self) -> None:
        """It may live on where nobody reaches it: the hub is to take nothing of it any more."""
        with suppress(ApiFault):  # a hub that is gone takes nothing, and the run is over
            self._links.proxy.retire(self.life)
