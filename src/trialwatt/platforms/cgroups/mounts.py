"""Which control group hierarchies are mounted, and where this process is in each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


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
