"""Where the workers of a study meet: a journal file in the run's folder, or PostgreSQL.

The PostgreSQL is the user's, or a service of the run (the role `storage`).
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from trialwatt.address import parted
from trialwatt.config.models import Testbed
from trialwatt.credentials import malformed, remember
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Role
from trialwatt.suts import postgres
from trialwatt.suts.base import Job
from trialwatt.suts.services import free_blocks
from trialwatt.suts.storage import Storage

HEARTBEAT_S = 10
"""How often a worker tells the database that its trial is alive."""
STALE_S = 60
"""Without a heartbeat for so long, a trial's worker is taken for lost by the others."""
ADDRESS = "TRIALWATT_STORAGE"
"""Environment variable: host:port of the run's own database."""
CONNECTIONS = 4
"""That one worker has at most, with room to spare."""
POLL_S = 0.1
STARTING_S = 60
"""An open port of a database that has so long refused to be used means that it will do so ever."""


# --- the roles ----------------------------------------------------------------------------------


def is_service(testbed: Testbed) -> bool:
    """Whether each run starts a database of its own."""
    storage = testbed.options(Storage)
    return storage is not None and storage.postgres == "service"


def service(job: Job) -> tuple[Role, dict[str, str], dict[str, str]]:
    """The run's own database; variables and secrets of those who use it."""
    (port,) = free_blocks(1, 1)
    secret = {postgres.PASSWORD: secrets.token_urlsafe(24)}
    connections = 20 + CONNECTIONS * job.workload.workers.count
    role = Role(
        name="storage",
        kind="service",
        command=(
            *("@python@", "-m", "trialwatt.suts.postgres"),
            *(job.run_id, "@host@", str(port), str(connections)),
        ),
        cpu=job.service.cpu,
        memory_mb=job.service.memory_mb,
        speaks=False,
        secrets=secret,
    )
    return role, {ADDRESS: f"@host:{role.component}@:{port}"}, secret


def url_secret(testbed: Testbed) -> dict[str, str]:
    """The variables with the URL and password of the user's database, where there is one."""
    storage = testbed.options(Storage)
    names = (storage.postgres_env, "PGPASSWORD") if storage and storage.postgres_env else ()
    return {name: os.environ[name] for name in names if name and name in os.environ}


def client_environment() -> dict[str, str]:
    """What the client of PostgreSQL reads besides (PGSSLROOTCERT, PGPASSFILE), as here."""
    return {k: v for k, v in os.environ.items() if k.startswith("PG") and k != "PGPASSWORD"}


# --- in the workers -----------------------------------------------------------------------------


def open_storage(job: Job) -> Any:
    """The storage of a run's study. Raises TrialwattError where the database cannot be reached."""
    import optuna

    if job.config.testbed.options(Storage) is None:
        from optuna.storages.journal import JournalFileBackend

        folder = job.path("sut")
        folder.mkdir(exist_ok=True)
        return optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    with _database(job) as url:
        return optuna.storages.RDBStorage(
            url,
            engine_kwargs={"pool_pre_ping": True},
            heartbeat_interval=HEARTBEAT_S,
            grace_period=STALE_S,
        )


def reach_storage(job: Job) -> None:
    """See that the storage can be used, and import what it needs; writes nothing.

    Waits for the run's own database, which starts beside the workers. Workers that start side by
    side must not make the tables side by side: opening does that.
    """
    if job.config.testbed.options(Storage) is None:
        return
    with _database(job) as url:
        import sqlalchemy
        from optuna.storages._rdb import models  # noqa: F401

        engine = sqlalchemy.create_engine(url)
        if is_service(job.config.testbed):
            _wait_for(engine, os.environ[ADDRESS])
        else:
            engine.connect().close()
        engine.dispose()


def _wait_for(engine: Any, address: str) -> None:
    """Until it listens: where it never does, it has ended, and the coordinator ends the run."""
    from sqlalchemy.exc import OperationalError

    while True:
        try:
            socket.create_connection(parted(address), timeout=1).close()
            break
        except OSError:
            time.sleep(POLL_S)
    deadline = time.monotonic() + STARTING_S
    while True:
        try:
            engine.connect().close()
            return
        except OperationalError:  # it is not yet up, though it listens
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


@contextmanager
def _database(job: Job) -> Iterator[str]:
    """The database's URL; errors come without it and its password, since they go into logs."""
    if is_service(job.config.testbed):
        whose, url = f"of the run, at {os.environ[ADDRESS]}", _service_url()
    else:
        storage = job.config.testbed.options(Storage)
        assert storage and storage.postgres_env, "validated with the configuration"
        variable = storage.postgres_env
        whose, url = f"whose URL is in {variable}", os.environ.get(variable, "").strip()
    remember(url, _with_driver(url))
    if fault := malformed(url):  # a library would show what it takes for the host
        raise TrialwattError(f"cannot use the PostgreSQL {whose}: it {fault}")
    try:
        yield _with_driver(url)
    except Exception as error:
        text = str(error.__cause__ or error).strip().splitlines()[0]
        raise TrialwattError(f"cannot use the PostgreSQL {whose}: {text}") from None


def _service_url() -> str:
    password = quote(os.environ[postgres.PASSWORD], safe="")
    return f"postgresql://{postgres.USER}:{password}@{os.environ[ADDRESS]}/postgres"


def _with_driver(url: str) -> str:
    """The URL with the driver that is installed, where it names none."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg{separator}{rest}" if scheme in ("postgres", "postgresql") else url
