"""What is said of a plan's runs: a line as each begins, and at the end what failed for good."""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from trialwatt.config.blocks import drawn
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MANIFEST, MOST_BYTES
from trialwatt.records.outcome import FAILED, outcome

PLANNED = ".planned.json"
_REPETITION = re.compile(r"rep[0-9]+")
SWEEPS = "sweeps"


def write_planned(
    results: Path, folders: list[str], sweeps: list[str], seed: int, digest: str
) -> None:
    """Note what is planned, for the scripts to count and to know where in its block a run stands.

    folders: of the repetitions that are known beforehand; sweeps: <experiment>/<sweep>, whose
    moves name more of them. seed, digest: of the plan.
    """
    noted = {"folders": folders, "sweeps": sweeps, "seed": seed, "digest": digest}
    (results / PLANNED).write_text(json.dumps(noted))


def standing(results: Path, folder: str, block: int) -> dict[str, int | str]:
    """Where a run stands, for its manifest: the number of its block, its position there (from 1)
    in the drawn order, how many runs the block has, and the digest of its plan.

    folder: of its configuration, below the results folder.
    """
    noted, last = json.loads((results / PLANNED).read_text()), f"/rep{block}"
    there = {
        name.removeprefix(f"{results}/").removesuffix(last)
        for name in _known(results)[0]
        if name.endswith(last)
    } | {folder}
    return {
        "number": block,
        "position": drawn(noted["seed"], block, there).index(folder) + 1,
        "runs": len(there),
        "plan": noted["digest"],
    }


def announce(results: Path, text: str) -> None:
    """Print "[3/18] text; about 2 min left" for the run that begins now; [3/18+] in a sweep.

    The estimate is the median duration of a SUT's finished runs of this plan (of all where it has
    none), times what is left of its runs that are known.
    """
    folders, more = _known(results)
    seconds: dict[str, list[float]] = {}
    left: list[str] = []
    for folder in folders:
        manifest, run = Path(folder, MANIFEST), Path(folder)
        sut = sut_of(run.parent.name if _REPETITION.fullmatch(run.name) else run.name)
        if manifest.exists():
            seconds.setdefault(sut, []).append(seconds_of(manifest))
        else:
            left.append(sut)
    estimate = ""
    if seconds:
        typical = statistics.median(each for taken in seconds.values() for each in taken)
        expected = {sut: statistics.median(taken) for sut, taken in seconds.items()}
        estimate = f"; about {human(sum(expected.get(sut, typical) for sut in left))} left"
    counted = f"[{len(folders) - len(left) + 1}/{len(folders)}{'+' if more else ''}]"
    print(f"{counted} {text}{estimate}", file=sys.stderr, flush=True)


def sut_of(run: str) -> str:
    """Of the name of a run's folder, <SUT>-<label>-<hash>."""
    return run.split("-", 1)[0]


def seconds_of(manifest: Path) -> float:
    """How long a run took. Raises TrialwattError where its manifest is damaged."""
    data = read_json(manifest, MOST_BYTES)
    keys = ("started_utc_ns", "ended_utc_ns")
    if not isinstance(data, dict) or not all(type(data.get(key)) is int for key in keys):
        raise TrialwattError(
            f"{manifest}: does not say when the run began and ended; remove its folder to redo it"
        )
    return (data["ended_utc_ns"] - data["started_utc_ns"]) / 1e9


def _known(results: Path) -> tuple[list[str], bool]:
    """The folders of all runs that are known by now, and whether sweeps may add to them."""
    planned = json.loads((results / PLANNED).read_text())
    folders, going = dict.fromkeys(planned["folders"]), False
    for sweep in planned["sweeps"]:
        moves = [json.loads(f.read_text()) for f in (results / SWEEPS / sweep).glob("move*.json")]
        going = going or all(move["new"] for move in moves)
        folders |= dict.fromkeys(f"{results}/{new}" for move in moves for new in move["new"])
    return list(folders), going


def human(seconds: float) -> str:
    """A duration for people: 80 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def write_summary(folders: Iterable[Path], path: Path) -> None:
    """Write {"runs": n, "failed": 0}. Raises TrialwattError naming the runs that failed."""
    folders = sorted(folders)
    failed = {folder: one for folder in folders if (one := outcome(folder)).status == FAILED}
    if failed:
        each = "\n".join(f"  {folder}: {one.reason}" for folder, one in failed.items())
        raise TrialwattError(
            f"{len(failed)} of {len(folders)} runs failed twice; tables and figures show the "
            f"holes:\n{each}\nRemove a folder to try its run again."
        )
    write_whole(path, json.dumps({"runs": len(folders), "failed": 0}) + "\n")
