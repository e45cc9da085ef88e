"""The process of a Ray node notices that a process of Ray's own is dead where Ray does not."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap

import psutil
import pytest
from tests.platforms.processes import wait_until

FATAL = "[2026-12-01 10:44:36,273 C 20435 20461] (raylet) raylet.cc:95: it lost the head"
SOURCE = """
    import subprocess, sys, time
    from pathlib import Path
    from trialwatt.suts import ray_node
    ray_node.WATCH_S = 0.1
    subprocess.Popen([sys.argv[1], "600"])
    ray_node._watch(Path(sys.argv[2]))
"""


@pytest.mark.parametrize(
    "log, said",
    [
        ("Check failed: no room in /dev/shm\n\n", "Check failed: no room in /dev/shm"),
        (
            f"{FATAL}\n*** StackTrace Information ***\n" + 40 * "/ray/raylet(+0x263cb7) [0x556]\n",
            FATAL,
        ),
    ],
)
def test_a_raylet_that_dies_before_ray_looks_ends_the_node_with_its_last_words(tmp_path, log, said):
    raylet = shutil.copy(shutil.which("sleep"), tmp_path / "raylet")
    logs = tmp_path / "session_latest" / "logs"
    logs.mkdir(parents=True)
    (logs / "raylet.out").write_text(log)
    command = [sys.executable, "-c", textwrap.dedent(SOURCE), raylet, tmp_path]
    node = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        children = psutil.Process(node.pid).children
        assert wait_until(lambda: [c for c in children() if c.name() == "raylet"])
        os.kill(children()[0].pid, signal.SIGKILL)
        _, words = node.communicate(timeout=60)
    finally:
        node.kill()
        node.wait()
    assert node.returncode == 1
    assert words == f"Ray's raylet has ended: {said}\n"
