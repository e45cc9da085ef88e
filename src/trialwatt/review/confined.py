"""Start review.examiner, the process that reads a stranger's results, and bring back its answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.platforms.environment import thread_environment
from trialwatt.printable import shown
from trialwatt.review.sandbox import Limits
from trialwatt.review.tree import Tree

_WAITING = 5 * 60
"""Seconds beyond its CPU time that the process may wait for the disk, or for other processes."""


def in_a_fresh_process(do: str, tree: Tree, work: Path, limits: Limits | None = None) -> dict:
    """What review.examiner answers: isolated from this process, its folder and the user's modules.

    do: "verify", "replay" or "remake". work: a new folder. limits: of time, memory and file sizes
    (default: by the size of the tree). Raises TrialwattError where the process comes to no answer.
    """
    work.mkdir(parents=True)
    limits = limits or limits_of(tree)
    with tempfile.TemporaryDirectory(prefix="trialwatt-") as folder:
        task, answer = Path(folder, "task.json"), Path(folder, "answer.json")
        values = {
            "do": do,
            "root": str(tree.root.resolve()),
            "results": str(tree.results.resolve()),
            "is_archive": tree.is_archive,
            "work": str(work.resolve()),
            "answer": str(answer),
            "limits": asdict(limits),
        }
        task.write_text(json.dumps(values), encoding="utf-8")
        environment = os.environ | thread_environment(1) | {"MPLCONFIGDIR": folder}
        with Path(folder, "said.txt").open("w+b") as said:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "trialwatt.review.examiner", str(task)],
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # so that it ends with all that it has started
            )
            try:
                code = process.wait(limits.seconds + _WAITING)
            except subprocess.TimeoutExpired as error:
                raise TrialwattError(
                    f"these results took more than {limits.seconds} s to be read; it was given up"
                ) from error
            finally:
                _end(process)
            if code or not answer.is_file():
                raise TrialwattError(_why(code, limits, said))
        found = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise TrialwattError(shown(found["error"]))
    return found


def limits_of(tree: Tree) -> Limits:
    """By the size of the tree: ten times and more of what results of that size have needed."""
    size = sum(file.lstat().st_size for file in tree.results.rglob("*"))
    return Limits(
        seconds=600 + 60 * (size >> 20),
        memory_bytes=(4 << 30) + 32 * size,
        file_bytes=(1 << 30) + 32 * size,
    )


def _end(process: subprocess.Popen) -> None:
    """It, and those that it has forked."""
    with contextlib.suppress(ProcessLookupError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _why(code: int, limits: Limits, said) -> str:
    """Why there is no answer; what the process said last, as it may quote what it has read."""
    said.seek(0)
    last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    quoted = f"; it said last: {shown(last[0], 300)}" if last else ""
    if code < 0:
        return (
            f"the process that reads these results was ended by {signal.Signals(-code).name}; it "
            f"may take {limits.seconds} s of CPU time and {limits.memory_bytes >> 20} MB{quoted}"
        )
    return f"the process that reads these results ended with exit code {code}{quoted}"
