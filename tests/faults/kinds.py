"""The faults: what each does to a job, at which moments, and what is to become of the run."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.faults.scene import Missed, Scene

DEPLOY, TRIALS, COLLECT, UNDEPLOY = MOMENTS = ("deploy", "trials", "collect", "undeploy")
METRICS = "metrics"
"""In the workflow: metrics, figures and tables are made."""
Inject = Callable[[Scene, random.Random], None]
SMALL_MB = 80
"""Of a results folder on a file system of its own: more than a run asks for, soon filled."""


@dataclass(frozen=True)
class Fault:
    """inject: does it, and undoes what a user would before the next command, through `mend`.

    moments: when it may come; "start": before the coordinator starts. survives: the run is to
    complete all the same. kills: the coordinator has no time to clean up; the next command does.
    tmpfs: the results are on a small file system of their own. keys, testbed: of the workload and
    the testbed. suts: where it can be, all if empty.
    """

    inject: Inject
    moments: tuple[str, ...] = MOMENTS
    survives: bool = False
    kills: bool = False
    tmpfs: bool = False
    mend: Callable[[Scene], None] = lambda scene: None
    keys: dict = field(default_factory=dict)
    testbed: dict = field(default_factory=dict)
    suts: tuple[str, ...] = ()
    again: bool = True  # the same job can complete afterwards


def wait_for(scene: Scene, moment: str, rng: random.Random) -> None:
    """Return at a random time within a step of the run. Raises Missed where it is over before."""
    if moment == DEPLOY:
        scene.until(lambda: bool(scene.processes()))
        time.sleep(rng.uniform(0, 1.5))
    elif moment == METRICS:
        scene.until(lambda: (scene.results / "logs" / "metrics").is_dir(), seconds=300)
        time.sleep(rng.uniform(0, 1))
    elif moment == TRIALS:
        count = rng.randrange(max(1, scene.points * 2 // 3))
        scene.until(lambda: sum(map(len, scene.completed().values())) >= count)
        scene.until(lambda: scene.has_entered("trials"))
        time.sleep(rng.uniform(0, 0.3))
    else:
        scene.until(lambda: scene.has_entered(moment))
        time.sleep(rng.uniform(0, 0.1))
    if scene.process.poll() is not None:
        raise Missed


def _victims(scene: Scene, kind: str) -> list[int]:
    """Processes of one component of that kind, of the run that goes on."""
    services = {"worker": lambda name: name.startswith("worker-")}
    is_meant = services.get(kind, lambda name: name == kind)
    return [pid for pid, component in scene.processes().items() if is_meant(component)]


def _signals(kind: str, *numbers: int, pause_s: float = 1.0) -> Inject:
    """Send these to a random process of that kind, one after the other."""

    def inject(scene: Scene, rng: random.Random) -> None:
        if kind == "coordinator":
            pid = scene.process.pid
        else:
            scene.until(lambda: bool(_victims(scene, kind)), seconds=10)
            pids = _victims(scene, kind)
            if not pids:
                raise Missed
            pid = rng.choice(sorted(pids))
        for position, number in enumerate(numbers):
            time.sleep(pause_s if position else 0)
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    return inject


def _twice(scene: Scene, rng: random.Random) -> None:
    for pause_s in (0, rng.uniform(0.05, 1)):
        time.sleep(pause_s)
        with suppress(ProcessLookupError):
            scene.interrupt()


def _all_gone(scene: Scene, rng: random.Random) -> None:
    scene.kill_all()


def _fill(scene: Scene, rng: random.Random) -> None:
    """Leave a random few bytes."""
    with suppress(OSError), (scene.results / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"\0" * 4096)


def _empty(scene: Scene) -> None:
    (scene.results / "ballast").unlink(missing_ok=True)


def _read_only(scene: Scene, rng: random.Random) -> None:
    subprocess.run(["mount", "-o", "remount,ro", scene.results], check=True)


def _writable(scene: Scene) -> None:
    subprocess.run(["mount", "-o", "remount,rw", scene.results], check=True)


def _no_descriptors(scene: Scene, rng: random.Random) -> None:
    """From now on the coordinator can open at most two more files."""
    process = psutil.Process(scene.process.pid)
    limit = process.num_fds() + rng.randrange(3)
    process.rlimit(resource.RLIMIT_NOFILE, (limit, limit))


def _says(word: str) -> Inject:
    def inject(scene: Scene, rng: random.Random) -> None:
        scene.switch.write_text(word)

    return inject


def _works_again(scene: Scene) -> None:
    scene.switch.unlink(missing_ok=True)


def _vanish(scene: Scene, rng: random.Random) -> None:
    scene.data.rename(scene.data.with_suffix(".gone"))


def _come_back(scene: Scene) -> None:
    gone = scene.data.with_suffix(".gone")
    if gone.exists():
        gone.rename(scene.data)


def _nothing(scene: Scene, rng: random.Random) -> None:
    pass


KILL, TERM, STOP, CONT = (
    getattr(signal, f"SIG{name}") for name in ("KILL", "TERM", "STOP", "CONT")
)
SHAKY = {"meters": ["model", "shaky"]}
RUNS = (DEPLOY, TRIALS, COLLECT)
WHOLE = (DEPLOY, TRIALS, UNDEPLOY, METRICS)
WORKFLOW = "plain in Snakemake"
"""In the place of a SUT: two blocks of it, with all that is made of them."""
SERVICES = {"ray": ("head", "driver"), "hyperopt": ("master", "driver")}


def _of(kind: str, suts: tuple[str, ...] = ()) -> dict[str, Fault]:
    """The signals to a process that a run can lose."""
    lost = {"survives": True, "suts": suts}
    stopped = {"moments": (TRIALS,), "keys": {"deadline_s": 45}, "again": False, "suts": suts}
    return {
        f"SIGKILL of a {kind}": Fault(_signals(kind, KILL), RUNS, **lost),
        f"SIGTERM of a {kind}": Fault(_signals(kind, TERM), RUNS, **lost),
        f"SIGSTOP and SIGCONT of a {kind}": Fault(_signals(kind, STOP, CONT), RUNS, **lost),
        f"SIGSTOP of a {kind}": Fault(_signals(kind, STOP), **stopped),
    }


FAULTS: dict[str, Fault] = {
    **_of("worker"),
    **_of("driver", ("ray", "hyperopt")),
    **_of("head", ("ray",)),
    **_of("master", ("hyperopt",)),
    "SIGKILL of the coordinator": Fault(_signals("coordinator", KILL), kills=True),
    "SIGTERM of the coordinator": Fault(_signals("coordinator", TERM)),
    "SIGSTOP and SIGCONT of the coordinator": Fault(
        _signals("coordinator", STOP, CONT), RUNS, survives=True
    ),
    "SIGSTOP, then SIGKILL of the coordinator": Fault(
        _signals("coordinator", STOP, KILL), kills=True
    ),
    "Ctrl-C twice": Fault(_twice),
    "reboot": Fault(_all_gone, kills=True),
    "out of memory": Fault(
        _nothing,
        ("start",),
        keys={"workers": {"count": 1, "cpu": 2, "memory_mb": 100}},
        again=False,
        suts=("plain", "optuna"),
    ),
    "disk full": Fault(_fill, tmpfs=True, mend=_empty),
    "read-only results": Fault(_read_only, ("start",), tmpfs=True, mend=_writable),
    "no file descriptors": Fault(_no_descriptors, RUNS),
    "a meter dies": Fault(_says("dies"), RUNS, survives=True, testbed=SHAKY, mend=_works_again),
    "a meter hangs": Fault(_says("hangs"), RUNS, testbed=SHAKY, mend=_works_again),
    "a meter answers nonsense": Fault(
        _says("nonsense"), RUNS, survives=True, testbed=SHAKY, mend=_works_again
    ),
    "the data vanish": Fault(_vanish, ("start", *RUNS), mend=_come_back),
}


FAULTS |= {
    "SIGKILL of Snakemake": Fault(
        _signals("coordinator", KILL), WHOLE, kills=True, suts=(WORKFLOW,)
    ),
    "SIGTERM of Snakemake": Fault(_signals("coordinator", TERM), WHOLE, suts=(WORKFLOW,)),
    "SIGSTOP, then SIGKILL of Snakemake": Fault(
        _signals("coordinator", STOP, KILL), WHOLE, kills=True, suts=(WORKFLOW,)
    ),
    "Ctrl-C twice in Snakemake": Fault(_twice, WHOLE, suts=(WORKFLOW,)),
    "reboot in Snakemake": Fault(_all_gone, WHOLE, kills=True, suts=(WORKFLOW,)),
    "disk full in Snakemake": Fault(
        _fill, (TRIALS, METRICS), tmpfs=True, mend=_empty, suts=(WORKFLOW,)
    ),
}


@dataclass(frozen=True)
class Draw:
    """One injection: which fault, on which SUT, in which step, and the seed of what is left."""

    fault: str
    sut: str
    moment: str
    seed: int

    def __str__(self) -> str:
        return f"{self.fault} - {self.sut} - {self.moment} - {self.seed}".replace(" ", "_")


def draws(count: int, seed: int, suts: list[str]) -> list[Draw]:
    """The faults in a drawn order, each before any comes again; SUTs and moments at random."""
    rng, found, names = random.Random(seed), [], []
    while len(found) < count:
        if not names:
            names = [n for n, f in FAULTS.items() if _places(f, suts)]
            rng.shuffle(names)
        name = names.pop()
        sut = rng.choice(_places(FAULTS[name], suts))
        found.append(Draw(name, sut, rng.choice(FAULTS[name].moments), rng.randrange(10**6)))
    return found


def _places(fault: Fault, suts: list[str]) -> list[str]:
    """Where it can be: a fault that names no SUT is of a job without the workflow."""
    return [each for each in suts if each in (fault.suts or {*suts} - {WORKFLOW})]


def mount(results: Path) -> None:
    results.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs"]
    subprocess.run(["mount", *options, results], check=True)


def unmount(results: Path) -> None:
    subprocess.run(["umount", "-l", results], check=True)
