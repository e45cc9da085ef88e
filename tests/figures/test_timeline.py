import numpy as np
import pandas as pd
from tests.figures.drawn import bars, words

from trialwatt.figures.style import OUTCOMES, render
from trialwatt.figures.timeline import timeline

FACTS = {"generator": "trialwatt", "kind": "figure/timeline", "experiment": {"id": "r-node"}}


def test_every_step_of_every_trial_is_drawn_in_its_workers_lane(make_events):
    events = make_events()
    axes = timeline({"one": events}).axes[0]
    lanes = [tick.get_text() for tick in axes.get_yticklabels()]
    expected = {
        (round(row.start_s, 9), round(row.end_s, 9), lanes.index(row.worker))
        for row in events.itertuples()
    }
    found = {(round(left, 9), round(right, 9), round(y)) for left, right, y in bars(axes)}
    assert found == expected


def test_legend_names_outcomes_that_occur_steps_and_idle(make_events):
    text = words(timeline({"one": make_events()}, note="Testbed: local."))
    for word in (*OUTCOMES, "idle", "pale: load", "Testbed: local.", "trials step (s)"):
        assert word in text
    fine = make_events().assign(outcome="completed")
    assert "failed" not in words(timeline({"one": fine}))


def test_imports_are_told_from_loading_where_they_are_on_record(make_events):
    events = make_events()
    assert "import" not in words(timeline({"one": events}))
    first = events.assign(step=events["step"].replace({"load": "import"}))
    assert "palest: import" in words(timeline({"one": first}))


def test_workers_are_in_natural_order(make_events):
    labels = timeline({"one": make_events(workers=12)}).axes[0].get_yticklabels()
    names = [label.get_text() for label in labels]
    assert names == [f"worker-{index}" for index in range(12)]


def test_runs_share_the_time_axis(make_events):
    short = make_events(per_worker=2)
    figure = timeline({"long": make_events(), "short": short})
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert "long" in words(figure) and "short" in words(figure)


def test_an_outcome_that_nobody_knows_is_still_shown(make_events):
    odd = make_events().assign(outcome="odd")
    assert "odd" in words(timeline({"one": odd}))
    unknown = make_events().assign(outcome=None)
    assert len(bars(timeline({"one": unknown}).axes[0])) == len(unknown)


def test_many_trials_stay_small(make_events):
    one = make_events(workers=8, per_worker=40)
    many = pd.concat(
        [
            one.assign(
                start_s=one["start_s"] + 100 * i,
                end_s=one["end_s"] + 100 * i,
                trial=one["trial"] + f"+{i}",
            )
            for i in range(12)
        ],
        ignore_index=True,
    )
    figure = timeline({"many": many})
    assert len(render(figure, ".svg", FACTS)) < 2_000_000
    assert np.isfinite(figure.axes[0].get_xlim()).all()


def test_no_data(make_events):
    assert "No data" in words(timeline({}))
    assert "No data" in words(timeline({"one": make_events().iloc[:0]}))
