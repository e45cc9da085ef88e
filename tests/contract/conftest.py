"""The runs that the contract is checked on: a few per SUT, each shared by many tests."""

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.observing import (
    NOTHING,
    TOO_LARGE,
    Observer,
    kill_a_training_worker,
    left_behind,
)
from tests.contract.places import PLACES
from tests.lifecycle.reading import events, manifest, trials

from trialwatt import suts
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


def _suts() -> list:
    found = []
    for name in suts.names():
        try:
            reason = suts.get(name).available()
        except ImportError as error:
            reason = f"cannot be loaded: {error}"
        marks = pytest.mark.skip(reason=f"{name}: {reason}") if reason else ()
        found.append(pytest.param(name, marks=marks))
    return found


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


@pytest.fixture(scope="module", params=_suts())
def sut(request, place) -> str:
    return request.param


@pytest.fixture(scope="module")
def sut_class(sut) -> type[Sut]:
    return suts.get(sut)


@pytest.fixture(scope="module")
def sampler(sut_class) -> str:
    """The grid where the SUT has one, else its random sampler: the design's rule."""
    return "grid" if "grid" in sut_class.samplers else "random"


OF_A_USER = {
    "OMP_PROC_BIND": "true",
    "OMP_THREAD_LIMIT": "1",
    "http_proxy": "http://me:s3cret@127.0.0.1:9",
    "https_proxy": "http://me:s3cret@127.0.0.1:9",
    "RAY_ADDRESS": "127.0.0.1:9",
    "SPARK_CONF_DIR": "/nowhere",
    "JAVA_TOOL_OPTIONS": "-Xmx1m",
    "PYTHONTRACEMALLOC": "25",
}
"""Of a user's environment: what would put all workers on one core, or keep a framework from its
own processes."""


@pytest.fixture(scope="module")
def observed(tmp_path_factory, run_job, sut, place):
    """Run one job and see what it does from outside."""

    def run(act=None, **keys) -> Ran:
        results = tmp_path_factory.mktemp("contract") / "results"
        with pytest.MonkeyPatch.context() as users, Observer(place, results, act) as observer:
            for name, value in OF_A_USER.items():
                users.setenv(name, value)
            folder = run_job(results, sut, testbed=place.testbed, **keys)
        traces = left_behind(place, observer.run_id, results)
        return Ran(folder, observer.acted, traces, place.exposed(observer.run_id))

    return run


@pytest.fixture(scope="module")
def usual(observed, sampler) -> Ran:
    """A job that goes as it should: 2 workers, 6 points."""
    space = {
        "lr": {"choices": [0.001, 0.01]},
        "decay": {"choices": [1e-6]},
        "ls": {"choices": [16, 32, 64]},
        "ln": {"choices": [1]},
    }
    return observed(space=space, search={"sampler": sampler}, epochs=3, deadline_s=600)


HURT_SPACE = {
    "lr": {"choices": [0.01]},
    "decay": {"choices": [1e-6]},
    "ls": {"choices": [16, 24, 32, 48, TOO_LARGE]},
    "ln": {"choices": [2]},
}


@pytest.fixture(scope="module")
def hurt(observed, sampler) -> Ran:
    """A job in which one φ needs too much memory, and a worker is killed in mid-training."""
    search = {"sampler": sampler, "budget": 5 if sampler == "grid" else 6}
    ran = observed(
        kill_a_training_worker, space=HURT_SPACE, search=search, epochs=40, deadline_s=600
    )
    assert ran.acted, "no worker was ever seen training"
    return ran
