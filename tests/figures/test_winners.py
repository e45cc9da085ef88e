import json

import pandas as pd
import pytest
from tests.figures.drawn import words

from trialwatt.analysis.winners import spaces
from trialwatt.figures.suts import mark
from trialwatt.figures.winners import scale, winners

SPACE = {
    "lr": {"choices": [1e-4, 1e-3, 1e-2]},
    "momentum": {"low": 0.0, "high": 0.9},
    "opt": {"choices": ["adam", "sgd"]},
    "layers": {"choices": [1]},
}


@pytest.fixture
def runs(make_synthetic):
    """Two SUTs of which one prefers lr 1e-3, the other 1e-2; three repetitions each."""
    table, _ = make_synthetic(values=(2, 4))
    table["space"] = json.dumps(SPACE)
    table["best_phi"] = [
        json.dumps(
            {
                "lr": 1e-3 if run.sut == "plain" else 1e-2,
                "momentum": 0.3 * run.repetition,
                "opt": "sgd",
                "layers": 1,
            }
        )
        for run in table.itertuples()
    ]
    return table


def dots(axes) -> pd.DataFrame:
    """x, y and colour of each dot."""
    drawn = [c for c in axes.collections if type(c).__name__ == "PathCollection"]
    rows = [
        (float(x), float(y), tuple(colour[:3]))
        for collection in drawn
        for (x, y), colour in zip(
            collection.get_offsets(), collection.get_facecolors(), strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["x", "y", "colour"])


def test_a_dot_per_run_at_its_value_in_the_colour_of_its_sut(runs):
    figure = winners(runs, "r-node")
    lr, momentum, opt = figure.axes
    assert [axes.get_title("left") for axes in figure.axes] == ["lr", "momentum", "opt"]
    found = dots(lr)
    assert len(found) == len(runs) == 12 and len(set(found["y"])) == 12
    by_colour = found.groupby("colour")["x"].unique()
    assert sorted(values.tolist() for values in by_colour) == [[1e-3], [1e-2]]
    assert sorted(dots(momentum)["x"].round(6).unique()) == [0.3, 0.6, 0.9]
    assert set(dots(opt)["x"]) == {1.0}
    assert [tick.get_text() for tick in opt.get_xticklabels()] == ["adam", "sgd"]
    assert lr.get_xscale() == "log" and momentum.get_xscale() == "linear"
    assert "Nothing to choose: layers 1." in words(figure).replace("\n", " ")
    assert "n = 3" in words(figure) and "Unknown" not in words(figure)
    assert mark("plain").colour != mark("optuna").colour


def test_runs_that_do_not_tell_it_are_counted_and_a_row_without_any_says_so(runs):
    gone = (runs["sut"] == "plain") & (runs["wn"] == 2)
    runs.loc[gone, "best_phi"] = None
    runs.loc[runs.index[-1], "status"] = "deadline"
    figure = winners(runs, "r-node")
    said = words(figure).replace("\n", " ")
    assert "Unknown in 3 of 12 runs." in said and "not on record" in said
    assert "Ended by their deadline: 1" in said
    assert len(dots(figure.axes[0])) == 9


def test_tables_that_are_older_than_the_column_say_that_nothing_is_known(runs):
    said = words(winners(runs.drop(columns=["best_phi", "space"]), "r-node"))
    assert "No data" in said and "not on record" in said
    without_space = winners(runs.drop(columns="space"), "r-node")
    assert [axes.get_title("left") for axes in without_space.axes] == ["lr", "momentum"]


def test_nothing_to_choose_and_no_runs(runs):
    runs["best_phi"], runs["space"] = '{"layers":1}', '{"layers":{"choices":[1]}}'
    assert "layers 1" in words(winners(runs, "r-node"))
    assert "No data" in words(winners(runs.iloc[:0], "r-node"))


def test_all_spaces_of_an_experiment_share_one_axis():
    offered = spaces(
        json.dumps({"lr": axis})
        for axis in ({"choices": [1, 2]}, {"choices": [2, 3]}, {"choices": [1, 2]})
    )
    one = scale("lr", offered, pd.Series([2, 3]))
    assert (one.choices, one.low, one.high, one.log) == ([1, 2, 3], 1, 3, False)


@pytest.mark.parametrize(
    ("axis", "log"),
    [
        ({"low": 1e-3, "high": 1e-2, "log": True}, True),
        ({"low": 1e-5, "high": 1.0}, False),
        ({"choices": [1, 16]}, True),
        ({"choices": [1, 15]}, False),
        ({"choices": [0, 100]}, False),
    ],
)
def test_an_axis_is_logarithmic_where_the_space_is(axis, log):
    won = pd.Series([axis["high"] if "high" in axis else axis["choices"][0]])
    assert scale("a", spaces([json.dumps({"a": axis})]), won).log is log


def test_true_and_false_are_words():
    one = scale("a", spaces(['{"a":{"choices":[true,false]}}']), pd.Series([True]))
    assert one.words == ["true", "false"] and one.at(False) == 1.0


def test_words_of_the_users_are_no_formula(runs):
    runs["space"] = json.dumps({"$lr": {"choices": ["$\\frac$", "a"]}})
    runs["best_phi"] = json.dumps({"$lr": "$\\frac$"})
    assert "\\frac" in words(winners(runs, "r-node"))


def test_many_hyperparameters_are_on_several_lines(runs):
    names = [f"a_hyperparameter_with_a_long_name_{i}" for i in range(6)]
    runs["space"] = json.dumps({name: {"choices": [1, 2]} for name in names})
    runs["best_phi"] = [json.dumps(dict.fromkeys(names, 1 + i % 2)) for i in range(len(runs))]
    figure = winners(runs, "r-node")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title("left").replace("\n", "") for axes in shown] == names
    assert len({round(axes.get_position().y0, 3) for axes in shown}) == 2


def test_values_that_won_everywhere_are_a_sentence(runs):
    won = {"lr": 1e-3, "momentum": 0.3, "opt": "sgd", "layers": 1}
    figure = winners(runs.assign(best_phi=json.dumps(won)), "r-node")
    said = "the same values won in every run: lr 0.001, momentum 0.3, opt sgd."
    assert figure.reason == said


def test_the_best_is_told_in_the_direction_of_the_goal(runs):
    assert "Best: the highest validation score;" in " ".join(words(winners(runs, "r-node")).split())
    loss = runs.assign(goal_score="loss", goal_direction="minimize")
    assert "Best: the lowest validation loss;" in " ".join(words(winners(loss, "r-node")).split())
