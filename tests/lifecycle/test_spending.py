"""When a budget is reached: by the clock, by what the records say, by what little was gained."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.models import Budget, Goal, Rates
from trialwatt.lifecycle import spending
from trialwatt.lifecycle.spending import Reached, Spending

RATES = Rates(
    currency="EUR", per_cpu_h=0.03, per_gb_h=0.004, per_accelerator_h={}, g_per_kwh=400, pue=1.2
)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch):
        self.s = 0.0
        monkeypatch.setattr(spending.time, "monotonic", lambda: self.s)


def watched(monkeypatch, tmp_path, budget, said, goal=None):
    """A watch over a job whose records say one after the other (kWh, g, cost, scores)."""
    rows = iter(said)

    def metrics(self):
        kwh, carbon, cost, scores = next(rows)
        row = {"job_energy_kwh": kwh, "carbon_g": carbon, "oc": cost, "energy_method": "modelled"}
        return row, np.array(scores, float)

    monkeypatch.setattr(Spending, "_metrics", metrics)
    return Spending(Budget.model_validate(budget), goal or Goal(), tmp_path, dict)


def test_seconds_are_counted_from_its_making(monkeypatch, tmp_path):
    clock = Clock(monkeypatch)
    watch = watched(monkeypatch, tmp_path, {"seconds": 10}, [])
    clock.s = 9.9
    assert watch.reached() is None
    assert 0 < watch.wait_s <= 0.2  # and not a moment longer than is left
    clock.s = 10.2
    assert watch.reached() == Reached("seconds", pytest.approx(10.2), 10, "")


@pytest.mark.parametrize(("key", "limit"), [("kwh", 0.5), ("gco2eq", 200.0), ("cost", 1.0)])
def test_what_the_records_say_is_compared(monkeypatch, tmp_path, key, limit):
    clock = Clock(monkeypatch)
    said = [(0.4, 160.0, 0.8, []), (0.5, 200.0, 1.0, [])]
    watch = watched(monkeypatch, tmp_path, {key: limit}, said)
    assert watch.reached() is None
    clock.s = 60
    found = watch.reached()
    assert (found.limit, found.amount) == (key, limit)
    assert found.methods == ("" if key == "cost" else "modelled")


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_small_gain_for_much_energy_ends_it(monkeypatch, tmp_path, direction):
    clock, sign = Clock(monkeypatch), 1 if direction == "maximize" else -1
    goal = Goal(score="it", direction=direction)
    budget = {"gain": {"per_kwh": 1.8, "trials": 2}}
    scores = [sign * value for value in (0.5, 0.6, 0.9, 0.91)]
    said = [(0.1 * (n + 1), 0, 0, scores[:n]) for n in range(5)]
    watch = watched(monkeypatch, tmp_path, budget, said, goal)
    found = []
    for _ in said:
        found.append(watch.reached())
        clock.s += 60
    assert found[:4] == [None, None, None, None]  # 0.5 → 0.9 over 0.2 kWh is 2 per kWh
    assert (found[4].limit, found[4].of) == ("gain", 1.8)  # 0.6 → 0.91 over 0.2 kWh: 1.55


@given(st.floats(0.001, 5))
def test_asking_takes_little_of_the_time(took_s):
    clock, cpu = [0.0], [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spending.time, "monotonic", lambda: clock[0])
        patch.setattr(spending.time, "thread_time", lambda: cpu[0])

        def slow(self):
            clock[0] += took_s
            cpu[0] += took_s
            row = {"job_energy_kwh": 0, "carbon_g": 0, "oc": 0, "energy_method": ""}
            return row, np.empty(0)

        patch.setattr(Spending, "_metrics", slow)
        watch = Spending(Budget(kwh=1), Goal(), None, dict)
        for _ in range(5):
            clock[0] += watch.wait_s
            watch.reached()
    assert cpu[0] / clock[0] <= 0.02 * 5 / 4 + 1e-9


def test_what_is_said_of_it():
    budget = Budget(cost=0.5, rates=RATES)
    assert Reached("cost", 0.51, 0.5, "").said(budget) == "budget: 0.51 of 0.5 EUR are spent"
    assert "kWh" in Reached("kwh", 0.51, 0.5, "counter").said(budget)
