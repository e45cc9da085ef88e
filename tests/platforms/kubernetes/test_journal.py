"""The coordinator's copy of the journal: whole, once, in order, on one clock."""

import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.platforms.hub.journal import Journal, entries
from trialwatt.platforms.kubernetes.access import ApiFault
from trialwatt.platforms.kubernetes.journal_copy import JournalReader


class HubOfTheTests:
    """Answers as the hub does, from a journal in this process."""

    def __init__(self, journal: Journal, answer_s: float = 0):
        self.journal, self.fault, self._answer_s = journal, None, answer_s

    def ask(self, method, path, answer_s=0, outage_s=None):
        if self.fault:
            raise self.fault
        query = dict(part.split("=") for part in path.split("?")[1].split("&"))
        data = self.journal.read(int(query["after"]), min(0.2, float(query["wait"])))
        time.sleep(self._answer_s)
        return {}, data


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path / "journal")


def line(number: int, mono_ns: int = 5) -> bytes:
    return b'{"t":1,"m":%d,"run":"r","who":"worker-0","kind":"note","n":%d}\n' % (mono_ns, number)


def test_several_readers_at_once_pass_each_entry_on_once_and_in_order(journal, tmp_path):
    taken = []
    reader = JournalReader(HubOfTheTests(journal, 0.002), tmp_path, taken.append, taken.append)
    reader.start()
    drains = [threading.Thread(target=reader.drain) for _ in range(4)]
    for number in range(200):
        journal.append("worker-0", "records", line(number))
        journal.append("worker-0", "message", b"%d" % number, urgent=True)
        if number % 50 == 0:
            drains[number // 50].start()
    for drain in drains:
        drain.join(10)
    reader.drain()
    reader.stop()
    assert [int(entry.data) for entry in taken] == list(range(200))
    text = (tmp_path / "records" / "worker-0.jsonl").read_bytes()
    assert text == b"".join(line(number) for number in range(200))


def test_records_of_a_life_on_another_clock_are_moved(journal, tmp_path):
    reader = JournalReader(HubOfTheTests(journal), tmp_path, print, print)
    reader.shifts_ns["worker-0-2"] = -1000
    journal.append("worker-0", "records", line(1, 7000), life="worker-0-1")
    journal.append("worker-0", "records", line(2, 8500), life="worker-0-2")
    reader.drain()
    text = (tmp_path / "records" / "worker-0.jsonl").read_text()
    events = [json.loads(each) for each in text.splitlines()]
    assert [event["m"] for event in events] == [7000, 7500]
    assert text.splitlines()[0] == line(1, 7000).decode().rstrip()


def test_logs_are_kept_as_they_are(journal, tmp_path):
    reader = JournalReader(HubOfTheTests(journal), tmp_path, print, print)
    journal.append("worker-0", "log", b"\xff\x00half a li")
    journal.append("worker-0", "log", b"ne\n")
    reader.drain()
    assert (tmp_path / "logs" / "worker-0.log").read_bytes() == b"\xff\x00half a line\n"


def test_a_hub_that_does_not_answer_is_told_once(journal, tmp_path):
    hub, lost = HubOfTheTests(journal), []
    hub.fault = ApiFault(503, "ServiceUnavailable", "no endpoint", "GET")
    JournalReader(hub, tmp_path, print, lost.append).start()
    deadline = time.monotonic() + 5
    while not lost and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lost == [hub.fault]


@given(st.lists(st.tuples(st.sampled_from(["records", "log"]), st.binary(max_size=200))))
def test_whatever_is_written_is_read_again(tmp_path_factory, written):
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal")
    for stream, data in written:
        journal.append("worker-0", stream, data, life="worker-0-1")
    found = list(entries(journal.read(0, 0)))
    assert [(entry.stream, entry.data) for entry in found] == written
    assert [entry.n for entry in found] == list(range(1, len(written) + 1))
    records = b"".join(data for stream, data in written if stream == "records")
    assert journal.of("worker-0", "records") == records
