"""Where the workers of a study meet: a journal file in the run's folder, or PostgreSQL."""

from __future__ import annotations

import os
from contextlib import contextmanager

from trialwatt.errors import TrialwattError
from trialwatt.suts.base import Job

HEARTBEAT_S = 10
"""How often a worker tells the database that its trial is alive."""
STALE_S = 60
"""Without a heartbeat for so long, a trial's worker is taken for lost by the others."""


def open_storage(job: Job):
    """The storage of a run's study. Raises TrialwattError where the database cannot be reached."""
    import optuna

    if job.config.testbed.storage is None:
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

    Workers that start side by side must not make the tables side by side: opening does that.
    """
    if job.config.testbed.storage is None:
        return
    with _database(job) as url:
        import sqlalchemy
        from optuna.storages._rdb import models  # noqa: F401

        engine = sqlalchemy.create_engine(url)
        engine.connect().close()
        engine.dispose()


@contextmanager
def _database(job: Job):
    """The database's URL; errors come without it and its password, since they go into logs."""
    variable = job.config.testbed.storage.postgres_env
    url = os.environ.get(variable, "")
    try:
        yield _with_driver(url)
    except Exception as error:
        text = str(error.__cause__ or error).strip().splitlines()[0]
        for secret in filter(None, (url, _with_driver(url), _password(url))):
            text = text.replace(secret, "…")
        raise TrialwattError(
            f"cannot use the PostgreSQL whose URL is in {variable}: {text}"
        ) from None


def _with_driver(url: str) -> str:
    """The URL with the driver that is installed, where it names none."""
    scheme, separator, rest = url.partition("://")
    return f"postgresql+psycopg{separator}{rest}" if scheme in ("postgres", "postgresql") else url


def _password(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
