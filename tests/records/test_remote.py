"""Outside of a pod no hub is needed nor loaded; in one, what is to be kept is brought there."""

import subprocess
import sys

import pytest

from trialwatt.platforms.hub.client import HubClient
from trialwatt.records import remote
from trialwatt.records.writer import EventWriter


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_hub_there_is_none(monkeypatch, value):
    monkeypatch.delenv("TRIALWATT_HUB", raising=False)
    if value is not None:
        monkeypatch.setenv("TRIALWATT_HUB", value)
    assert remote.hub() is None


def test_a_line_that_the_hub_does_not_take_is_the_writers_to_know(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWATT_HUB", "http://127.0.0.1:1")
    monkeypatch.setenv("TRIALWATT_HUB_TOKEN", "t")
    monkeypatch.setattr(HubClient.here.__func__, "__defaults__", (0.2,))  # not a whole minute
    events = EventWriter(tmp_path, "run", "worker-0")
    with pytest.raises(OSError, match="does not answer"):
        events.write("note", text="x")


def test_a_local_writer_loads_nothing_of_a_cluster(tmp_path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from trialwatt.records.writer import EventWriter\n"
        f"EventWriter(Path({str(tmp_path)!r}), 'run', 'worker-0').write('note', text='x')\n"
        "assert not [name for name in sys.modules if 'kubernetes' in name or name == 'http.client']"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PATH": ""})


class Hub:
    def __init__(self):
        self.files = {}

    def put(self, name, path):
        self.files[name] = path.read_bytes()

    def delete(self, name):
        self.files.pop(name, None)


@pytest.fixture
def hub(monkeypatch):
    made = Hub()
    remote._hub.cache_clear()
    monkeypatch.setattr(remote, "hub", lambda: made)
    yield made
    remote._hub.cache_clear()


def test_where_there_is_no_hub_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.delenv(remote.HUB, raising=False)
    remote._hub.cache_clear()
    remote.keep(tmp_path, "weights/none")
    remote.drop("weights/none")
    assert remote._hub() is None


def test_a_file_is_brought_replaced_and_dropped(hub, tmp_path):
    for content in (b"one", b"two"):
        (tmp_path / "best").write_bytes(content)
        remote.keep(tmp_path, "best")
        assert hub.files == {"best": content}
    remote.drop("best")
    assert hub.files == {}
