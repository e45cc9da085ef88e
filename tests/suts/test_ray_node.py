"""The process of a Ray node notices that a process of Ray's own is dead where Ray does not."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import psutil
from tests.platforms.processes import wait_until

SOURCE = """
    import subprocess, sys, time
    from pathlib import Path
    from trialwatt.suts import ray_node
    ray_node.WATCH_S = 0.1
    subprocess.Popen([sys.argv[1], "600"])
    ray_node._watch(Path(sys.argv[2]))
"""


def test_a_raylet_that_dies_before_ray_looks_ends_the_node_with_its_last_words(tmp_path):
    raylet = shutil.copy(shutil.which("sleep"), tmp_path / "raylet")
    logs = tmp_path / "session_latest" / "logs"
    logs.mkdir(parents=True)
    (logs / "raylet.out").write_text("Check failed: no room in /dev/shm\n\n")
    command = [sys.executable, "-c", textwrap.dedent(SOURCE), raylet, tmp_path]
    node = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        children = psutil.Process(node.pid).children
        assert wait_until(lambda: [c for c in children() if c.name() == "raylet"])
        os.kill(children()[0].pid, signal.SIGKILL)
        _, said = node.communicate(timeout=60)
    finally:
        node.kill()
        node.wait()
    assert node.returncode == 1
    assert said == "Ray's raylet has ended: Check failed: no room in /dev/shm\n"
