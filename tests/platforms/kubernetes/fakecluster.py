"""An API server of a few hundred bytes: objects in a dictionary, rights, a pod behind the proxy.

No controllers: a pod that is made is running at once, unless `on_pod` says otherwise.
"""

import base64
import hashlib
import itertools
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from tests.platforms.kubernetes.administrator import Administrator

READY = [{"type": "Ready", "status": "True"}]
NODE_INFO = {
    "architecture": "amd64",
    "osImage": "Debian GNU/Linux 12",
    "kernelVersion": "6.8.0",
    "containerRuntimeVersion": "containerd://2.0.0",
    "kubeletVersion": "v1.35.2",
}


def node(name: str, cpu="4", memory="16Gi", **more) -> dict:
    """A node; keywords: labels, taints, unschedulable, ready, and resources of devices."""
    given = {"cpu": cpu, "memory": memory, "ephemeral-storage": "50Gi", "pods": "110"}
    given |= more.get("devices", {})
    return {
        "metadata": {"name": name, "labels": more.get("labels", {})},
        "spec": {
            "taints": more.get("taints", []),
            "unschedulable": more.get("unschedulable", False),
        },
        "status": {
            "allocatable": given,
            "capacity": given,
            "conditions": [{"type": "Ready", "status": more.get("ready", "True")}],
            "nodeInfo": NODE_INFO,
        },
    }


def pod(namespace: str, on: str, cpu: str, memory: str, phase="Running") -> dict:
    requests = {"cpu": cpu, "memory": memory}
    return {
        "metadata": {"name": f"p-{cpu}", "namespace": namespace},
        "spec": {"nodeName": on, "containers": [{"resources": {"requests": requests}}]},
        "status": {"phase": phase},
    }


def has_labels(made: dict, selector: str) -> bool:
    """Whether a label selector of equalities and names takes this object."""
    labels = made.get("metadata", {}).get("labels") or {}
    wanted = [part.partition("=") for part in selector.split(",") if part]
    return all(key in labels and labels[key] == (value or labels[key]) for key, _, value in wanted)


def is_current(made: dict, change: dict) -> bool:
    """Whether a patch is of any version of the object, or of this one."""
    of = made["metadata"].get("resourceVersion")
    return (change.get("metadata") or {}).get("resourceVersion", of) == of


def merged(old: dict, change: dict) -> dict:
    """JSON merge patch."""
    for key, value in change.items():
        if isinstance(value, dict):
            old[key] = merged(old[key] if isinstance(old.get(key), dict) else {}, value)
        elif value is None:
            old.pop(key, None)
        else:
            old[key] = value
    return old


def kubeconfig(path: Path, server: str, user: dict | None = None) -> Path:
    """Write one that leads to this server."""
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "me"}}],
                "clusters": [{"name": "fake", "cluster": {"server": server}}],
                "users": [{"name": "me", "user": user or {"token": "t"}}],
            }
        )
    )
    return path


