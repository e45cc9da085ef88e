"""One run, as the workflow's rule starts it, and without the workflow."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

from tests.faults import clock, shaky, short
from tests.faults.kinds import Fault
from tests.faults.scene import Scene
from tests.faults.subjects import Subject

from trialwatt.config.functions import find
from trialwatt.config.models import RunConfig, Testbed, Workload
from trialwatt.contract.fixtures import BUSY

COORDINATOR = Path(__file__).with_name("coordinator.py")
RATES, SIZES = (0.1, 0.3, 0.5), (1, 2, 3, 4)
IMAGES = {"lr": [0.001, 0.003], "decay": [1e-6], "ls": [16, 32], "ln": [1]}
"""Of the space of an image workload."""


def configuration(subject: Subject, fault: Fault) -> RunConfig:
    """Of a run with many short trials, and with what the fault needs."""
    if fault.images:
        axes, own = IMAGES, {"dataset": "digits"}
    else:
        sizes = SIZES[: subject.points // len(RATES)]
        axes, own = {"rate": RATES, "size": sizes}, {"goal": {"score": "accuracy"}}
        function = f"{short.__name__.rpartition('.')[2]}:{fault.trial}"
        own["trial"] = find(function, Path(short.__file__).parent).function
    search = {"sampler": subject.sampler}
    search |= {} if subject.sampler == "grid" else {"budget": points_of(subject, fault)}
    own |= {
        "space": {name: {"choices": [*values]} for name, values in axes.items()},
        "search": search,
        "epochs": 20,
        "workers": {"count": 2, "cpu": 2, "memory_mb": 1024},
        "deadline_s": 1500,
    }
    testbed = {"cpu_per_vcpu": 0.5, "meters": ["model"], "idle_s": 0}
    testbed |= BUSY | subject.testbed | fault.testbed
    testbed |= {"environment": list(clock.VARIABLES)} if fault.clock else {}
    return RunConfig(
        sut=subject.sut,
        workload=Workload.model_validate(own | fault.keys),
        testbed_name="test",
        testbed=Testbed.model_validate(testbed),
        seed=1,
    )


def points_of(subject: Subject, fault: Fault) -> int:
    return len(IMAGES["lr"]) * len(IMAGES["ls"]) if fault.images else subject.points


class Job(Scene):
    """One repetition of a configuration, with a copy of its data, which a fault may take away.

    data: the prepared dataset, or the function's file. site: what can be imported of others.
    """

    def __init__(
        self, folder: Path, subject: Subject, fault: Fault, data: Path, facts: Path, site: Path
    ):
        super().__init__(folder, folder / "results", points_of(subject, fault))
        self._config = configuration(subject, fault).model_dump_json()
        self._facts = facts
        shutil.copy(data, self.data)
        self._environment = {"PYTHONPATH": str(site), shaky.SWITCH: str(self.switch)}
        if fault.clock:
            self._environment |= clock.environment(self.clock)

    def start(self, repetition: int = 1) -> None:
        command = [sys.executable, COORDINATOR, self._config, str(repetition)]
        command += [self.folder / "log", self.data, self._facts, self.results]
        self.launch(command, repetition, self._environment, self.folder)

    def is_whole(self, repetition: int = 1) -> bool:
        return any(folder.name == f"rep{repetition}" for folder in self.counted())

    def next(self) -> int:
        return 2 if self.counted() else 1

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)
