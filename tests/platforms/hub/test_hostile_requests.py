"""Whatever a connection sends, the hub answers it, stays small, and goes on."""

import http.client
import json
import re
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.platforms.hub.process import KEY, HubProcess

from trialwatt.platforms.hub.client import HubClient
from trialwatt.platforms.hub.tokens import COORDINATOR, token_of

DEEP = b"[" * 100_000


def answer(hub, text: bytes, holder: str = COORDINATOR) -> bytes:
    """All that the hub says to a request (without its token, which is added) until it hangs up, or
    for as long as a whole answer takes."""
    line, _, rest = text.partition(b"\r\n")
    token = f"X-Trialwatt-Token: {token_of(KEY, holder)}".encode()
    with socket.create_connection(("127.0.0.1", hub.port), timeout=60) as connection:
        connection.sendall(line + b"\r\n" + token + b"\r\n" + rest)
        with suppress(OSError):  # it has hung up already
            connection.shutdown(socket.SHUT_WR)
        said = b""
        while data := connection.recv(65536):
            said += data
    return said


def status(hub, text: bytes, holder: str = COORDINATOR) -> int:
    said = answer(hub, text, holder)
    assert said.startswith(b"HTTP/1.1 "), (text[:200], said)
    return int(said.split()[1])


APPEND = b"POST /log/worker-0/records HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"", 411),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: abc\r\n", 400),
        (b"Content-Length: 1_0\r\n", 400),
        (b"Content-Length: +5\r\n", 400),
        (b"Content-Length: 0x5\r\n", 400),
        (b"Content-Length: \r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"Content-Length: " + b"9" * 15 + b"\r\n", 413),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", 400),
        (b"Content-Length: 8388609\r\n", 413),
        (b"Transfer-Encoding: chunked\r\n", 411),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 411),
        (b"Content-Length: 5\r\nX-Sequence: x\r\n", 400),
        (b"Content-Length: 5\r\n", 204),
    ],
)
def test_a_body_whose_length_is_not_said_as_it_should_be_is_refused(hub, head, expected):
    assert status(hub, APPEND + head + b"\r\nhello" + b"x" * 1000, "worker-0-1") == expected
    kept = [entry for entry in hub.journal() if entry.component != "hub"]
    assert [entry.data for entry in kept] == [b"hello"] * (expected == 204)


@pytest.mark.parametrize("method", ["POST /log/worker-0/records", "PUT /files/worker-0_x"])
def test_what_does_not_end_is_not_read_into_the_memory(hub, method):
    before = hub.resident_mb()
    token = token_of(KEY, "worker-0-1")
    head = f"{method} HTTP/1.1\r\nX-Trialwatt-Token: {token}\r\nContent-Length: -1\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hub.port), timeout=60) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(300):
                connection.sendall(b"x" * (1 << 20))
        except OSError:
            pass  # it has hung up, as it should
        else:
            pytest.fail("it takes as much as it is sent")
    assert hub.resident_mb() - before < 30


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_where_there_is_no_body_none_is_taken_for_the_next_request(hub, method):
    hidden = b"GET /clock HTTP/1.1\r\n\r\n"
    head = f"{method} /files/x HTTP/1.1\r\nContent-Length: {len(hidden)}\r\n\r\n".encode()
    said = answer(hub, head + hidden)
    assert said.count(b"HTTP/1.1 ") == 1 and said.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("name", ["wait", "quiet"])
@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf", "1e999", "-1", "x", "1e", "%00"])
def test_a_wait_that_is_no_time_is_refused(hub, name, value):
    for path, holder in (("/journal", COORDINATOR), ("/inbox/worker-0-1", "worker-0-1")):
        if name == "quiet" and path != "/journal":
            continue
        request = f"GET {path}?after=999999&wait=0&{name}={value} HTTP/1.1\r\n\r\n"
        request = request.replace("wait=0&wait", "wait")
        assert status(hub, request.encode(), holder) == 400


