"""What an administrator has set on a cluster, as the API server goes by it when a pod is made.

Mutating policies first, then LimitRanges (defaults, then limits), Pod Security and ResourceQuotas,
with the sentences of the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from trialwatt.platforms.kubernetes.capacity import amount, requested

ENDED = ("Succeeded", "Failed")
NEEDS_AMOUNT = {"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"}


class Administrator:
    """policies: functions that change a pod. restricts: Pod Security's level "restricted" holds in
    every namespace, whatever its labels say."""

    def __init__(self):
        self.policies: list[Callable[[dict], None]] = []
        self.restricts = False

    def admit(self, path: str, pod: dict, objects: dict[str, dict]) -> tuple[dict, str]:
        """The pod as it is made, and why it is not; `path` is that of its collection."""
        made = json.loads(json.dumps(pod))
        for policy in self.policies:
            policy(made)
        space = path.removesuffix("/pods")

        def of(kind: str) -> list[dict]:
            return [o for p, o in list(objects.items()) if p.startswith(f"{space}/{kind}/")]

        for each in of("limitranges"):
            _with_defaults(made, each["spec"]["limits"])
        found = [said for each in of("limitranges") for said in _outside(made, each)]
        if found:
            return made, found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        labels = (objects.get(space) or {}).get("metadata", {}).get("labels") or {}
        enforced = labels.get("pod-security.kubernetes.io/enforce") == "restricted"
        if (self.restricts or enforced) and (found := unrestricted(made)):
            return made, f'violates PodSecurity "restricted:latest": {", ".join(found)}'
        there = [each for each in of("pods") if each.get("status", {}).get("phase") not in ENDED]
        for quota in of("resourcequotas"):
            if said := _over(quota, made, there):
                return made, said
        return made, ""


# --- what policies do -----------------------------------------------------------------------------


def sidecar(name: str = "istio-proxy", native: bool = False, **more) -> Callable[[dict], None]:
    """A policy that puts a container first; native: one that begins before the others and lives on.

    It is as a mesh's own would be: restricted, with requests and limits. Keywords replace keys.
    """
    size = {"cpu": "100m", "memory": "64Mi"}
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": name, "image": "mesh/proxy", "securityContext": security} | more
    if "resources" not in more:
        container["resources"] = {"requests": size, "limits": size}

    def put(pod: dict) -> None:
        kind = "initContainers" if native else "containers"
        one = container | ({"restartPolicy": "Always"} if native else {})
        pod["spec"][kind] = [one, *pod["spec"].get(kind, [])]

    return put


def mirrored(pod: dict) -> None:
    """A policy that has images come from a mirror."""
    for container in pod["spec"]["containers"]:
        container["image"] = f"mirror.example/{container['image']}"


# --- LimitRange -----------------------------------------------------------------------------------


def limit_range(namespace: str, **limits) -> tuple[str, dict]:
    """Path and object; keywords are those of a limit of type Container."""
    spec = {"limits": [{"type": "Container"} | limits]}
    return _object(namespace, "limitranges", "of-the-admin", spec)


def _with_defaults(pod: dict, limits: list[dict]) -> None:
    for limit in limits:
        if limit["type"] != "Container":
            continue
        for container in _containers(pod):
            resources = container.setdefault("resources", {})
            most = limit.get("default", {}) | resources.get("limits", {})
            least = limit.get("defaultRequest", most) | resources.get("requests", {})
            resources |= {"limits": most, "requests": most | least}


def _outside(pod: dict, limit_range: dict) -> list[str]:
    said = []
    for limit in limit_range["spec"]["limits"]:
        kind = limit["type"]
        for container in _containers(pod) if kind == "Container" else [pod]:
            asked, most = _sizes(container, kind)
            for name, value in limit.get("min", {}).items():
                if asked.get(name, 0) < amount(value):
                    said.append(f"minimum {name} usage per {kind} is {value}, but request is less")
            for name, value in limit.get("max", {}).items():
                if most.get(name, 0) > amount(value):
                    said.append(f"maximum {name} usage per {kind} is {value}, but limit is more")
            for name, value in limit.get("maxLimitRequestRatio", {}).items():
                if most.get(name, 0) > amount(value) * asked.get(name, 0):
                    said.append(f"{name} max limit to request ratio per {kind} is {value}")
    return said


def _sizes(thing: dict, kind: str) -> tuple[dict, dict]:
    if kind == "Pod":
        return requested(thing["spec"]), requested(thing["spec"], "limits")
    return tuple(
        {name: amount(value) for name, value in thing["resources"].get(each, {}).items()}
        for each in ("requests", "limits")
    )


# --- ResourceQuota --------------------------------------------------------------------------------


def resource_quota(
    namespace: str, hard: dict, used: dict | None = None, **spec
) -> tuple[str, dict]:
    """Path and object, with what a controller has counted."""
    path, made = _object(namespace, "resourcequotas", "of-the-admin", {"hard": hard} | spec)
    return path, made | {"status": {"hard": hard, "used": dict.fromkeys(hard, "0") | (used or {})}}


def _over(quota: dict, pod: dict, there: list[dict]) -> str:
    """How a pod does not fit into a quota. Scopes are left out: no test of a run has one."""
    name, hard = quota["metadata"]["name"], quota["spec"]["hard"]
    lacking = [
        f"{key} for: {','.join(without)}"
        for key in sorted(hard.keys() & NEEDS_AMOUNT)
        if (without := [c["name"] for c in _containers(pod) if not _names(c, key)])
    ]
    if lacking:
        return f"failed quota: {name}: must specify {'; '.join(lacking)}"
    over = []
    for key, most in hard.items():
        asked, used = _counts(key, [pod]), _counts(key, there)
        if asked and asked + used > amount(most) * (1 + 1e-9):
            over.append((key, asked, used, most))
    if not over:
        return ""
    words = [", ".join(f"{each[0]}={each[n]}" for each in over) for n in (1, 2, 3)]
    return f"exceeded quota: {name}, requested: {words[0]}, used: {words[1]}, limited: {words[2]}"


def _counts(key: str, pods: list[dict]) -> float:
    if key in ("pods", "count/pods"):
        return len(pods)
    kind, resource = _kind(key)
    if kind not in ("requests", "limits"):
        return 0
    return sum(requested(pod.get("spec", {}), kind).get(resource, 0) for pod in pods)


def _names(container: dict, key: str) -> bool:
    kind, resource = _kind(key)
    return resource in (container.get("resources") or {}).get(kind, {})


def _kind(key: str) -> tuple[str, str]:
    kind, _, resource = key.partition(".") if "." in key else ("requests", "", key)
    return kind, resource


def _object(namespace: str, kind: str, name: str, spec: dict) -> tuple[str, dict]:
    made = {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    return f"/api/v1/namespaces/{namespace}/{kind}/{name}", made


# --- Pod Security ---------------------------------------------------------------------------------

ALLOWED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"}
ALLOWED_VOLUMES |= {"persistentVolumeClaim", "projected", "secret"}
PROFILES = ("RuntimeDefault", "Localhost")
SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}
SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def unrestricted(pod: dict) -> list[str]:
    """What of a pod the level "restricted" of the Pod Security Standards does not allow."""
    spec, said = pod["spec"], []
    own = spec.get("securityContext") or {}
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            said.append(f"host namespaces ({key}=true)")
    for volume in spec.get("volumes") or []:
        for kind in volume.keys() - {"name"} - ALLOWED_VOLUMES:
            name = volume["name"]
            said.append(f'restricted volume types (volume "{name}" uses restricted type "{kind}")')
    if {each["name"] for each in own.get("sysctls") or []} - SAFE_SYSCTLS:
        said.append("forbidden sysctls")
    said += _of_anybody("pod", own)
    for container in _containers(pod):
        who, security = f'container "{container["name"]}"', container.get("securityContext") or {}
        capabilities = security.get("capabilities") or {}
        both = own | security
        said += _of_anybody(who, security)
        if security.get("privileged"):
            said.append(f"privileged ({who} must not set securityContext.privileged=true)")
        if security.get("procMount", "Default") != "Default":
            said.append(f"procMount ({who} must not set securityContext.procMount)")
        if any(port.get("hostPort") for port in container.get("ports") or []):
            said.append(f"hostPort ({who} uses hostPorts)")
        if security.get("allowPrivilegeEscalation") is not False:
            must = "must set securityContext.allowPrivilegeEscalation=false"
            said.append(f"allowPrivilegeEscalation != false ({who} {must})")
        if "ALL" not in capabilities.get("drop", []):
            must = 'must set securityContext.capabilities.drop=["ALL"]'
            said.append(f"unrestricted capabilities ({who} {must})")
        if more := set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            must = f'must not include "{", ".join(sorted(more))}" in capabilities.add'
            said.append(f"unrestricted capabilities ({who} {must})")
        if both.get("runAsNonRoot") is not True:
            must = "must set securityContext.runAsNonRoot=true"
            said.append(f"runAsNonRoot != true (pod or {who} {must})")
        if (both.get("seccompProfile") or {}).get("type") not in PROFILES:
            must = 'must set seccompProfile.type to "RuntimeDefault" or "Localhost"'
            said.append(f"seccompProfile (pod or {who} {must})")
    return said


def _of_anybody(who: str, security: dict) -> list[str]:
    """What a pod's own security context may not say, nor that of a container."""
    said, selinux = [], security.get("seLinuxOptions") or {}
    if security.get("runAsUser") == 0:
        said.append(f"runAsUser=0 ({who} must not set runAsUser=0)")
    if (security.get("windowsOptions") or {}).get("hostProcess"):
        said.append(f"hostProcess ({who} must not set hostProcess)")
    if (security.get("seccompProfile") or {}).get("type", PROFILES[0]) not in PROFILES:
        said.append(f"seccompProfile ({who} must not set it to Unconfined)")
    if (security.get("appArmorProfile") or {}).get("type", PROFILES[0]) not in PROFILES:
        said.append(f"forbidden AppArmor profile ({who})")
    if selinux.get("type", "") not in SELINUX_TYPES or {"user", "role"} & selinux.keys():
        said.append(f"seLinuxOptions ({who})")
    return said


def _containers(pod: dict) -> list[dict]:
    return [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]
