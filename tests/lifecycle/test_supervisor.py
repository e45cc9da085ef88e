"""The supervisor on a platform that shares nothing with it and whose components follow a script."""

import json
import queue
import time
from dataclasses import replace

import pytest

from trialwatt.clock import now
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.evidence import RunFailed
from trialwatt.lifecycle.inventory import Inventory, OtherVersions
from trialwatt.lifecycle.jobs import as_seen, write_job
from trialwatt.lifecycle.supervisor import Supervisor
from trialwatt.meters.sampler import Sampler
from trialwatt.platforms.base import Disturbance, Ending, Handle, Message, Platform, Role, Usage
from trialwatt.records.installation import here
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Infeasible, Job

FAR_NS = 10**15
"""By so much the clock of the components is behind ours."""


class Scripted(Handle):
    """Remembers what it is told; answers each message with what the script says."""

    def __init__(self, role, platform):
        self.role, self._platform, self.told = role, platform, []
        self._alive = True
        if role.speaks:
            self.say({"done": "deploy", "here": here(())})

    def say(self, body):
        self._platform.inbox.put(Message(self.role.component, body=body))

    def end(self, ending):
        self._alive = False
        self._platform.inbox.put(Message(self.role.component, ending=ending))

    def send(self, message):
        self.told.append(message)
        answer = self._platform.answers.get(message["do"])
        if answer:
            answer(self, message)

    def give(self, name):
        self.told.append(name)

    def fetch(self, name):
        if name not in self._platform.kept.get(self.role.component, ()):
            raise TrialwattError(f"{self.role.component} has no {name}")
        path = self._platform.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.role.component)

    def usage(self):
        return Usage(1, 1, 1)

    def stop(self, grace_s=5.0):
        self._alive = False
        return Usage(2, 1, 1)

    def oom_kills(self):
        return 0

    @property
    def alive(self):
        return self._alive


class Remote(Platform):
    def __init__(self, folder):
        self.folder, self.inbox = folder, queue.SimpleQueue()
        self.handles, self.answers, self.kept = {}, {}, {}

    def start(self, role):
        made = self.handles[role.component] = Scripted(role, self)
        return made

    def host(self, component):
        return f"address of {component}"

    def seen(self, folder, data):
        return "/there/job", "/there/data"

    def clock_offsets_ns(self):
        return dict.fromkeys(self.handles, FAR_NS)

    deploy_s = 600

    def remove(self): ...

    @property
    def facts(self):
        return {}


@pytest.fixture
def supervisor(tmp_path, run_config):
    """A supervisor, its platform, and a job as it sees it and as its components do."""
    config = run_config(workers={"count": 2, "cpu": 1, "memory_mb": 64})
    job = Job("r1", config, 1, 7, str(tmp_path / "run"), "/here/data", 1, 0.5)
    job.path().mkdir()
    write_job(job)
    platform = Remote(job.path())
    events = EventWriter(job.path(), "r1", "harness")
    with Sampler({}, job.path(), 1) as sampler:
        deadline, inventory = time.monotonic() + 600, Inventory(job, "build it anew")
        made = Supervisor(job, platform, sampler, events, deadline, inventory)
        yield made, platform, job
    events.close()


def roles(**keys):
    return [replace(Role("worker", "worker", ("x",), 1, 64), index=i, **keys) for i in (0, 1)]


def done(handle, message):
    handle.say({"done": message["do"]})


def test_each_component_gets_the_job_and_sees_it_where_it_is_there(supervisor):
    supervisor, platform, job = supervisor
    assert as_seen(job, platform) == replace(job, folder="/there/job", data="/there/data")
    supervisor.deploy(roles())
    for handle in platform.handles.values():
        assert handle.told[0] == "job.json"
        variables = handle.role.environment
        assert variables["TRIALWATT_JOB"] == "/there/job/job.json"
        assert variables["TRIALWATT_DATASET"] == "/there/data"


def test_the_lead_confirms_a_component_by_its_address(supervisor):
    supervisor, platform, _ = supervisor
    platform.answers["confirm"] = lambda handle, message: handle.say(
        {"done": f"confirm {message['component']}"}
    )
    master = Role("master", "service", ("x",), 1, 64, speaks=False, confirmed=True)
    supervisor.deploy([*roles(), master])
    asked = {"do": "confirm", "component": "master", "host": "address of master"}
    assert platform.handles["worker-0"].told == ["job.json", asked]


def test_what_workers_note_reaches_the_one_that_collects_even_of_a_lost_worker(supervisor):
    supervisor, platform, _ = supervisor
    supervisor.deploy(roles())

    def lose_once(handle, message):
        platform.answers["trials"] = lambda handle, message: handle.say({"done": "trials"})
        handle.say({"note": {"of": handle.role.component}})
        handle.end(Ending(137, "signal"))

    platform.answers["trials"] = lose_once
    platform.answers["collect"] = lambda handle, message: handle.say(
        {"done": "collect", "best": {"notes": message["notes"]}, "unended": []}
    )
    supervisor.run_trials()
    assert supervisor.collect() == {"notes": [{"of": "worker-0"}]}


