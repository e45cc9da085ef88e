"""The process of the role `storage`: a PostgreSQL server of one run, alone in a folder of its own.

Called as `python -m trialwatt.suts.postgres RUN_ID HOST PORT CONNECTIONS`, with the password of
its only user in the environment. It listens at that address alone, to that user alone. Ends, and
its folder with it, when stdin closes (the coordinator is gone) and at SIGTERM.

PostgreSQL refuses to run as root: then it runs as the user postgres, or nobody. What is not its
default: it does not wait for the disk, since nothing of it outlives the run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.private import made_private
from trialwatt.suts.services import scratch, when_stdin_closes

SUT = "postgres"
"""Under this name the run's scratch folder is the server's."""
USER = "trialwatt"
PASSWORD = "TRIALWATT_STORAGE_PASSWORD"
"""Environment variable: the password, for the server and for those who use it."""
VERSIONS = Path("/usr/lib/postgresql")
PROGRAMS = ("initdb", "postgres")


def programs() -> Path | None:
    """The folder of PostgreSQL's programs on this machine; None where it is not installed.

    Debian's packages put them into folders by version, of which the newest is taken.
    """
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    versions = VERSIONS.glob("[0-9]*/bin")
    places += sorted(versions, key=lambda place: float(place.parent.name), reverse=True)
    return next((p for p in places if all(os.access(p / name, os.X_OK) for name in PROGRAMS)), None)


def problem() -> str:
    """Why this machine cannot serve a run's PostgreSQL; empty if it can."""
    if programs() is None:
        return (
            "PostgreSQL (initdb, postgres) is not installed: install it (for example the package "
            "postgresql), or name a database that there is in storage.postgres_env"
        )
    try:
        _user()
    except TrialwattError as error:
        return str(error)
    return ""


def main() -> None:
    run_id, host, port, connections = sys.argv[1:]
    folder, place = scratch(SUT, run_id), programs()
    if place is None:
        sys.exit(problem())
    try:
        user = _user()
        made_private(folder, new=True)  # one that is there could be someone else's
        try:
            if os.geteuid() == 0:
                _become(user, folder)
            ended = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: ended.set())
            when_stdin_closes(ended.set)
            _initialise(place, folder / "data")
            code = _serve(place, folder / "data", host, port, connections, ended)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what is left, Optuna.clean removes
    except (TrialwattError, OSError) as error:
        sys.exit(f"the run's PostgreSQL cannot be started: {error}")
    sys.exit(code)


def _user() -> pwd.struct_passwd:
    """Who is to run it. initdb wants to know the name of the one who calls it."""
    uid = os.geteuid()
    if uid != 0:
        try:
            return pwd.getpwuid(uid)
        except KeyError:
            raise TrialwattError(
                f"the user {uid} has no name on this machine, and PostgreSQL refuses to run "
                "without one: add it to /etc/passwd"
            ) from None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise TrialwattError(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody"
    )


def owners() -> list[int]:
    """Whose the server's folder may be: the user ids of those who run it here."""
    try:
        return [_user().pw_uid]
    except TrialwattError:  # then nobody has run it
        return []


def _become(user: pwd.struct_passwd, folder: Path) -> None:
    """For good: from here on this process cannot do more than that user, who owns the folder."""
    os.chown(folder, user.pw_uid, user.pw_gid)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = str(folder)


def _initialise(place: Path, data: Path) -> None:
    command = [
        *(str(place / "initdb"), "--pgdata", str(data), "--username", USER),
        *("--pwfile", "/dev/stdin", "--auth", "scram-sha-256", "--encoding", "UTF8"),
        *("--no-locale", "--no-sync", "--no-instructions"),
    ]
    done = subprocess.run(
        command,
        cwd=data.parent,
        env=_without_secret(),
        input=os.environ[PASSWORD] + "\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise TrialwattError(f"initdb: {done.stdout.strip()[-1000:]}")
    anywhere = [f"host all {USER} {network} scram-sha-256\n" for network in ("0.0.0.0/0", "::/0")]
    (data / "pg_hba.conf").write_text("".join(anywhere))


def _serve(
    place: Path, data: Path, host: str, port: str, connections: str, ended: threading.Event
) -> int:
    """Until it ends or is told to; the exit code."""
    settings = {
        "listen_addresses": host,
        "port": port,
        "unix_socket_directories": "",
        "max_connections": connections,
        "fsync": "off",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    server = subprocess.Popen(
        [str(place / "postgres"), "-D", str(data), *options],
        cwd=data.parent,
        env=_without_secret(),
        stdin=subprocess.DEVNULL,
    )
    threading.Thread(target=_watch, args=(server, ended), daemon=True).start()
    ended.wait()
    if server.poll() is not None:
        return server.returncode or 1  # nobody has told it to
    server.send_signal(signal.SIGQUIT)  # at once: nothing is kept
    server.wait()
    return 0


def _watch(server: subprocess.Popen[bytes], ended: threading.Event) -> None:
    server.wait()
    ended.set()


def _without_secret() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != PASSWORD}


if __name__ == "__main__":
    main()
