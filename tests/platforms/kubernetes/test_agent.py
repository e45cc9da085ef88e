"""The agent as a real process: it speaks for a command, tells its use, and ends as it does."""

import json
import signal
import threading
import time
from pathlib import Path

import pytest
from tests.platforms.hub.process import KEY
from tests.platforms.kubernetes.pods import AgentProcess, ended

from trialwatt.platforms.cgroups.container import OwnGroup
from trialwatt.platforms.hub.tokens import token_of
from trialwatt.platforms.kubernetes.agent import Agent

READY = 'print(json.dumps({"done": "deploy"}), flush=True)\n'


def facts(hub, component="worker-0") -> list[dict]:
    return [
        json.loads(entry.data)
        for entry in hub.journal()
        if entry.stream == "agent" and entry.component == component
    ]


def text_of(hub, stream: str) -> str:
    found = [entry.data for entry in hub.journal() if entry.stream == stream]
    return b"".join(found).decode()


def test_what_the_command_says_is_a_message_or_a_line_of_the_log(hub, agent):
    made = agent(READY + 'print("no message"); print([1]); print("to stderr", file=sys.stderr)')
    assert made.wait() == 0
    messages = [json.loads(line) for line in text_of(hub, "message").splitlines()]
    assert messages == [{"done": "deploy"}]
    assert set(text_of(hub, "log").splitlines()) == {"no message", "[1]", "to stderr"}
    assert "to stderr" in made.output()  # for `kubectl logs` too
    assert facts(hub)[-1] == {"ended": 0, "told": ""}


def test_a_line_of_stderr_that_comes_in_parts_stays_one_line(hub, agent):
    source = """
for part in ("half ", "a line\\n", "and no end"):
    sys.stderr.write(part)
    sys.stderr.flush()
    print("between", flush=True)
    time.sleep(0.3)
"""
    assert agent(source).wait() == 0
    lines = text_of(hub, "log").splitlines()
    assert sorted(lines) == ["and no end", "between", "between", "between", "half a line"]


@pytest.mark.parametrize(
    ("source", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137), ("1 / 0", 1)]
)
def test_its_exit_code_is_the_commands(hub, agent, source, code):
    made = agent(source)
    assert made.wait() == code
    assert facts(hub)[-1] == {"ended": code, "told": ""}


def test_all_that_was_written_before_the_end_comes_before_it(hub, agent):
    agent(f"sys.stderr.write('x' * 200_000)\n{READY}").wait()
    streams = [entry.stream for entry in hub.journal() if entry.component == "worker-0"]
    assert streams[-1] == "agent"
    assert len(text_of(hub, "log")) == 200_000
    assert text_of(hub, "message")


def test_messages_reach_the_command_in_order_and_after_their_files(hub, agent, tmp_path):
    source = """
for line in sys.stdin:
    there = os.path.exists(os.environ["TRIALWATT_FOLDER"] + "/best.bin")
    print(json.dumps({"got": json.loads(line), "there": there}), flush=True)
"""
    made = agent(source)
    (tmp_path / "best.bin").write_bytes(b"weights")
    hub.client().put("best.bin", tmp_path / "best.bin")
    hub.post(made.life, {"say": {"n": 1}}, {"file": "best.bin"}, {"say": {"n": 2}})
    hub.wait_for(lambda entry: entry.stream == "message" and b'"n": 2' in entry.data)
    got = [json.loads(line) for line in text_of(hub, "message").splitlines()]
    assert [each["got"]["n"] for each in got] == [1, 2]
    assert got[-1]["there"]
    hub.post(made.life, {"stop": 5})
    assert made.wait() in (0, 143)  # its stdin was closed, and it was told to end
    assert facts(hub)[-1]["told"] == "stop"


def test_the_tokens_are_its_own_address_and_interpreter(hub, agent):
    made = agent('print(json.dumps({"at": os.environ["AT"]}), flush=True)', AT="[@host@]:80")
    made.wait()
    assert json.loads(text_of(hub, "message")) == {"at": "[10.0.0.7]:80"}


def test_the_command_gets_what_the_run_gives_it_and_of_the_image_only_what_it_needs(
    hub, agent, monkeypatch
):
    monkeypatch.setenv("OMP_PLACES", "{0}")
    monkeypatch.setenv("http_proxy", "http://proxy")
    made = agent("print(json.dumps(dict(os.environ)), flush=True)", MINE="1")
    made.wait()
    seen = json.loads(text_of(hub, "message"))
    assert not {"OMP_PLACES", "http_proxy"} & seen.keys()
    assert seen["MINE"] == "1"
    assert {"PATH", "TRIALWATT_HUB", "TRIALWATT_HUB_TOKEN", "TRIALWATT_CPU_COUNTER"} <= seen.keys()


