"""A token opens what is its holder's: no component writes, reads or commands as another one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.platforms.hub.process import HubProcess

from trialwatt.platforms.hub.tokens import COORDINATOR, component_of, holder_of, token_of

MINE, MY_LIFE, ANOTHER, ANOTHER_LIFE = "worker-0", "worker-0-1", "worker-1", "worker-1-1"
REFUSED = [
    ("POST", f"/log/{ANOTHER}/records"),
    ("POST", f"/log/{ANOTHER}/message"),
    ("POST", "/log/hub/usage"),
    ("POST", "/log/harness/records"),
    ("POST", f"/log/{MY_LIFE}/records"),
    ("POST", "/log/worker/records"),
    ("POST", "/log/coordinator/records"),
    ("GET", f"/records/{ANOTHER}"),
    ("GET", f"/inbox/{ANOTHER_LIFE}?after=0"),
    ("GET", "/inbox/worker-0-2?after=0"),
    ("GET", "/journal?after=0"),
    ("POST", "/inbox"),
    ("POST", f"/retire/{ANOTHER_LIFE}"),
    ("POST", f"/retire/{MY_LIFE}"),
    ("PUT", "/files/job.json"),
    ("PUT", f"/files/weights/{ANOTHER}_3.safetensors"),
    ("PUT", f"/files/{MINE}_x/job.json"),
    ("PUT", "/files/worker-01_3.safetensors"),
    ("PUT", "/files/worker-0-1_3.safetensors"),
    ("DELETE", "/files/job.json"),
    ("DELETE", f"/files/weights/{ANOTHER}_3.safetensors"),
]


@pytest.mark.parametrize(("method", "path"), REFUSED, ids=" ".join)
def test_what_is_anothers_is_refused_and_left_as_it_was(hub, tmp_path, method, path):
    (tmp_path / "x").write_bytes(b"x")
    names = ("job.json", f"weights/{ANOTHER}_3.safetensors")
    for name in names:
        hub.client().put(name, tmp_path / "x")
    hub.post(ANOTHER_LIFE, {"say": 1})
    body = b'{"to": "worker-1-1", "message": {"stop": 0}}' if method in ("POST", "PUT") else None
    with pytest.raises(PermissionError, match="may not"):
        hub.client(MY_LIFE).request(method, path, body)
    assert [entry for entry in hub.journal() if entry.component != "hub"] == []
    _, told = hub.client(ANOTHER_LIFE).request("GET", f"/inbox/{ANOTHER_LIFE}?after=0")
    assert told == b'{"say": 1}\n'
    for name in names:
        assert hub.client().download(name, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == b"x"
    hub.client(ANOTHER_LIFE).append(ANOTHER, "records", b"its own\n")  # and is not retired


def test_what_is_its_own_is_taken(hub, tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    client = hub.client(MY_LIFE)
    client.append(MINE, "records", b"line\n")
    assert client.request("GET", f"/records/{MINE}")[1] == b"line\n"
    client.put(f"weights/{MINE}_3.safetensors", tmp_path / "x")
    hub.client().put("job.json", tmp_path / "x")
    assert client.download("job.json", tmp_path / "job.json")
    client.delete(f"weights/{MINE}_3.safetensors")
    [entry] = [entry for entry in hub.journal() if entry.component != "hub"]
    assert (entry.component, entry.life) == (MINE, MY_LIFE)  # as its token has it


def test_a_sequence_number_counts_for_its_own_writer_alone(hub):
    high = {"X-Writer": "w", "X-Sequence": "999999"}
    hub.client(ANOTHER_LIFE).request("POST", f"/log/{ANOTHER}/records", b"a\n", high)
    low = {"X-Writer": "w", "X-Sequence": "1"}
    hub.client(MY_LIFE).request("POST", f"/log/{MINE}/records", b"b\n", low)
    kept = [entry for entry in hub.journal() if entry.component != "hub"]
    assert [entry.data for entry in kept] == [b"a\n", b"b\n"]


def test_data_that_runs_share_is_read_by_them_and_written_by_the_coordinator(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    served = HubProcess(tmp_path, 0, "--files-only")
    try:
        served.client().put("digits", tmp_path / "x")
        reader = served.client("run abc-r1-0")
        assert reader.download("digits", tmp_path / "back")
        for holder in ("run abc-r1-0", MY_LIFE):
            with pytest.raises(PermissionError, match="may not"):
                served.client(holder).put(f"{MINE}_x", tmp_path / "x")
            with pytest.raises(PermissionError, match="may not"):
                served.client(holder).delete("digits")
    finally:
        served.close()


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_a_token_is_its_holders_under_its_key_alone(key, another, holder):
    token = token_of(key, holder)
    assert holder_of(key, token) == holder
    assert holder_of(another, token) == (holder if another == key else None)


@given(st.text(), st.text())
def test_no_text_is_a_token_by_chance(key, text):
    assert holder_of(key, text) is None


def test_the_coordinator_is_no_component():
    assert component_of(COORDINATOR) == ""
    assert component_of("worker-0-1") == "worker-0"
