"""The arithmetic of a block, on readings whose answer is known, and on drawn ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.measure.account import Span, account
from trialwatt.measure.sampling import Readings
from trialwatt.measure.sources import Supplied
from trialwatt.meters.base import Domain
from trialwatt.meters.model import PowerModel
from trialwatt.meters.nvml import Nvml
from trialwatt.meters.rapl import Rapl

S = 1_000_000_000
CORES, HZ = 4, 5.0
CPU = Domain("cpu", "cpu", "w", "modelled")
PACKAGE = Domain("package-0", "cpu", "uj", "counter", wraps_at=2**32)
GPU = Domain("gpu-0", "accelerator", "uj", "counter")


def readings(seconds, script_busy, machine_busy, **values):
    """Even use: so many cores busy. values: domain → watts, or a counter's watts by its unit."""
    times = np.arange(0, seconds + 1e-9, 1 / HZ) * S
    given_values = {
        name.replace("_", "-"): np.full(len(times), float(w)) if unit == "w" else times / 1e3 * w
        for name, (unit, w) in values.items()
    }
    return Readings(
        times,
        times * machine_busy,
        np.zeros(len(times)),
        times * script_busy,
        given_values,
        CORES,
        16.0,
    )


def divide(found, spans, supplies, reserved=1.0, seconds=20):
    return account(found, (0, seconds * S), [], spans, supplies, reserved, HZ)


def test_static_by_reservation_and_dynamic_by_cpu_time():
    """10 W idle, 20 W in all; the script has half of the machine and a quarter of its CPU time."""
    found = divide(
        readings(20, script_busy=0.5, machine_busy=2, cpu=("w", 20)),
        [Span(0, 5 * S), Span(10 * S, 20 * S)],
        [Supplied(CPU, PowerModel, idle_w=10.0)],
        reserved=0.5,
    )
    assert found.machine_j == pytest.approx(400)
    assert found.job_j == pytest.approx(20 * (10 * 0.5 + 10 * 0.25))
    assert found.trial_static_j == pytest.approx([5 * 5, 10 * 5])
    assert found.trial_dynamic_j == pytest.approx([5 * 2.5, 10 * 2.5])
    assert found.trial_cpu_s == pytest.approx([2.5, 5])
    assert found.until_j == pytest.approx([5 * 7.5, 20 * 7.5])
    assert (found.samples, found.gap_share) == (101, 0)
    assert found.foreign_share == pytest.approx(1.5 / CORES)
    assert [note.partition(":")[0] for note in found.notes] == [
        "others used 38% of the machine's CPU time"
    ]


def test_a_quiet_machine_is_not_flagged():
    quiet = readings(20, script_busy=1.9, machine_busy=2, cpu=("w", 20))
    assert divide(quiet, [], [Supplied(CPU, PowerModel, idle_w=10.0)]).notes == []


def test_a_counter_without_an_idle_level_follows_cpu_time():
    found = divide(
        readings(20, script_busy=1, machine_busy=2, package_0=("uj", 30)),
        [Span(0, 20 * S)],
        [Supplied(PACKAGE, Rapl, idle_w=None)],
    )
    assert found.job_j == pytest.approx(300)
    assert found.trial_static_j == [0]
    said = "no idle power of package-0: all of its energy is shared by CPU time"
    assert found.notes[0] == said


def test_an_accelerator_counts_whole_and_evenly():
    found = divide(
        readings(20, script_busy=1, machine_busy=2, gpu_0=("uj", 300)),
        [Span(0, 10 * S), Span(0, 20 * S)],
        [Supplied(GPU, Nvml, idle_w=None)],
        reserved=0.25,
    )
    assert found.job_j == pytest.approx(6000)
    assert found.trial_static_j == pytest.approx([1500, 4500])


def test_overlapping_trials_by_thread_and_the_rest_evenly():
    """Of 2 busy cores one is a thread of the first, a half one of the second's."""
    spans = [
        Span(0, 20 * S, [(0, 0), (20 * S, 20 * S)]),
        Span(0, 20 * S, [(0, 0), (20 * S, 10 * S)]),
    ]
    found = divide(
        readings(20, script_busy=2, machine_busy=2, cpu=("w", 20)),
        spans,
        [Supplied(CPU, PowerModel, idle_w=0.0)],
    )
    assert found.trial_dynamic_j == pytest.approx([400 * 0.625, 400 * 0.375])
    assert "25% of their CPU time was of no trial's own thread" in found.notes[-1]


def test_a_domain_without_readings_is_named():
    none = readings(20, 1, 2, cpu=("w", np.nan))
    found = divide(none, [], [Supplied(CPU, PowerModel, idle_w=1.0)])
    assert found.job_j == 0
    assert "cpu has no readings: its energy is not counted" in found.notes


def test_a_hole_in_the_readings_is_a_gap():
    whole = readings(20, 1, 2, cpu=("w", 20))
    kept = (whole.times_ns < 5 * S) | (whole.times_ns > 10 * S)
    holed = Readings(
        whole.times_ns[kept],
        whole.machine_ns[kept],
        whole.stolen_ns[kept],
        whole.script_ns[kept],
        {"cpu": whole.values["cpu"][kept]},
        CORES,
        16.0,
    )
    found = divide(holed, [], [Supplied(CPU, PowerModel, idle_w=1.0)])
    assert found.gap_share == pytest.approx(5.4 / 20, abs=0.02)
    assert "gaps over 5% of the time" in found.notes
    assert found.machine_j == pytest.approx(400)


@given(
    st.lists(
        st.tuples(st.floats(0, 20), st.floats(0, 20), st.floats(0, 1)).map(
            lambda drawn: (*sorted(drawn[:2]), drawn[2])
        ),
        max_size=6,
    ),
    st.floats(0, 1),
    st.floats(0, CORES),
)
def test_the_trials_and_the_rest_are_the_whole(drawn, reserved, busy):
    """However they overlap, and whatever their threads have used."""
    spans = [
        Span(int(a * S), int(b * S), [(int(a * S), 0), (int(b * S), int((b - a) * S * used))])
        for a, b, used in drawn
    ]
    supplies = [Supplied(CPU, PowerModel, idle_w=5.0), Supplied(GPU, Nvml, idle_w=None)]
    found = divide(
        readings(20, busy, CORES, cpu=("w", 20), gpu_0=("uj", 100)), spans, supplies, reserved
    )
    edges = sorted({0, 20 * S, *(t for s in spans for t in (s.start_ns, s.end_ns))})
    covered = sum(
        b - a
        for a, b in itertools.pairwise(edges)
        if any(s.start_ns <= a and b <= s.end_ns for s in spans)
    )
    power_w = 100 + 5 * reserved + 15 * busy / CORES
    trials_j = found.trial_static_j.sum() + found.trial_dynamic_j.sum()
    assert found.job_j == pytest.approx(20 * power_w)
    assert trials_j == pytest.approx(covered / S * power_w, abs=1e-6)
    assert found.held_s.sum() == pytest.approx(covered / S, abs=1e-6)
    assert found.trial_cpu_s.sum() == pytest.approx(covered / S * busy, abs=1e-6)
    assert (found.trial_dynamic_j >= -1e-9).all() and (found.trial_static_j >= 0).all()
    assert found.machine_j >= found.job_j - 1e-6
