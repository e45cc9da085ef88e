"""A framework that is asked and told: each trial is told once; what is wrong names its place."""

import multiprocessing
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from tests.suts.scripted import job_of

from trialwatt.errors import TrialwattError
from trialwatt.suts.asked import METHODS, Asked
from trialwatt.suts.asktell import LATER, AskTell, Given, Segment
from trialwatt.suts.asktell_link import reach
from trialwatt.suts.strategies import Strategy

SPACE = {"lr": {"low": 0.1, "high": 0.7}, "ls": {"choices": [16, 32, 64]}}
HERE = Path(__file__)


class Listed:
    """Proposes a list of φ, one after the other; keeps what it is told."""

    def __init__(self, phis):
        self.phis, self.told = list(phis), []

    def ask(self, number):
        return self.phis[number] if number < len(self.phis) else None

    def tell(self, number, score):
        self.told.append((number, score))


class Scripted(AskTell):
    name = "scripted"
    samplers = {"random": Strategy(lambda: None)}
    search: object = None

    def open(self, job):
        if isinstance(self.search, Exception):
            raise self.search
        return self.search


def phis(count):
    return [{"lr": 0.1 + 0.01 * number, "ls": 32} for number in range(count)]


def whole(number, phi):
    """What a worker is given of a trial in one piece."""
    return Given(number, number, phi, None, None)


def asked_of(tmp_path, search, sut_class=None, **keys):
    sut = (sut_class or Scripted)()
    sut.search = search
    own = {"sampler": "random", "budget": 4} | keys
    asked = Asked(sut, job_of(tmp_path, "scripted", SPACE, own))
    asked.open()
    return asked


def line_of(text: str) -> int:
    lines = HERE.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_trials_are_numbered_as_they_are_asked_for_until_the_budget_is_spent(tmp_path):
    search = Listed(phis(9))
    asked = asked_of(tmp_path, search)
    given = [asked.ask(worker) for worker in (0, 1, 0, 1, 0, 1)]
    assert given == [*(whole(*each) for each in enumerate(phis(4))), None, None]
    for number in (2, 0, 3, 1):
        asked.tell(number, 0.5 + number / 10)
    assert search.told == [(2, 0.7), (0, 0.5), (3, 0.8), (1, 0.6)]
    assert asked.best() == (phis(4)[3], 0.8, 3)


def test_a_framework_that_has_no_more_is_not_asked_again(tmp_path):
    search = Listed(phis(2))
    asked = asked_of(tmp_path, search)
    assert [asked.ask(0) is None for _ in range(4)] == [False, False, True, True]
    search.phis = phis(4)
    assert asked.ask(1) is None


def test_without_a_completed_trial_there_is_no_best(tmp_path):
    asked = asked_of(tmp_path, Listed(phis(1)))
    asked.ask(0)
    asked.tell(0, None)
    assert asked.best() is None


def test_of_equal_scores_the_first_is_the_best(tmp_path):
    asked = asked_of(tmp_path, Listed(phis(3)))
    for _ in range(3):
        asked.ask(0)
    for number in (2, 1, 0):
        asked.tell(number, 0.5)
    assert asked.best() == (phis(1)[0], 0.5, 0)


def test_trials_of_a_worker_that_died_are_told_as_lost_once(tmp_path):
    search = Listed(phis(4))
    asked = asked_of(tmp_path, search)
    asked.begin(0)
    asked.begin(1)
    asked.ask(0)
    asked.ask(1)
    asked.begin(0)  # another process in its place
    assert search.told == [(0, None)]
    asked.tell(0, 0.9)  # too late
    asked.tell(1, 0.4)
    assert search.told == [(0, None), (1, 0.4)]
    assert asked.best() == (phis(2)[1], 0.4, 1)
    assert asked.lost() == [0]


def test_values_of_numpy_become_pythons_own(tmp_path):
    phi = {"lr": np.float64(0.3), "ls": np.int64(64)}
    number, _, found, *_ = asked_of(tmp_path, Listed([phi])).ask(0)
    assert (number, found) == (0, {"lr": 0.3, "ls": 64})
    assert [type(value) for value in found.values()] == [float, int]


