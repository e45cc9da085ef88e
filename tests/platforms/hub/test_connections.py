"""Who has shown no token takes little, not for long, and no place of those that have."""

import http.client
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.platforms.hub.process import KEY
from tests.platforms.processes import wait_until

from trialwatt.platforms.hub.connections import MOST_OF_ONE, MOST_UNKNOWN, UNKNOWN_S
from trialwatt.platforms.hub.tokens import token_of


def threads(hub) -> int:
    lines = Path(f"/proc/{hub.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Threads"))


@pytest.fixture
def connect(hub):
    """Open connections to the hub, from an address of this machine."""
    with ExitStack() as opened:

        def one(address: str = "127.0.0.1") -> socket.socket:
            made = socket.create_connection(
                ("127.0.0.1", hub.port), timeout=60, source_address=(address, 0)
            )
            return opened.enter_context(made)

        yield one


def ask(connection, holder: str) -> int:
    """The status of an answer."""
    token = token_of(KEY, holder)
    connection.sendall(f"GET /clock HTTP/1.1\r\nX-Trialwatt-Token: {token}\r\n\r\n".encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    response.read()
    return response.status


def is_closed(connection) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_many_that_say_nothing_cost_few_threads_and_keep_nobody_out(hub, connect):
    first = connect("127.0.0.2")
    assert ask(first, "worker-1-1") == 200
    idle = [connect() for _ in range(2 * MOST_UNKNOWN)]
    agent = connect("127.0.0.3")  # a place is free: the oldest of the crowd goes, whoever comes
    assert ask(agent, "worker-0-1") == 200
    assert wait_until(lambda: threads(hub) <= MOST_UNKNOWN + 20)
    assert ask(first, "worker-1-1") == 200
    assert all(map(is_closed, idle))  # within a minute, the socket's own patience
    assert wait_until(lambda: threads(hub) < 20)


def test_the_crowd_of_one_address_crowds_out_none_of_another(hub, connect):
    quiet = connect("127.0.0.2")
    for _ in range(2 * MOST_UNKNOWN):
        connect()
    assert ask(quiet, "worker-0-1") == 200


@pytest.mark.parametrize(
    "text", [b"", b"GET /clock HTTP/1.1\r\nX: y", b"GET /clock HTTP/1.1\r\n"], ids=repr
)
def test_one_that_shows_no_token_in_time_is_closed_however_slowly_it_speaks(hub, connect, text):
    connection, began = connect(), time.monotonic()
    connection.sendall(text)
    connection.settimeout(0.5)
    while time.monotonic() - began < 60:
        try:
            connection.sendall(b"x" if text else b"")  # never silent for long, and never done
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    assert UNKNOWN_S - 1 < time.monotonic() - began < 60


def test_one_that_has_shown_its_token_may_be_silent(hub, connect):
    agent, idle = connect(), connect()
    ask(agent, "worker-0-1")
    assert is_closed(idle)
    assert ask(agent, "worker-0-1") == 200


def test_a_component_cannot_take_all_places(hub, connect):
    mine = [connect() for _ in range(MOST_OF_ONE)]
    for connection in mine:
        assert ask(connection, "worker-0-1") == 200
    assert ask(connect(), "worker-0-1") == 503
    assert ask(connect(), "worker-1-1") == 200
    mine[0].close()
    assert wait_until(lambda: ask(connect(), "worker-0-1") == 200)


def test_who_asks_for_health_alone_keeps_no_place(hub, connect):
    connection = connect()
    connection.sendall(b"GET /healthz HTTP/1.1\r\n\r\n")
    said, began = b"", time.monotonic()
    while data := connection.recv(65536):
        said += data
    assert said.startswith(b"HTTP/1.1 200") and said.endswith(b"ok")
    assert time.monotonic() - began < UNKNOWN_S
