"""Into what faults are injected: a run of each SUT, and a whole workflow."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from trialwatt import suts
from trialwatt.suts import postgres

WORKFLOW = "Snakemake"
"""In the place of a SUT: two blocks of plain, with all that is made of them."""
ASKED = "climb"
"""The SUT of docs/add-a-sut.md, which is asked and told."""


@dataclass(frozen=True)
class Subject:
    """services: its components beside the workers. points: how many trials its grid or budget has;
    fewer where each starts a process of its own. testbed: keys."""

    sut: str
    services: tuple[str, ...] = ()
    points: int = 12
    sampler: str = "grid"
    testbed: dict = field(default_factory=dict)

    @property
    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        if self.testbed and (problem := postgres.problem()):
            return problem
        return "" if self.sut == ASKED else suts.get(self.sut).available()


SUBJECTS = {
    "plain": Subject("plain"),
    "Optuna": Subject("optuna"),
    "Optuna on PostgreSQL": Subject(
        "optuna", ("storage",), testbed={"storage": {"postgres": "service"}}
    ),
    "ask and tell": Subject(ASKED, ("search",), sampler="random"),
    "Ray Tune": Subject("ray", ("head", "driver"), points=6),
    "Hyperopt": Subject("hyperopt", ("master", "driver"), points=6, sampler="random"),
}
EVERY = (*SUBJECTS, WORKFLOW)


def with_service(kind: str) -> tuple[str, ...]:
    """Those that have this component; all for the workers."""
    return tuple(name for name, s in SUBJECTS.items() if kind in ("worker", *s.services))


def without_root() -> str:
    return "" if os.geteuid() == 0 else "only root can mount a file system"