@pytest.mark.parametrize("value", ["nan", "-1", "1e5", "9" * 400, "1.5", "inf", "٣"])
def test_a_number_that_is_none_is_refused(hub, value):
    request = f"GET /journal?after={value} HTTP/1.1\r\n\r\n"
    assert status(hub, request.encode()) == 400


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"to":' * 100_000,
        b'{"to": "a-1", "message": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b"null",
        b"[]",
        b"3",
        b"{}",
        b'{"to": 3, "message": {}}',
        b'{"to": "a-1", "message": 3}',
        b'{"to": ["a-1"], "message": {}}',
        b"\xff",
        b'{"to": "a-1", "message": {}}\n{',
        b"9" * 100_000,
    ],
    ids=lambda body: body[:20].decode(errors="replace"),
)
def test_messages_that_are_none_are_answered_and_none_of_them_is_delivered(hub, body):
    head = f"POST /inbox HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    assert status(hub, head + body) == 400
    _, told = hub.client("a-1").request("GET", "/inbox/a-1?after=0")
    assert told == b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /clock HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\n\r\n",
        b"GET /clock HTTP/1.1\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"x" * 500) for n in range(90)),
    ],
    ids=["line", "header", "headers"],
)
def test_a_head_that_is_too_large_costs_nothing(hub, head):
    try:
        said = answer(hub, head)
    except ConnectionError:
        said = b""
    assert said == b"" or said.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("name", ["a" * 300, "%00", "a%0a", "a/" * 900 + "a", "%2e%2e/x", "x y"])
def test_a_name_that_no_file_can_have_is_refused(hub, name):
    request = f"PUT /files/{name} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode()
    assert status(hub, request) == 400


def test_a_name_is_a_files_or_a_folders(hub, tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    hub.client().put("one/two", tmp_path / "x")
    for request in (b"PUT /files/one", b"PUT /files/one/two/three", b"DELETE /files/one"):
        assert status(hub, request + b" HTTP/1.1\r\nContent-Length: 0\r\n\r\n") in (400, 409)
    assert hub.client().download("one/two", tmp_path / "back")


# --- whatever it is ---------------------------------------------------------------------------

odd = st.one_of(
    st.sampled_from(
        ["nan", "-1", "inf", "1e400", "9" * 30, "", "%", "%zz", "//[", "\xff", "a/../b"]
    ),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20),
    st.integers(-(2**70), 2**70).map(str),
)
paths = st.one_of(
    odd.map(lambda text: f"/{text}"),
    st.builds(
        "/{}/{}?{}={}".format,
        st.sampled_from(["log", "inbox", "records", "files", "retire", "journal", "clock", ""]),
        odd,
        st.sampled_from(["after", "wait", "quiet", "x"]),
        odd,
    ),
    st.builds("/{}?{}={}".format, st.sampled_from(["journal", "inbox", "clock"]), odd, odd),
)
headers = st.dictionaries(
    st.sampled_from(["Content-Length", "Transfer-Encoding", "X-Sequence", "X-Writer", "X-Sha256",
                     "Expect", "Connection", "X-Trialwatt-Token"]),
    odd,
    max_size=4,
)  # fmt: skip
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "", "get"])


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    made = HubProcess(tmp_path_factory.mktemp("hub"))
    yield made
    made.close()


def _line(text: str) -> bytes:
    return re.sub("[\r\n]", "", text).encode("latin-1")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(methods, paths, headers, st.binary(max_size=200))
def test_any_request_is_answered_by_a_hub_that_goes_on(lasting, method, path, fields, body):
    head = _line(f"{method} {path.replace('wait=', 'w=')} HTTP/1.1") + b"\r\n"
    head += b"".join(_line(f"{name}: {text}") + b"\r\n" for name, text in fields.items())
    said = answer(lasting, head + b"\r\n" + body)
    code = re.match(rb"HTTP/1.1 (\d+)", said)
    cut_off = said == b"" and "Content-Length" in fields  # it got less than was said
    assert cut_off or code is not None or b"Error code" in said, (head, said[:500])
    assert code is None or int(code[1]) < 500 or int(code[1]) in (501, 505), (head, said[:500])
    assert lasting.process.poll() is None
    client = HubClient(lasting.url, token_of(KEY, COORDINATOR))
    assert json.loads(client.request("GET", "/clock")[1])["mono"]
    client.close()


def test_after_all_of_it_the_hub_has_nothing_to_do(lasting):
    stat = Path(f"/proc/{lasting.process.pid}/stat")

    def ticks() -> int:
        return sum(map(int, stat.read_text().rsplit(") ")[1].split()[11:13]))

    connection = http.client.HTTPConnection("127.0.0.1", lasting.port)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    before, began = ticks(), time.monotonic()
    time.sleep(1)
    assert ticks() - before <= 20 * (time.monotonic() - began)  # of 100 in a second
