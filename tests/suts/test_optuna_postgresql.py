"""Optuna's workers on a shared PostgreSQL that the tests start: the search, losses, secrets."""

import json
import time

import pytest
from tests.suts import postgresql
from tests.suts.scripted import ScriptedTrials, job_of, search

from trialwatt.config.space import grid
from trialwatt.contract.reading import manifest, trials
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.jobs import write_job
from trialwatt.lifecycle.reap import PARTIAL, reap
from trialwatt.suts import optuna_storage
from trialwatt.suts.optuna import Optuna

VARIABLE = "TRIALWATT_TEST_POSTGRES_URL"
TESTBED = {"storage": {"postgres_env": VARIABLE}}
SPACE = {"lr": {"choices": [1e-3, 1e-2]}, "ls": {"low": 4, "high": 16, "step": 4.0}}

pytestmark = pytest.mark.skipif(
    postgresql.programs() is None, reason="PostgreSQL (initdb, pg_ctl) is not installed"
)


def score(phi, epoch):
    return phi["lr"] * phi["ls"]


@pytest.fixture(scope="module")
def server():
    with postgresql.running() as url:
        yield url


@pytest.fixture
def url(server, monkeypatch):
    monkeypatch.setenv(VARIABLE, server)
    return server


def studies(job):
    import optuna

    return optuna.get_all_study_names(optuna_storage.open_storage(job))


def test_a_search_with_a_pruner_on_the_database(tmp_path, url):
    keys = {"sampler": "grid", "pruner": "median"}
    job = job_of(tmp_path, "optuna", SPACE, keys, workers={"count": 2}, testbed=TESTBED, epochs=3)
    sut = Optuna()
    found = search(sut, job, score, workers=2)
    assert sorted(json.dumps(phi) for phi, *_ in found) == sorted(
        json.dumps(phi) for phi in grid(job.workload.space)
    )
    assert sut.best(job).phi == {"lr": 1e-2, "ls": 16}
    assert studies(job) == [job.run_id]
    sut.clean(job)
    sut.clean(job)  # undeploy can come twice
    assert studies(job) == []
    assert not job.path("sut").exists()


def test_trials_of_a_lost_worker_fail_by_themselves_and_by_recovery(tmp_path, url, monkeypatch):
    import optuna

    monkeypatch.setattr(optuna_storage, "HEARTBEAT_S", 1)
    monkeypatch.setattr(optuna_storage, "STALE_S", 1)
    job = job_of(tmp_path, "optuna", SPACE, {"sampler": "grid"}, testbed=TESTBED, epochs=1)
    sut = Optuna()
    sut.setup(job)
    study = optuna.load_study(study_name=job.run_id, storage=optuna_storage.open_storage(job))
    for _ in range(2):  # two workers that ask, tell of one heartbeat, and die
        lost = study.ask()
        study._storage.record_heartbeat(lost._trial_id)
    sut.recover(job, [1])
    time.sleep(2.5)
    sut.work(job, 0, ScriptedTrials(job, score))
    sut.recover(job, [0, 1])
    states = [trial.state.name for trial in study.get_trials()]
    assert states == ["FAIL", "FAIL"] + ["COMPLETE"] * 6
    sut.clean(job)


def test_a_whole_run_on_the_database_leaves_no_study_and_no_secret(tmp_path, url, run_job):
    results = tmp_path / "results"
    folder = run_job(results, "optuna", testbed=TESTBED)
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    found = trials(folder)
    assert len(found) == 4
    assert run["best"]["score"] == max(trial["scores"]["macro_f1"] for trial in found.values())
    assert not (folder / "sut.zst").exists()
    assert run["config"]["testbed"]["storage"] == {"postgres_env": VARIABLE}
    for path in results.rglob("*"):
        if path.is_file():
            assert postgresql.PASSWORD.encode() not in path.read_bytes(), path
    assert studies(job_of(tmp_path, "optuna", SPACE, {}, testbed=TESTBED)) == []


def test_the_study_of_a_killed_coordinator_is_deleted_at_the_next_start(tmp_path, url):
    folder = tmp_path / "results" / PARTIAL / "run-7"
    folder.mkdir(parents=True)
    job = job_of(folder, "optuna", SPACE, {}, testbed=TESTBED)
    write_job(job)
    Optuna().setup(job)
    assert studies(job) == [job.run_id]
    reap(tmp_path / "results", "local")
    assert studies(job) == []


def test_a_database_that_is_gone_does_not_stop_the_reaping(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "postgresql://me:the-secret@127.0.0.1:1/none")
    folder = tmp_path / "results" / PARTIAL / "run-7"
    folder.mkdir(parents=True)
    write_job(job_of(folder, "optuna", SPACE, {}, testbed=TESTBED))
    (tmp_path / "results" / PARTIAL / "half").mkdir()
    (tmp_path / "results" / PARTIAL / "half" / "job.json").write_text('{"run')
    said = reap(tmp_path / "results", "local")
    assert any("run-7 may have left something" in sentence for sentence in said)
    assert "the-secret" not in " ".join(said)
    assert not list((tmp_path / "results" / PARTIAL).iterdir())


@pytest.mark.parametrize(
    "broken",
    [
        "postgresql://me:the-secret@127.0.0.1:1/none",
        "postgresql://me:the-secret@127.0.0.1:port/none",
        "postgresql+no_such_driver://me:the-secret@127.0.0.1/none",
        "postgresql://me:a@the-secret@127.0.0.1:1/none",
        "postgresql://me:a/the-secret@127.0.0.1:1/none",
        "postgresql://me:a#the-secret@127.0.0.1:1/none",
        "postgresql://me:a?the-secret@127.0.0.1:1/none",
        "postgresql://me:a%the-secret@127.0.0.1:1/none",
        "postgresql://me@127.0.0.1:1/none?password=the-secret",
        "postgresql://me@127.0.0.1:1/none?pasword=the-secret",
        "mysql://me:the-secret@127.0.0.1:1/none",
        "host=127.0.0.1 port=1 user=me password=the-secret",
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    tmp_path, monkeypatch, broken
):
    monkeypatch.setenv(VARIABLE, broken)
    job = job_of(tmp_path, "optuna", SPACE, {}, testbed=TESTBED)
    for ask in (Optuna().prepare, Optuna().setup):
        with pytest.raises(TrialwattError, match=VARIABLE) as caught:
            ask(job)
        assert "the-secret" not in str(caught.value)
        error = caught.value
        assert error.__suppress_context__ or error.__context__ is None


def test_a_run_whose_database_is_gone_is_no_result(tmp_path, monkeypatch, run_job):
    monkeypatch.setenv(VARIABLE, "postgresql://me:the-secret@127.0.0.1:1/none")
    with pytest.raises(TrialwattError, match=f"whose URL is in {VARIABLE}"):
        run_job(tmp_path / "results", "optuna", testbed=TESTBED)
    for path in (tmp_path / "results").rglob("*"):
        assert not path.is_file() or b"the-secret" not in path.read_bytes()
    assert not (tmp_path / "results" / "runs").exists()
