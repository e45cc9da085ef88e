"""The main process of a component's pod: starts the component's command and speaks for it.

    python -m trialwatt.platforms.kubernetes.agent <command> <argument> …

It brings the files that the component is given, passes messages in both directions and the log on,
tells what the container uses and how the clocks differ, and ends with the command's exit code (128
+ n for signal n). It uses the standard library alone: its memory counts to the container's.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from trialwatt.clock import AHEAD, boot_id, now
from trialwatt.platforms.base import message_of, replaced
from trialwatt.platforms.cgroups.container import VARIABLE as CPU_COUNTER
from trialwatt.platforms.cgroups.container import OwnGroup
from trialwatt.platforms.environment import Inherited, told
from trialwatt.platforms.hub.client import ADDRESS, LIFE, TOKEN, HubClient, Retired
from trialwatt.platforms.processes import COMPONENT_VARIABLE

FOLDER = "TRIALWATT_FOLDER"
"""Environment variable: the run's folder in this pod."""
HOST = "TRIALWATT_HOST"
"""Environment variable: the pod's own address."""
SPEAKS = "TRIALWATT_SPEAKS"
"""Environment variable: "1" where the command follows the message protocol."""
DATA = "TRIALWATT_DATA"
"""Environment variable: JSON of where the dataset comes from: url, name, path, sha256."""
DATA_TOKEN = "TRIALWATT_DATA_TOKEN"
GIVEN = "TRIALWATT_GIVEN"
"""Environment variable: the names of all that the run gives this pod, and not its image."""
SAMPLE_HZ = "TRIALWATT_SAMPLE_HZ"
BATCH_S = "TRIALWATT_BATCH_S"
"""Environment variable: seconds of samples that are sent together."""
START_S = "TRIALWATT_START_S"
"""Environment variable: how long to wait for the hub and the first files."""

EXIT_CODE = 70
"""Exit code where the agent itself cannot do its work."""
JOB = "job.json"
POLL_S = 30.0
DRAIN_S = 1.0
STACK_BYTES = 256 << 10
LOG_CHUNK = 64 << 10
LOG_PAUSE_S = 0.1
CLOCK_ROUNDS = 7
CLOCK_EVERY_S = 60.0
LAST_S = 20.0
"""So long the last words may take where the hub does not answer."""


