"""The places whose platform is held to the contract, and what can be seen of a run there from
outside: what it leaves behind, who could reach it, and a worker's machine that goes down."""

import ipaddress
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from trialwatt.platforms.liveness import runtime_folder
from trialwatt.platforms.processes import carriers

IMAGE = "TRIALWATT_IMAGE"
"""Environment variable: the worker image, for the suite on a cluster (KUBECONFIG)."""


class Local:
    """This machine."""

    testbed = {"platform": "local", "cpu_per_vcpu": 0.5}
    missing = ""
    own: frozenset[str] = frozenset()
    """Components that are the platform's, not the SUT's."""
    undeploy_s = 10
    """By then a run is gone."""

    def __init__(self):
        self._ports: dict[str, set[tuple[str, int]]] = {}

    def look(self, run_id: str) -> None:
        """Remember what the run holds at this moment: the ports on which it listens."""
        self._ports.setdefault(run_id, set()).update(ports_of(run_id))

    def exposed(self, run_id: str) -> list[tuple[str, int]]:
        """What the network could reach of it: addresses that were seen and are not loopback's."""
        return sorted(at for at in self._ports.get(run_id, ()) if not is_loopback(at[0]))

    def left_behind(self, run_id: str) -> dict[str, list]:
        """All traces of it but its results; empty lists where it is gone."""
        groups = Path("/sys/fs/cgroup")
        ports = sorted(self._ports.get(run_id, ()))
        return {
            "processes": list(_processes_of(run_id).items()),
            "ports": [port for port in ports if _is_listened_on(port)],
            "groups": [path for path, _, _ in os.walk(groups) if run_id in path],
            "liveness": [path for path in runtime_folder().iterdir() if run_id in path.name],
        }

    def kill(self, run_id: str, component: str, due: Callable[[], bool]) -> bool:
        """End it with all its processes, as when its machine goes down; False where that is not
        due any more once they stand still."""
        pids = [pid for pid, own in _processes_of(run_id).items() if own == component]
        _signal(pids, signal.SIGSTOP)
        ends = due()
        _signal(pids, signal.SIGKILL if ends else signal.SIGCONT)
        return ends


class Cluster:
    """The cluster of KUBECONFIG, with the image of TRIALWATT_IMAGE; a node of two cores will do."""

    missing = "; ".join(
        f"{name} is not set" for name in ("KUBECONFIG", IMAGE) if not os.environ.get(name)
    )
    testbed = {
        "platform": "kubernetes",
        "cpu_per_vcpu": 0.2,
        "service": {"cpu": 0.25, "memory_mb": 1024},
        "meters": ["model"],
        "storage": {"postgres": "service"},
        "kubernetes": {"image": os.environ.get(IMAGE) or "none"},
    }
    own = frozenset({"hub"})
    undeploy_s = 60  # the cluster's own controllers take a namespace away

    def look(self, run_id: str) -> None:
        """There is nothing outside of the run's namespace."""

    def exposed(self, run_id: str) -> list[tuple[str, int]]:
        return []  # the policy of the namespace lets only the run's pods in

    def left_behind(self, run_id: str) -> dict[str, list]:
        found = self._api().get("/api/v1/namespaces", labelSelector=f"trialwatt/run-id={run_id}")
        return {"namespaces": [item["metadata"]["name"] for item in found["items"]]}

    def kill(self, run_id: str, component: str, due: Callable[[], bool]) -> bool:
        selector = f"trialwatt/run-id={run_id},trialwatt/component={component}"
        for pod in self._api().get("/api/v1/pods", labelSelector=selector)["items"]:
            _kill_all_in(pod["metadata"]["namespace"], pod["metadata"]["name"])
        return True

    def _api(self):
        from trialwatt.platforms.kubernetes.access import connect

        return connect()


def _kill_all_in(namespace: str, pod: str) -> None:
    """Its processes, as the kernel would: a pod that is deleted ends the run."""
    from kubernetes import client, config
    from kubernetes.stream import stream

    config.load_kube_config()
    core = client.CoreV1Api()
    command = ["python", "-c", "import os; os.kill(-1, 9)"]  # but the first one, which tells
    stream(core.connect_get_namespaced_pod_exec, pod, namespace, command=command, stderr=True)


PLACES = {"local": Local(), "kubernetes": Cluster()}


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)


def _processes_of(run_id: str) -> dict[int, str]:
    """Process id → component, of all processes that carry the run's id."""
    return carriers(run_id, psutil.pids())


def is_loopback(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def ports_of(run_id: str) -> set[tuple[str, int]]:
    """The addresses at which processes of the run listen, or take datagrams of anybody."""
    found = set()
    for pid in _processes_of(run_id):
        try:
            connections = psutil.Process(pid).net_connections("inet")
        except psutil.Error:
            continue
        found |= {tuple(c.laddr) for c in connections if c.laddr and _takes_anybody(c)}
    return found


def _takes_anybody(connection) -> bool:
    if connection.type == socket.SOCK_DGRAM:
        return not connection.raddr
    return connection.status == psutil.CONN_LISTEN


def _is_listened_on(address: tuple[str, int]) -> bool:
    host, port = address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as caller:
        caller.settimeout(1)
        return caller.connect_ex((host, port)) == 0
