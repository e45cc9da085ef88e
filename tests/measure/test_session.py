"""A block of a script: what its trials drew, and what is done wrongly in it."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import warnings

import pytest

import trialwatt
from trialwatt.measure import MeasureError, MeasureWarning

MODEL = {"meters": ["model"], "line": False}


def busy(seconds: float) -> None:
    """Use so much CPU time of this thread."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def here() -> int:
    return sys._getframe(1).f_lineno


def test_all_parts_add_up_and_follow_cpu_time():
    with trialwatt.measure(**MODEL) as m:
        for number, seconds in enumerate((0.1, 0.3)):
            with m.trial({"lr": number}) as trial:
                busy(seconds)
                trial.score = seconds
        time.sleep(0.2)
    found = m.result
    first, second = found.trials
    assert found.energy_j == pytest.approx(found.trials_j + found.idle_j)
    assert found.idle_j > 0
    dynamic = [trial.energy_j - trial.static_j for trial in found.trials]
    assert dynamic[1] / dynamic[0] == pytest.approx(3, rel=0.2)
    assert first.cpu_s == pytest.approx(0.1, abs=0.03)
    assert second.cpu_s == pytest.approx(0.3, abs=0.03)
    assert (first.score, second.phi, second.waste) == (0.1, {"lr": 1}, "")
    assert found.method == "modelled"
    assert sum(t.carbon_g for t in found.trials) < found.carbon_g


def test_static_energy_and_cost_follow_the_cores_that_are_charged():
    results = []
    for cores in (1, 2):
        with trialwatt.measure(cores=cores, **MODEL) as m:
            time.sleep(0.3)
        results.append(m.result)
    power_w = [r.energy_j / r.seconds for r in results]
    per_s = [r.cost / r.seconds for r in results]
    if os.cpu_count() > 1:
        assert power_w[1] / power_w[0] == pytest.approx(2, rel=0.2)
        assert per_s[1] / per_s[0] == pytest.approx(2)
    assert results[0].other_j > 0 or os.cpu_count() == 1


def test_a_child_process_counts_for_the_trial_that_waits_for_it():
    code = "import time\nwhile time.process_time() < 0.3: pass"
    with trialwatt.measure(**MODEL) as m:
        with m.trial("child"):
            subprocess.run([sys.executable, "-c", code], check=True)
        with m.trial("none"):
            time.sleep(0.05)
    child, none = m.result.trials
    assert child.cpu_s == pytest.approx(0.3, abs=0.15)
    assert none.cpu_s < 0.05


def test_waste_is_failed_pruned_and_duplicate():
    with trialwatt.measure(**MODEL) as m:
        for _ in range(2):
            with m.trial({"lr": 1}):
                busy(0.02)
        with m.trial({"lr": 2}) as trial:
            busy(0.02)
            trial.outcome = "pruned"
        with pytest.raises(ZeroDivisionError), m.trial({"lr": 3}):
            busy(0.02)
            _ = 1 / 0
    assert [t.waste for t in m.result.trials] == ["", "duplicate", "pruned", "failed"]
    assert m.result.wasted_j == pytest.approx(sum(t.energy_j for t in m.result.trials[1:]))


def test_an_interrupt_leaves_what_was_measured(capsys):
    with (
        pytest.raises(KeyboardInterrupt),
        trialwatt.measure(meters=["model"]) as m,
        m.trial({"lr": 1}),
    ):
        busy(0.05)
        raise KeyboardInterrupt
    assert [t.outcome for t in m.result.trials] == ["failed"]
    assert m.result.energy_j > 0
    line = capsys.readouterr().err
    assert line.startswith("trialwatt: ") and line.count("\n") == 1
    assert "modelled, not measured" in line


def test_the_result_so_far_has_the_trial_that_runs():
    with trialwatt.measure(**MODEL) as m:
        with m.trial({"lr": 1}):
            busy(0.05)
            so_far = m.result
        time.sleep(0.05)
    assert [t.outcome for t in so_far.trials] == ["running"]
    assert so_far.wasted_j == 0
    assert 0 < so_far.energy_j < m.result.energy_j


