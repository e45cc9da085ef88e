"""An API server and a node as far as a run needs them, on this machine.

Objects are kept in memory with versions and watches; a pod that is created becomes a process of
this machine. Faults are injected: answers, cut connections, forgotten versions, refused pods. So is
what an administrator has set, and what a control plane does when a node is lost or removed.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.platforms.kubernetes.administrator import Administrator
from tests.platforms.kubernetes.fakecluster import (
    has_labels,
    is_current,
    kubeconfig,
    merged,
    node,
)

from trialwatt.platforms.kubernetes.access import Api
from trialwatt.platforms.kubernetes.login import Loaded, Login

_hosts = itertools.count(2)


class FakeCluster:
    """`api()` is a client of it. What it was asked stands in `asked`, as "GET /path"."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.objects: dict[str, dict] = {}  # path → object
        self.log: list[tuple[int, str, str, dict]] = []  # version, collection, type, object
        self.ended_mono: dict[str, float] = {}  # pod → when its end stood in its status
        self.version = 100
        self.oldest = 0  # versions before it are forgotten
        self.asked: list[str] = []
        self.logins: list[str | None] = []
        self.token: str | None = None  # the only one that it takes, where it asks for one
        self.faults: list[tuple[str, int, dict | str, int]] = []  # pattern, status, body, times
        self.changed = threading.Condition()
        self.runs_pods = True
        self.schedules = True
        self.pull_error = ""
        self.processes: dict[str, subprocess.Popen] = {}
        self.watching: list[BaseHTTPRequestHandler] = []
        self.keeps_namespaces = False
        self.administrator = Administrator()
        self.unready: set[str] = set()  # names of containers beside ours that never are
        self.nodes: dict[str, str] = {}  # pod → node, if not node-a
        self.address = ""  # of all pods; empty: each has one of its own
        self.octets = f"127.{os.getpid() % 200 + 20}.{next(_hosts) % 250}"
        self._pods = itertools.count(2)
        self._server = _server(self, 0)
        self.port = self._server.server_address[1]

    def kubeconfig(self, path: Path) -> Path:
        """Write one that leads to it, and have a node that a plan can see."""
        self.store("/api/v1/nodes/node-a", node("node-a", cpu="64", memory="256Gi"), "ADDED")
        return kubeconfig(path, f"http://127.0.0.1:{self.port}")

    def api(self) -> Api:
        from kubernetes import client

        configuration = client.Configuration()
        configuration.host = f"http://127.0.0.1:{self.port}"
        configuration.connection_pool_maxsize = 16
        return Api(Login(lambda: Loaded(client.ApiClient(configuration))), "test")

    # --- faults -------------------------------------------------------------------------------

    def fail(self, pattern: str, status: int, body: dict | str = "", times: int = 1) -> None:
        """Answer the next `times` requests ("METHOD /path") that match with this."""
        self.faults.append((pattern, status, body, times))

    def fault(self, asked: str) -> tuple[int, dict | str] | None:
        for number, (pattern, status, body, times) in enumerate(self.faults):
            if re.search(pattern, asked):
                if times <= 1:
                    self.faults.pop(number)
                else:
                    self.faults[number] = (pattern, status, body, times - 1)
                return status, body
        return None

    def cut_watches(self) -> None:
        for handler in list(self.watching):
            handler.cut = True
            with self.changed:
                self.changed.notify_all()

    def forget(self) -> None:
        """Versions up to now are not known any more: who asks for them gets 410."""
        with self.changed:
            self.log.clear()
            self.oldest = self.version

    def restart(self, seconds: float = 0.5) -> None:
        """Nobody listens for a while; all connections are cut."""
        self.hang_up()
        time.sleep(seconds)
        self._server = _server(self, self.port)

    def hang_up(self) -> None:
        """Nobody listens any more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        self.cut_watches()

    # --- objects ------------------------------------------------------------------------------

    def store(self, path: str, body: dict, kind: str) -> dict:
        with self.changed:
            self.version += 1
            metadata = body.setdefault("metadata", {})
            metadata["resourceVersion"] = str(self.version)
            metadata.setdefault("uid", f"uid-{self.version}")
            self.objects[path] = body
            event = json.loads(json.dumps(body))
            self.log.append((self.version, path.rsplit("/", 1)[0], kind, event))
            self.changed.notify_all()
            return body

    def drop(self, path: str) -> None:
        with self.changed:
            body = self.objects.pop(path)
            self.version += 1
            body["metadata"]["resourceVersion"] = str(self.version)
            self.log.append((self.version, path.rsplit("/", 1)[0], "DELETED", body))
            self.changed.notify_all()

    def update(self, path: str, change: dict) -> None:
        """Merge into an object, if it is there."""
        with self.changed:
            if path in self.objects:
                self.store(
                    path, merged(json.loads(json.dumps(self.objects[path])), change), "MODIFIED"
                )

    def pods(self, namespace: str) -> str:
        return f"/api/v1/namespaces/{namespace}/pods"

    # --- the node -----------------------------------------------------------------------------

    def run_pod(self, path: str, pod: dict) -> None:
        threading.Thread(target=self._run_pod, args=(path, pod), daemon=True).start()

    def _run_pod(self, path: str, pod: dict) -> None:
        if not self.schedules:
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            condition["message"] = "0/1 nodes are available: 1 Insufficient cpu."
            self.update(path, {"status": {"conditions": [condition]}})
            return
        name = pod["metadata"]["name"]
        self.update(path, {"spec": {"nodeName": self.nodes.get(name, "node-a")}})
        if self.pull_error:
            waiting = {"reason": self.pull_error, "message": "manifest unknown"}
            self._state(path, {"waiting": waiting})
            return
        address = self.address or f"{self.octets}.{next(self._pods)}"
        process = self._process(pod, address)
        self.processes[name] = process
        if _serves(pod):
            process.stdout.readline()
        self._state(path, {"running": {}}, phase="Running", podIP=address)
        process.stdout.read()
        code = process.wait()
        code = code if code >= 0 else 128 - code
        ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error"}
        # A container beside it lives on, and its pod with it; one that began before it is ended.
        lives_on = len(pod["spec"]["containers"]) > 1
        phase = "Running" if lives_on else "Succeeded" if code == 0 else "Failed"
        self._state(path, {"terminated": ended}, phase=phase)
        self.ended_mono[name] = time.monotonic()

    def _state(self, path: str, state: dict, **status) -> None:
        """Our container is in this state, the others run; a node lists them by name."""
        if (pod := self.objects.get(path)) is None:
            return
        running, told = {"running": {}}, {}
        for kind, key in (("", "containers"), ("init", "initContainers")):
            names = sorted(each["name"] for each in pod["spec"].get(key, []))
            states = {name: state if name == "main" else running for name in names}
            told[f"{kind}ContainerStatuses" if kind else "containerStatuses"] = [
                {
                    "name": name,
                    "state": each,
                    "ready": "running" in each and name not in self.unready,
                    "started": "running" in each,
                }
                for name, each in states.items()
            ]
        ready = all(each["ready"] for group in told.values() for each in group)
        condition = {"type": "Ready", "status": str(ready)}
        condition |= {} if ready else {"reason": "ContainersNotReady"}
        self.update(path, {"status": {**told, **status}})
        self._says(path, condition)

    def _says(self, path: str, condition: dict) -> None:
        """Set a condition of a pod, whatever its others are."""
        if (pod := self.objects.get(path)) is None:
            return
        others = pod["status"].get("conditions") or []
        kept = [each for each in others if each["type"] != condition["type"]]
        self.update(path, {"status": {"conditions": [*kept, condition]}})

    # --- the control plane --------------------------------------------------------------------

    def lose_node(self, node: str) -> None:
        """It has not reported for the grace period: its pods are not ready any more."""
        for path, _ in self._pods_on(node):
            self._says(path, {"type": "Ready", "status": "False"})

    def find_node(self, node: str) -> None:
        """It reports again: its pods are as they were."""
        for path, _ in self._pods_on(node):
            self._says(path, {"type": "Ready", "status": "True"})

    def evict_by_taint(self, node: str, after_s: float) -> list[str]:
        """The node has been away for so long: pods that tolerate that for less are deleted, which a
        kubelet that is away does not carry out. Returns their names."""
        gone = []
        for path, pod in self._pods_on(node):
            tolerated = [
                each.get("tolerationSeconds", float("inf"))
                for each in pod["spec"].get("tolerations", [])
                if each.get("key") == "node.kubernetes.io/unreachable"
            ]
            if after_s >= max(tolerated, default=0):
                self.disrupt(path, "DeletionByTaintManager")
                gone.append(pod["metadata"]["name"])
        return gone

    def remove_node(self, node: str, drained: bool) -> None:
        """As an autoscaler does: evict what is on it, and delete it. Where it was not drained, the
        garbage collector finds pods without a node."""
        for path, _ in self._pods_on(node):
            self.disrupt(path, "EvictionByEvictionAPI" if drained else "DeletionByPodGC")
            self.end(path)

    def disrupt(self, path: str, reason: str) -> None:
        """Mark a pod as one that is ended from outside; `end` does it."""
        self._says(path, {"type": "DisruptionTarget", "status": "True", "reason": reason})
        self.update(path, {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}})

    def _pods_on(self, node: str) -> list[tuple[str, dict]]:
        return [
            (path, each)
            for path, each in list(self.objects.items())
            if "/pods/" in path and each["spec"].get("nodeName") == node
        ]

    def end(self, path: str) -> None:
        """End a pod's process, and drop the object."""
        name = path.rsplit("/", 1)[1]
        process = self.processes.get(name) if "/pods/" in path else None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                self.kill(name)
        if path in self.objects:
            self.drop(path)

    def _process(self, pod: dict, address: str) -> subprocess.Popen:
        [container] = [each for each in pod["spec"]["containers"] if each["name"] == "main"]
        here = self.folder / pod["metadata"]["name"]
        while here.exists():  # of a pod of that name before
            here = here.with_name(f"{here.name}~")
        here.mkdir(parents=True)
        space = pod["metadata"]["namespace"]
        environment = {"PATH": os.environ["PATH"], "TMPDIR": tempfile.gettempdir()}
        for source in container.get("envFrom", []):
            environment |= self._secret(space, source["secretRef"]["name"])
        for variable in container["env"]:
            source = variable.get("valueFrom") or {}
            if key := source.get("secretKeyRef"):
                value = self._secret(space, key["name"])[key["key"]]
            elif source:
                value = address
            else:
                value = variable["value"].replace("$$(", "$(")
            environment[variable["name"]] = value.replace("/run/trialwatt", str(here))
        arguments = [*container["command"][1:], *container.get("args", [])]
        arguments = [part.replace("$$(", "$(") for part in arguments]
        arguments = [part.replace("/run/trialwatt", str(here)) for part in arguments]
        if _serves(pod):
            arguments += ["--address", address]
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=(here / "stderr").open("wb"),
            start_new_session=True,
        )

    def _secret(self, space: str, name: str) -> dict:
        return self.objects[f"/api/v1/namespaces/{space}/secrets/{name}"]["stringData"]

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Kill a pod's main process and all below it."""
        process = self.processes[name]
        for pid in _below(process.pid):
            with contextlib.suppress(ProcessLookupError):  # one that ended by itself since
                os.kill(pid, number)

    def close(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is None:
                self.kill(name)
            process.wait()
        self.hang_up()


def _server(cluster: FakeCluster, port: int) -> ThreadingHTTPServer:
    deadline = time.monotonic() + 60
    while True:
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), _Request)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    server.cluster, server.daemon_threads = cluster, True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cut = False

    def _serve(self) -> None:
        cluster: FakeCluster = self.server.cluster
        parts = urlsplit(self.path)
        self._query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = f"{self.command} {self.path}"
        cluster.asked.append(asked)
        cluster.logins.append(self.headers.get("Authorization"))
        if cluster.token is not None and cluster.logins[-1] != f"Bearer {cluster.token}":
            said = {"kind": "Status", "code": 401, "reason": "Unauthorized"}
            self._answer(401, said | {"message": "Unauthorized"})
            return
        if found := cluster.fault(asked):
            status, answer = found
            if status == 0:  # the request is done, its answer lost
                self._work(cluster, parts.path, body, lambda *_: None)
                self.close_connection = True
                return
            if isinstance(answer, dict):
                answer = {"kind": "Status", "code": status} | answer
            self._answer(status, answer)
            return
        self._work(cluster, parts.path, body, self._answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _work(self, cluster: FakeCluster, path: str, body: bytes, answer) -> None:
        if match := re.fullmatch(r"(.*/pods/)([\w-]+):(\d+)/proxy(/.*)", path):
            self._proxy(cluster, match[1] + match[2], int(match[3]), match[4], body)
        elif path.endswith("/log"):
            self._log(cluster.objects.get(path.removesuffix("/log")), answer)
        elif path == "/version":
            answer(200, {"gitVersion": "v0.0.0-test"})
        elif self.command == "POST":
            self._create(cluster, path, json.loads(body), answer)
        elif self.command == "PATCH":
            self._patch(cluster, path, json.loads(body), answer)
        elif self.command == "DELETE":
            self._delete(cluster, path, json.loads(body or b"{}"), answer)
        elif "watch" in self._query:
            self._watch(cluster, path)
        elif path in cluster.objects:
            answer(200, cluster.objects[path])
        elif re.search(r"/(pods|events|namespaces|nodes|resourcequotas)$", path):
            with cluster.changed:
                items = [cluster.objects[each] for each in self._chosen(cluster, path)]
                answer(
                    200,
                    {"items": items, "metadata": {"resourceVersion": str(cluster.version)}},
                )
        else:
            answer(404, {"kind": "Status", "reason": "NotFound", "message": f"no {path}"})

    def _create(self, cluster: FakeCluster, path: str, body: dict, answer) -> None:
        target = f"{path}/{body['metadata']['name']}"
        if target in cluster.objects:
            answer(409, {"kind": "Status", "reason": "AlreadyExists", "message": "already exists"})
            return
        for key, value in body.get("stringData", {}).items():
            body.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body["metadata"]["creationTimestamp"] = at
        if path.endswith("/pods"):
            body["metadata"]["namespace"] = path.split("/")[-2]
            body, refusal = cluster.administrator.admit(path, body, cluster.objects)
            if refusal:
                said = f'pods "{body["metadata"]["name"]}" is forbidden: {refusal}'
                answer(403, {"kind": "Status", "reason": "Forbidden", "message": said})
                return
            body |= {"status": {"phase": "Pending"}}
            if "dryRun" in self._query:
                answer(201, body)
                return
        stored = cluster.store(target, body, "ADDED")
        if path.endswith("/pods") and cluster.runs_pods:
            cluster.run_pod(target, json.loads(json.dumps(body)))
        answer(201, stored)

    def _patch(self, cluster: FakeCluster, path: str, change: dict, answer) -> None:
        with cluster.changed:
            if path not in cluster.objects:
                answer(404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
            elif not is_current(cluster.objects[path], change):
                answer(409, {"kind": "Status", "reason": "Conflict", "message": "was modified"})
            else:
                cluster.update(path, change)
                answer(200, cluster.objects[path])

    def _log(self, pod: dict | None, answer) -> None:
        names = [each["name"] for each in pod["spec"]["containers"]] if pod else []
        if len(names) > 1 and "container" not in self._query:
            said = f"a container name must be specified, choose one of: [{' '.join(names)}]"
            answer(400, {"kind": "Status", "reason": "BadRequest", "message": said})
            return
        answer(200, "a line of the cluster's log\n")

    def _delete(self, cluster: FakeCluster, path: str, options: dict, answer) -> None:
        if re.search(r"/(pods|secrets|networkpolicies)$", path):
            for each in self._chosen(cluster, path):
                cluster.end(each)
            answer(200, {})
            return
        if path not in cluster.objects:
            answer(404, {"kind": "Status", "reason": "NotFound", "message": "not found"})
            return
        body = cluster.objects[path]
        uid = body["metadata"]["uid"]
        if options.get("preconditions", {}).get("uid", uid) != uid:
            answer(409, {"kind": "Status", "reason": "Conflict", "message": "is another one"})
            return
        if body["kind"] == "Namespace":
            mark = f"/namespaces/{body['metadata']['name']}/"
            for inside in [p for p in cluster.objects if mark in p]:
                cluster.end(inside)
            if cluster.keeps_namespaces:
                condition = {
                    "type": "NamespaceFinalizersRemaining",
                    "status": "True",
                    "message": "Some content has finalizers: keep.me",
                }
                cluster.update(path, {"status": {"conditions": [condition]}})
                answer(200, {})
                return
        cluster.end(path)
        answer(200, {})

    def _chosen(self, cluster: FakeCluster, path: str) -> list[str]:
        """Paths of what a collection (of one namespace, or of all) and a label selector take."""
        selector = self._query.get("labelSelector", "")
        return [
            each
            for each, made in list(cluster.objects.items())
            if _is_in(each.rsplit("/", 1)[0], path) and has_labels(made, selector)
        ]

    def _watch(self, cluster: FakeCluster, path: str) -> None:
        version = int(self._query["resourceVersion"])
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        cluster.watching.append(self)
        try:
            if version < cluster.oldest:
                status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
                self._chunk({"type": "ERROR", "object": status})
                self.wfile.write(b"0\r\n\r\n")
                return
            while not self.cut:
                with cluster.changed:
                    news = [
                        e
                        for e in cluster.log
                        if e[0] > version
                        and _is_in(e[1], path)
                        and has_labels(e[3], self._query.get("labelSelector", ""))
                    ]
                    if not news:
                        cluster.changed.wait(0.5)
                for number, _, kind, item in news:
                    self._chunk({"type": kind, "object": item})
                    version = number
            self.close_connection = True
        except OSError:
            self.close_connection = True
        finally:
            cluster.watching.remove(self)

    def _chunk(self, event: dict) -> None:
        data = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _proxy(self, cluster: FakeCluster, pod: str, port: int, path: str, body: bytes) -> None:
        address = (cluster.objects.get(pod) or {}).get("status", {}).get("podIP", "")
        target = path + (f"?{urlsplit(self.path).query}" if "?" in self.path else "")
        headers = {k: v for k, v in self.headers.items() if k.startswith("X-")}
        connection = http.client.HTTPConnection(address or "127.0.0.1", port if address else 1)
        try:
            connection.request(self.command, target, body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
        except OSError as error:
            self._answer(503, {"reason": "ServiceUnavailable", "message": str(error)})
            return
        finally:
            connection.close()
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, status: int, body: dict | str) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments) -> None:
        pass


def _serves(pod: dict) -> bool:
    """Whether it is a hub, or serves data, and so is ready when it says that it listens."""
    return any("readinessProbe" in each for each in pod["spec"]["containers"])


def _is_in(collection: str, wanted: str) -> bool:
    """Whether it is the wanted collection, or that of one namespace where all are wanted."""
    if "/namespaces/" not in wanted:
        collection = re.sub("/namespaces/[^/]+(?=/)", "", collection)
    return collection == wanted


def _below(pid: int) -> list[int]:
    """A process and all that it has started."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [*(child.pid for child in process.children(recursive=True)), pid]
    except psutil.NoSuchProcess:
        return []
