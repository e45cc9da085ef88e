"""A run ends cleanly though every file descriptor that its coordinator may have is taken."""

import subprocess
import sys

import psutil
from tests.platforms.processes import group_folders

from trialwatt.platforms.processes import runs_of

SOURCE = """
import os, resource, sys
from contextlib import suppress
from pathlib import Path
import psutil
from trialwatt.config.models import Testbed
from trialwatt.platforms.base import Role
from trialwatt.platforms.local import LocalPlatform

run, folder = sys.argv[1], Path(sys.argv[2])
platform = LocalPlatform.open(run, Testbed(), folder)
for name in ("worker", "service"):
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    platform.start(Role(name=name, kind=name, cpu=1, memory_mb=128, command=command))
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 10, hard))
with suppress(OSError):
    while True:
        os.open(os.devnull, os.O_RDONLY)
platform.remove()
"""


def test_nothing_is_left_where_no_file_can_be_opened_any_more(run_id, tmp_path):
    command = [sys.executable, "-c", SOURCE, run_id, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert group_folders(run_id) == []
    assert run_id not in {run for run, _ in runs_of(psutil.pids()).values()}
