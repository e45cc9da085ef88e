"""A port that is in use is never chosen, and too few free ones are named before anything starts."""

import socket

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.suts import services
from trialwatt.suts.services import free_blocks


@pytest.fixture
def span(monkeypatch):
    """Ports that are all free, to which the choice is limited: (first, last)."""
    (first,) = free_blocks(1, 32)
    monkeypatch.setattr(services, "FIRST", first)
    monkeypatch.setattr(services, "LAST", first + 31)
    return first, first + 31


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", ""])
def test_a_block_with_a_port_in_use_is_not_chosen(span, address):
    first, _ = span
    with socket.socket() as taken:
        taken.bind((address, first + 9))
        taken.listen()
        assert sorted(free_blocks(3, 8)) == [first, first + 16, first + 24]


def test_blocks_do_not_overlap_and_stay_in_their_range(span):
    first, last = span
    blocks = free_blocks(8, 4)
    numbers = {port for block in blocks for port in range(block, block + 4)}
    assert len(numbers) == 32
    assert (min(numbers), max(numbers)) == (first, last)


def test_too_few_free_ports_are_an_error_that_says_what_to_do(span):
    first, last = span
    with socket.socket() as taken:
        taken.bind(("", first))
        with pytest.raises(TrialwattError) as caught:
            free_blocks(4, 8)
    assert str(caught.value) == (
        f"ports {first} to {last}: of the 4 blocks of 8 free ports that this SUT needs there are"
        " only 3: end what listens there, or lower workers.count"
    )


@pytest.mark.parametrize("sut", ["ray", "hyperopt"])
def test_it_is_said_when_the_run_is_planned(span, sut, run_config):
    from trialwatt import suts

    first, _ = span
    held = [socket.socket() for _ in range(16)]
    for number, taken in enumerate(held):  # every second one: no block of two is left
        taken.bind(("", first + 2 * number))
    try:
        with pytest.raises(TrialwattError, match="end what listens there"):
            suts.get(sut)().planned_roles(run_config(sut))
    finally:
        for taken in held:
            taken.close()
