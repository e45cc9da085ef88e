"""A small workflow from nothing to its report, as a user starts it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.faults.scene import Scene, tracebacks
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

    def tracebacks(self, said: str) -> list[str]:
        """But those of Snakemake itself that name the file which it can do nothing with: where a
        second run is to begin on results that have become read-only, it says so in no other way."""
        return [
            lines[-1]
            for lines in tracebacks(said)
            if not (lines[-1].startswith("OSError: ") and "'results/" in lines[-1])
            or any(_is_ours(line) for line in lines if line.lstrip().startswith("File "))
        ]

    def is_whole(self, repetition: int = 1) -> bool:
        return len(self.counted()) == BLOCKS and (self.results / "report.html").is_file()

    def next(self) -> int:
        return 2

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)


def _is_ours(frame: str) -> bool:
    """Whether this line of a traceback names a file of the package, of a rule or of a script."""
    return "/site-packages/" not in frame and "/lib/python" not in frame
