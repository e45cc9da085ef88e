"""A real PostgreSQL for a test: started in a folder of its own, and stopped after it."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PASSWORD = secrets.token_urlsafe(12)
USER = "trialwatt"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where PostgreSQL is not installed."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)


def _as_other_user() -> tuple[list[str], int]:
    """PostgreSQL refuses to run as root: the start of a command that runs as someone else."""
    if os.geteuid() != 0:
        return [], os.geteuid()
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    switch = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return switch, user.pw_uid


@contextmanager
def running() -> Iterator[str]:
    """The URL of a database with a password."""
    switch, uid = _as_other_user()
    bin_folder = programs()
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # below a folder that everyone can enter
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    for path in (folder, password):
        os.chown(path, uid, -1)

    def run(program: str, *arguments: str) -> None:
        command = [*switch, str(bin_folder / program), *arguments]
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
        )
        assert done.returncode == 0, done.stdout.decode()

    try:
        run(
            *("initdb", "--pgdata", str(data), "--username", USER, "--pwfile", str(password)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"),
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        log = str(folder / "server.log")
        run("pg_ctl", "start", "--pgdata", str(data), "-w", "--log", log, "-o", options)
        try:
            yield f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "--pgdata", str(data), "-w", "-m", "immediate")
    finally:
        shutil.rmtree(folder)
