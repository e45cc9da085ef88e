"""What a pod's status says of its end, or of why it never begins."""

from __future__ import annotations

from dataclasses import dataclass

from trialwatt.platforms.kubernetes.containers import (
    initial_statuses,
    is_restarted,
    own_status,
)

IMAGE_FAULTS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "RegistryUnavailable",
}
START_FAULTS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
"""With IMAGE_FAULTS the reasons of a waiting container that no patience mends."""
PASSING = ("failed to sync", "context deadline exceeded", "timed out waiting")
"""What a busy node says under the same reasons of what it will try again by itself."""
TOO_LITTLE = ("OOM-killed", "memory limit too low", "minimum memory limit")
"""What a container runtime says where the memory is too little for the container to start."""
NODE_GONE = {"NodeLost", "NodeShutdown", "Shutdown", "Terminated", "DeletionByTaintManager"}
NODE_GONE |= {"DeletionByPodGC"}
EVICTED = {"Evicted", "Preempting", "PreemptionByScheduler", "EvictionByEvictionAPI"}
EVICTED |= {"TerminationByKubelet"}
OF_THE_POD = {"ContainersNotReady", "ReadinessGatesNotReady", "UnknownContainerStatuses"}
OF_THE_POD |= {"ContainersNotInitialized", "PodCompleted"}
"""Why a node says of a pod that it is not ready. Of one that has lost its node, the control plane
says so, and gives no reason."""
CRASHES = {"CrashLoopBackOff"}
"""Of a container that has been started again and again."""
UNKNOWN = {"Unknown", "ContainerStatusUnknown"}
"""Of a container whose runtime does not know how it ended: it was started anew, with its node."""
KILLED = 137


@dataclass(frozen=True)
class Fault:
    """How a component ended: the fields of an Ending, and a sentence of the cluster's."""

    code: int
    reason: str
    detail: str = ""


def fault_of(pod: dict) -> Fault | None:
    """How this pod has ended, or why it will not start; None while it may.

    A pod that is being deleted has not ended yet: the event of its deletion says that.
    """
    status = pod.get("status") or {}
    phase, why = status.get("phase"), status.get("reason") or ""
    said = status.get("message") or ""
    ended = own_status(pod).get("state", {}).get("terminated")
    if phase == "Failed" and ended is None:  # never ran, or its container is not known any more
        if why == "DeadlineExceeded":
            return Fault(KILLED, "deadline", said or "the pod's activeDeadlineSeconds are over")
        if why in NODE_GONE:
            return Fault(KILLED, "node", f"{why}: {said}")
        if why in EVICTED or _disruption(status) in EVICTED:
            return Fault(KILLED, "evicted", f"{why or _disruption(status)}: {said}")
        if _disruption(status) in NODE_GONE:
            return Fault(KILLED, "node", f"{_disruption(status)}: {said}")
        if held := held_up(pod):
            return Fault(KILLED, "image", held)
        return Fault(KILLED, "unschedulable", f"{why or 'the node refused the pod'}: {said}")
    if phase in ("Failed", "Succeeded"):
        return _ended(ended or {}, why, said, _disruption(status))
    waiting = own_status(pod).get("state", {}).get("waiting") or {}
    if will_not_start(waiting):
        return _never_started(KILLED, f"{waiting['reason']}: {waiting.get('message', '')}")
    if held := held_up(pod):
        return Fault(KILLED, "image", held)
    if ended is not None:  # the pod follows in a moment
        return _ended(ended, why, said, _disruption(status))
    return None


def will_not_start(waiting: dict) -> bool:
    """Whether a container that waits so (its `state.waiting`) waits in vain."""
    said = waiting.get("message") or ""
    return waiting.get("reason") in IMAGE_FAULTS | START_FAULTS and not any(
        text in said for text in PASSING
    )


def held_up(pod: dict) -> str:
    """Why our container waits in vain for one that the cluster has put before it; empty where it
    does not."""
    if is_running(pod) or "terminated" in own_status(pod).get("state", {}):
        return ""
    for status in initial_statuses(pod):
        state, why = status.get("state") or {}, ""
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if will_not_start(waiting) or waiting.get("reason") in CRASHES:
            last = (status.get("lastState") or {}).get("terminated") or {}
            said = (waiting.get("message"), _coded(last))
            why = f"does not start ({'; '.join(filter(None, (waiting['reason'], *said)))})"
        elif ended.get("exitCode") and not is_restarted(pod, status["name"]):
            why = f"has ended with {_coded(ended)}"
        if why:
            return (
                f"the container {status['name']}, which this cluster adds to the pod, {why}, and "
                "ours is not begun before: have pods of trialwatt left out of what adds it"
            )
    return ""


