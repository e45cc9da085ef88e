"""The hub as a real process: nothing is lost, nothing is there twice, nobody waits in a loop."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.platforms.hub.process import KEY, HubProcess

from trialwatt.platforms.hub.client import HubClient, Retired
from trialwatt.platforms.hub.journal import Journal, entries
from trialwatt.platforms.hub.tokens import token_of

TOKEN = token_of(KEY, "worker-0-1")


def own(hub):
    """Entries without the hub's own samples."""
    return [entry for entry in hub.journal() if entry.component != "hub"]


def test_entries_come_back_byte_for_byte_and_in_order(hub):
    client = hub.client("worker-0-1")
    sent = [b'{"a":1}\n', b"\xff\x00 no text\n", b""]
    for data in sent:
        client.append("worker-0", "records", data)
    found = own(hub)
    assert [entry.data for entry in found] == sent
    assert {(entry.component, entry.stream, entry.life) for entry in found} == {
        ("worker-0", "records", "worker-0-1")
    }
    numbers = [entry.n for entry in hub.journal()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_repeated_append_is_taken_once(hub):
    client = hub.client()
    headers = {"X-Writer": "w", "X-Sequence": "1"}
    for _ in range(3):
        client.request("POST", "/log/worker-0/records", b"line\n", headers)
    client.request("POST", "/log/worker-0/records", b"next\n", headers | {"X-Sequence": "2"})
    assert [entry.data for entry in own(hub)] == [b"line\n", b"next\n"]


def test_a_writer_that_is_cut_off_leaves_nothing(hub):
    with socket.create_connection(("127.0.0.1", hub.port)) as connection:
        head = f"POST /log/worker-0/records HTTP/1.1\r\nX-Trialwatt-Token: {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: 100\r\n\r\nhalf a line".encode())
    hub.client().append("worker-0", "records", b"whole\n")
    assert [entry.data for entry in own(hub)] == [b"whole\n"]


@pytest.mark.parametrize("path", ["/journal", "/clock", "/records/worker-0", "/files/job.json"])
def test_without_the_token_there_is_nothing(hub, path):
    for token in ("", "another", KEY, token_of("another", "coordinator"), "coordinator.", "\xff"):
        connection = http.client.HTTPConnection("127.0.0.1", hub.port)
        connection.request("GET", path, headers={"X-Trialwatt-Token": token})
        assert connection.getresponse().status == 403
        connection.close()
    with pytest.raises(PermissionError, match="wrong token"):
        HubClient(hub.url, "another").request("GET", path)
    connection = http.client.HTTPConnection("127.0.0.1", hub.port)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200


def test_a_long_poll_answers_when_something_urgent_comes(hub):
    answers = []

    def ask():
        query = "/journal?after=0&wait=60&quiet=60"
        _, data = hub.client().request("GET", query, answer_s=120)
        answers.append((time.monotonic(), [e.stream for e in entries(data)][-1]))

    began = time.monotonic()
    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    hub.client().append("worker-0", "log", b"quiet\n")
    time.sleep(0.3)
    assert not answers
    urgent = time.monotonic()
    hub.client().append("worker-0", "message", b"{}\n")
    thread.join(120)
    [(moment, last)] = answers
    assert urgent < moment < began + 40
    assert last == "message"


def test_what_is_quiet_is_told_soon_too(hub):
    hub.client().append("worker-0", "records", b"line\n")
    begin = time.monotonic()
    hub.client().request("GET", "/journal?after=0&wait=60&quiet=0.3", answer_s=120)
    assert time.monotonic() - begin < 40


def test_messages_come_once_and_only_to_their_life(hub):
    hub.post("a-1", {"say": 1}, {"say": 2})
    hub.post("b-1", {"say": 3})

    def take(life, after):
        _, body = hub.client(life).request("GET", f"/inbox/{life}?after={after}")
        return [json.loads(line)["say"] for line in body.splitlines()]

    assert take("a-1", 0) == [1, 2]
    assert take("a-1", 0) == [1, 2]  # the answer may have been lost on its way
    assert take("a-1", 2) == []
    assert take("b-1", 0) == [3]
    assert take("a-2", 0) == []


