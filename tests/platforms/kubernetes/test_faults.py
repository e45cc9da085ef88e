"""Every way in which a pod ends, or does not begin, as real clusters report it."""

import pytest

from trialwatt.platforms.kubernetes import faults


def pod(phase="Running", state=None, conditions=(), ready=True, **status) -> dict:
    containers = [{"name": "main", "state": state, "ready": ready}] if state else []
    return {
        "metadata": {"name": "worker-0-1"},
        "spec": {"nodeName": "node-a"},
        "status": {"phase": phase, "containerStatuses": containers, "conditions": list(conditions)}
        | status,
    }


def terminated(code: int, reason: str = "Error") -> dict:
    return {"terminated": {"exitCode": code, "reason": reason}}


def disrupted(reason: str) -> dict:
    return {"type": "DisruptionTarget", "status": "True", "reason": reason}


ENDS = {
    "by itself": (pod("Succeeded", terminated(0, "Completed")), 0, ""),
    "with a code": (pod("Failed", terminated(3)), 3, "error"),
    "killed": (pod("Failed", terminated(137)), 137, "signal"),
    "for memory": (pod("Failed", terminated(137, "OOMKilled")), 137, "memory"),
    "for memory, pod still running": (pod("Running", terminated(137, "OOMKilled")), 137, "memory"),
    "evicted": (pod("Failed", reason="Evicted", message="low on disk"), 137, "evicted"),
    "evicted while it ran": (pod("Failed", terminated(143), reason="Evicted"), 143, "evicted"),
    "by the API": (
        pod("Failed", terminated(143), [disrupted("EvictionByEvictionAPI")]),
        143,
        "evicted",
    ),
    "preempted": (pod("Failed", None, [disrupted("PreemptionByScheduler")]), 137, "evicted"),
    "deadline": (pod("Failed", reason="DeadlineExceeded"), 137, "deadline"),
    "deadline with a code": (
        pod("Failed", terminated(143), reason="DeadlineExceeded"),
        143,
        "deadline",
    ),
    "node shut down": (pod("Failed", terminated(143), reason="Terminated"), 143, "node"),
    "node lost": (pod("Failed", None, [disrupted("DeletionByTaintManager")]), 137, "node"),
    "refused by the node": (pod("Failed", reason="OutOfcpu"), 137, "unschedulable"),
    "no program": (pod("Failed", terminated(128, "StartError")), 128, "image"),
    "of a runtime that was started anew": (pod("Failed", terminated(255, "Unknown")), 255, "node"),
    "too little memory to start": (
        pod(
            "Failed",
            {
                "terminated": {
                    "exitCode": 128,
                    "reason": "StartError",
                    "message": "container init was OOM-killed (memory limit too low?)",
                }
            },
        ),
        128,
        "memory",
    ),
    "a limit that the runtime refuses": (
        pod(
            "Pending",
            {
                "waiting": {
                    "reason": "CreateContainerError",
                    "message": "Minimum memory limit allowed is 6MB",
                }
            },
        ),
        137,
        "memory",
    ),
    "no image": (pod("Pending", {"waiting": {"reason": "ErrImagePull"}}), 137, "image"),
    "back-off": (pod("Pending", {"waiting": {"reason": "ImagePullBackOff"}}), 137, "image"),
    "never": (pod("Pending", {"waiting": {"reason": "ErrImageNeverPull"}}), 137, "image"),
    "bad name": (pod("Pending", {"waiting": {"reason": "InvalidImageName"}}), 137, "image"),
    "no secret": (
        pod("Pending", {"waiting": {"reason": "CreateContainerConfigError"}}),
        137,
        "image",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end(name):
    made, code, reason = ENDS[name]
    fault = faults.fault_of(made)
    assert (fault.code, fault.reason) == (code, reason)


@pytest.mark.parametrize(
    "made",
    [
        pod("Pending"),
        pod("Pending", {"waiting": {"reason": "ContainerCreating"}}),
        pod("Pending", {"waiting": {"reason": "PodInitializing"}}),
        pod(
            "Pending",
            {
                "waiting": {
                    "reason": "CreateContainerConfigError",
                    "message": "failed to sync secret cache: timed out waiting for the condition",
                }
            },
        ),
        pod("Running", {"running": {}}),
        {"metadata": {"name": "x"}},
    ],
)
def test_no_end(made):
    assert faults.fault_of(made) is None


def test_the_clusters_sentence_comes_along():
    fault = faults.fault_of(pod("Failed", reason="Evicted", message="The node was low on memory."))
    assert "low on memory" in fault.detail


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (None, "deleted"),
        ("DeletionByTaintManager", "node"),
        ("DeletionByPodGC", "node"),
        ("EvictionByEvictionAPI", "evicted"),
    ],
)
def test_why_a_pod_was_deleted(condition, reason):
    made = pod("Running", {"running": {}}, [disrupted(condition)] if condition else [])
    assert faults.deleted(made).reason == reason