class FakeCluster:
    """Use as a context manager; `kubeconfig` writes a file that leads to it."""

    def __init__(self):
        self.objects: dict[str, dict] = {}  # path → object
        self.version = {"major": "1", "minor": "35", "gitVersion": "v1.35.2", "platform": "linux"}
        self.denied: set[tuple[str, str]] = set()  # (verb, resource or resource/subresource)
        self.refuses_credentials = False
        self.asked: list[tuple[str, str]] = []
        self.files: dict[str, bytes] = {}  # pod/name → content
        self.logs: dict[str, str] = {}  # of pods, by component
        self.ahead_s = 0.0  # its clock
        self.room: int | None = None  # for one more file, in bytes
        self._versions = itertools.count(100)
        self._lock = threading.Lock()
        self.on_pod = running
        self.administrator = Administrator()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def kubeconfig(self, path: Path, user: dict | None = None) -> Path:
        return kubeconfig(path, self.url, user)

    def put_nodes(self, *nodes: dict) -> None:
        for one in nodes:
            self.objects[f"/api/v1/nodes/{one['metadata']['name']}"] = one

    def put_pods(self, *pods: dict) -> None:
        for one in pods:
            where = f"/api/v1/namespaces/{one['metadata']['namespace']}/pods"
            self.objects[f"{where}/{one['metadata']['name']}"] = one

    def names(self, part: str) -> list[str]:
        return sorted(path for path in self.objects if part in path)

    # --- answers --------------------------------------------------------------------------------

    def answer(self, method: str, path: str, query: dict, body: bytes) -> tuple[int, object]:
        self.asked.append((method, path))
        if self.refuses_credentials:
            return self._status(401, "Unauthorized", "Unauthorized")
        if path == "/version":
            return 200, self.version
        if path.endswith("selfsubjectaccessreviews"):
            return 201, self._review(json.loads(body)["spec"]["resourceAttributes"])
        if "/proxy/files/" in path:
            pod, _, name = path.partition("/proxy/files/")
            return self._file(method, f"{pod.rsplit('/', 1)[1].rsplit(':', 1)[0]}/{name}", body)
        if path.endswith("/log"):
            pod = self.objects.get(path.removesuffix("/log"), {"spec": {"containers": []}})
            if len(pod["spec"]["containers"]) > 1 and "container" not in query:
                return self._status(400, "BadRequest", "a container name must be specified")
            component = path.split("/")[-2].rsplit("-", 1)[0]
            return 200, self.logs.get(component, "")
        with self._lock:
            return self._do(method, path, query, body)

    def _do(self, method, path, query, body):
        verb = {"GET": "get", "POST": "create", "DELETE": "delete", "PATCH": "patch"}[method]
        return getattr(self, f"_{verb}")(path, query, body)

    def _review(self, asked: dict) -> dict:
        resource = "/".join(filter(None, [asked["resource"], asked.get("subresource")]))
        return {"status": {"allowed": (asked["verb"], resource) not in self.denied}}

    def _get(self, path, query, body):
        if path in self.objects:
            return 200, self.objects[path]
        kind = path.rsplit("/", 1)[1]
        if kind in ("nodes", "pods", "namespaces", "events", "resourcequotas"):
            if ("list", kind) in self.denied:
                return self._status(403, "Forbidden", f"you must not list {kind}")
            found = [self.objects[each] for each in self._chosen(path, query)]
            first = int(query.get("continue", ["0"])[0])
            last = first + int(query.get("limit", ["1000"])[0])
            go_on = str(last) if last < len(found) else ""
            return 200, {"items": found[first:last], "metadata": {"continue": go_on}}
        return self._status(404, "NotFound", f"{path} not found")

    def _chosen(self, path, query) -> list[str]:
        """Paths of what a collection (of one namespace, or of all) and a label selector take."""
        base, kind = path.rsplit("/", 1)
        of_all = re.compile(rf"{re.escape(base)}(/namespaces/[^/]+)?/{kind}/[^/]+")
        selector = query.get("labelSelector", [""])[0]
        return [
            each
            for each in sorted(self.objects)
            if of_all.fullmatch(each) and has_labels(self.objects[each], selector)
        ]

    def _create(self, path, query, body):
        made = json.loads(body)
        full = f"{path}/{made['metadata']['name']}"
        if full in self.objects:
            return self._status(409, "AlreadyExists", f"{full} already exists")
        for key, value in made.pop("stringData", {}).items():
            made.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        made["metadata"] |= {"uid": f"uid-{next(self._versions)}", "creationTimestamp": at}
        made["metadata"]["resourceVersion"] = str(next(self._versions))
        if made["kind"] == "Pod":
            made, refusal = self.administrator.admit(path, made, self.objects)
            if refusal:
                said = f'pods "{made["metadata"]["name"]}" is forbidden: {refusal}'
                return self._status(403, "Forbidden", said)
            if "dryRun" in query:
                return 201, made
            made["status"] = {}
            made["metadata"].setdefault("namespace", path.split("/")[-2])
            self.on_pod(made)
        self.objects[full] = made
        return 201, made

    def _patch(self, path, query, body):
        if path not in self.objects:
            return self._status(404, "NotFound", f"{path} not found")
        change = json.loads(body)
        if not is_current(self.objects[path], change):
            return self._status(409, "Conflict", "the object has been modified")
        made = merged(json.loads(json.dumps(self.objects[path])), change)
        made["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = made
        return 200, made

    def _delete(self, path, query, body):
        wanted = json.loads(body or b"{}").get("preconditions", {}).get("uid")
        if path.rsplit("/", 1)[1] in ("pods", "secrets", "networkpolicies"):
            gone = self._chosen(path, query)
        elif path not in self.objects:
            return self._status(404, "NotFound", "not found")
        elif wanted and self.objects[path]["metadata"].get("uid") != wanted:
            return self._status(409, "Conflict", "the UID in the precondition is another one")
        else:
            inside = f"/namespaces/{path.rsplit('/', 1)[1]}/" if "namespaces" in path else ""
            gone = [p for p in self.objects if p == path or (inside and inside in p)]
        for one in gone:
            del self.objects[one]
        return 200, {}

    def _file(self, method, name, body):
        if method == "PUT":
            if self.room is not None and len(body) > self.room:
                return 507, "no room"
            self.files[name] = body
            return 204, ""
        if name not in self.files:
            return 404, "no such file"
        return 200, self.files[name].decode()

    def _status(self, code, reason, message):
        return code, {"kind": "Status", "code": code, "reason": reason, "message": message}

    def _handler(cluster):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self):
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                code, said = cluster.answer(
                    self.command, unquote(parts.path), parse_qs(parts.query), body
                )
                if digest := self.headers.get("X-Sha256"):
                    assert hashlib.sha256(body).hexdigest() == digest
                content = said.encode() if isinstance(said, str) else json.dumps(said).encode()
                content = b"" if code == 204 else content
                self.send_response(code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

            def date_time_string(self, timestamp=None):
                return super().date_time_string((timestamp or time.time()) + cluster.ahead_s)

            def log_message(self, *_): ...

        return Handler


def statuses(made: dict, ours: dict) -> list[dict]:
    """Of all containers, by name, as a node has them: ours so, the others run."""
    others = {"state": {"running": {}}, "ready": True}
    names = sorted(each["name"] for each in made["spec"]["containers"])
    return [{"name": name} | (ours if name == "main" else others) for name in names]


def running(made: dict) -> None:
    """The pod runs, is ready, and has an address."""
    made["spec"]["nodeName"] = "a"
    containers = statuses(made, {"state": {"running": {}}, "ready": True})
    made["status"] |= {"phase": "Running", "podIP": "10.0.0.7", "conditions": READY}
    made["status"]["containerStatuses"] = containers


def ended(made: dict) -> None:
    """Our container has done what it had to do; one beside it lives on, and the pod with it."""
    made["spec"]["nodeName"] = "a"
    image = "docker.io/library/x@sha256:" + "ab" * 32
    ours = {"state": {"terminated": {"exitCode": 0}}, "ready": False, "imageID": image}
    phase = "Succeeded" if len(made["spec"]["containers"]) == 1 else "Running"
    made["status"] |= {"phase": phase, "containerStatuses": statuses(made, ours)}


def waiting(reason: str, message: str):
    """The pod is placed, and its container waits for this reason."""

    def on_pod(made: dict) -> None:
        made["spec"]["nodeName"] = "a"
        state = {"state": {"waiting": {"reason": reason, "message": message}}, "name": "main"}
        made["status"] |= {"phase": "Pending", "containerStatuses": [state]}

    return on_pod


def event(kind: str, reason: str, message: str, at: str = "2026-01-01T00:00:00Z", **about) -> dict:
    """What the cluster tells of an object: about has its name and uid."""
    said = {"type": kind, "reason": reason, "message": message, "lastTimestamp": at}
    return said | {"involvedObject": {"kind": "Pod"} | about}


def unplaced(made: dict) -> None:
    """No node for the pod."""
    message = "0/1 nodes are available: 1 Insufficient cpu."
    condition = {"type": "PodScheduled", "status": "False", "message": message}
    made["status"] |= {"phase": "Pending", "conditions": [condition]}
