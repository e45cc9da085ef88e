"""Records outside of a pod need no hub, and load nothing of it."""

import subprocess
import sys

import pytest

from trialwatt.platforms.hub.client import HubClient
from trialwatt.records.remote import Remote
from trialwatt.records.writer import EventWriter


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_hub_there_is_none(monkeypatch, value):
    monkeypatch.delenv("TRIALWATT_HUB", raising=False)
    if value is not None:
        monkeypatch.setenv("TRIALWATT_HUB", value)
    assert Remote.here() is None


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
