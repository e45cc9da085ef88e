"""The faults: at which moments each may come, and what is to become of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults import acts, clock
from tests.faults.acts import CONT, KILL, STOP, TERM, Inject, signals
from tests.faults.scene import KINDS, Scene
from tests.faults.subjects import SUBJECTS, WORKFLOW, with_service, without_root

START = "start"
"""Before the command begins."""
DEPLOY, TRIALS, COLLECT, UNDEPLOY = MOMENTS = ("deploy", "trials", "collect", "undeploy")
METRICS = "metrics"
"""In the workflow: metrics, figures and tables are made."""
RUNS = (DEPLOY, TRIALS, COLLECT)
WHOLE = (DEPLOY, TRIALS, UNDEPLOY, METRICS)
SHAKY = {"meters": ["model", "shaky"]}


@dataclass(frozen=True)
class Fault:
    """inject: does it. mend: undoes what a user would before the next command.

    moments: when it may come in a run; workflow: in a whole workflow, whose coordinator is
    Snakemake. subjects: in whose runs it can be. survives: the run is to complete all the same.
    later: the kinds of traces that only the next command can remove. tmpfs: the results are on a
    small file system of their own. clock: that of its processes can be set. trial: which function
    of short.py; images: the trials are of an image workload instead. keys, testbed: of the workload
    and the testbed. missing: why it cannot be here.
    """

    inject: Inject
    moments: tuple[str, ...] = MOMENTS
    workflow: tuple[str, ...] = ()
    subjects: tuple[str, ...] = tuple(SUBJECTS)
    survives: bool = False
    later: tuple[str, ...] = ()
    tmpfs: bool = False
    clock: bool = False
    images: bool = False
    trial: str = "train"
    mend: Callable[[Scene], None] = lambda scene: None
    keys: dict = field(default_factory=dict)
    testbed: dict = field(default_factory=dict)
    missing: str = ""
    again: bool = True  # the same job can complete afterwards

    def moments_of(self, subject: str) -> tuple[str, ...]:
        if subject == WORKFLOW:
            return self.workflow
        return self.moments if subject in self.subjects else ()


def _of(component: str) -> dict[str, Fault]:
    """The signals to a process that a run can lose."""
    own, stopped = with_service(component), {"deadline_s": 60}

    def lost(*numbers: int) -> Fault:
        return Fault(signals(component, *numbers), RUNS, subjects=own, survives=True)

    return {
        f"SIGKILL of a {component}": lost(KILL),
        f"SIGTERM of a {component}": lost(TERM),
        f"SIGSTOP and SIGCONT of a {component}": lost(STOP, CONT),
        f"SIGSTOP of a {component}": Fault(
            signals(component, STOP), (TRIALS,), subjects=own, keys=stopped, again=False
        ),
    }


FAULTS: dict[str, Fault] = {
    **_of("worker"),
    **_of("driver"),
    **_of("head"),
    **_of("master"),
    **_of("storage"),
    **_of("search"),
    "SIGKILL of the coordinator": Fault(signals("coordinator", KILL), workflow=WHOLE, later=KINDS),
    "SIGTERM of the coordinator": Fault(signals("coordinator", TERM), workflow=WHOLE),
    "SIGSTOP and SIGCONT of the coordinator": Fault(
        signals("coordinator", STOP, CONT), RUNS, WHOLE, survives=True
    ),
    "SIGSTOP, then SIGKILL of the coordinator": Fault(
        signals("coordinator", STOP, KILL), workflow=WHOLE, later=KINDS
    ),
    "Ctrl-C twice": Fault(acts.interrupt_twice, workflow=WHOLE),
    "reboot": Fault(acts.all_gone, workflow=WHOLE, later=KINDS),
    "out of memory in trials": Fault(acts.nothing, (START,), survives=True, trial="hungry"),
    "too little memory for a worker": Fault(
        acts.nothing,
        (START,),
        keys={"workers": {"count": 1, "cpu": 2, "memory_mb": 16}},
        again=False,
    ),
    "disk full": Fault(
        acts.fill,
        workflow=(TRIALS, METRICS),
        tmpfs=True,
        mend=acts.empty,
        missing=without_root(),
    ),
    "read-only results": Fault(
        acts.read_only,
        (START, *MOMENTS),
        (TRIALS, METRICS),
        later=("partial",),
        mend=acts.writable,
        missing=without_root(),
    ),
    "no file descriptors": Fault(acts.no_descriptors, RUNS),
    "a meter dies": Fault(
        acts.says("dies"), RUNS, survives=True, testbed=SHAKY, mend=acts.works_again
    ),
    "a meter hangs": Fault(acts.says("hangs"), RUNS, testbed=SHAKY, mend=acts.works_again),
    "a meter answers nonsense": Fault(
        acts.says("nonsense"), RUNS, survives=True, testbed=SHAKY, mend=acts.works_again
    ),
    "the data vanish": Fault(acts.vanish, (START, *RUNS), images=True, mend=acts.come_back),
    "the clock jumps": Fault(
        acts.jump,
        RUNS,
        survives=True,
        clock=True,
        missing=clock.missing(),
    ),
}