def test_a_command_that_ignores_its_end_is_killed_with_its_children(hub, agent):
    source = f"""
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{READY}
while True:
    time.sleep(1)
"""
    made = agent(source)
    hub.wait_for(lambda entry: entry.stream == "message")
    hub.post(made.life, {"stop": 0.3})
    assert made.wait() == 137
    assert facts(hub)[-1] == {"ended": 137, "told": "stop"}


def test_sigterm_of_the_cluster_ends_the_command_and_is_told(hub, agent):
    made = agent(READY + "time.sleep(60)")
    hub.wait_for(lambda entry: entry.stream == "message")
    made.process.send_signal(signal.SIGTERM)
    assert made.wait() == 143
    assert facts(hub)[-1] == {"ended": 143, "told": "SIGTERM"}


def test_a_life_that_was_replaced_ends_and_says_nothing_more(hub, agent):
    made = agent(READY + "time.sleep(60)")
    hub.wait_for(lambda entry: entry.stream == "message")
    hub.client().request("POST", f"/retire/{made.life}")
    assert made.wait() == 137
    assert not [entry for entry in hub.journal() if ended(entry)]


def test_it_tells_use_limits_and_clocks(hub, agent):
    agent(READY + "x = bytearray(20 << 20)\nfor _ in range(3_000_000): pass\n").wait()
    rows = [row for line in text_of(hub, "usage").splitlines() for row in json.loads(line)]
    own = [row for row in rows if len(row) == 5]
    times, cpu = [row[0] for row in own], [row[1] for row in own]
    assert times == sorted(times)
    assert cpu[-1] > 0
    first = facts(hub)[0]
    assert set(first["limits"]) == {"cpu", "memory_mb"}
    clocks = [fact["clock"] for fact in facts(hub) if "clock" in fact]
    assert len(clocks) == 2  # at the start and at the end
    for clock in clocks:  # one machine: within what it claims, and a little for the two calls
        assert abs(clock["mono_ns"]) <= clock["round_trip_ns"] / 2 + 1_000_000


def test_it_counts_anew_when_it_is_asked(hub, agent):
    agent(READY + "sys.stdin.read()")
    hub.post("worker-0-1", {"count": 7})
    told = hub.wait_for(lambda e: e.stream == "agent" and b"counted" in e.data)
    fact = json.loads(told.data)
    assert fact["counted"] == 7
    assert fact["oom_kills"] == OwnGroup().oom_kills()  # here both are in one group


def test_its_samples_can_come_in_batches(hub, agent):
    agent(READY + "time.sleep(1.2)", TRIALWATT_SAMPLE_HZ="20", TRIALWATT_BATCH_S="0.5").wait()
    batches = [
        json.loads(entry.data)
        for entry in hub.journal()
        if entry.stream == "usage" and entry.component == "worker-0"
    ]
    times = [sample[0] / 1e9 for batch in batches for sample in batch]
    assert len(batches) <= (times[-1] - times[0]) / 0.5 + 2
    assert max(map(len, batches)) > 2


