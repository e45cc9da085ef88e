"""Whole jobs with a fault at a random moment: nothing lost, nothing left, nothing said wrong.

Those that are marked `faults` are as many as TRIALWATT_FAULTS says, drawn of TRIALWATT_FAULT_SEED;
their outcomes become the file TRIALWATT_FAULT_OUTCOMES (`make test-faults`, conftest.py).
"""

import sys
from dataclasses import asdict

import pytest
from tests.examples import install
from tests.faults import acts, shaky, short
from tests.faults.conftest import INJECTED, go
from tests.faults.draws import Draw, draws, pairs
from tests.faults.injection import inject
from tests.faults.job import Job
from tests.faults.kinds import FAULTS
from tests.faults.outcome import FILE, TABLE, page, read
from tests.faults.subjects import SUBJECTS, WORKFLOW
from tests.faults.workflow import Workflow

USUAL = [
    Draw("SIGKILL of a worker", "plain", "trials", 1),
    Draw("SIGKILL of the coordinator", "Optuna", "trials", 2),
    Draw("disk full", "plain", "trials", 3),
    Draw("a meter hangs", "plain", "trials", 4),
    Draw("no file descriptors", "plain", "trials", 5),
    Draw("SIGKILL of a search", "ask and tell", "trials", 6),
    Draw("read-only results", "plain", "undeploy", 7),
    Draw("the clock jumps", "plain", "trials", 8),
]
"""Part of every test run."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of packages of others, for this process and for commands."""
    folder = tmp_path_factory.mktemp("site")
    shaky.install(folder)
    install("add-a-sut.md", ["climb.py", "climb_alone.py"], folder)
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture
def injected(request, tmp_path, monkeypatch, testbed_facts, site):
    """Inject one fault into a job of its own; its outcome."""

    def job(draw: Draw) -> Job:
        fault, subject = FAULTS[draw.fault], SUBJECTS[draw.subject]
        if subject.missing:
            pytest.skip(subject.missing)
        data = request.getfixturevalue("digits") if fault.images else short.__file__
        return Job(tmp_path, subject, fault, data, testbed_facts, site)

    def run(draw: Draw):
        fault = FAULTS[draw.fault]
        if fault.missing:
            pytest.skip(fault.missing)
        monkeypatch.setenv("TRIALWATT_RUNTIME_DIR", str(tmp_path / "runtime"))
        scene = Workflow(tmp_path) if draw.subject == WORKFLOW else job(draw)
        if fault.tmpfs:
            acts.small(scene.results)
        try:
            return inject(draw, scene)
        finally:
            scene.close()
            fault.mend(scene)
            if fault.tmpfs:
                acts.unmount(scene.results)

    return run


@pytest.mark.parametrize("draw", USUAL, ids=str)
def test_nothing_is_lost_and_nothing_is_left(injected, draw):
    outcome = injected(draw)
    assert outcome.violations == []


@pytest.mark.faults
@pytest.mark.parametrize("draw", draws(go().count, go().seed), ids=str)
def test_whatever_happens_nothing_is_lost_and_nothing_is_left(injected, record_property, draw):
    outcome = injected(draw)
    record_property(INJECTED, asdict(outcome))
    assert outcome.violations == []


def test_the_page_of_faults_is_made_of_the_outcomes():
    assert TABLE.read_text(encoding="utf-8") == page(*read(FILE))


def test_the_same_seed_draws_the_same_faults_each_in_each_sut_before_any_comes_again():
    every = pairs()
    drawn = draws(len(every), 3)
    assert drawn == draws(len(every), 3)
    assert {(draw.fault, draw.subject) for draw in drawn} == {*every}
    assert drawn != draws(len(every), 4)
