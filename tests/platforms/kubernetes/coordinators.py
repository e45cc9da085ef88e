"""Coordinators as real processes, each with a testbed of its own on one API server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.platforms.processes import WORKFLOW_PID

PRELUDE = """
import json, sys
from pathlib import Path
from trialwatt.config.models import Testbed
from trialwatt.lifecycle.script import user_errors
from trialwatt.platforms.kubernetes import access, image
from trialwatt.platforms.kubernetes.platform import KubernetesPlatform as kind
bed = Testbed.model_validate_json(sys.argv[1])
data = Path(sys.argv[2])

def tell(said):
    print(json.dumps(said), flush=True)

def wait():
    sys.stdin.readline()

with user_errors("/dev/null"):
"""


class Coordinator:
    """A process that does `source`, with bed, data, kind, tell(…) and wait() at hand."""

    def __init__(self, source: str, bed: Testbed, data: Path = Path(), **environment: str):
        lines = "".join(f"    {line}\n" for line in source.strip().splitlines())
        kept = {name: text for name, text in os.environ.items() if name != WORKFLOW_PID}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + lines, bed.model_dump_json(), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=kept | environment,
            text=True,
        )

    def heard(self) -> str:
        """The next line that it tells; fails with its errors where it ends before."""
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return line.strip()

    def go_on(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Its exit code and what it has written to stderr, when it has ended."""
        _, said = self.process.communicate(timeout=300)
        return self.process.returncode, said

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