def test_no_sample_comes_after_its_last_word(hub, tmp_path, monkeypatch):
    for name, value in {
        "TRIALWATT_HUB": hub.url,
        "TRIALWATT_HUB_TOKEN": token_of(KEY, "worker-0-1"),
        "TRIALWATT_COMPONENT": "worker-0",
        "TRIALWATT_LIFE": "worker-0-1",
        "TRIALWATT_FOLDER": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    made, taken, go_on = Agent(["true"]), threading.Event(), threading.Event()
    use = made._use

    def late_use():
        sample = use()
        if threading.current_thread() is sampler:  # it has read, and does not run for a while
            taken.set()
            go_on.wait(60)
        return sample

    monkeypatch.setattr(made, "_use", late_use)
    sampler = threading.Thread(target=made._tell_use, daemon=True)
    sampler.start()
    assert taken.wait(60)
    last_words = threading.Thread(target=made._finish, daemon=True)
    last_words.start()
    time.sleep(0.5)
    go_on.set()
    last_words.join(60)
    time.sleep(0.5)
    own = [entry for entry in hub.journal() if entry.component == "worker-0"]
    assert ended(own[-1])
    times = [s[0] for e in own if e.stream == "usage" for s in json.loads(e.data)]
    assert len(times) == 2 and times == sorted(times)


def test_the_dataset_comes_before_the_command(hub, agent, tmp_path):
    (tmp_path / "digits.safetensors").write_bytes(b"data" * 1000)
    hub.client().put("digits.safetensors", tmp_path / "digits.safetensors")
    target = tmp_path / "pod" / "digits.safetensors"
    data = {"url": hub.url, "name": "digits.safetensors", "path": str(target), "sha256": ""}
    source = f"""
token = os.environ.get("TRIALWATT_DATA_TOKEN", "")
print(json.dumps({{"size": os.path.getsize({str(target)!r}), "token": token}}), flush=True)
"""
    token = hub.client()._headers["X-Trialwatt-Token"]
    made = agent(source, TRIALWATT_DATA=json.dumps(data), TRIALWATT_DATA_TOKEN=token)
    assert made.wait() == 0
    assert json.loads(text_of(hub, "message")) == {"size": 4000, "token": ""}


def test_a_dataset_that_is_not_there_is_named(hub, agent):
    data = {"url": hub.url, "name": "none.safetensors", "path": "/nowhere", "sha256": ""}
    token = hub.client()._headers["X-Trialwatt-Token"]
    made = agent(READY, TRIALWATT_DATA=json.dumps(data), TRIALWATT_DATA_TOKEN=token)
    assert made.wait() == 70
    assert "none.safetensors" in made.output()


def test_a_command_that_is_not_there_is_named(hub, tmp_path):
    job = tmp_path / "job.json"
    job.write_text("{}")
    hub.client().put("job.json", job)
    made = AgentProcess(hub, tmp_path, "no-such-program")
    hub.post(made.life, {"file": "job.json"})
    try:
        assert made.wait() == 70
        assert "no-such-program cannot be started" in made.output()
    finally:
        made.close()


def test_a_component_that_loses_its_hub_does_not_live_on(hub, agent):
    made = agent(READY + "time.sleep(60)")
    hub.wait_for(lambda entry: entry.stream == "message")
    hub.post(made.life, {"file": "what-nobody-has"})
    assert made.wait() == 137
    assert "what-nobody-has" in made.output()


def test_it_is_small(hub, agent):
    made = agent(READY + "time.sleep(60)")
    hub.wait_for(lambda entry: entry.stream == "message")
    lines = Path(f"/proc/{made.process.pid}/status").read_text().splitlines()
    resident_kb = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    assert resident_kb < 32 << 10
    made.process.send_signal(signal.SIGTERM)
    made.wait()


def test_a_group_that_is_not_there_is_an_error(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("")
    (tmp_path / "self" / "mountinfo").write_text("")
    with pytest.raises(OSError, match="control group"):
        OwnGroup(tmp_path)


def tree(tmp_path, version: int):
    """A container's /proc with a group of this version, and the group's folder."""
    group = tmp_path / "cgroup"
    group.mkdir()
    (tmp_path / "self").mkdir()
    if version == 2:
        (tmp_path / "self" / "cgroup").write_text("0::/\n")
        line = f"30 20 0:1 / {group} ro - cgroup2 cgroup ro\n"
    else:
        names = ("cpu,cpuacct", "memory")
        lines = [f"{n}:{name}:/kubepods/pod1/abc\n" for n, name in enumerate(names, 3)]
        (tmp_path / "self" / "cgroup").write_text("".join(lines))
        line = "".join(
            f"30 20 0:{n} /kubepods/pod1/abc {group} ro - cgroup cgroup rw,{name}\n"
            for n, name in enumerate(names)
        )
    (tmp_path / "self" / "mountinfo").write_text(line)
    return group


def test_a_group_of_version_2(tmp_path):
    group = tree(tmp_path, 2)
    (group / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\n")
    (group / "cpu.max").write_text("50000 100000\n")
    (group / "memory.current").write_text("1048576\n")
    (group / "memory.max").write_text("268435456\n")
    (group / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    own = OwnGroup(tmp_path)
    assert own.usage().cpu_ns == 1_500_000
    assert own.usage().memory_bytes == own.usage().peak_memory_bytes == 1 << 20
    assert own.oom_kills() == 2
    assert own.limits() == {"cpu": 0.5, "memory_mb": 256}
    assert own.counter == f"cpustat:{group / 'cpu.stat'}"
    (group / "cpu.max").write_text("max 100000\n")
    (group / "memory.max").write_text("max\n")
    assert own.limits() == {"cpu": None, "memory_mb": None}


def test_a_group_of_version_1(tmp_path):
    group = tree(tmp_path, 1)
    for name, text in {
        "cpuacct.usage": "1500000",
        "cpu.cfs_quota_us": "25000",
        "cpu.cfs_period_us": "100000",
        "memory.usage_in_bytes": "1048576",
        "memory.max_usage_in_bytes": "2097152",
        "memory.limit_in_bytes": "268435456",
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1",
    }.items():
        (group / name).write_text(text + "\n")
    own = OwnGroup(tmp_path)
    assert own.usage().cpu_ns == 1_500_000
    assert own.usage().peak_memory_bytes == 2 << 20
    assert own.oom_kills() == 1
    assert own.limits() == {"cpu": 0.25, "memory_mb": 256}
    (group / "cpu.cfs_quota_us").write_text("-1\n")
    (group / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert own.limits() == {"cpu": None, "memory_mb": None}