class Halving(Scripted):
    pruners = Scripted.pruners | {"halving": Strategy(lambda: None, pauses=True)}


def halved(tmp_path, answers):
    """Asked by a framework that pauses, for trials of five epochs."""
    return asked_of(tmp_path, Listed(answers), Halving, pruner="halving")


def test_a_segment_goes_on_from_the_one_that_was_paused(tmp_path):
    first, second, *_ = phis(2)
    segments = [
        Segment(first, 2),
        Segment(first, 4, 0),
        Segment(first, None, 1),
        Segment(second, 5, 1),
    ]
    asked = halved(tmp_path, segments)
    given = []
    for number, trial in enumerate(["worker-0/0", "worker-1/0", None, None]):
        given.append(asked.ask(0))
        asked.tell(number, number / 10, trial)
    assert given == [
        Given(0, 0, first, 2, None),
        Given(1, 0, first, 4, "worker-0/0"),
        Given(2, 0, first, None, "worker-1/0"),
        Given(3, 3, second, 5, "worker-1/0"),
    ]
    assert asked._search.told == [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)]
    assert asked.best() == (second, 0.3, 3)


def test_a_trial_that_is_paused_is_not_the_best(tmp_path):
    asked = halved(tmp_path, [Segment(phis(1)[0], 2)])
    asked.ask(0)
    asked.tell(0, 0.9, "worker-0/0")
    assert asked.best() is None


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([Segment(phis(1)[0], 2), Segment(phis(1)[0], 2, 0)], "epoch 2 does not lie ahead"),
        ([Segment(phis(1)[0], 2), Segment(phis(1)[0], 9, 0)], "epoch 9 does not lie ahead"),
        ([Segment(phis(1)[0], 2), Segment(phis(1)[0], 4, 1)], "trial 1 was not paused"),
        ([Segment({"lr": 9}, 2)], "outside the search space"),
        ([Segment(phi, 2) for phi in phis(5)], "the 4 trials of the budget ran"),
    ],
)
def test_a_segment_that_cannot_be_is_a_fault_of_the_framework(tmp_path, answers, said):
    asked = halved(tmp_path, answers)
    with pytest.raises(TrialwattError, match=said):
        for number in range(len(answers)):
            asked.ask(0)
            asked.tell(number, 0.5, f"worker-0/{number}")


def test_a_segment_of_a_search_without_a_strategy_that_pauses_is_a_fault(tmp_path):
    with pytest.raises(TrialwattError, match="no strategy of this search pauses"):
        asked_of(tmp_path, Listed([Segment(phis(1)[0], 2)])).ask(0)


class InGenerations(Listed):
    """Has the second φ when the first is told."""

    def ask(self, number):
        return LATER if number == 1 and not self.told else super().ask(number)


def test_a_worker_waits_where_the_framework_has_no_phi_yet(tmp_path):
    asked = asked_of(tmp_path, InGenerations(phis(4)))
    assert asked.ask(0)[0] == 0
    given = []
    waiting = threading.Thread(target=lambda: given.append(asked.ask(1)), daemon=True)
    waiting.start()
    asked.tell(0, 0.5)
    waiting.join(60)
    assert given == [whole(1, phis(2)[1])]


def test_who_waits_goes_on_when_the_worker_that_it_waits_for_dies(tmp_path):
    asked = asked_of(tmp_path, InGenerations(phis(4)))
    asked.ask(0)
    given = []
    waiting = threading.Thread(target=lambda: given.append(asked.ask(1)), daemon=True)
    waiting.start()
    asked.begin(0)
    waiting.join(60)
    assert given == [whole(1, phis(2)[1])]


class Never(Listed):
    def ask(self, number):
        return LATER  # of Never


