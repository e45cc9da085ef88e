"""Offsets by way of the hub: signs, lives, and what is not known."""

from hypothesis import given
from hypothesis import strategies as st

from trialwatt.platforms.kubernetes.clocks import Ahead, Clocks, hub_ahead

NS = st.integers(-(10**15), 10**15)


@given(coordinator=NS, hub=NS, node=NS, moment=st.integers(0, 10**15))
def test_a_moment_of_a_node_lands_on_the_coordinators_clock(coordinator, hub, node, moment):
    """Three clocks that show different numbers at the same moment."""
    clocks = Clocks(
        hub=[Ahead(hub - coordinator, 0, 10)],
        lives={"worker-0-1": [Ahead(hub - node, 0, 10)]},
        component={"worker-0-1": "worker-0"},
    )
    stamp = moment + node
    assert stamp + clocks.offsets_ns()["worker-0"] == moment + coordinator


def test_a_drift_is_halved_and_told():
    clocks = Clocks(
        hub=[Ahead(0, 0, 100)],
        lives={"w-1": [Ahead(1000, 0, 40), Ahead(1400, 0, 60)]},
        component={"w-1": "w"},
    )
    assert clocks.offsets_ns() == {"w": 1200}
    facts = clocks.facts()
    assert facts["drift_ns"] == {"w": 400}
    assert facts["uncertainty_ns"] == {"w": (40 + 100) // 2 + 200}


def test_the_clock_of_here_may_drift_against_all_nodes():
    clocks = Clocks(
        hub=[Ahead(0, 0, 100), Ahead(600, 0, 100)],  # slow against the hub's
        lives={"w-1": [Ahead(1000, 0, 40), Ahead(1000, 0, 40)]},  # which runs like the worker's
        component={"w-1": "w"},
    )
    assert clocks.offsets_ns() == {"w": 700}
    facts = clocks.facts()
    assert facts["drift_ns"] == {"w": -600}
    assert facts["uncertainty_ns"] == {"w": 70 + 300}


def test_what_was_not_measured_has_no_offset():
    clocks = Clocks(component={"w-1": "w"})
    assert clocks.offsets_ns() == {}
    assert clocks.facts()["uncertainty_ns"] == {}


def test_the_offset_is_that_of_the_first_life():
    clocks = Clocks(
        hub=[Ahead(0, 0, 1)],
        lives={"w-2": [Ahead(7, 0, 1)], "w-1": [Ahead(5, 0, 1)]},
        component={"w-1": "w", "w-2": "w"},
    )
    assert clocks.offsets_ns() == {"w": 5}


class OtherClock:
    """A hub whose clocks are ahead, and whose answers take their time."""

    def __init__(self, ahead_ns: int):
        self.ahead_ns = ahead_ns

    def clock(self) -> dict:
        import time

        return {
            "mono": time.monotonic_ns() + self.ahead_ns,
            "utc": time.time_ns() - self.ahead_ns,
        }


def test_the_hub_is_measured_within_its_round_trip():
    ahead = hub_ahead(OtherClock(123_456_789_000))
    assert abs(ahead.mono_ns - 123_456_789_000) <= ahead.round_trip_ns / 2 + 100_000
    assert abs(ahead.utc_ns + 123_456_789_000) <= ahead.round_trip_ns / 2 + 1_000_000
