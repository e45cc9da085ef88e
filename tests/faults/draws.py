"""Which faults are injected, into what, when: drawn of a seed."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from tests.faults.kinds import COLLECT, DEPLOY, FAULTS, METRICS, START, TRIALS, UNDEPLOY
from tests.faults.scene import Missed, Scene
from tests.faults.subjects import EVERY


@dataclass(frozen=True)
class Draw:
    """One injection: which fault, into what, in which step, and the seed of what is left."""

    fault: str
    subject: str
    moment: str
    seed: int

    def __str__(self) -> str:
        return f"{self.fault} - {self.subject} - {self.moment} - {self.seed}".replace(" ", "_")


def pairs() -> list[tuple[str, str]]:
    """Each fault, with each of those in which it can be."""
    return [(n, subject) for n, f in FAULTS.items() for subject in EVERY if f.moments_of(subject)]


def draws(count: int, seed: int) -> list[Draw]:
    """In a drawn order, each pair before any comes again, and so the moments of each fault."""
    rng, found = random.Random(seed), list[Draw]()
    left: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    while len(found) < count:
        every = pairs()
        for name, subject in rng.sample(every, len(every)):
            moments = FAULTS[name].moments_of(subject)
            own = left.setdefault((name, moments), [])
            own += [] if own else rng.sample(moments, len(moments))
            found.append(Draw(name, subject, own.pop(), rng.randrange(10**6)))
    return found[:count]


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
        assert moment in (COLLECT, UNDEPLOY), f"{moment} ({START} is before the command)"
        scene.until(lambda: scene.has_entered(moment))
        time.sleep(rng.uniform(0, 0.1))
    if scene.process.poll() is not None:
        raise Missed
