"""Which disturbances lie within a job."""

from hypothesis import given
from hypothesis import strategies as st

from trialwatt.records.disturbed import DISTURBANCE, flags

S = 10**9


def event(began_s, seconds, text="x"):
    return {"kind": DISTURBANCE, "m": began_s * S, "seconds": seconds, "text": text}


def test_only_what_touches_the_job_flags_it():
    window = (100 * S, 200 * S)
    outside = [event(0, 99), event(201, 5), {"kind": "note", "m": 150 * S, "text": "x"}]
    assert flags(outside, window) == []
    assert flags([*outside, event(90, 11, "an outage")], window) == [
        "disturbed within the job for 11 s: an outage"
    ]
    assert flags([event(150, 3, "a"), event(160, 7, "b")], window) == [
        "disturbed within the job for 7 s, the longest of 2 disturbances: b"
    ]
    assert flags([event(150, 3)], None) == []
    assert flags([event(150, "long")], window) == ["disturbed within the job for 0 s: x"]


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 299), st.integers(1, 300))
def test_it_flags_where_the_two_spans_meet(began, seconds, start, length):
    window = (start * S, (start + length) * S)
    meets = max(began, start) <= min(began + seconds, start + length)
    assert bool(flags([event(began, seconds)], window)) is meets
