import json

import pandas as pd
import pytest

from trialwatt.analysis.winners import parsed, said, spaces, winner, winning_values, worded

LR, MORE = '{"lr":0.01}', '{"lr":0.1}'


def runs(*phis):
    return pd.DataFrame({"best_phi": pd.Series(phis, dtype=object)})


def test_the_phi_that_won_in_most_runs_that_tell_theirs():
    assert winner(runs(MORE, LR, None, LR)) == (LR, 2, 3)
    assert winner(runs(MORE, LR)) == (LR, 1, 2)  # of equals the first by its text


def test_of_runs_that_do_not_tell_it_none_is_known():
    for table in (runs(None, None), runs(), pd.DataFrame({"sut": ["plain"]})):
        assert winner(table) is None and winning_values(table).empty
    assert worded(winner(runs(None))) == "unknown"


def test_a_row_for_each_hyperparameter_of_a_run():
    found = winning_values(runs('{"layers":2,"lr":0.01}', None, '{"opt":"adam"}'))
    assert found.values.tolist() == [[0, "layers", 2], [0, "lr", 0.01], [2, "opt", "adam"]]


@pytest.mark.parametrize("text", [None, float("nan"), "", "{", "[1]", "3", '{"lr":[1]}'])
def test_what_is_no_phi_has_no_hyperparameters(text):
    assert parsed(text) == {}


def test_phi_for_people():
    phi = json.dumps({"decay": 1e-6, "layers": 2, "nesterov": True, "opt": "adam"})
    assert said(phi) == "decay 1e-06, layers 2, nesterov true, opt adam"
    assert worded(winner(runs(LR, LR, MORE))) == "lr 0.01 (2 of 3)"


def test_each_different_space_once_and_none_that_is_none():
    one = {"lr": {"low": 1e-4, "high": 0.1, "log": True}}
    found = spaces([json.dumps(one), json.dumps(one), "{", None, '{"lr":{"low":2,"high":1}}'])
    assert [space["lr"].high for space in found] == [0.1] and found[0]["lr"].log
