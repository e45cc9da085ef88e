from __future__ import annotations

import pytest

from trialwatt.meters import sampler


@pytest.fixture
def clock(monkeypatch):
    """A monotonic clock that stands until it is moved."""

    class Clock:
        ns = 7_000_000_123

    monkeypatch.setattr(sampler.time, "monotonic_ns", lambda: Clock.ns)
    return Clock


def test_deadlines_are_absolute_so_that_late_waking_does_not_add_up(clock):
    beats = sampler.Beats(5)
    start, late = clock.ns, 30_000_000
    for beat in range(1, 200):
        clock.ns += round(beats.wait_s() * 1e9) + late
        assert clock.ns == pytest.approx(start + beat * 200_000_000 + late, abs=2)
    assert beats.missed == 0


def test_missed_beats_are_skipped_and_counted(clock):
    beats = sampler.Beats(5)
    clock.ns += round(beats.wait_s() * 1e9)
    clock.ns += 730_000_000  # beats 2, 3 and 4 go by
    assert beats.wait_s() == pytest.approx(0.07)
    assert beats.missed == 3


def test_waking_early_never_gives_a_beat_twice(clock):
    beats = sampler.Beats(5)
    clock.ns += round(beats.wait_s() * 1e9) - 1_000
    assert beats.wait_s() == pytest.approx(0.2, abs=1e-5)
    assert beats.missed == 0