def test_of_the_trials_that_the_framework_holds_for_lost_it_is_said_which_never_began(supervisor):
    supervisor, platform, job = supervisor
    supervisor.deploy(roles())
    writer = EventWriter(job.path(), "r1", "worker-0")
    writer.write("trial", trial="worker-0/0", status="start", number=0, phi={}, cpu_ns=0)
    writer.close()
    platform.answers["collect"] = lambda handle, message: handle.say(
        {"done": "collect", "best": None, "unended": [0, 1]}
    )
    assert supervisor.collect() is None
    harness = (job.path() / "records" / "harness.jsonl").read_text()
    [note] = [line for line in harness.splitlines() if '"kind":"note"' in line]
    assert "trial 1 never began: its worker was lost" in note


def test_files_are_given_before_the_message_and_to_the_one_that_takes_over(supervisor):
    supervisor, platform, _ = supervisor
    supervisor.deploy(roles())
    first = platform.handles["worker-0"]

    def die(handle, message):
        platform.answers["test"] = done
        handle.end(Ending(1, "error"))

    platform.answers["test"] = die
    supervisor.ask_lead("test", gives=("best.safetensors",))
    second = platform.handles["worker-0"]
    assert second is not first
    for handle in (first, second):
        assert handle.told == ["job.json", "best.safetensors", {"do": "test"}]


def test_weights_come_from_the_worker_that_has_them(supervisor):
    supervisor, platform, job = supervisor
    supervisor.deploy(roles())
    for who, trial in (("worker-0", "worker-0/0"), ("worker-1", "worker-1/0")):
        writer = EventWriter(job.path(), "r1", who)
        writer.write("trial", trial=trial, status="start", number=3, phi={})
        writer.close()
    platform.kept = {"worker-1": ["weights/worker-1_0.safetensors"]}
    trial, path = supervisor.fetch_weights(3)
    assert (trial, path.read_text()) == ("worker-1/0", "worker-1")
    platform.kept = {}
    with pytest.raises(RunFailed, match=r"names trial 3 .*worker-0 has no.*worker-1 has no"):
        supervisor.fetch_weights(3)
    with pytest.raises(RunFailed, match="nobody ran it"):
        supervisor.fetch_weights(4)


def test_when_a_trial_was_lost_stands_on_our_clock(supervisor):
    supervisor, platform, job = supervisor
    driver = Role("driver", "service", ("x",), 1, 64)
    supervisor.deploy([driver, *roles(speaks=False)])
    there = EventWriter(job.path(), "r1", "worker-0")
    there.write("trial", trial="worker-0/0", status="start", number=0, phi={}, cpu_ns=0)
    there.close()
    at = now()

    def work(handle, message):
        handle.say({"lost": 0, "at": [at.utc_ns, at.mono_ns - FAR_NS]})
        handle.say({"done": "trials"})

    platform.answers["trials"] = work
    supervisor.run_trials()
    harness = (job.path() / "records" / "harness.jsonl").read_text()
    [end] = [line for line in harness.splitlines() if '"kind":"trial"' in line]
    assert f'"t":{at.utc_ns},"m":{at.mono_ns},' in end
    assert '"reason":"lost"' in end


@pytest.mark.parametrize(
    "reason",
    ["image", "unschedulable", "quota", "unreachable", "evicted", "deleted", "node"],
)
def test_a_place_that_is_missing_or_lost_says_nothing_about_the_treatment(supervisor, reason):
    supervisor, platform, _ = supervisor
    supervisor.deploy(roles())
    platform.answers["trials"] = lambda handle, message: handle.end(
        Ending(1, reason, tail="ErrImagePull: no such image")
    )
    with pytest.raises(RunFailed, match=f"(?s)worker-0 ended .*{reason}.*no such image"):
        supervisor.run_trials()


@pytest.mark.parametrize(
    ("endings", "verdict"),
    [
        ([Ending(137, "memory"), Ending(137, "memory")], Infeasible),
        ([Ending(1, "error", "MemoryError"), Ending(137, "memory")], Infeasible),
        ([Ending(1, "error", "No module named 'torch'"), Ending(137, "memory")], RunFailed),
        ([Ending(1, "error", "MemoryError\nKeyError: 1"), Ending(0, "")], RunFailed),
        ([Ending(137, "signal"), Ending(137, "signal")], RunFailed),
    ],
)
def test_what_cannot_start_is_infeasible_only_with_evidence(supervisor, endings, verdict):
    supervisor, platform, _ = supervisor
    left = iter(endings)

    class Dying(Scripted):
        def say(self, body):
            self.end(next(left))

    platform.start = lambda role: Dying(role, platform)
    with pytest.raises(verdict, match="failed to start 2 times"):
        supervisor.deploy(roles()[:1])