def test_nothing_is_taken_from_a_life_that_is_over(hub):
    old, new = hub.client("worker-0-1"), hub.client("worker-0-2")
    old.append("worker-0", "records", b"before\n")
    hub.client().request("POST", "/retire/worker-0-1")
    with pytest.raises(Retired):
        old.append("worker-0", "records", b"after\n")
    new.append("worker-0", "records", b"new\n")
    _, records = hub.client().request("GET", "/records/worker-0")
    assert records == b"before\nnew\n"


def test_files_are_whole_or_not_there(hub, tmp_path):
    data = os.urandom(3 << 20)
    path, back = tmp_path / "some.bin", tmp_path / "back" / "some.bin"
    path.write_bytes(data)
    client = hub.client()
    client.put("weights/worker-0_3.safetensors", path)
    assert client.download("weights/worker-0_3.safetensors", back)
    assert back.read_bytes() == data
    client.delete("weights/worker-0_3.safetensors")
    client.delete("weights/worker-0_3.safetensors")
    assert not client.download("weights/worker-0_3.safetensors", back)
    with pytest.raises(OSError, match="sha256"):
        hub.client(patience_s=0).request("PUT", "/files/bad", path, {"X-Sha256": "0" * 64})
    assert not client.download("bad", back)


@pytest.mark.parametrize("name", ["../secret", "a/../../b", "/etc/passwd", ".hidden", "a//b"])
def test_a_file_has_a_plain_name(hub, name):
    with pytest.raises(OSError, match="no name of a file"):
        hub.client(patience_s=0.2).request("PUT", f"/files/{name}", b"", {"X-Sha256": ""})


def test_a_server_of_files_alone_has_no_journal_and_survives_its_restart(tmp_path):
    first = HubProcess(tmp_path, 0, "--files-only")
    path = tmp_path / "data.bin"
    path.write_bytes(b"some data")
    first.client().put("data.bin", path)
    assert first.client().request("GET", "/journal")[0] == 404
    first.close()
    second = HubProcess(tmp_path, 0, "--files-only")
    try:
        assert second.client().download("data.bin", tmp_path / "back.bin")
        assert (tmp_path / "back.bin").read_bytes() == b"some data"
    finally:
        second.close()


def test_a_full_disk_is_the_writers_to_know(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.append("worker-0", "records", b"first\n")
    whole = (tmp_path / "journal").stat().st_size
    limit = whole + 20
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from trialwatt.platforms.hub.journal import Journal, entries\n"
        f"journal = Journal(Path({str(tmp_path / 'other')!r}))\n"
        "journal.append('worker-0', 'records', b'first\\n')\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    journal.append('worker-0', 'records', b'x' * 1000)\n"
        "except OSError:\n"
        "    print('refused')\n"
        "print([entry.data for entry in entries(journal.read(0, 0))])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["refused", "[b'first\\n']"]


def test_a_large_journal_is_read_in_parts(tmp_path):
    journal = Journal(tmp_path / "journal")
    for number in range(50):
        journal.append("worker-0", "records", b"%d" % number + b"x" * 100_000)
    after, parts = 0, []
    while data := journal.read(after, 0):
        assert len(data) < 2 << 20
        found = list(entries(data))
        parts.append(found)
        after = found[-1].n
    assert len(parts) > 2
    assert [int(e.data.rstrip(b"x")) for part in parts for e in part] == list(range(50))


KILLED_WRITER = """
import os, sys
from pathlib import Path
from trialwatt.records.writer import EventWriter
events = EventWriter(Path(sys.argv[1]), "run", "worker-0")
number = 0
while True:
    events.write("epoch", number=number)
    number += 1
    os.write(1, b"%d\\n" % number)
"""


def test_a_worker_killed_in_mid_write_loses_its_last_line_at_most(hub, tmp_path):
    numbers = []
    for life in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED_WRITER, str(tmp_path / str(life))],
            stdout=subprocess.PIPE,
            env=os.environ | {"TRIALWATT_HUB": hub.url, "TRIALWATT_HUB_TOKEN": TOKEN},
        )
        for _ in range(40):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        said = [int(line) for line in writer.communicate()[0].split() if line]
        numbers.append(max(said, default=40))
    found = [event["number"] for event in hub.records("worker-0")]
    lives = []
    for number in found:
        if number == 0:
            lives.append([])
        lives[-1].append(number)
    assert len(lives) == 3
    for life, said in zip(lives, numbers, strict=True):
        assert life == list(range(len(life)))  # none is missing, none is there twice
        assert len(life) in (said, said + 1)  # all that it went on from, and perhaps one more


