"""A Kubernetes cluster as a platform: a namespace for each run, a pod for each component."""

from __future__ import annotations

import json
import os
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

from trialwatt.address import joined
from trialwatt.backoff import repeated
from trialwatt.config.models import Testbed
from trialwatt.credentials import redacted
from trialwatt.errors import TrialwattError
from trialwatt.finding import Finding, ok, problem
from trialwatt.platforms.base import (
    Disturbance,
    Ending,
    Handle,
    Message,
    Platform,
    PlatformKind,
    Role,
    Site,
    Usage,
    resolved,
)
from trialwatt.platforms.hub.client import TOKEN
from trialwatt.platforms.hub.journal import Entry
from trialwatt.platforms.hub.server import HUB, PORT
from trialwatt.platforms.hub.tokens import COORDINATOR, KEY, token_of
from trialwatt.platforms.kubernetes import (
    admission,
    agent,
    containers,
    faults,
    kubeconfig,
    manifests,
    neighbours,
    owners,
    reaping,
)
from trialwatt.platforms.kubernetes.access import Api, ApiFault, connect
from trialwatt.platforms.kubernetes.claims import Ledger
from trialwatt.platforms.kubernetes.clocks import SAME_CLOCK_NS, Ahead, Clocks, hub_ahead
from trialwatt.platforms.kubernetes.facts import hashed
from trialwatt.platforms.kubernetes.handle import MAX_GRACE_S, WORD_S, Links, PodHandle
from trialwatt.platforms.kubernetes.hub_proxy import HubProxy, Sender
from trialwatt.platforms.kubernetes.journal_copy import JournalReader, samples
from trialwatt.platforms.kubernetes.machine import ReservedMachine
from trialwatt.platforms.kubernetes.neighbours import Neighbours
from trialwatt.platforms.kubernetes.options import Kubernetes, section, testbed_problems
from trialwatt.platforms.kubernetes.space import space_of
from trialwatt.platforms.kubernetes.watch import Watch

DATA_SECRET = "dataset"
QUOTA_S = 10.0
"""So long a quota of ours may take until the cluster goes by it."""
TICK_S = 1.0
HEARTBEAT_S = 60.0
SPARE_S = 600
"""Pods end by themselves so long after the run's own deadline, should the coordinator be dead."""
NO_JOB_S = 24 * 3600
SAMPLES_PER_S = 50
"""Requests with samples that a hub is to take in a second; of many workers they come in batches."""


