"""What a cluster is, for the record of a testbed. Names only as hashes: records get published."""

from __future__ import annotations

import hashlib

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Site
from trialwatt.platforms.kubernetes import capacity, preflight
from trialwatt.platforms.kubernetes.capacity import CPU, DISK, MB, MEMORY, Node
from trialwatt.platforms.kubernetes.options import section

INSTANCE, REGION, ZONE = (
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
)
HASH_DIGITS = 12


def site_of(testbed: Testbed, image: dict) -> Site:
    """The cluster, with what its worker image has (probe.ask_image). Raises as cluster_facts."""
    cluster = cluster_facts(testbed)
    told = {key: value for key, value in image.items() if key not in ("node", "modules", "suts")}
    told["node_hash"] = hashed(image["node"])
    return Site(
        host=host_of(cluster, image),
        cores=cluster["cores"],
        memory_gb=cluster["memory_mb"] / 1024,
        facts={"cluster": cluster | {"image": told}},
        lacking={
            sut: f"{sut} cannot run in the image {image['image']}: {why}"
            for sut, why in image["suts_lacking"].items()
        },
        suts=frozenset(image.get("suts", ())),
        installed={key: image.get(key) for key in ("packages", "code_sha256")},
        modules=frozenset(image.get("modules", ())),
        more=f"put it into a layer on top of the image {image['image']} (docs/kubernetes.md)",
    )


def cluster_facts(testbed: Testbed) -> dict:
    """Version, nodes and capacities of a testbed's cluster, as far as pods of runs can be there.

    Returns {"version", "platform", "nodes": [{"name_hash", "cores", "memory_mb", ...}], "cores",
    "memory_mb"}; cores and memory_mb are sums over those nodes. Raises TrialwattError where the
    cluster cannot be asked.
    """
    kubernetes = section(testbed)
    cluster = preflight.look(kubernetes)
    if not cluster.nodes:
        raise TrialwattError("\n".join(cluster.problems) or "the cluster has no nodes")
    kinds = ("cpu", *kubernetes.accelerators)
    open_ = [
        place
        for place in cluster.places
        if any(place.takes(*capacity.placement(kubernetes, kind)) for kind in kinds)
    ]
    by_name = {node["metadata"]["name"]: node for node in cluster.nodes}
    nodes = [_node(by_name[place.name], place) for place in open_]
    return {
        "version": cluster.version.get("gitVersion"),
        "platform": cluster.version.get("platform"),
        "requested_by_others_known": cluster.sees_pods,
        "nodes": nodes,
        "cores": sum(node["cores"] for node in nodes),
        "memory_mb": sum(node["memory_mb"] for node in nodes),
    }


def host_of(cluster: dict, image: dict) -> dict:
    """The cluster as the `host` of a record, with the keys that a machine has there."""
    names = "".join(sorted(node["name_hash"] for node in cluster["nodes"]))
    return {
        "name_hash": hashed(names),
        "cpu_model": image["cpu_model"],
        "cores": cluster["cores"],
        "memory_mb": cluster["memory_mb"],
        "kernel": image["kernel"],
        "system": f"Kubernetes {cluster['version']}",
        "python": image["python"],
    }


def hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:HASH_DIGITS]


def _node(node: dict, place: Node) -> dict:
    info, labels = node["status"]["nodeInfo"], place.labels
    has = {key: capacity.amount(value) for key, value in node["status"]["capacity"].items()}
    devices = {
        key: int(value)
        for key, value in place.all.items()
        if "/" in key and not key.startswith("hugepages") and value
    }
    return {
        "name_hash": hashed(place.name),
        "cores": int(has[CPU]),
        "memory_mb": int(has[MEMORY] // MB),
        "allocatable": {
            "cores": place.all[CPU],
            "memory_mb": int(place.all[MEMORY] // MB),
            "disk_mb": int(place.all.get(DISK, 0) // MB),
        },
        "free": {"cores": round(place.free[CPU], 3), "memory_mb": int(place.free[MEMORY] // MB)},
        "devices": devices,
        "architecture": info["architecture"],
        "os_image": info["osImage"],
        "kernel": info["kernelVersion"],
        "container_runtime": info["containerRuntimeVersion"],
        "kubelet": info["kubeletVersion"],
        "instance_type": labels.get(INSTANCE),
        "region": labels.get(REGION),
        "zone": labels.get(ZONE),
    }
