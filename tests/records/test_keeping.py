"""Files that outlive a component: nothing to do in a shared folder, else brought to the hub."""

import pytest

from trialwatt.records import keeping, remote


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
    keeping._hub.cache_clear()
    monkeypatch.setattr(remote.Remote, "here", classmethod(lambda cls: made))
    yield made
    keeping._hub.cache_clear()


def test_where_there_is_no_hub_nothing_is_asked(hub, tmp_path, monkeypatch):
    monkeypatch.delenv(keeping.HUB, raising=False)
    keeping.keep(tmp_path, "weights/none")
    keeping.drop("weights/none")
    assert hub.files == {}


def test_a_file_is_brought_replaced_and_dropped(hub, tmp_path, monkeypatch):
    monkeypatch.setenv(keeping.HUB, "http://10.0.0.1:8080")
    for content in (b"one", b"two"):
        (tmp_path / "best").write_bytes(content)
        keeping.keep(tmp_path, "best")
        assert hub.files == {"best": content}
    keeping.drop("best")
    assert hub.files == {}
