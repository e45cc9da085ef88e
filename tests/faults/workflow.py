"""A small workflow from nothing to its report, as a user starts it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.faults.scene import Scene
from tests.workflows import copied

BLOCKS, POINTS = 2, 2
SETTINGS = f"""
testbed: local
experiments: [baseline]
base: digits-ff
set: {{workers.count: 2, workers.cpu: 2, epochs: 60, space: tiny}}
suts: [plain]
repetitions: {BLOCKS}
warm_up: false
"""
SPACE = """
lr: {choices: [0.001, 0.01]}
decay: {choices: [0.000001]}
ls: {choices: [16]}
ln: {choices: [1]}
"""


class Workflow(Scene):
    """Two blocks of one configuration, with metrics, figures, tables and the report."""

    def __init__(self, folder: Path):
        self._project = copied(folder / "project", SETTINGS)
        bed = self._project / "config" / "testbeds" / "local.yaml"
        bed.write_text(bed.read_text().replace("quiet_wait_s: 5", "quiet_wait_s: 0"))
        (self._project / "config" / "spaces" / "tiny.yaml").write_text(SPACE)
        super().__init__(folder, self._project / "results", POINTS)

    def start(self, repetition: int = 1) -> None:
        programs = Path(sys.executable).parent
        environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
        command = [programs / "snakemake", "--profile", "local"]
        self.launch(command, repetition, environment, self._project)

    def is_whole(self, repetition: int = 1) -> bool:
        return len(self.counted()) == BLOCKS and (self.results / "report.html").is_file()

    def next(self) -> int:
        return 2

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
