"""Whole jobs with a fault at a random moment: nothing lost, nothing left, nothing said wrong.

Those that are marked `faults` are as many as TRIALWATT_FAULTS says, drawn of TRIALWATT_FAULT_SEED;
their outcomes become the file TRIALWATT_FAULT_OUTCOMES (`make test-faults`, conftest.py).
"""

import sys
from dataclasses import asdict, replace

import pytest
from tests.examples import install
from tests.faults import acts, shaky, short
from tests.faults.conftest import INJECTED, go, to_do
from tests.faults.draws import Draw, draws, pairs
from tests.faults.injection import inject
from tests.faults.job import Job
from tests.faults.kinds import FAULTS
from tests.faults.outcome import FILE, TABLE, Outcome, append, begin, page, read
from tests.faults.scene import tracebacks
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
@pytest.mark.parametrize("draw", to_do(), ids=str)
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


FRAME = """Traceback (most recent call last):

  File "/home/one/.venv/lib/python3.11/site-packages/snakemake/io/__init__.py", line 1273, in remove
    os.remove(file)
{more}
OSError: [Errno 30] Read-only file system: 'results/runs/one'
what is said after it
"""
OURS = '  File "/home/one/project/src/trialwatt/files.py", line 3, in write\n    there()'


@pytest.mark.parametrize(("more", "count"), [("", 0), (OURS, 1)])
def test_a_traceback_of_snakemake_alone_that_names_the_file_is_a_message(more, count):
    said = FRAME.format(more=more)
    last = "OSError: [Errno 30] Read-only file system: 'results/runs/one'"
    assert [lines[-1] for lines in tracebacks(said)] == [last]
    assert Workflow.tracebacks(None, said) == [last] * count
    assert Workflow.tracebacks(None, said.replace("OSError", "ValueError"))


def test_a_go_that_was_broken_off_goes_on_where_the_code_is_the_same(tmp_path):
    file, one = tmp_path / "faults.jsonl", replace(go(), count=2)
    first, second = (
        Outcome(each.fault, each.subject, each.moment, each.seed, "killed", 1.0, [])
        for each in draws(2, one.seed)
    )
    assert begin(one, file) == 0
    append(first, file)
    with file.open("a") as lines:
        lines.write('{"fault": "SIGK')  # killed while it wrote
    assert begin(one, file) == 1
    assert read(file) == (replace(one, parts=2), [first])
    assert begin(replace(one, source="other"), file) == 0
    append(first, file)
    append(second, file)
    for other in (one, replace(one, source="other")):  # the latter has come to its end
        assert begin(other, file) == 0
