"""Which queries are no counters, and lag behind the power that they tell."""

from __future__ import annotations

import pytest

from trialwatt.meters.prometheus_options import Prometheus
from trialwatt.meters.promql import queries_of, smoothing_note


def note(query: str, unit: str = "watts", period_s: float = 15.0) -> str:
    own = {"own": {"query": query, "unit": unit}}
    (found,) = queries_of(Prometheus(url="http://localhost:9090", queries=own))
    return smoothing_note(found, period_s)


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("rate(node_rapl_package_joules_total[5m])", "300"),
        ('sum(rate(x_joules_total{zone="package", node=~"a|b"}[1m]))', "60"),
        ("avg_over_time(power_watts[1m30s])", "90"),
        ("avg_over_time((power_watts * 2)[2m:5s])", "120"),
        ("irate(a[5m]) + rate(b [31s])", "31"),
        ("increase(x[1h]) / 3600", "3600"),
    ],
)
def test_a_mean_over_more_than_two_periods_is_noted(query, seconds):
    said = note(query)
    assert f"own is no counter but a mean over {seconds} s, more than 2 periods of 15 s" in said
    assert "raw counter of joules" in said


@pytest.mark.parametrize(
    "query",
    [
        "power_watts",
        "rate(x_joules_total[30s])",
        "irate(x_joules_total[5m])",
        "power_watts{path=\"[5m]\", other='rate(x[1h])'}",
        'power_watts{instance="10.0.0.1:9100"}',
        "power_watts offset 5m",
        "rate(x[$__rate_interval])",
    ],
)
def test_what_follows_the_power_is_not(query):
    assert note(query) == ""


def test_a_recording_rule_is_told_by_its_name():
    assert "recording rule" in note("instance:node_power_watts:rate5m")


def test_a_counter_may_be_what_it_likes():
    assert note("max_over_time(x_joules_total[5m])", "joules") == ""


def test_periods_are_those_of_the_readings():
    assert note("rate(x[1m])", period_s=30) == ""
    assert note("rate(x[1m])", period_s=29)
