"""One measuring run on a machine, one workflow in a results folder: who waits, for whom, how long.

Both locks end with their holder, however it ends.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from trialwatt.errors import TrialwattError
from trialwatt.filelock import PLAIN, NoFileLocks, flocked, is_own_file, is_still_at
from trialwatt.lifecycle.script import workflow_is_gone
from trialwatt.machinelock import MachineLock
from trialwatt.printable import shown

MEASURING = "measuring"
"""The name of the machine's measuring lock."""
WAIT = "TRIALWATT_MEASURING_WAIT_S"
"""Environment variable: seconds to wait for one's turn to measure."""
DEFAULT_WAIT_S = 24 * 3600.0
BESIDE = "TRIALWATT_MEASURE_BESIDE"
"""Environment variable: 1 measures after that time all the same, which the run's notes say."""
POLL_S = 0.2
"""The kernel does not wake the one who waits for its turn, nor when its own workflow is killed."""
ASK_S = 60.0
"""How often who waits asks again who it is waiting for."""
LOCK = ".lock"
_MOST_BYTES = 4096


# --- the machine ------------------------------------------------------------------------------


@contextmanager
def measuring(purpose: str = "measuring") -> Iterator[str]:
    """Hold the machine's measuring lock: measuring runs never overlap, whoever started them.

    purpose: what those who wait are told. Waits for its turn, and says for whom. Yields an empty
    text; or, where the user wants to measure beside one who does not end, what is to be put on
    record. Raises TrialwattError where the time is over, or its workflow has ended meanwhile.
    """
    lock = MachineLock(MEASURING, purpose)
    beside = _wait_for(lock, _patience_s())
    try:
        yield beside
    finally:
        lock.give_back()


def _wait_for(lock: MachineLock, patience_s: float) -> str:
    """Returns the empty text once it is ours; else that it is not, where that is wanted."""
    over_at, ask_at, said = time.monotonic() + patience_s, 0.0, ""
    while not lock.take():
        now = time.monotonic()
        if now >= min(ask_at, over_at):
            if not (holder := lock.holder()):
                continue  # it has just ended
            if now >= over_at:
                return _beside(holder, patience_s)
            ask_at = now + ASK_S
            if holder != said:
                text = f"waiting: another measuring run holds this machine: {holder}"
                print(text, file=sys.stderr, flush=True)
            said = holder
        if workflow_is_gone():
            raise TrialwattError("the workflow was killed; nothing was started")
        time.sleep(POLL_S)
    return ""


def _beside(holder: str, patience_s: float) -> str:
    """What goes on record where that is wanted; it names nobody, for records are published."""
    waited = f"waited {patience_s:g} s"
    if os.environ.get(BESIDE) == "1":
        print(f"warning: {waited}; it now measures beside {holder}", file=sys.stderr, flush=True)
        return f"measured beside another measuring run of this machine, for which it had {waited}"
    raise TrialwattError(
        f"this machine is held by another measuring run ({holder}), for which this one has "
        f"{waited}; nothing was started. Ask that user, or who looks after this machine, to end "
        f"the process; or set {WAIT} to wait longer, or {BESIDE}=1 to measure after that time all "
        "the same, which is put on the run's record."
    )


def _patience_s() -> float:
    text = os.environ.get(WAIT, "")
    if not text:
        return DEFAULT_WAIT_S
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise TrialwattError(f"{WAIT} must be a number of seconds (got {shown(repr(text), 100)})")
    return seconds


# --- a results folder -------------------------------------------------------------------------


def hold_results(results: str | Path) -> None:
    """Lock a results folder for the life of this process.

    Raises TrialwattError where another process holds it, or it cannot be written to. Where the
    file system keeps no locks, one process of this machine holds it, and the file keeps others
    out: it is removed at the end.
    """
    path = Path(results) / LOCK
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _hold_file(path)
        except NoFileLocks:
            _hold_name(path)
    except OSError as error:
        raise TrialwattError(
            f"{path}: cannot be the lock of this results folder ({error.strerror}): remove it, "
            "have its owner do so, or let you write to the folder. Nothing was started."
        ) from error


def _hold_file(path: Path) -> None:
    while True:
        descriptor, ours = _opened(path)
        if not is_own_file(descriptor):
            os.close(descriptor)
            raise TrialwattError(
                f"{path}: is no plain file, or has a second name; remove it. Nothing was started."
            )
        if not flocked(descriptor, path):
            raise _busy(path, _read(descriptor))
        if not is_still_at(path, descriptor):
            os.close(descriptor)  # its holder has just replaced it
        elif ours:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, _claim())
            return  # it stays open
        else:
            _replace(path, descriptor)


def _opened(path: Path) -> tuple[int, bool]:
    """The lock's file, made if need be, and whether we may write to it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | PLAIN, 0o600)
    except FileExistsError:
        try:
            return os.open(path, os.O_RDWR | PLAIN), True
        except PermissionError:
            return os.open(path, os.O_RDONLY | PLAIN), False
    _share(descriptor, path.parent)
    return descriptor, True


def _share(descriptor: int, folder: Path) -> None:
    """Whoever may write to the folder may take the lock, whatever our umask."""
    found = folder.stat()
    with suppress(PermissionError):  # the folder's group is none of ours: its others may, then
        os.fchown(descriptor, -1, found.st_gid)
    os.fchmod(descriptor, 0o600 | found.st_mode & 0o666)


def _replace(path: Path, descriptor: int) -> None:
    """A free lock that another user has closed to us goes, if the folder is ours to write to."""
    owner = os.fstat(descriptor).st_uid
    try:
        path.unlink()
    except OSError as error:
        raise TrialwattError(
            f"{path}: belongs to the user {owner}, and nobody else can take it "
            f"({error.strerror}): have that user remove it. Nothing was started."
        ) from error
    finally:
        os.close(descriptor)


def _hold_name(path: Path) -> None:
    """Without locks of files: a lock of this machine, and a file that tells other machines."""
    folder = path.parent.stat()
    lock = MachineLock(f"results-{folder.st_dev}-{folder.st_ino}", f"results in {path.parent}")
    if not lock.take():
        raise _busy(path, lock.holder() or "which has just ended")
    _kept.append(lock)
    try:
        _write_new(path)
    except FileExistsError:
        claim = _read(os.open(path, os.O_RDONLY | PLAIN))
        if claim and f"on {_host()}," not in claim:
            raise _busy(path, f"{claim}; if that has ended, remove {path}") from None
        path.unlink()  # of a process of this machine, which has ended: its lock is ours
        _write_new(path)
    atexit.register(path.unlink, missing_ok=True)


_kept: list[MachineLock] = []
"""Held until this process ends."""


def _write_new(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN, 0o600)
    _share(descriptor, path.parent)
    os.write(descriptor, _claim())
    os.close(descriptor)


def _claim() -> bytes:
    """Who holds it, for those who find it held."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    user = psutil.Process().username()
    return f"process {os.getpid()} of user {user} on {_host()}, since {since}\n".encode()


def _host() -> str:
    return socket.gethostname()


def _read(descriptor: int) -> str:
    """What the file says, which is then closed; anybody of the folder may have written it."""
    with os.fdopen(descriptor, "rb") as file:
        return shown(file.read(_MOST_BYTES).decode(errors="replace").strip(), 300)


def _busy(path: Path, holder: str) -> TrialwattError:
    return TrialwattError(
        f"{path.parent}: another workflow is writing here ({holder or 'it does not say which'}); "
        "wait until it has ended, or stop it. Nothing was started."
    )
