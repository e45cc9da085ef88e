"""Processes of other users of this machine, which only root can make."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ALICE, BOB = 54321, 54322

needs_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be other users")

BECOME = """
import os, sys
import trialwatt.lifecycle.execute, trialwatt.lifecycle.reap  # while the interpreter can be read
import trialwatt.suts.ray_node, trialwatt.suts.optuna, encodings.idna
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
os.umask(0o077)
os.environ["HOME"] = "/nonexistent"
"""


def open_to_all(folder: Path) -> None:
    """Let every user come to a folder that pytest has made, through those above it."""
    top = Path(tempfile.gettempdir())
    for each in (folder, *(above for above in folder.parents if top in above.parents)):
        each.chmod(0o755)


def shared_folder(place: Path, name: str, mode: int) -> Path:
    """A folder of that mode in one that pytest has made, to which every user can come."""
    open_to_all(place)
    made = place / name
    made.mkdir()
    made.chmod(mode)
    return made


def process_of(
    user: int, source: str, *arguments: object, through: tuple[str, ...] = (), **environment: str
) -> subprocess.Popen:
    """A Python process of that user that runs `source`, with os and sys at hand, and everything
    of ours imported. Its arguments are sys.argv[2:]. through: a command that root starts it by."""
    return subprocess.Popen(
        [*through, sys.executable, "-c", BECOME + source, str(user), *map(str, arguments)],
        env=os.environ | environment,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said_by(user: int, source: str, *arguments: object, **keys) -> str:
    """What such a process prints. It must end without an error."""
    process = process_of(user, source, *arguments, **keys)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    return out + error
