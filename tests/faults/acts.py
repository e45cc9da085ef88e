"""What a fault does to a running command, and what a user does about it before the next one."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from tests.faults import clock
from tests.faults.scene import Missed, Scene

Inject = Callable[[Scene, random.Random], None]
KILL, TERM, STOP, CONT = (
    getattr(signal, f"SIG{name}") for name in ("KILL", "TERM", "STOP", "CONT")
)
SMALL_MB = 80
"""Of a results folder on a file system of its own: more than a run asks for, soon filled."""
JUMPS_S = (-86400, -3600, -10, 10, 3600, 86400)


def nothing(scene: Scene, rng: random.Random) -> None:
    """The configuration is the fault."""


def signals(kind: str, *numbers: int, pause_s: float = 1.0) -> Inject:
    """Send these to a random process of that component, one after the other."""

    def inject(scene: Scene, rng: random.Random) -> None:
        if kind == "coordinator":
            pid = scene.process.pid
        else:
            scene.until(lambda: bool(_victims(scene, kind)), seconds=10)
            pid = rng.choice(sorted(_victims(scene, kind)) or [0])
            if not pid:
                raise Missed
        for position, number in enumerate(numbers):
            time.sleep(pause_s if position else 0)
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    return inject


def _victims(scene: Scene, kind: str) -> list[int]:
    """Processes of one component of that kind, of the run that goes on."""
    names = scene.processes().items()
    if kind == "worker":
        return [pid for pid, component in names if component.startswith("worker-")]
    return [pid for pid, component in names if component == kind]


def interrupt_twice(scene: Scene, rng: random.Random) -> None:
    for pause_s in (0, rng.uniform(0.05, 1)):
        time.sleep(pause_s)
        with suppress(ProcessLookupError):
            scene.interrupt()


def all_gone(scene: Scene, rng: random.Random) -> None:
    scene.kill_all()


def small(results: Path) -> None:
    """Put the results on a file system of their own."""
    results.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs"]
    subprocess.run(["mount", *options, results], check=True)


def unmount(results: Path) -> None:
    subprocess.run(["umount", "-l", results], check=True)


def fill(scene: Scene, rng: random.Random) -> None:
    """Leave nothing, or so little that it lasts for a moment: until the sealing, say."""
    left = rng.choice([0, rng.randrange(500_000)])
    with (scene.results / "ballast").open("wb", buffering=0) as ballast:
        for step in (1 << 20, 4096):
            with suppress(OSError):
                while _free(scene.results) >= left + step:
                    ballast.write(b"\0" * step)


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def empty(scene: Scene) -> None:
    (scene.results / "ballast").unlink(missing_ok=True)


def read_only(scene: Scene, rng: random.Random) -> None:
    """From now on no file can be made, renamed or removed there; what is open is still written."""
    scene.results.mkdir(exist_ok=True)
    # Made read-only aside and put there in one step: between two, a file opened for writing there
    # would keep the second from being done.
    with tempfile.TemporaryDirectory() as aside:
        subprocess.run(["mount", "--bind", scene.results, aside], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", aside], check=True)
            subprocess.run(["mount", "--bind", aside, scene.results], check=True)
        finally:
            subprocess.run(["umount", aside], check=True)


def writable(scene: Scene) -> None:
    if os.statvfs(scene.results).f_flag & os.ST_RDONLY:
        unmount(scene.results)


def no_descriptors(scene: Scene, rng: random.Random) -> None:
    """From now on the coordinator can open at most two more files."""
    process = psutil.Process(scene.process.pid)
    limit = process.num_fds() + rng.randrange(3)
    process.rlimit(resource.RLIMIT_NOFILE, (limit, limit))


def says(word: str) -> Inject:
    """Of the meter that can be told to fail."""

    def inject(scene: Scene, rng: random.Random) -> None:
        scene.switch.write_text(word)

    return inject


def works_again(scene: Scene) -> None:
    scene.switch.unlink(missing_ok=True)


def vanish(scene: Scene, rng: random.Random) -> None:
    scene.data.rename(scene.data.with_suffix(".gone"))


def come_back(scene: Scene) -> None:
    gone = scene.data.with_suffix(".gone")
    if gone.exists():
        gone.rename(scene.data)


def jump(scene: Scene, rng: random.Random) -> None:
    """The wall clock of all its processes is set; the monotonic one goes on."""
    clock.put(scene.clock, rng.choice(JUMPS_S))