def test_waiting_for_nobody_is_a_fault(tmp_path):
    asked = asked_of(tmp_path, Never([]))
    line = line_of("return LATER  # of Never") - 1
    with pytest.raises(TrialwattError, match=rf"test_asked\.py:{line}: ask\(0\) said LATER, but"):
        asked.ask(0)


@pytest.mark.parametrize(
    ("phi", "said"),
    [
        ([1, 2], "returned no dict: [1, 2]"),
        ({"lr": 0.3}, "outside the search space: {'lr': 0.3}"),
        ({"lr": 0.3, "ls": 33}, "outside the search space: {'lr': 0.3, 'ls': 33}"),
        ({"lr": 0.8, "ls": 32}, "outside the search space"),
        ({"lr": float("nan"), "ls": 32}, "outside the search space"),
        ({"lr": "0.3", "ls": 32}, "outside the search space"),
    ],
)
def test_a_phi_outside_the_space_names_the_method(tmp_path, phi, said):
    asked = asked_of(tmp_path, Listed([phi]))
    with pytest.raises(TrialwattError, match=rf"test_asked\.py:\d+: ask\(0\) .*{re.escape(said)}"):
        asked.ask(0)


class Broken(Listed):
    def tell(self, number, score):
        self.told.append({}[number])  # of Broken

    def report(self, number, epoch, score):
        return int("x")  # of Broken

    def best(self):
        return 17


def test_an_error_of_the_framework_names_file_line_and_call(tmp_path):
    asked = asked_of(tmp_path, Broken(phis(4)), pruner="median")
    asked.ask(0)
    line = line_of("{}[number])  # of Broken")
    with pytest.raises(TrialwattError, match=rf"test_asked\.py:{line}: tell\(0, 0\.5\): KeyError"):
        asked.tell(0, 0.5)
    line = line_of('int("x")  # of Broken')
    with pytest.raises(TrialwattError, match=rf"py:{line}: report\(0, 1, 0\.5\): ValueError"):
        asked.report(0, 1, 0.5)
    with pytest.raises(TrialwattError, match=r"best\(\) named 17, which did not complete"):
        asked.best()


def test_an_error_of_open_names_it_too(tmp_path):
    with pytest.raises(TrialwattError, match=r"test_asked\.py:\d+: open\(\): OSError: no licence"):
        asked_of(tmp_path, OSError("no licence"))


def test_what_lacks_a_method_is_told_before_the_search_begins(tmp_path):
    with pytest.raises(TrialwattError, match="returned Listed, which has no method report"):
        asked_of(tmp_path, Listed([]), pruner="median")
    with pytest.raises(TrialwattError, match="returned str, which has no method ask, tell"):
        asked_of(tmp_path, "a search")


# --- over the connection --------------------------------------------------------------------------

SERVED = """
import socket, sys, threading, os
from trialwatt.errors import TrialwattError
from trialwatt.suts.asktell_link import serve

class Served:
    def ask(self, worker):
        if worker < 0:
            raise TrialwattError("climb.py:7: no such worker")
        return worker, {"lr": 0.25}
    def secret(self):
        return "not to be called"

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
serve(Served(), ["ask"], "127.0.0.1", int(sys.argv[1]), "the key")
"""


@pytest.fixture
def address():
    from trialwatt.suts.services import free_blocks

    (port,) = free_blocks(1, 1)
    command = [sys.executable, "-c", SERVED, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield f"127.0.0.1:{port}"
        process.stdin.close()


def test_the_workers_call_its_methods_and_get_its_errors(address):
    asked = reach(address, "the key")
    assert asked.ask(3) == (3, {"lr": 0.25})
    with pytest.raises(TrialwattError, match=r"^climb\.py:7: no such worker$"):
        asked.ask(-1)
    assert not hasattr(asked, "secret")
    assert "ask" in METHODS


def test_who_does_not_know_the_key_is_not_heard(address):
    assert reach(address, "the key").ask(1)[0] == 1
    with pytest.raises(multiprocessing.AuthenticationError):
        reach(address, "another key")
