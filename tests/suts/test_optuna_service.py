"""Optuna on a PostgreSQL that is a service of the run: a real server, started as the role says."""

import os

import psycopg
import pytest
from tests.suts.scripted import job_of, search

from trialwatt.config.models import Testbed
from trialwatt.contract.places import is_loopback, ports_of
from trialwatt.platforms import liveness
from trialwatt.platforms.base import resolved
from trialwatt.platforms.local import HOST, LocalPlatform
from trialwatt.suts import optuna, optuna_storage, postgres
from trialwatt.suts.optuna import Optuna
from trialwatt.suts.services import scratch
from trialwatt.suts.storage import Storage

TESTBED = {"storage": {"postgres": "service"}}
SPACE = {"lr": {"choices": [1e-3, 1e-2]}, "ls": {"choices": [4, 8]}}

needs_postgres = pytest.mark.skipif(bool(postgres.problem()), reason=postgres.problem())


def score(phi, epoch):
    return phi["lr"] * phi["ls"]


@pytest.fixture
def platform(tmp_path, monkeypatch):
    (tmp_path / "runtime").mkdir()
    monkeypatch.setenv(liveness.VARIABLE, str(tmp_path / "runtime"))
    made = LocalPlatform.open(f"service-{os.getpid()}", Testbed(), tmp_path / "run")
    yield made
    made.remove()


@pytest.fixture
def job(tmp_path):
    return job_of(tmp_path, "optuna", SPACE, {}, workers={"count": 2}, testbed=TESTBED, epochs=1)


def become(worker, monkeypatch):
    """What the environment of a worker's process has."""
    worker = resolved(worker, HOST, {"storage": HOST}, "python")
    for name, value in (worker.environment | worker.secrets).items():
        monkeypatch.setenv(name, value)


@needs_postgres
def test_a_search_on_the_database_of_the_run_which_then_leaves_nothing(
    job, platform, monkeypatch, tmp_path
):
    storage, *workers = Optuna().roles(job)
    assert [worker.secrets for worker in workers] == [storage.secrets] * 2
    handle = platform.start(storage)
    become(workers[0], monkeypatch)
    sut = Optuna()
    found = search(sut, job, score, workers=2)  # prepare waits for the database
    assert len(found) == 4
    assert sut.best(job).phi == {"lr": 1e-2, "ls": 8}
    assert not job.path("sut").exists()
    listens = ports_of(f"service-{os.getpid()}")
    assert listens and all(is_loopback(host) for host, _ in listens)

    password, address = storage.secrets[postgres.PASSWORD], os.environ[optuna_storage.ADDRESS]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(f"postgresql://{postgres.USER}:guess@{address}/postgres")
    assert scratch("postgres", job.run_id).exists()
    assert handle.alive
    handle.stop()
    ending = platform.inbox.get(timeout=60).ending
    assert ending.code == 0, ending  # it has ended by itself, and was not killed after the grace
    assert not scratch("postgres", job.run_id).exists()
    assert password not in (tmp_path / "run" / "logs" / "storage.log").read_text()
    assert password not in repr(storage) + str(platform.facts)


@needs_postgres
def test_two_runs_have_two_passwords(job):
    one, other = (Optuna().roles(job)[0] for _ in "ab")
    assert one.secrets != other.secrets


@needs_postgres
def test_a_folder_that_is_there_already_is_not_used(job, platform, tmp_path):
    taken = scratch("postgres", job.run_id)
    taken.mkdir()
    try:
        platform.start(Optuna().roles(job)[0])
        ending = platform.inbox.get(timeout=120).ending
        assert ending.code == 1
        assert f"cannot be started: {taken}: is there already" in ending.tail
        assert not list(taken.iterdir())
    finally:
        Optuna().clean(job)
    assert not taken.exists()
    Optuna().clean(job)  # undeploy can come twice


def test_without_the_programs_the_testbed_is_at_fault_before_anything_starts(monkeypatch, tmp_path):
    bed = Testbed.model_validate(TESTBED)
    monkeypatch.setattr(postgres, "programs", lambda: None)
    [(key, message)] = Optuna.testbed_problems(bed)
    assert key == "storage.postgres"
    assert message.startswith("PostgreSQL (initdb, postgres) is not installed: install it")
    assert "storage.postgres_env" in message


def test_programs_are_found_on_the_path_and_both_must_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "VERSIONS", tmp_path / "versions")
    assert postgres.programs() is None
    for version in ("9.6", "15", "8"):
        folder = tmp_path / "versions" / version / "bin"
        folder.mkdir(parents=True)
        for name in postgres.PROGRAMS if version != "15" else ("initdb",):
            (folder / name).touch(mode=0o755)
    assert postgres.programs() == tmp_path / "versions" / "9.6" / "bin"


def test_workers_without_a_shared_folder_need_a_database(monkeypatch):
    class Remote(LocalPlatform):
        remote = True

    monkeypatch.setattr(optuna.platforms, "get", lambda name: Remote)
    assert Optuna.testbed_problems(Testbed()) == [
        ("storage", "the workers share no folder for a journal: set {postgres: service}")
    ]
    monkeypatch.setattr(postgres, "programs", lambda: None)  # there it is the image that counts
    assert Optuna.testbed_problems(Testbed.model_validate(TESTBED)) == []


def test_a_users_own_database_is_told_to_the_workers_as_a_secret(tmp_path, monkeypatch):
    variable = "TRIALWATT_TEST_URL"
    monkeypatch.setenv(variable, "postgresql://me:secret@there/db")
    job = job_of(tmp_path, "optuna", SPACE, {}, testbed={"storage": {"postgres_env": variable}})
    [worker] = Optuna().roles(job)
    assert worker.secrets == {variable: "postgresql://me:secret@there/db"}
    assert "secret@" not in repr(worker)


def test_a_database_of_the_run_itself():
    assert Storage(postgres="service").model_dump() == TESTBED["storage"]
    bed = Testbed.model_validate(TESTBED)
    assert Testbed.model_validate_json(bed.model_dump_json()) == bed