def test_workers_that_are_lost_for_no_known_reason_make_the_run_a_failure(supervisor):
    supervisor, platform, _ = supervisor
    supervisor.deploy(roles())
    platform.answers["trials"] = lambda handle, message: handle.end(Ending(139, "signal"))
    with pytest.raises(RunFailed, match=r"every worker was lost twice, .* signal, exit code 139"):
        supervisor.run_trials()


def test_what_the_platform_cannot_start_makes_the_run_a_failure(supervisor):
    supervisor, platform, _ = supervisor

    def start(role):
        raise TrialwattError("the quota is exceeded")

    platform.start = start
    with pytest.raises(RunFailed, match="the quota is exceeded"):
        supervisor.deploy(roles())


def test_a_worker_that_is_lost_when_the_run_gives_up_ends_once(supervisor):
    supervisor, platform, job = supervisor
    supervisor.deploy(roles())
    platform.answers["trials"] = lambda handle, message: handle.end(Ending(137, "memory"))
    with pytest.raises(Infeasible, match="every worker was lost twice"):
        supervisor.run_trials()
    supervisor.stop(1.0)
    harness = (job.path() / "records" / "harness.jsonl").read_text()
    events = [json.loads(line) for line in harness.splitlines()]
    for component in ("worker-0", "worker-1"):
        lives = [event for event in events if event.get("component") == component]
        starts = [event for event in lives if event["status"] == "start"]
        ends = [event["cpu_ns"] for event in lives if event["status"] == "end"]
        assert ends == [2 * (life + 1) for life in range(len(starts))]


def test_a_component_of_other_code_or_that_does_not_say_ends_the_deployment(supervisor):
    supervisor, platform, _ = supervisor

    class Other(Scripted):
        def say(self, body):
            super().say(body | {"here": body["here"] | {"code_sha256": "ab" * 32}})

    class Older(Scripted):
        def say(self, body):
            super().say({"done": "deploy"})

    for kind, said in ((Other, "SHA-256 abababababab"), (Older, "SHA-256 unknown")):
        platform.start = lambda role, kind=kind: kind(role, platform)
        with pytest.raises(OtherVersions, match=f"worker-0 is not .*{said}.* build it anew, or"):
            supervisor.deploy(roles()[:1])


def events_of(job, kind):
    harness = (job.path() / "records" / "harness.jsonl").read_text()
    return [e for e in map(json.loads, harness.splitlines()) if e["kind"] == kind]


def test_a_deployment_that_hangs_ends_with_the_last_words_of_who_is_not_there(supervisor):
    supervisor, platform, job = supervisor

    class Silent(Scripted):
        def say(self, body):
            if self.role.index == 0:
                super().say(body)

    (job.path() / "logs").mkdir()
    (job.path() / "logs" / "worker-1.log").write_text("first\nwaits for node 10.0.0.1\n\n")
    platform.start = lambda role: Silent(role, platform)
    platform.deploy_s = 0.2
    said = "(?s)deploy is not over after 0.2 s: worker-1 is not .*worker-1: waits for node 10"
    with pytest.raises(RunFailed, match=said):
        supervisor.deploy(roles())


def test_what_held_the_run_up_is_on_record_and_said_in_one_line(supervisor, capfd):
    supervisor, platform, job = supervisor
    supervisor.deploy(roles())
    since = now()
    outage = Disturbance("outage", since, 12.3456, "nobody answered", "messages")
    platform.disturbances = lambda: [outage] if not events_of(job, "disturbance") else []
    platform.answers["trials"] = done
    supervisor.run_trials()
    [event] = events_of(job, "disturbance")
    assert (event["m"], event["seconds"], event["waited"]) == (since.mono_ns, 12.346, "messages")
    assert capfd.readouterr().err == "disturbed for 12 s in step trials: nobody answered\n"


def test_a_worker_that_is_replaced_is_a_disturbance_unless_it_is_its_treatments(supervisor):
    supervisor, platform, job = supervisor
    supervisor.deploy(roles())
    endings = iter([Ending(139, "signal"), Ending(137, "memory")])

    def lose_each_once(handle, message):
        if ending := next(endings, None):
            handle.end(ending)
        else:
            done(handle, message)

    platform.answers["trials"] = lose_each_once
    supervisor.run_trials()
    [event] = events_of(job, "disturbance")
    assert (event["what"], event["seconds"] >= 0) == ("restart", True)
    assert event["waited"] == "worker-0"
    assert "signal, exit code 139" in event["text"]