def test_a_node_that_is_lost():
    lost = {"type": "Ready", "status": "False"}
    assert faults.node_is_lost(pod("Running", {"running": {}}, [lost]))
    assert not faults.node_is_lost(pod("Running", {"running": {}}, [lost], ready=False))
    assert not faults.node_is_lost(pod("Running", {"running": {}}))
    going = pod("Running", {"running": {}}, [lost])
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert not faults.node_is_lost(going)


def test_why_nothing_was_scheduled():
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    assert faults.unschedulable(pod("Pending", None, [condition])) == "0/3 nodes are available"
    assert faults.unschedulable(pod("Pending")) == ""


@pytest.mark.parametrize(
    ("boot", "said"),
    [("b2", "the node node-a was rebooted: lost"), ("b1", "lost"), ("", "lost"), (None, "lost")],
)
def test_a_node_with_another_boot_was_rebooted(boot, said):
    nodes = [] if boot is None else [{"status": {"nodeInfo": {"bootID": boot}}}]
    fault = faults.Fault(255, "node", "lost")
    found = faults.rebooted(fault, pod(), "b1", faults.boot_of(nodes))
    assert (found.code, found.reason, found.detail) == (255, "node", said)


# --- what a cluster has put beside our container, or before it ------------------------------------


def beside(phase: str, ours: dict | None, other: dict, ready: bool = True, **status) -> dict:
    """A pod with a container of a mesh, which stands first."""
    made = pod(phase, ours, ready=ready, **status)
    theirs = {"name": "istio-proxy", "state": other, "ready": "running" in other}
    made["status"]["containerStatuses"] = [theirs, *made["status"]["containerStatuses"]]
    return made


def before(state: dict, native: bool = False, **status) -> dict:
    """A pod whose container waits for one that was put before it."""
    made = pod("Pending", {"waiting": {"reason": "PodInitializing"}}, ready=False)
    initial = {"name": "istio-init"} | ({"restartPolicy": "Always"} if native else {})
    made["spec"] |= {"restartPolicy": "Never", "initContainers": [initial]}
    made["status"]["initContainerStatuses"] = [{"name": "istio-init", "state": state} | status]
    return made


RUNNING = {"running": {}}


def test_ours_has_ended_though_a_sidecar_lives_on():
    good = beside("Running", terminated(0, "Completed"), RUNNING, ready=False)
    assert faults.fault_of(good) == faults.Fault(0, "")
    assert faults.has_ended(good)
    bad = beside("Running", terminated(3), RUNNING, ready=False)
    assert (faults.fault_of(bad).code, faults.fault_of(bad).reason) == (3, "error")
    assert not faults.has_ended(bad)


@pytest.mark.parametrize("code", [0, 1, 137])
def test_the_end_of_a_sidecar_is_none_of_ours(code):
    lives = beside("Running", RUNNING, terminated(code, "OOMKilled"))
    assert faults.fault_of(lives) is None
    assert faults.is_running(lives)
    # It counts to the phase of the pod once all have ended.
    over = beside("Failed", terminated(0, "Completed"), terminated(137, "OOMKilled"))
    assert faults.fault_of(over) == faults.Fault(0, "")


def test_a_sidecar_that_is_not_ready_is_no_lost_node_and_does_not_make_ours_unready():
    unready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    made = beside("Running", RUNNING, {"waiting": {}}, conditions=[unready])
    assert not faults.node_is_lost(made)
    assert faults.is_ready(made)
    gate = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}
    assert faults.is_ready(beside("Running", RUNNING, RUNNING, conditions=[gate]))
    lost = beside("Running", RUNNING, RUNNING, conditions=[{"type": "Ready", "status": "False"}])
    assert faults.node_is_lost(lost)
    assert not faults.is_ready(lost)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (before(terminated(1) | {}), "istio-init, which this cluster adds to the pod, has ended"),
        (before({"waiting": {"reason": "ErrImagePull", "message": "no such"}}), "no such"),
        (
            before(
                {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                native=True,
                lastState={"terminated": {"exitCode": 9, "message": "no iptables\n"}},
            ),
            "CrashLoopBackOff; back-off 10s; exit code 9 (no iptables)",
        ),
    ],
)
def test_one_that_was_put_before_ours_and_fails_is_named(made, said):
    fault = faults.fault_of(made)
    assert (fault.reason, fault.code) == ("image", 137)
    assert "the container istio-init" in fault.detail and said in fault.detail
    assert "ours is not begun before" in faults.held_up(made)
    made["status"]["phase"] = "Failed"
    made["status"]["containerStatuses"] = []
    assert faults.fault_of(made) == fault


@pytest.mark.parametrize(
    "made",
    [
        before(RUNNING),
        before(terminated(0, "Completed")),
        before(terminated(1), native=True),  # it is started again
        before({"waiting": {"reason": "PodInitializing"}}),
    ],
)
def test_one_that_is_on_its_way_is_waited_for(made):
    assert faults.fault_of(made) is None


def test_one_that_fails_beside_ours_once_that_runs_holds_nothing_up():
    made = before({"waiting": {"reason": "CrashLoopBackOff"}}, native=True)
    made["status"] |= {"phase": "Running"}
    made["status"]["containerStatuses"] = [{"name": "main", "state": RUNNING, "ready": True}]
    assert faults.fault_of(made) is None