def test_trials_in_threads_share_by_the_cpu_time_of_each():
    both = threading.Barrier(2)

    def run(m, name, seconds):
        with m.trial(name):
            both.wait()
            busy(seconds)
            both.wait()

    with trialwatt.measure(**MODEL) as m:
        threads = [
            threading.Thread(target=run, args=(m, name, seconds))
            for name, seconds in (("a", 0.1), ("b", 0.3))
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    found = {trial.phi: trial for trial in m.result.trials}
    assert found["a"].cpu_s == pytest.approx(0.1, abs=0.05)
    assert found["b"].cpu_s == pytest.approx(0.3, abs=0.05)
    assert found["a"].static_j == pytest.approx(found["b"].static_j, rel=0.1)
    assert any("overlapped" in note for note in m.result.notes)
    assert m.result.energy_j == pytest.approx(m.result.trials_j + m.result.idle_j)


def test_trials_that_overlap_in_one_thread_are_named_and_divided_evenly():
    with trialwatt.measure(**MODEL) as m, m.trial("outer"):
        outer = here() - 1
        busy(0.05)
        with pytest.warns(MeasureWarning, match=f"test_session.py:{outer}: what both"):
            line = here() + 1
            inner = m.trial("inner")
            with inner:
                busy(0.1)
    a, b = m.result.trials
    assert any(note.startswith(f"{__file__}:{line}: ") for note in m.result.notes)
    assert a.cpu_s == pytest.approx(0.1, abs=0.04)
    assert b.cpu_s == pytest.approx(0.05, abs=0.04)


def test_a_block_within_a_block_is_measured_and_named():
    with trialwatt.measure(**MODEL) as m:
        with pytest.warns(MeasureWarning, match="test_session.py:.* holds its energy too"):
            inner = trialwatt.measure(**MODEL)
            with inner:
                busy(0.05)
        busy(0.05)
    assert 0 < inner.result.energy_j < m.result.energy_j
    assert inner.result.notes and "do not add them up" in inner.result.notes[0]


def test_a_trial_outside_of_the_block_runs_and_is_named():
    with trialwatt.measure(**MODEL) as m:
        pass
    ran = []
    with pytest.warns(MeasureWarning, match="outside of its block"), m.trial({"lr": 1}):
        ran.append(True)
    assert ran and m.result.trials == ()


def test_a_trial_that_has_not_ended_is_named():
    with pytest.warns(MeasureWarning, match="had not ended"), trialwatt.measure(**MODEL) as m:
        m.trial({"lr": 1}).__enter__()
        busy(0.02)
    assert m.result.trials[0].outcome == "running"


def test_one_measure_is_one_block():
    with trialwatt.measure(**MODEL) as m:
        pass
    with pytest.raises(MeasureError, match=r"test_session.py:\d+: this measure was begun"), m:
        pass


def test_there_is_no_result_before_the_block():
    with pytest.raises(MeasureError, match="has not begun"):
        _ = trialwatt.measure(**MODEL).result


FORKED = """
import os, sys, time, trialwatt
m = trialwatt.measure(meters=["model"])
with m:
    child = os.fork()
    if child == 0:
        with m.trial("in the child"):
            pass
    else:
        os.waitpid(child, 0)
print("after the block", "child" if child == 0 else m.result.energy_j > 0)
"""


def test_a_forked_child_that_goes_on_after_the_block_is_named(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(FORKED)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["after the block True", "after the block child"]
    assert f"{script}:7: MeasureWarning: a trial in a forked child" in done.stderr
    assert "MeasureWarning: a forked child has left the block" in done.stderr
    assert done.stderr.count("trialwatt: ") == 1


def test_a_child_that_outlives_the_block_is_named():
    with (
        pytest.warns(MeasureWarning, match="goes on after the block"),
        trialwatt.measure(**MODEL),
    ):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    child.kill()
    child.wait()


def test_a_decorated_function_is_measured_at_each_call():
    @trialwatt.measure(**MODEL)
    def search(seconds):
        busy(seconds)
        return seconds

    assert search(0.05) == 0.05
    first = search.result
    assert search(0.2) == 0.2
    assert search.result.cpu_s > first.cpu_s
    assert search.__name__ == "search"


def test_a_result_is_json_and_a_table():
    with trialwatt.measure(region="DE", pue=2, **MODEL) as m:
        with m.trial({"lr": 0.1, "net": object}):
            busy(0.02)
        with m.trial(7):
            busy(0.02)
    found = json.loads(m.result.to_json())
    assert found["region"] == "DEU"
    assert found["carbon_g"] == pytest.approx(
        found["energy_kwh"] * found["intensity_g_per_kwh"] * 2
    )
    assert found["sources"]["carbon"]["source"] and found["sources"]["prices"]["date"]
    table = m.result.to_pandas()
    assert len(table) == 2 and table["phi.lr"][0] == 0.1 and table["phi"][1] == 7
    assert table["energy_j"].sum() == pytest.approx(m.result.trials_j)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"region": "FRB"}, 'region: there is no entry "FRB".*did you mean "FRA"'),
        ({"prices": "gcp"}, "prices: there is no entry"),
        ({"power_model": "mine"}, "power_model: there is no entry"),
        ({"pue": 0.5}, "pue: must be at least 1"),
        ({"hz": 0}, "measure: hz: "),
        ({"cores": 0}, "cores: must be above 0"),
        ({"accelerator": "h200"}, "accelerator: there is no entry"),
        ({"tables": "nowhere"}, "nowhere/prices.yaml: there is no such file"),
    ],
)
def test_a_wrong_option_is_named_before_anything_starts(options, said):
    with pytest.raises(MeasureError, match=said):
        trialwatt.measure(**options)


def test_a_child_that_was_there_before_the_block_is_none_that_goes_on():
    """As the helper that multiprocessing keeps for the whole life of a script."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with trialwatt.measure(**MODEL) as m, m.trial({"lr": 1}):
                busy(0.01)
    finally:
        child.kill()
        child.wait()
    assert not [note for note in m.result.notes if "goes on after" in note]


def test_without_warnings_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with trialwatt.measure(**MODEL) as m, m.trial({"lr": 1}):
            busy(0.01)
    of_the_machine = ("samples", "others used", "gaps over")
    assert not [n for n in m.result.notes if not any(word in n for word in of_the_machine)]


def test_a_budget_is_told_when_it_is_spent():
    with trialwatt.measure(**MODEL, budget={"trials": 2}) as m:
        assert m.spent == ""
        said = []
        for _ in range(3):
            with m.trial():
                pass
            time.sleep(0.25)  # it looks again no sooner
            said.append(m.spent)
    assert said == ["", "2 of 2 trials", "2 of 2 trials"]


@pytest.mark.parametrize(
    ("budget", "wanted"),
    [
        ({"kwhs": 1}, 'unknown key; did you mean "kwh"?'),
        ({"kwh": 0}, "kwh: must be greater than 0"),
        ({"gain": {"per_kwh": 1.0, "trials": 1}}, "gain: not of a block; there are: trials"),
    ],
)
def test_a_budget_that_is_none(budget, wanted):
    with pytest.raises(MeasureError, match=re.escape(wanted)):
        trialwatt.measure(budget=budget)
