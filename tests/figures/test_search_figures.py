"""The figures of search experiments: waste, time and cost, anytime curves, the Pareto front."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from tests.figures.drawn import bars, dots, large, words
from tests.figures.synthetic_search import as_losses

from trialwatt.figures import treatments
from trialwatt.figures.anytime import anytime, median_curve, priced
from trialwatt.figures.pareto import front, pareto
from trialwatt.figures.search import search
from trialwatt.figures.style import OUTCOMES, Absent
from trialwatt.figures.suts import mark
from trialwatt.figures.waste import waste

PRUNERS = {"plain": ("none",), "optuna": ("median", "none"), "ray": ("none", "asha")}


@pytest.fixture
def pruned(make_search):
    return make_search("s-pru", "search.pruner", "pruner", PRUNERS, repetitions=2)


def test_waste_adds_up_by_class_and_says_what_it_is(pruned):
    runs = pruned[0]
    figure = waste(runs, "s-pru")
    for axes, what, total in zip(
        figure.axes, ("time", "energy", "cost"), ("wtt_ms", "wte_kwh", "wtc"), strict=True
    ):
        for kind in ("failed", "pruned", "duplicate"):
            widths = [right - left for left, right, _ in bars(axes, OUTCOMES[kind])]
            means = runs.groupby(["sut", "pruner"])[f"waste_{kind}_{what}_share"].mean()
            assert sum(widths) == pytest.approx(100 * means.sum())
        shares = [f"waste_{kind}_{what}_share" for kind in OUTCOMES if kind != "completed"]
        totals = 100 * runs[shares].sum(axis=1)
        assert sorted(x for x, _ in dots(axes, 2.2)) == pytest.approx(sorted(totals))
        assert (runs[total] > 0).any()
    text = words(figure)
    assert "failed (crash, out of memory" in text and "n = 2" in text
    assert "% of job energy (modelled)" in text and "number: WTE in mWh" in text
    assert "plain, none" in text and "optuna, median" in text


def test_waste_without_data_says_so_and_draws_no_zero(pruned):
    runs = pruned[0]
    assert "No data" in words(waste(runs.iloc[:0], "s-pru"))
    assert "No data" in words(waste(runs.assign(status="infeasible"), "s-pru"))
    shares = [c for c in runs if c.startswith("waste_")]
    runs[shares] = np.nan
    figure = waste(runs, "s-pru")
    assert words(figure).count("not on record") == 3 * 5
    assert not bars(figure.axes[0]) and not dots(figure.axes[0], 2.2)
    assert figure.axes[0].get_position().y0 > 0.2  # laid out: there is room for the notes


def test_without_waste_there_is_no_figure_of_it(pruned):
    figure = waste(pruned[0].assign(wtt_ms=0.0), "s-pru")
    assert figure.reason == "no trial failed, was pruned or was a duplicate."


def test_no_pruner_goes_before_the_others(pruned):
    axis = treatments.axis(pruned[0])
    assert axis.names[axis.keys[0]] == "none"


def test_search_shows_medians_and_infeasible_rows(make_search):
    runs, _, _ = make_search(goal=None)
    bad = runs["sut"].eq("ray") & runs["sampler"].eq("bayesopt")
    runs.loc[bad, "status"] = "infeasible"
    runs.loc[bad, ["jct_ms", "oc", "job_energy_kwh"]] = np.nan
    figure = search(runs, "s-sam")
    assert len(figure.axes) == 3
    medians = runs[runs["sut"] == "hyperopt"].groupby("sampler", sort=False)["jct_ms"].median()
    assert sorted(large(figure.axes[0], "hyperopt")) == pytest.approx(sorted(medians / 1e3))
    text = words(figure)
    assert text.count("infeasible") == 3 and "energy per job\n(mWh, modelled)" in text
    assert "goal" not in text


def test_the_goal_is_told_in_its_direction(make_search):
    runs, _, _ = make_search(goal=0.5)
    assert "Goal tg: score of 0.5 or more;" in " ".join(words(search(runs, "s-sam")).split())
    named = runs.assign(goal_score="macro_f1", goal_direction="maximize")
    assert "Goal tg: macro_f1 of 0.5 or more;" in " ".join(words(search(named, "s-sam")).split())
    said = " ".join(words(search(as_losses(runs)[0], "s-sam")).split())
    assert "Goal tg: loss of -0.5 or less;" in said


def test_runs_that_missed_the_goal_are_arrows_and_move_the_median(make_search):
    runs, _, _ = make_search(offered={"plain": ("grid",), "optuna": ("tpe",)}, repetitions=3)
    runs["goal_censored"] = [False, False, True, True, True, False]
    runs["energy_to_goal_kwh"] = [1e-5, 3e-5, np.nan, np.nan, np.nan, 2e-5]
    figure = search(runs, "s-sam")
    goal = figure.axes[3]
    assert large(goal, "plain") == pytest.approx([30.0])  # of 10, 30 and one that is more
    assert large(goal, "optuna") == []  # two of three are more than can be said
    arrows = [x for x, _ in dots(goal, 3.2)]
    missed = runs.loc[runs["goal_censored"], "job_energy_kwh"] * 1e6
    assert sorted(arrows) == pytest.approx(sorted(missed))
    assert "goal not reached" in words(figure)


def corners(*repetitions) -> pd.DataFrame:
    """Curves of repetitions, each its corners (spent, score)."""
    rows = [
        (folder, *corner)
        for folder, curve in enumerate(repetitions)
        for corner in zip(*curve, strict=True)
    ]
    return pd.DataFrame(rows, columns=["folder", "spent", "score"])


def test_the_median_curve_begins_where_most_have_a_score():
    three = (([1.0, 3.0], [0.5, 0.9]), ([2.0, 4.0], [0.6, 0.8]), ([5.0, 6.0], [0.95, 0.95]))
    found = median_curve(corners(*three))
    assert list(found["spent"]) == [2, 3, 4, 5, 6]
    assert list(found["median"]) == [0.5, 0.6, 0.8, 0.9, 0.9]
    one = median_curve(corners(three[0]))
    assert list(one["spent"]) == [1, 3] and list(one["median"]) == [0.5, 0.9]
    two = median_curve(corners(*three[:2]))
    assert list(two["median"]) == pytest.approx([0.55, 0.75, 0.85])
    assert median_curve(corners()).empty
    mirrored = median_curve(corners(*((at, [-score for score in of]) for at, of in three)), sign=-1)
    assert list(mirrored["spent"]) == [2, 3, 4, 5, 6]
    assert list(mirrored["median"]) == [-0.5, -0.6, -0.8, -0.9, -0.9]


def test_costs_so_far_end_at_the_cost_of_the_job():
    curve = pd.DataFrame(
        {
            "time_ms": [10.0, 20.0],
            "score": [0.5, 0.5],
            "workers_ms": [40.0, 80.0],
            "services_ms": [10.0, 20.0],
            "workers_ms_of_job": 80.0,
            "services_ms_of_job": 20.0,
        }
    )
    trials = pd.DataFrame({"duration_ms": [10.0, 30.0], "cost": [1.0, 3.0]})
    run = pd.Series({"oc": 100.0, "folder": "a"})
    found = priced(curve, run, trials)
    assert list(found["oc"]) == pytest.approx([50.0, 100.0]) and set(found["folder"]) == {"a"}
    unknown = priced(curve, run, trials.assign(cost=np.nan))
    assert unknown["oc"].isna().all()


def test_anytime_has_a_row_per_sut_and_a_panel_per_axis(make_search):
    runs, _, curves = make_search()
    figure = anytime(runs, curves, "s-sam")
    assert len(figure.axes) == 4 * 3
    for axes in figure.axes:
        right = axes.get_xlim()[1]
        ends = [np.nanmax(line.get_xdata()) for line in axes.lines if len(line.get_xdata())]
        assert ends and max(ends) <= right
    text = words(figure)
    assert "goal tg" in text and "n = 3" in text and "job energy (mWh, modelled)" in text


def test_anytime_of_one_treatment_is_one_row_in_the_colours_of_suts(make_search):
    offered = {"plain": ("grid",), "optuna": ("grid",)}
    runs, _, curves = make_search("baseline", "x", "sampler", offered)
    figure = anytime(runs, curves, "baseline")
    assert len(figure.axes) == 3
    colours = {to_hex(line.get_color()).upper() for line in figure.axes[0].lines}
    assert {mark("plain").colour, mark("optuna").colour} <= colours
    curves["job_energy_kwh"] = np.nan
    assert "not on record" in words(anytime(runs, curves, "baseline"))
    assert "No data" in words(anytime(runs, pd.DataFrame(), "baseline"))


@pytest.mark.parametrize("target", [0.01, 0.999])
def test_the_goal_stands_within_the_axis_of_anytime(make_search, target):
    runs, _, curves = make_search("baseline", "x", "sampler", {"plain": ("grid",)})
    runs["goal_target"] = target
    low, high = anytime(runs, curves, "baseline").axes[0].get_ylim()
    assert low < target < high
    bottom, top = anytime(*as_losses(runs, curves), "baseline").axes[0].get_ylim()
    assert (bottom, top) == pytest.approx((-high, -low))


def test_a_loss_falls_and_its_axis_begins_above(make_search):
    runs, _, curves = make_search()
    up, down = anytime(runs, curves, "s-sam"), anytime(*as_losses(runs, curves), "s-sam")
    for above, below in zip(up.axes, down.axes, strict=True):
        for one, other in zip(above.lines, below.lines, strict=True):
            np.testing.assert_array_equal(one.get_xdata(), other.get_xdata())
            np.testing.assert_array_equal(one.get_ydata(), -np.asarray(other.get_ydata()))
    assert "best score so far" in words(up) and "Score (higher is better): validation" in words(up)
    said = " ".join(words(down).split())
    assert "best loss so far" in said and "Score (loss, lower is better): validation split" in said
    assert said.count("The axis begins at the median first score") == 1


def test_a_curve_of_one_score_has_an_axis(make_search):
    runs, _, curves = make_search("baseline", "x", "sampler", {"plain": ("grid",)}, goal=None)
    for score in (0.0, 1e9, -1e-9):
        low, high = anytime(runs, curves.assign(score=score), "baseline").axes[0].get_ylim()
        assert low < high and low <= score <= high
        flat = curves.assign(score=-score)
        low, high = anytime(*as_losses(runs, flat), "baseline").axes[0].get_ylim()
        assert low < high and low <= score <= high


def test_the_front_holds_what_no_other_beats():
    energy = pd.Series([1.0, 2.0, 2.0, 3.0, np.nan, 4.0], index=list("abcdef"))
    score = pd.Series([0.5, 0.4, 0.7, 0.7, 0.99, 0.9], index=list("abcdef"))
    assert list(front(energy, score)) == ["a", "c", "f"]
    assert list(front(energy[:0], score[:0])) == []
    assert list(front(energy, -score, sign=-1)) == ["a", "c", "f"]
    assert list(front(energy, score, sign=-1)) == ["a", "b"]


OFFERED = {"plain": ("grid", "random"), "optuna": ("tpe",)}


def test_pareto_names_who_is_on_the_front(make_search):
    runs, _, _ = make_search(offered=OFFERED, repetitions=6)
    level = {"grid": 0.7, "random": 0.9, "tpe": 0.8}
    runs["best_score"] = runs["sampler"].map(level) + 0.1 * runs["repetition"] / 6
    runs["job_energy_kwh"] = runs["sampler"].map({"grid": 1e-3, "random": 2e-3, "tpe": 3e-3})
    figure = pareto(runs, "s-sam")
    (axes,) = figure.axes
    assert "by energy: plain, grid; plain, random. Points" in " ".join(words(figure).split())
    assert "n = 6" in words(figure) and "of seeds" not in words(figure)
    assert [len(line.get_xdata()) for line in axes.lines] == [2]
    least = pareto(as_losses(runs)[0], "s-sam")
    said = " ".join(words(least).split())
    assert "by energy: plain, grid; plain, random. Points" in said and "lower is better" in said
    assert least.axes[0].get_ylabel() == "best validation loss"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"best_score": np.nan}, "no run has both"),
        ({"best_score": 0.9}, "no more than chance would have it: a front would be one of seeds"),
        ({"status": "deadline"}, "no run has both"),
    ],
)
def test_pareto_is_left_out_where_a_front_would_say_nothing(make_search, change, why):
    runs, _, _ = make_search(offered=OFFERED, repetitions=6)
    figure = pareto(runs.assign(**change), "s-sam")
    assert isinstance(figure, Absent) and why in figure.reason


def test_a_front_of_few_blocks_or_of_seeds_is_none(make_search):
    runs, _, _ = make_search(offered=OFFERED, repetitions=4)
    assert pareto(runs, "s-sam").reason == "a front of treatments takes 5 blocks, and there are 4."
    noise = np.random.default_rng(3)
    drawn = 0
    for _ in range(20):
        runs, _, _ = make_search(offered=OFFERED, repetitions=6)
        runs["best_score"] = noise.normal(0.9, 0.01, len(runs))
        drawn += not isinstance(pareto(runs, "s-sam"), Absent)
    assert drawn <= 3


def test_sizes_of_spaces_are_told_apart_by_sampler(make_search):
    runs, _, _ = make_search("s-phi", "space", "pS", {"plain": (6, 24, 96)}, repetitions=1)
    more = runs.assign(sampler="random", treatment=runs["treatment"] + ", search.sampler=random")
    both = pd.concat([runs, more], ignore_index=True)
    axis = treatments.axis(both)
    assert [axis.names[key] for key in axis.keys] == [
        "6 points, grid",
        "24 points, grid",
        "96 points, grid",
        "6 points, random",
        "24 points, random",
        "96 points, random",
    ]
