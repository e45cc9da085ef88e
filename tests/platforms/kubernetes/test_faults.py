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