class Agent:
    """One life of a component."""

    def __init__(self, command: list[str]):
        given = os.environ.pop(GIVEN, "").split()
        inherited = Inherited.of(os.environ, given)
        self._environment = dict(inherited.kept)
        ours = {name: self._environment[name] for name in given if name in self._environment}
        image = {name: text for name, text in inherited.kept.items() if name not in ours}
        self._divided = Inherited(image, inherited.left_out).facts | {"set": told(ours)}
        self._component = os.environ[COMPONENT_VARIABLE]
        self._life = os.environ[LIFE]
        self._folder = Path(os.environ[FOLDER])
        self._speaks = os.environ.get(SPEAKS) == "1"
        self._command = command
        self._start_s = float(os.environ.get(START_S, "300"))
        self._hub = HubClient.here(self._start_s)
        self._group = OwnGroup()
        self._child: subprocess.Popen | None = None
        self._code = 0
        self._told = ""  # why it ends, where that is not the command's own doing
        self._over = threading.Event()
        self._job_came = threading.Event()
        self._begun = threading.Event()  # there is a command, or there will be none
        self._outputs: list[threading.Thread] = []
        self._samples: list[list[int]] = []
        self._sampling = threading.Lock()  # held for ever by the last words: none comes after them

    def run(self) -> int:
        """Everything from the start to the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        self._bring_records()
        self._bring_data()
        clock = self._clock(self._hub)
        self._environment[AHEAD] = str(clock["mono_ns"])
        limits = self._group.limits()
        facts = {"limits": limits, "clock": clock, "environment": self._divided}
        self._tell(facts | {"boot": boot_id()})
        threading.Thread(target=self._receive, name="receive", daemon=True).start()
        if not self._job_came.wait(self._start_s):
            raise TimeoutError(f"{JOB} did not come within {self._start_s:g} s")
        if not self._told:
            self._start()
            self._begun.set()
            threading.Thread(target=self._sample, name="sample", daemon=True).start()
            threading.Thread(target=self._time, name="time", daemon=True).start()
            self._code = self._reap()
        self._finish()
        return self._code

    # --- before the command -------------------------------------------------------------------

    def _bring_records(self) -> None:
        """What the lives before this one have recorded: the command goes on from there."""
        _, records = self._hub.request("GET", f"/records/{self._component}")
        path = self._folder / "records" / f"{self._component}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(records)

    def _bring_data(self) -> None:
        if not (text := os.environ.get(DATA)):
            return
        wanted = json.loads(text)
        path = Path(wanted["path"])
        self._environment.pop(DATA_TOKEN, None)
        token = os.environ.get(DATA_TOKEN, "")
        source = HubClient(wanted["url"], token, patience_s=self._start_s)
        if not source.download(wanted["name"], path):
            raise FileNotFoundError(f"{wanted['url']} has no dataset {wanted['name']}")
        source.close()

    def _start(self) -> None:
        host = os.environ[HOST]
        command = [replaced(part, host, None, sys.executable) for part in self._command]
        environment = {
            name: replaced(text, host, None, sys.executable)
            for name, text in self._environment.items()
        }
        environment[CPU_COUNTER] = self._group.counter
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if self._speaks else subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise OSError(f"{command[0]} cannot be started: {error}") from error
        if self._speaks:
            self._output(self._messages, self._child.stdout)
            self._output(self._log, self._child.stderr)
        else:
            self._output(self._log, self._child.stdout)

    # --- threads ------------------------------------------------------------------------------

    def _output(self, work, stream) -> None:
        thread = threading.Thread(target=self._guarded, args=(work, stream), daemon=True)
        thread.start()
        self._outputs.append(thread)

    def _guarded(self, work, *arguments) -> None:
        """A thread that loses the hub takes the component with it: nobody would hear of it."""
        try:
            work(*arguments)
        except Retired:
            self._end("retired", signal.SIGKILL)
        except Exception as error:
            print(f"agent: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            self._end("lost its hub", signal.SIGKILL)

    def _messages(self, stream) -> None:
        """Lines that hold a JSON object go to the coordinator, all others to the log."""
        hub = HubClient.here()
        for line in stream:
            name = "log" if message_of(line) is None else "message"
            hub.append(self._component, name, line)
            if name == "log":
                _print(line)

    def _log(self, stream) -> None:
        """Whole lines, as far as they fit: two pipes write one log, and a line must stay one."""
        hub, text = HubClient.here(), b""
        while chunk := stream.read1(LOG_CHUNK):
            _print(chunk)  # for `kubectl logs`, and for the time after this process
            text += chunk
            end = text.rfind(b"\n") + 1
            if len(text) - end >= LOG_CHUNK:
                end = len(text)
            if end:
                hub.append(self._component, "log", text[:end])
            text = text[end:]
            time.sleep(LOG_PAUSE_S)  # lines that come together travel together
        if text:
            hub.append(self._component, "log", text)

    def _receive(self) -> None:
        self._guarded(self._take_orders)

    def _take_orders(self) -> None:
        hub, last = HubClient.here(), 0
        while True:
            path = f"/inbox/{self._life}?after={last}&wait={POLL_S:g}"
            last, orders = _orders(hub, path, last)
            for order in orders:
                self._obey(order, hub)

    def _obey(self, order: dict, hub: HubClient) -> None:
        if "file" in order:
            name = order["file"]
            if not hub.download(name, self._folder / name):
                raise FileNotFoundError(f"the hub has no file {name}")
            if name == JOB:
                self._job_came.set()
        elif "count" in order:
            self._tell({"counted": order["count"], "oom_kills": self._group.oom_kills()}, hub)
        elif "stop" in order:
            self._stop(order["stop"])
        elif "say" in order and self._begun.wait(self._start_s) and self._child is not None:
            try:
                self._child.stdin.write(json.dumps(order["say"], allow_nan=False).encode() + b"\n")
                self._child.stdin.flush()
            except (BrokenPipeError, ValueError):
                return  # it has closed its stdin or ended, and its end will be told

    def _sample(self) -> None:
        self._guarded(self._tell_use)

    def _tell_use(self) -> None:
        hub = HubClient.here()
        pause = 1 / float(os.environ.get(SAMPLE_HZ, "5"))
        batch_s = float(os.environ.get(BATCH_S, "0"))
        sent = beat = time.monotonic()
        while not self._over.is_set():
            with self._sampling:
                self._samples.append(self._use())
                if (moment := time.monotonic()) - sent >= batch_s:
                    self._send_samples(hub)
                    sent = moment
            beat = max(beat + pause, moment)
            self._over.wait(beat - moment)

    def _time(self) -> None:
        self._guarded(self._tell_time)

    def _tell_time(self) -> None:
        hub = HubClient.here()
        while not self._over.wait(CLOCK_EVERY_S):
            self._tell({"clock": self._clock(hub)}, hub)

    # --- the end ------------------------------------------------------------------------------

    def _signalled(self, number: int, frame) -> None:
        """The cluster ends this pod (deleted, evicted, its node shut down): so does the command."""
        self._told = self._told or signal.Signals(number).name
        self._job_came.set()
        if self._child is not None:
            _signal(-self._child.pid, signal.SIGTERM)

    def _stop(self, grace_s: float) -> None:
        """The coordinator's word: close stdin, SIGTERM to all, SIGKILL after the grace."""
        self._told = self._told or "stop"
        self._job_came.set()
        if self._child is None:
            return
        with suppress(BrokenPipeError):  # it does not read any more
            self._child.stdin.close()
        self._signal_all(signal.SIGTERM)
        threading.Thread(target=self._kill_after, args=(grace_s,), daemon=True).start()

    def _kill_after(self, grace_s: float) -> None:
        if not self._over.wait(grace_s):
            self._signal_all(signal.SIGKILL)

    def _end(self, why: str, number: int) -> None:
        self._told = self._told or why
        self._job_came.set()
        self._signal_all(number)

    def _signal_all(self, number: int) -> None:
        """To every process of the container where this is its first one, else to the command's."""
        if os.getpid() == 1:
            _signal(-1, number)  # all but this one
        elif self._child is not None:
            _signal(-self._child.pid, number)

    def _reap(self) -> int:
        """Wait for the command, and for every orphan: as the first process this one inherits them.

        Returns the command's exit code.
        """
        while True:
            pid, status = os.wait()
            if pid == self._child.pid:
                return _code(status)

    def _finish(self) -> None:
        """The last words: all of the log and of the use, the clock, and how it ended."""
        self._over.set()
        if self._told == "retired":
            return
        if self._child is not None:
            # Processes that outlive the command hold its pipes open; the component is over.
            deadline = time.monotonic() + DRAIN_S
            for thread in self._outputs:
                thread.join(max(0.0, deadline - time.monotonic()))
            if any(thread.is_alive() for thread in self._outputs):
                self._signal_all(signal.SIGKILL)
                for thread in self._outputs:
                    thread.join(DRAIN_S)
        hub = HubClient.here(patience_s=LAST_S)
        self._sampling.acquire(timeout=LAST_S)
        self._samples.append(self._use())
        self._send_samples(hub)
        self._tell({"clock": self._clock(hub)}, hub)
        self._tell({"ended": self._code, "told": self._told}, hub)

    # --- what it says -------------------------------------------------------------------------

    def _use(self) -> list[int]:
        used = self._group.usage()
        return [
            time.monotonic_ns(),
            used.cpu_ns,
            used.memory_bytes,
            used.peak_memory_bytes,
            self._group.oom_kills(),
        ]

    def _send_samples(self, hub: HubClient) -> None:
        samples, self._samples = self._samples, []
        hub.append(self._component, "usage", json.dumps(samples).encode() + b"\n")

    def _tell(self, fact: dict, hub: HubClient | None = None) -> None:
        (hub or self._hub).append(self._component, "agent", json.dumps(fact).encode() + b"\n")

    @staticmethod
    def _clock(hub: HubClient) -> dict:
        """How far the hub's clocks are ahead of this node's: of the quickest of some questions.

        mono_ns, utc_ns; round_trip_ns: the truth is within half of it.
        """
        found = []
        for _ in range(CLOCK_ROUNDS):
            before = now()
            _, answer = hub.request("GET", "/clock")
            after, there = now(), json.loads(answer)
            trip = after.mono_ns - before.mono_ns
            ahead = there["mono"] - after.mono_ns + trip // 2
            found.append((trip, ahead, there["utc"] - after.utc_ns + trip // 2))
        round_trip_ns, mono_ns, utc_ns = min(found)
        return {"mono_ns": mono_ns, "utc_ns": utc_ns, "round_trip_ns": round_trip_ns}


def _orders(hub: HubClient, path: str, last: int) -> tuple[int, list[dict]]:
    """Long poll: the orders after number `last`, and the number of the last one."""
    found: dict[str, str] = {}

    def keep(response) -> None:
        found["last"], found["body"] = response.headers["X-Last"], response.read()

    hub.request("GET", path, answer_s=POLL_S + 30, save=keep)
    return int(found["last"]), [json.loads(line) for line in found["body"].splitlines()]


def _code(status: int) -> int:
    """As a shell has it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _print(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def main() -> None:
    threading.stack_size(STACK_BYTES)
    for name in (ADDRESS, TOKEN):
        os.environ[name]  # a pod without them is none of a run
    try:
        code = Agent(sys.argv[1:]).run()
    except Exception as error:
        print(f"agent: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        code = EXIT_CODE
    sys.stdout.flush()
    os._exit(code)  # threads may still wait for the hub


if __name__ == "__main__":
    main()
