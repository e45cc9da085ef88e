"""Folders of the control group file systems: their processes, and how they go away."""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trialwatt.platforms.cgroups.base import EnforcementError
from trialwatt.platforms.processes import signal_all

TOP = "trialwatt"
"""The folder that holds the groups of all runs: <where we may>/trialwatt/<run>/<component>."""

_FILE_SYSTEMS = ("cgroup", "cgroup2")
_STAYS = (
    *(errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT),  # another run has its groups there; it is gone
    *(errno.EACCES, errno.EPERM, errno.EROFS),  # another user's
)
"""Why the folder of all runs is not removed with the last one of ours."""


def is_gone(error: OSError) -> bool:
    """Whether a group's file is not there, or went away between open and use."""
    return error.errno in (errno.ENOENT, errno.ENODEV)


def pids(group: Path) -> list[int]:
    """Living processes of a group; none where it is gone. One that this container cannot see is
    told as 0, which would mean ourselves."""
    try:
        return [pid for pid in map(int, (group / "cgroup.procs").read_text().split()) if pid > 0]
    except OSError as error:
        if is_gone(error):
            return []
        raise


def make_run(base: Path, run_id: str, prepare=lambda folder: None) -> Path:
    """Create <base>/trialwatt/<run_id>; `prepare` is called for each new level.

    Another run that ends takes the empty `trialwatt` folder away, so that this may need more
    than one try.
    """
    top = base / TOP
    for attempt in range(20):
        try:
            top.mkdir(exist_ok=True)
            prepare(top)
            (top / run_id).mkdir(exist_ok=True)
            prepare(top / run_id)
            return top / run_id
        except FileNotFoundError:
            if attempt == 19:
                raise
            time.sleep(0.01)
    raise AssertionError("unreachable")


def remove(group: Path, patience_s: float = 3.0) -> None:
    """Remove one empty group. The kernel says EBUSY for a moment after its last process died."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            group.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise EnforcementError(
                    f"the control group {group} cannot be removed ({error.strerror}); "
                    f"processes in it: {pids(group) or 'none'}"
                ) from error
        time.sleep(0.01)


def destroy(run: Path, patience_s: float = 5.0) -> None:
    """Kill every process of a run's groups and remove them, and `trialwatt` if it is empty."""
    deadline = time.monotonic() + patience_s
    if os.path.isdir(run):  # noqa: PTH112 - one in a folder that is closed to us is none of ours
        folders = [Path(folder) for folder, _, _ in os.walk(run, topdown=False)]
        while any(map(pids, folders)) and time.monotonic() < deadline:
            for folder in folders:
                signal_all(partial(pids, folder), signal.SIGKILL)
            time.sleep(0.01)
        for folder in folders:
            remove(folder)
    try:
        run.parent.rmdir()
    except OSError as error:
        if error.errno not in _STAYS:
            raise


def is_made_by(uid: int, folder: Path, proc: Path) -> bool:
    """Whether that user has made this very folder (no link leads there) as a control group."""
    try:
        if Path(os.path.realpath(folder, strict=True)) != folder:
            return False
        found = folder.lstat()
    except OSError:
        return False
    device = f"{os.major(found.st_dev)}:{os.minor(found.st_dev)}"
    return found.st_uid == uid and device in _devices(proc)


def _devices(proc: Path) -> set[str]:
    """The device numbers of the mounted control group file systems."""
    lines = (proc / "self" / "mountinfo").read_text().splitlines()
    halves = (line.partition(" - ") for line in lines)
    return {left.split()[2] for left, _, right in halves if right.split()[0] in _FILE_SYSTEMS}


def write(path: Path, value: int | str) -> None:
    """Write one value into a file of a group; unlike open(…, "w"), never creates it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
    try:
        os.write(descriptor, f"{value}\n".encode())
    except OSError as error:
        error.filename = str(path)  # a failing write names no file
        raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Hierarchy:
    """One mounted hierarchy. `own` is this process's folder in it."""

    mount: Path
    own: Path
    controllers: frozenset[str]  # of version 1; empty for version 2


def v1_hierarchies(proc: Path) -> dict[str, Hierarchy]:
    """Controller → its version 1 hierarchy. Joined controllers (cpu,cpuacct) share one."""
    places = _places(proc)
    found: dict[str, Hierarchy] = {}
    for mount, root, fstype, options in _mounts(proc):
        if fstype != "cgroup":
            continue
        for controllers, path in places.items():
            if controllers and controllers <= options:
                hierarchy = Hierarchy(mount, _inside(mount, root, path), controllers)
                for controller in controllers:
                    found.setdefault(controller, hierarchy)
    return found


def v2_hierarchy(proc: Path) -> Hierarchy | None:
    """The version 2 tree, or None where there is none."""
    path = _places(proc).get(frozenset())
    for mount, root, fstype, _ in _mounts(proc):
        if fstype == "cgroup2" and path is not None:
            return Hierarchy(mount, _inside(mount, root, path), frozenset())
    return None


def v2_path(proc: Path, pid: int | str) -> str | None:
    """A process's path in the version 2 tree ("/user.slice/…"), None where it has none."""
    return _places(proc, pid).get(frozenset())


def _places(proc: Path, pid: int | str = "self") -> dict[frozenset[str], str]:
    """/proc/<pid>/cgroup: the controllers of each hierarchy → the process's path in it."""
    places = {}
    for line in (proc / str(pid) / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        places[frozenset(filter(None, controllers.split(",")))] = path
    return places


def _mounts(proc: Path) -> list[tuple[Path, str, str, frozenset[str]]]:
    """/proc/self/mountinfo: mount point, root within the filesystem, type, its options."""
    mounts = []
    for line in (proc / "self" / "mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        mount = Path(_unescape(fields[4]))
        mounts.append((mount, _unescape(fields[3]), kind[0], frozenset(kind[2].split(","))))
    return mounts


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def _inside(mount: Path, root: str, path: str) -> Path:
    """The folder of `path` under a mount whose top is `root` (a container sees a part)."""
    if root != "/" and (path == root or path.startswith(root + "/")):
        path = path[len(root) :]
    own = mount / path.lstrip("/")
    return own if ".." not in own.parts and own.is_dir() else mount