def _coded(ended: dict) -> str:
    if not ended:
        return ""
    said = ended.get("message") or ""
    return f"exit code {ended.get('exitCode')}{f' ({said.strip()})' if said else ''}"


def deleted(pod: dict) -> Fault:
    """How a pod has ended that is not there any more, and that was not told to end by us."""
    status = pod.get("status") or {}
    cause = _disruption(status) or status.get("reason") or ""
    if cause in NODE_GONE:
        return Fault(KILLED, "node", f"{cause} ({node_of(pod)})")
    if cause in EVICTED:
        return Fault(KILLED, "evicted", cause)
    return Fault(KILLED, "deleted", "the pod was deleted")


def node_is_lost(pod: dict) -> bool:
    """Whether the cluster has lost sight of the node: it takes back that the pod is ready."""
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:  # it is going; its deletion says why
        return False
    if status.get("phase") != "Running" or not is_running(pod):
        return False
    ready = _condition(status, "Ready")
    if ready.get("status") != "False" or ready.get("reason") in OF_THE_POD:
        return False
    return own_status(pod).get("ready") is True


def rebooted(fault: Fault, pod: dict, before: str, now: str) -> Fault:
    """The end by a node with what that did, where it is there again. before, now: its boot id;
    empty where nobody knows it."""
    if not now or now == before:
        return fault
    detail = f"the node {node_of(pod)} was rebooted: {fault.detail}"
    return Fault(fault.code, fault.reason, detail)


def boot_of(nodes: list[dict]) -> str:
    """The boot id of the one node in a list; empty where there is none, or it does not say."""
    return "".join(
        (each.get("status") or {}).get("nodeInfo", {}).get("bootID", "") for each in nodes[:1]
    )


def unschedulable(pod: dict) -> str:
    """Why the scheduler has found no node so far; empty if it has, or has not tried yet."""
    scheduled = _condition(pod.get("status") or {}, "PodScheduled")
    if scheduled.get("status") != "False":
        return ""
    return scheduled.get("message") or scheduled.get("reason") or "no node"


def node_of(pod: dict) -> str:
    return (pod.get("spec") or {}).get("nodeName") or ""


def address_of(pod: dict) -> str:
    return (pod.get("status") or {}).get("podIP") or ""


def is_running(pod: dict) -> bool:
    return "running" in own_status(pod).get("state", {})


def has_ended(pod: dict) -> bool:
    """Whether our container has ended well; what the cluster has put beside it may live on."""
    ended = own_status(pod).get("state", {}).get("terminated")
    return ended is not None and ended.get("exitCode") == 0


def is_ready(pod: dict) -> bool:
    """Whether our container answers; one beside it that does not makes the pod unready, not it."""
    return own_status(pod).get("ready") is True and not node_is_lost(pod)


def image_of(pod: dict) -> str:
    """The image that runs, with its digest, as the node names it."""
    return own_status(pod).get("imageID") or ""


def _ended(ended: dict, why: str, said: str, cause: str) -> Fault:
    code = int(ended.get("exitCode", KILLED))
    detail = " ".join(filter(None, (ended.get("reason"), ended.get("message"), why, said)))
    if why == "DeadlineExceeded":
        return Fault(code or KILLED, "deadline", detail)
    if why in NODE_GONE or cause in NODE_GONE:
        return Fault(code or KILLED, "node", detail)
    if why in EVICTED or cause in EVICTED:
        return Fault(code or KILLED, "evicted", detail)
    if ended.get("reason") in UNKNOWN:
        return Fault(code or KILLED, "node", f"its node does not know how it ended ({detail})")
    if ended.get("reason") == "OOMKilled":
        return Fault(code, "memory", detail)
    if ended.get("reason") in ("ContainerCannotRun", "StartError"):
        return _never_started(code, detail)
    if code == 0:
        return Fault(0, "")
    return Fault(code, "signal" if code > 128 else "error", detail)


def _never_started(code: int, detail: str) -> Fault:
    too_little = any(text.lower() in detail.lower() for text in TOO_LITTLE)
    return Fault(code, "memory" if too_little else "image", detail)


def _condition(status: dict, kind: str) -> dict:
    for condition in status.get("conditions") or []:
        if condition.get("type") == kind:
            return condition
    return {}


def _disruption(status: dict) -> str:
    condition = _condition(status, "DisruptionTarget")
    return condition.get("reason", "") if condition.get("status") == "True" else ""
