"""The runs that the contract is checked on: a few per SUT, each shared by many tests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from trialwatt import suts
from trialwatt.contract.fixtures import *  # noqa: F403
from trialwatt.contract.fixtures import SIX_POINTS
from trialwatt.contract.observing import (
    NOTHING,
    TOO_LARGE,
    Observer,
    kill_a_training_worker,
    left_behind,
)
from trialwatt.contract.places import PLACES
from trialwatt.contract.reading import events, manifest, trials
from trialwatt.contract.users import OF_A_USER
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.evidence import RunFailed
from trialwatt.suts.base import Sut


def _places() -> list:
    marks = {"kubernetes": [pytest.mark.cluster]}
    return [
        pytest.param(
            place,
            id=name,
            marks=[
                *marks.get(name, ()),
                *([pytest.mark.skip(reason=place.missing)] if place.missing else ()),
            ],
        )
        for name, place in PLACES.items()
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test for each SUT: those that --sut names, else all that are registered."""
    if "sut" in metafunc.fixturenames:
        asked = metafunc.config.getoption("sut")
        found = [_held(name, bool(asked)) for name in asked or suts.names()]
        metafunc.parametrize("sut", found, indirect=True, scope="module")


def _held(name: str, is_asked: bool):
    """A SUT as a parameter; one that cannot run is skipped, unless it was asked for."""
    try:
        reason = suts.get(name).available()
    except (ImportError, AttributeError) as error:
        reason = f"cannot be loaded: {error}"
    except TrialwattError as error:
        raise pytest.UsageError(f"--sut: {error}") from error
    if reason and is_asked:
        raise pytest.UsageError(f"--sut: {name}: {reason}")
    marks = pytest.mark.skip(reason=f"{name}: {reason}") if reason else ()
    return pytest.param(name, marks=marks)


@dataclass(frozen=True)
class Ran:
    """A finished run and what was seen of it from outside."""

    folder: Path
    acted: bool
    traces: dict[str, list]
    exposed: list[tuple[str, int]]

    def __post_init__(self):
        # every run of this suite, however it ended, is checked for what it left
        assert self.traces == NOTHING, self.traces

    @property
    def manifest(self) -> dict:
        return manifest(self.folder)

    @property
    def events(self) -> list[dict]:
        return events(self.folder)

    @property
    def trials(self) -> dict[str, dict]:
        return trials(self.folder)

    @property
    def seconds(self) -> float:
        run = self.manifest
        return (run["ended_utc_ns"] - run["started_utc_ns"]) / 1e9

    @property
    def seconds_to_first_trial(self) -> float:
        """From the start of deploy; infinite where no trial was started."""
        began = self.events[0]["m"]
        starts = [e["m"] for e in self.events if e["kind"] == "trial" and e["status"] == "start"]
        return (min(starts) - began) / 1e9 if starts else math.inf


@pytest.fixture(scope="module", params=_places())
def place(request):
    """Where the runs of the contract are: its `testbed`, and a look from outside."""
    return request.param


@pytest.fixture(scope="module")
def sut(request, place) -> str:
    return request.param


@pytest.fixture(scope="module")
def sut_class(sut) -> type[Sut]:
    return suts.get(sut)


@pytest.fixture(scope="module")
def sampler(sut_class) -> str:
    """The grid where the SUT has one, else what it declares to stand in for it, else its first."""
    wanted = ("grid", sut_class.stand_in, *sut_class.samplers)
    return next(name for name in wanted if name in sut_class.samplers)


@pytest.fixture(scope="module")
def observed(tmp_path_factory, run_job, sut, place):
    """Run one job and see what it does from outside."""

    def run(act=None, repetition=1, **keys) -> Ran:
        results = tmp_path_factory.mktemp("contract") / "results"
        with pytest.MonkeyPatch.context() as users, Observer(place, results, act) as observer:
            for name, value in OF_A_USER.items():
                users.setenv(name, value)
            folder = run_job(results, sut, repetition, testbed=place.testbed, **keys)
        traces = left_behind(place, observer.run_id, results)
        return Ran(folder, observer.acted, traces, place.exposed(observer.run_id))

    return run


@pytest.fixture(scope="module")
def usual(observed, sampler) -> Ran:
    """A job that goes as it should: 2 workers, 6 points."""
    return observed(space=SIX_POINTS, search={"sampler": sampler}, epochs=3, deadline_s=600)


def hurt_space(*sizes: int) -> dict:
    return {
        "lr": {"choices": [0.01]},
        "decay": {"choices": [1e-6]},
        "ls": {"choices": list(sizes)},
        "ln": {"choices": [2]},
    }


@pytest.fixture(scope="module")
def hurt(observed, sampler) -> Ran:
    """A job in which a φ needs too much memory, and a worker is killed in mid-training.

    A grid has such a φ for certain. Who draws is given a space of which every other φ is one, and
    another repetition where all of its draws happened to be of one kind.
    """
    if sampler == "grid":
        keys = {"space": hurt_space(*SMALL, TOO_LARGE), "search": {"sampler": sampler}}
        ran = observed(kill_a_training_worker, epochs=40, deadline_s=600, **keys)
        assert ran.acted, "no worker was ever seen training"
        return ran
    sizes = [*SMALL, *(TOO_LARGE + number for number in range(len(SMALL)))]
    keys = {"space": hurt_space(*sizes), "search": {"sampler": sampler, "budget": 6}}
    seen = []
    for repetition in range(1, DRAWS + 1):
        try:
            ran = observed(kill_a_training_worker, repetition, epochs=40, deadline_s=600, **keys)
        except RunFailed as error:  # no worker lived until a trial was through
            seen.append(str(error))
            continue
        drawn = sorted(trial["phi"]["ls"] for trial in ran.trials.values())
        both = drawn and drawn[0] < TOO_LARGE <= drawn[-1]
        if both and ran.acted and ran.manifest["status"] == "completed":
            return ran
        seen.append(
            f"{ran.manifest['status']} {ran.manifest['reason']}: ls {drawn}, "
            f"{'a' if ran.acted else 'no'} worker was killed while it trained"
        )
    raise AssertionError("\n".join([f"{DRAWS} jobs of 6 trials over ls {sizes}:", *seen]))


SMALL = (16, 24, 32, 48)
DRAWS = 4
"""Even draws are of one kind, or kill each worker twice before a trial is through, in some 10 % of
the jobs; in four of four in one of ten thousand times."""