class Proxy(threading.Thread):
    """Passes requests on to a hub; every third answer is lost, and its connection with it."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self._target, self._answers = port, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lost = 0
        self.start()

    def run(self):
        while True:
            here, _ = self._listener.accept()
            there = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._ask, args=(here, there), daemon=True).start()
            threading.Thread(target=self._answer, args=(there, here), daemon=True).start()

    def _ask(self, here, there):
        with here, there:
            while data := here.recv(4096):
                there.sendall(data)

    def _answer(self, there, here):
        while data := there.recv(4096):
            self._answers += 1
            if self._answers % 3 == 0:
                self.lost += 1
                here.shutdown(socket.SHUT_RDWR)
                return
            here.sendall(data)


def test_answers_that_are_lost_lose_and_double_nothing(hub):
    proxy = Proxy(hub.port)
    client = HubClient(f"http://127.0.0.1:{proxy.port}", TOKEN)
    for number in range(30):
        client.append("worker-0", "records", b'{"number":%d}\n' % number)
    assert proxy.lost >= 10
    assert [event["number"] for event in hub.records("worker-0")] == list(range(30))


def test_where_nobody_answers_the_writer_hears_of_it_in_time(hub):
    client = hub.client(patience_s=1)
    client.append("worker-0", "records", b"line\n")
    hub.close()
    begin = time.monotonic()
    with pytest.raises(OSError, match="does not answer"):
        client.append("worker-0", "records", b"line\n")
    assert time.monotonic() - begin < 40  # and not after the 60 s that are usual


def test_a_hundred_agents_wait_in_little_memory_and_without_work(hub):
    before = hub.resident_mb()
    stat = Path(f"/proc/{hub.process.pid}/stat")

    def ticks() -> int:
        return sum(map(int, stat.read_text().rsplit(") ")[1].split()[11:13]))

    waiting = []
    for number in range(100):
        for path in (f"/inbox/worker-{number}-1?after=0&wait=60", "/clock", "/clock"):
            connection = http.client.HTTPConnection("127.0.0.1", hub.port)
            token = token_of(KEY, f"worker-{number}-1")
            connection.request("GET", path, headers={"X-Trialwatt-Token": token})
            waiting.append(connection)
    for number in range(100):
        for clock in waiting[3 * number + 1 : 3 * number + 3]:
            assert json.loads(clock.getresponse().read())["mono"]  # it has taken them all
    time.sleep(0.5)
    before_ticks, began = ticks(), time.monotonic()
    time.sleep(1)
    assert ticks() - before_ticks <= 10 * (time.monotonic() - began)  # of 100 in a second
    assert hub.resident_mb() - before < 100
    assert hub.resident_mb() < 200
    hub.post("worker-99-1", {"say": "still there"})
    answer = waiting[99 * 3].getresponse()
    assert json.loads(answer.read()) == {"say": "still there"}
    for connection in waiting:
        connection.close()
