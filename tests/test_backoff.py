"""Asking again: how often, after which pauses, and what is raised at last."""

import pytest

from trialwatt import backoff
from trialwatt.backoff import repeated


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that are made, which take no time here."""
    made = []
    monkeypatch.setattr(backoff.time, "sleep", made.append)
    monkeypatch.setattr(backoff.random, "uniform", lambda low, high: high)
    return made


def asked(*answers):
    """Gives these one after another; an exception is raised."""
    left = list(answers)

    def ask():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_pauses_double_up_to_the_longest(pauses):
    ask = asked(*[OSError()] * 5, "at last")
    assert repeated(ask, OSError, lambda fault, pause_s: False, 1, 5) == "at last"
    assert pauses == [1, 2, 4, 5, 5]


def test_the_fault_that_is_final_is_raised_and_not_waited_for(pauses):
    first, last = OSError("first"), OSError("last")
    judged = []

    def is_over(fault, pause_s):
        judged.append((fault, pause_s))
        return fault is last

    with pytest.raises(OSError, match="last"):
        repeated(asked(first, last, "never"), OSError, is_over, 1, 5)
    assert judged == [(first, 1), (last, 2)] and pauses == [1]


def test_another_fault_is_no_reason_to_ask_again(pauses):
    with pytest.raises(KeyError):
        repeated(asked(KeyError(), "never"), OSError, lambda fault, pause_s: False, 1, 5)
    assert not pauses


def test_pauses_are_shortened_by_chance_so_that_many_do_not_come_back_as_one(monkeypatch):
    made = []
    monkeypatch.setattr(backoff.time, "sleep", made.append)
    ask = asked(*[OSError()] * 50, "at last")
    repeated(ask, OSError, lambda fault, pause_s: False, 1, 1, jitter=0.5)
    assert len(set(made)) > 40 and all(0.5 <= pause <= 1 for pause in made)