class KubernetesPlatform(Platform, PlatformKind):
    """One run on a cluster. Use `open`."""

    remote = True
    packages = ("kubernetes",)
    renewal = "build the worker image of what is here (`snakemake --profile k8s image`)"

    def __init__(self, api: Api, place: manifests.Place, testbed: Testbed, folder: Path):
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._api, self._place, self._testbed = api, place, testbed
        self._folder = folder
        self._space = space_of(api, place)
        self._path = self._space.path
        self._key = secrets.token_urlsafe(32)
        self._clocks = Clocks()
        self._lives: dict[str, PodHandle] = {}  # by the pod's name, in the order of their start
        self._current: dict[str, PodHandle] = {}  # by component
        self._expected: dict[str, Role] = {}
        self._reserved: list[str] = []
        self._data: dict | None = None
        self._shared: Ledger | None = None  # with our claim on the pod that serves the data
        self._added = containers.NOTHING
        self._events: dict[str, str] = {}  # pod → what was last said of it
        self._hub_usage = Usage(0, 0, 0)
        self._server = self._hub_end = self._deaf = ""
        self._removing = self._removed = False
        self._stopped = threading.Event()
        self._proxy = HubProxy(api, place.namespace, token_of(self._key, COORDINATOR))
        self._sender = Sender(self._proxy, self._lost)
        self._reader = JournalReader(self._proxy, folder, self._take, self._lost)
        self._links = Links(
            api, place.namespace, folder, self._proxy, self._sender, self._reader.drain
        )
        limits = place.kubernetes.hub
        self._hub = PodHandle(
            Role(HUB, "service", (), limits.cpu, limits.memory_mb),
            HUB,
            Links(api, place.namespace, folder, self._proxy, self._sender, lambda: None),
            self._hub_ended,
        )
        self._watches = [
            Watch(api, f"{self._path}/pods", self._pod_changed, self._pod_deleted, self._lost),
            Watch(api, f"{self._path}/events", self._said, lambda event: None, self._lost),
        ]
        self._beside = Neighbours(place.run_id)
        self._sees_others = self._space.sees_others
        if self._sees_others:
            self._watches.append(
                Watch(
                    api,
                    "/api/v1/pods",
                    self._beside.changed,
                    self._beside.deleted,
                    self._see_no_others,
                    selector=neighbours.SELECTOR,
                )
            )

    # --- what can be asked before a run exists ------------------------------------------------

    @classmethod
    def testbed_problems(cls, testbed) -> list[tuple[str, str]]:
        return testbed_problems(testbed)

    @classmethod
    def problems(cls, testbed, roles: list[Role]) -> list[str]:
        from trialwatt.platforms.kubernetes import preflight

        return preflight.problems(testbed, roles)

    @classmethod
    def accelerator_problem(cls, testbed, accelerator: str) -> str:
        from trialwatt.platforms.kubernetes import preflight

        return preflight.accelerator_problem(testbed, accelerator)

    @classmethod
    def reap(cls, testbed=None, all_hosts: bool = False) -> list[str]:
        """See PlatformKind.reap. all_hosts: also those of coordinators on other machines that have
        given no sign of life for ten minutes."""
        kubernetes = testbed and testbed.options(Kubernetes)
        if kubernetes is None:
            return []
        with closing(connect(kubernetes.context)) as api:
            return reaping.reap(api, kubernetes.undeploy_s, all_hosts, kubernetes.namespace)

    @classmethod
    def examine(cls, testbed) -> list[Finding]:
        """See PlatformKind.examine. What coordinators of other machines have left is not told from
        what they do."""
        from trialwatt.platforms.kubernetes import shared

        kubernetes = section(testbed)
        if problems := kubeconfig.problems(kubernetes.context):
            return [problem("kubeconfig", said, "mend the kubeconfig") for said in problems]
        found = [ok("kubeconfig", "can be used")]
        try:
            with closing(connect(kubernetes.context)) as api:
                left = reaping.dead(api, False, kubernetes.namespace)
                used, probes = shared.examined(api, testbed)
        except TrialwattError as error:
            return [*found, problem("cluster", str(error), "see docs/kubernetes.md")]
        for run_id, namespace in left:
            said = f"run {run_id}, which is dead, has left the namespace {namespace}"
            found.append(problem("left over", said, "`trialwatt reap`"))
        for name in probes:
            said = f"a coordinator that is dead has left the pod {name}"
            found.append(problem("left over", said, "the next run here removes it, or `undeploy`"))
        return [*found, ok("shared data", used)] if used else found

    @classmethod
    def site(cls, testbed) -> Site:
        """See PlatformKind.site. A probe pod of the worker image runs for a moment."""
        from trialwatt.platforms.kubernetes import facts, image

        with closing(connect(section(testbed).context)) as api:
            told = image.ask_image(api, testbed)
        return facts.site_of(testbed, told)

    @classmethod
    def share(cls, testbed, data: Path) -> dict[str, str]:
        from trialwatt.platforms.kubernetes import data_pod

        with closing(connect(section(testbed).context)) as api:
            source = data_pod.data_source(api, testbed, data)
        return {"name": data.name, "sha256": source.sha256, "namespace": source.namespace}

    @classmethod
    def unshare(cls, testbed) -> list[str]:
        from trialwatt.platforms.kubernetes import shared

        with closing(connect(section(testbed).context)) as api:
            return shared.remove(api, testbed)

    @classmethod
    def build_image(cls, project: Path, arguments: Sequence[str] = ()) -> None:
        from trialwatt.platforms.kubernetes import image

        image.build(project, arguments)

    @classmethod
    def open(cls, run_id: str, testbed, folder: Path, api: Api | None = None) -> KubernetesPlatform:
        """A platform for one run: its namespace and hub are there when this returns.

        Raises TrialwattError; then nothing is left. api: for tests, another API server.
        """
        kubernetes = section(testbed)
        if not kubernetes.image:
            raise TrialwattError("kubernetes.image: there is none; the preflight says how to build")
        place = manifests.Place(
            run_id=run_id,
            owner=owners.owner_label(owners.coordinator()),
            namespace=kubernetes.namespace or f"{kubernetes.namespace_prefix}-{run_id}",
            kubernetes=kubernetes,
            sample_hz=testbed.sample_hz,
            deadline_s=_deadline_s(Path(folder), kubernetes),
        )
        platform = cls(api or connect(kubernetes.context), place, testbed, Path(folder))
        try:
            platform._deploy()
        except BaseException as error:
            try:
                platform.remove()
            except TrialwattError as left:
                error.add_note(f"and what was made is left: {left}")
            raise
        return platform

    # --- the run ------------------------------------------------------------------------------

    def seen(self, folder: str, data: str) -> tuple[str, str]:
        """See Platform.seen. The dataset is brought to where the pods can fetch it."""
        path = Path(data)
        if data and self._data is None:
            from trialwatt.platforms.kubernetes import data_pod

            source = data_pod.data_source(self._api, self._testbed, path, self._place.run_id)
            self._shared = source.ledger
            self._create("secrets", manifests.secret, DATA_SECRET, {agent.DATA_TOKEN: source.token})
            self._data = {
                "url": source.url,
                "name": source.name,
                "sha256": source.sha256,
                "path": f"{manifests.DATA_FOLDER}/{path.name}",
            }
        return manifests.JOB_FOLDER, f"{manifests.DATA_FOLDER}/{path.name}"

    def expect(self, roles: list[Role]) -> None:
        self._expected |= {role.component: role for role in roles}
        self._reserve()

    def start(self, role: Role) -> Handle:
        """See Platform.start. Returns when the cluster has taken the pod."""
        component = role.component
        if self._removing:
            raise TrialwattError(f"{component} cannot be started: the run has been removed")
        before = self._current.get(component)
        if before is not None:
            if before.alive:
                raise TrialwattError(f"{component} is running already")
            before.stop(0)
        if component not in self._expected:
            self._expected[component] = role
            self._reserve()
        role = resolved(role, None, _Hosts(self._current, self.host), None)
        lives = sum(each.role.component == component for each in self._lives.values())
        life = f"{component}-{lives + 1}"
        handle = PodHandle(role, life, self._links, self._ended)
        self._clocks.component[life] = component
        self._lives[life] = self._current[component] = handle
        if self._deaf:
            handle.give_up("unreachable", self._deaf)
            return handle
        node = faults.node_of(before.pod) if before else None
        self._create_pod(self._pod_of(role, life, node), component)
        return handle

    def host(self, component: str) -> str:
        handle = self._current.get(component)
        if handle is None:
            raise TrialwattError(f"{component} has not been started: it has no address")
        kubernetes = self._place.kubernetes
        patience_s = kubernetes.schedule_s + kubernetes.start_s
        if handle.wait_for(lambda: bool(handle.address), patience_s):
            return handle.address
        if handle.ending is not None:
            raise TrialwattError(f"{component} cannot be reached: {_told(handle.ending)}")
        raise TrialwattError(f"{component} got no address within {patience_s:g} s")

    @property
    def deploy_s(self) -> float:
        kubernetes = self._place.kubernetes
        return kubernetes.schedule_s + kubernetes.start_s + super().deploy_s

    def disturbances(self) -> list[Disturbance]:
        return self._api.outages.taken() + self._beside.taken()

    def clock_offsets_ns(self) -> dict[str, int]:
        return self._clocks.offsets_ns()

    def clock_facts(self) -> dict:
        return self._clocks.facts()

    @property
    def series_labels(self) -> dict[str, str]:
        return {"namespace": self._place.namespace, "container": containers.MAIN}

    def machine(self) -> ReservedMachine:
        return ReservedMachine(self._capacity, self._usages, lambda: self._hub_usage)

    def _capacity(self) -> tuple[float, int]:
        """Cores and memory (MB) of the hub and of all roles that the run is known to have, with
        what the cluster has put beside them: nobody of the run has that, and it is drawn."""
        limits, roles = self._place.kubernetes.hub, list(self._expected.values())
        pods, added = 1 + len(roles), self._added
        return (
            limits.cpu + sum(role.cpu for role in roles) + pods * added.cores,
            limits.memory_mb
            + sum(role.memory_mb for role in roles)
            + round(pods * added.memory_mb),
        )

    def _usages(self) -> list[Usage]:
        """Of all pods of the run; those that have ended use no memory any more."""
        lives = [(handle.usage(), handle.alive) for handle in list(self._lives.values())]
        return [
            self._hub_usage,
            *(u if alive else replace(u, memory_bytes=0) for u, alive in lives),
        ]

    @property
    def facts(self) -> dict:
        """For the manifest: server, namespace, and of each component the limits as its container
        sees them, its node (as in the testbed's record) and its image with the digest. beside:
        other coordinators' pods on these nodes (null: nobody can know). added: how many containers
        the cluster has put into each pod, and what they reserve together."""
        told = {
            "containers": len(self._added.names),
            "cpu": self._added.cores,
            "memory_mb": self._added.memory_mb,
        }
        return {
            "kind": "kubernetes",
            "server": redacted(self._server),
            "namespace": self._named(self._place),
            "components": {
                component: handle.limits
                | {
                    "node_hash": hashed(node) if (node := faults.node_of(handle.pod)) else None,
                    "image": faults.image_of(handle.pod),
                }
                for component, handle in {HUB: self._hub, **self._current}.items()
            },
            "beside": self._beside.facts() if self._sees_others else None,
        } | ({"added": told} if self._added.names else {})

    @staticmethod
    def _named(place: manifests.Place) -> str:
        """Names that people have given are no part of what is published."""
        return hashed(place.namespace) if place.kubernetes.namespace else place.namespace

    @property
    def environment(self) -> dict:
        """See Platform.environment: nothing is the user's here; what is kept and left out is of
        the image, and of what the cluster has put into its pods."""
        found: dict[str, dict] = {"kept": {}, "left_out": {}, "set": {}}
        for component, handle in self._current.items():
            for key in ("kept", "left_out"):
                found[key] |= handle.environment.get(key, {})
            found["set"][component] = handle.environment.get("set", {})
        return found

    def remove(self) -> None:
        """See Platform.remove: returns when the namespace is gone, or says what holds it."""
        if self._removed:
            return
        first, self._removing = not self._removing, True
        with ExitStack() as at_last:
            at_last.callback(self._take_away)  # whatever the last words are
            if first:
                self._last_words()

    def _take_away(self) -> None:
        self._stopped.set()
        self._reader.stop()
        for watch in self._watches:
            watch.stop()
        if self._space.is_taken:
            self._drop_pods()
            self._space.release()
        self._removed = True
        self._sender.close()
        self._api.close()

    # --- deploy -------------------------------------------------------------------------------

    def _deploy(self) -> None:
        """Namespace, policies, secrets and the hub; returns when that can be read."""
        place = self._place
        self._server = self._api.get("/version").get("gitVersion", "")
        self._space.take(owners.own_facts())
        for policy in manifests.policies(place):
            path = f"/apis/networking.k8s.io/v1/namespaces/{place.namespace}/networkpolicies"
            self._api.post(path, policy)
        self._create("secrets", manifests.secret, manifests.HUB_SECRET, {KEY: self._key})
        if variable := place.kubernetes.image_pull_secret_env:
            self._create("secrets", manifests.pull_secret, os.environ.get(variable, ""))
        for watch in self._watches:
            watch.start()
        threading.Thread(target=self._tick, name="deadlines", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        asked = manifests.hub_pod(place)
        self._added = containers.added(asked, self._create_pod(asked, HUB))
        if self._added.names:
            print(_added_said(self._added.names), file=sys.stderr, flush=True)
        patience_s = place.kubernetes.schedule_s + place.kubernetes.start_s
        if not self._hub.wait_for(lambda: faults.is_ready(self._hub.pod), patience_s):
            raise TrialwattError(
                f"the run's hub does not start: {self._hub_end or self._events.get(HUB, '')}"
            )
        self._clocks.hub.append(hub_ahead(self._proxy))
        self._reader.start()

    def _create(self, kind: str, make: Callable[..., dict], *arguments) -> None:
        self._api.post(f"{self._path}/{kind}", make(self._place.labels, *arguments))

    def _pod_of(self, role: Role, life: str, node: str | None) -> dict:
        names, variables = [], {}
        if self._data is not None and (role.kind == "worker" or role.speaks):
            names.append(DATA_SECRET)
            variables[agent.DATA] = json.dumps(self._data)
        own = dict(role.secrets) | {TOKEN: token_of(self._key, life)}
        self._create("secrets", manifests.secret, life, own)
        batch_s = len(self._expected) / SAMPLES_PER_S
        if batch_s > 1 / self._place.sample_hz:
            variables[agent.BATCH_S] = f"{batch_s:g}"
        url = f"http://{joined(self._hub.address, PORT)}"
        return manifests.component_pod(
            self._place, role, life, url, variables, tuple(names), node or None
        )

    def _create_pod(self, pod: dict, component: str) -> dict:
        """The pod as the cluster has made it.

        Raises TrialwattError with the cluster's sentence where it refuses the pod, and where it
        gives it another size.
        """
        deadline = time.monotonic() + QUOTA_S

        def is_over(fault: ApiFault, pause_s: float) -> bool:
            # Our own quota was enlarged just now, or a pod of ours is going.
            own = fault.status == 403 and f"quota: {manifests.QUOTA}" in fault.message
            return not own or time.monotonic() > deadline

        try:
            made = repeated(
                lambda: self._api.post(f"{self._path}/pods", pod), ApiFault, is_over, 0.05, 0.5
            )
            if "uid" not in made["metadata"]:  # it was made by a request whose answer was lost
                made = self._api.get(f"{self._path}/pods/{pod['metadata']['name']}")
        except ApiFault as fault:
            raise TrialwattError(f"{component} cannot be started: {fault}") from fault
        if other := containers.changed(pod, made):
            raise TrialwattError(admission.resized(component, other))
        return made

    def _reserve(self) -> None:
        """Make the quota as large as what is expected, where it is ours."""
        if not self._space.has_quota:
            return
        quota = manifests.quota(self._place, self._expected.values(), self._added)
        if self._reserved:
            path = f"{self._path}/resourcequotas/{manifests.QUOTA}"
            self._api.patch(path, {"spec": quota["spec"]})
        else:
            self._api.post(f"{self._path}/resourcequotas", quota)
        self._reserved = list(self._expected)

    # --- what is told: from the threads of the watches and of the journal ------------------------

    def _pod_changed(self, pod: dict) -> None:
        if handle := self._handle(pod):
            handle.pod_changed(pod)
            self._is_on_nodes()

    def _pod_deleted(self, pod: dict) -> None:
        if handle := self._handle(pod):
            handle.pod_deleted(pod)
            self._is_on_nodes()

    def _is_on_nodes(self) -> None:
        """Where the components are that are measured; the hub is none."""
        living = [handle for handle in list(self._lives.values()) if handle.alive]
        self._beside.run_is_on({faults.node_of(handle.pod) for handle in living} - {""})

    def _see_no_others(self, fault: ApiFault) -> None:
        if not self._removing:
            said = f"whether other coordinators are on these nodes is not known: {fault}"
            print(redacted(said), file=sys.stderr, flush=True)
            self._sees_others = False

    def _handle(self, pod: dict) -> PodHandle | None:
        name = pod["metadata"]["name"]
        return self._hub if name == HUB else self._lives.get(name)

    def _said(self, event: dict) -> None:
        about = event.get("involvedObject") or {}
        if about.get("kind") == "Pod" and event.get("type") == "Warning":
            name, said = about.get("name", ""), f"{event.get('reason')}: {event.get('message')}"
            handle = self._hub if name == HUB else self._lives.get(name)
            waits = handle is not None and not faults.is_running(handle.pod)
            if waits and self._events.get(name) != said:
                print(f"pod {name} waits: {redacted(said)}", file=sys.stderr, flush=True)
            self._events[name] = said

    def _take(self, entry: Entry) -> None:
        try:
            self._take_word(entry)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            # The command in a pod has its agent's token, and may say anything.
            if handle := self._lives.get(entry.life):
                handle.give_up("error", f"what it says ({entry.stream}) cannot be read: {error}")

    def _take_word(self, entry: Entry) -> None:
        if entry.stream == "usage" and not samples(entry):
            return  # of an agent that ended between two of them
        if entry.component == HUB:
            _, cpu_ns, memory, peak, _ = samples(entry)[-1]
            self._hub_usage = self._hub_usage.then(cpu_ns, memory, peak)
            return
        handle = self._lives.get(entry.life)
        if handle is None:
            return  # of nobody that this run has started
        if entry.stream == "usage":
            handle.sampled(samples(entry))
        elif entry.stream == "message":
            if self._current.get(entry.component) is handle and handle.alive:
                self.inbox.put(Message(entry.component, body=json.loads(entry.data)))
        elif entry.stream == "agent":
            self._take_fact(handle, json.loads(entry.data))

    def _take_fact(self, handle: PodHandle, fact: dict) -> None:
        if "limits" in fact:
            handle.limits = fact["limits"]
            handle.environment = fact["environment"]
            handle.boot = fact["boot"]
        if "clock" in fact:
            known = self._clocks.lives.setdefault(handle.life, [])
            known.append(Ahead(**fact["clock"]))
            if len(known) == 1:
                self._shift(handle)
        if "counted" in fact:
            handle.counted(fact["counted"], fact["oom_kills"])
        if "ended" in fact:
            handle.agent_ended(fact["ended"], fact["told"])

    def _shift(self, handle: PodHandle) -> None:
        """A life on another machine than the first one's: its records are moved to that clock."""
        first = self._clocks.offsets_ns().get(handle.role.component)
        own = self._clocks.offset_ns(handle.life)
        if first is not None and own is not None and abs(own - first) > SAME_CLOCK_NS:
            self._reader.shifts_ns[handle.life] = own - first

    def _ended(self, handle: PodHandle, ending: Ending) -> None:
        self._is_on_nodes()
        self.inbox.put(Message(handle.role.component, ending=ending))

    def _hub_ended(self, hub: PodHandle, ending: Ending) -> None:
        self._hub_end = _told(ending)
        lost = faults.node_of(hub.pod) if ending.reason == "node" else ""
        self._nobody_hears(f"the run's hub is gone: {self._hub_end}", lost)

    def _lost(self, fault: ApiFault) -> None:
        self._nobody_hears(str(fault))

    def _nobody_hears(self, why: str, lost_node: str = "") -> None:
        if self._removing:
            return
        self._deaf = self._deaf or why
        for handle in list(self._lives.values()):
            beside = lost_node and faults.node_of(handle.pod) == lost_node
            handle.give_up("node" if beside else "unreachable", why)
        self._hub.give_up("unreachable", why)

    # --- once a second, once a minute -------------------------------------------------------------

    def _tick(self) -> None:
        kubernetes = self._place.kubernetes
        while not self._stopped.wait(TICK_S):
            for handle in [self._hub, *self._lives.values()]:
                last = self._events.get(handle.life, "")
                handle.check(kubernetes.schedule_s, kubernetes.start_s, last)

    def _beat(self) -> None:
        while not self._stopped.wait(HEARTBEAT_S):
            with suppress(ApiFault):  # it is missed once; watches tell of longer outages
                self._space.beat()
                if self._shared is not None:
                    self._shared.beat()

    # --- undeploy -----------------------------------------------------------------------------

    def _drop_pods(self) -> None:
        """What is left of them, without grace: a namespace with pods that take theirs goes slowly.

        Where one cannot be deleted here, it goes with the namespace.
        """
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        for handle in [*self._lives.values(), self._hub]:
            if handle.removed:
                continue
            try:
                self._api.call("DELETE", self._links.pod(handle.life), options, outage_s=0)
            except ApiFault as fault:
                if fault.status != 404:
                    return  # the namespace's own deletion, which has more patience, will tell

    def _last_words(self) -> None:
        """End what lives, and read what was written until then."""
        living = [handle for handle in self._lives.values() if handle.alive and handle.address]
        for handle in living:
            handle.terminate(MAX_GRACE_S)
        deadline = time.monotonic() + MAX_GRACE_S + WORD_S
        for handle in living:
            handle.wait_for(lambda: False, max(0.0, deadline - time.monotonic()))
        if self._hub.alive and self._clocks.hub:
            # Where the hub cannot be read any more there is nothing left to lose.
            with suppress(ApiFault):
                self._clocks.hub.append(hub_ahead(self._proxy))
                self._reader.drain()


class _Hosts(Mapping):
    """Addresses by component, waited for when they are asked for."""

    def __init__(self, started: Mapping[str, PodHandle], host: Callable[[str], str]):
        self._started, self._host = started, host

    def __getitem__(self, component: str) -> str:
        if component not in self._started:
            raise KeyError(component)
        return self._host(component)

    def __contains__(self, component: object) -> bool:
        return component in self._started

    def __iter__(self) -> Iterator[str]:
        return iter(self._started)

    def __len__(self) -> int:
        return len(self._started)


def _added_said(names: Sequence[str]) -> str:
    return (
        f"the cluster puts {', '.join(names)} into every pod of the run: what is used there is "
        "nobody's of the run, and the run is flagged. Have pods of trialwatt left out of it"
    )


def _told(ending: Ending) -> str:
    return f"{ending.reason or 'it ended'}, exit code {ending.code}: {ending.tail}"


def _deadline_s(folder: Path, kubernetes: Kubernetes) -> int:
    """After it a pod of the run is ended by the cluster: the run's own, and some more."""
    try:
        job = json.loads((folder / "job.json").read_text())
        own_s = float(job["config"]["workload"]["deadline_s"])
    except (FileNotFoundError, KeyError):
        own_s = NO_JOB_S
    return round(own_s + kubernetes.schedule_s + kubernetes.start_s + SPARE_S)
