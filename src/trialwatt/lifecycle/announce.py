"""What is said of a plan's runs: a line as each begins, and at the end what failed for good."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from trialwatt.config.blocks import drawn
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.lifecycle.durations import Durations
from trialwatt.records.manifest import MANIFEST
from trialwatt.records.outcome import FAILED, outcome

PLANNED = ".planned.json"
SWEEPS = "sweeps"


class Wanted(NamedTuple):
    """folders: of the repetitions that are known beforehand; sweeps: <experiment>/<sweep>, whose
    moves name more of them."""

    folders: list[str]
    sweeps: list[str]


def write_planned(
    results: Path,
    whole: Wanted,
    asked: Wanted,
    suts: Mapping[str, str],
    seed: int,
    digest: str,
) -> None:
    """Note what is planned, for the scripts to count and to know where in its block a run stands.

    whole: the plan; asked: what this call is to make of it. suts: configuration's folder below the
    results → its SUT. seed, digest: of the plan.
    """
    noted = {
        "whole": whole._asdict(),
        "asked": asked._asdict(),
        "suts": dict(suts),
        "seed": seed,
        "digest": digest,
    }
    (results / PLANNED).write_text(json.dumps(noted))


def standing(results: Path, folder: str, block: int) -> dict[str, int | str]:
    """Where a run stands, for its manifest: the number of its block, its position there (from 1)
    in the drawn order, how many runs the block has, and the digest of its plan.

    folder: of its configuration, below the results folder.
    """
    noted, last = json.loads((results / PLANNED).read_text()), f"/rep{block}"
    there = {
        name.removeprefix(f"{results}/").removesuffix(last)
        for name in _known(results, noted["whole"])[0]
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

    The estimate is of the runs that are left, as far as they are known, by those of this plan that
    are finished (Durations.expected).
    """
    noted = json.loads((results / PLANNED).read_text())
    folders, more = _known(results, noted["asked"])
    suts = noted["suts"]
    runs = [Path(folder) for folder in folders]
    ended = {run for run in runs if (run / MANIFEST).exists()}
    finished, left = Durations(ended), [run for run in runs if run not in ended]
    expected = [
        finished.expected(run.parent, suts.get(run.parent.relative_to(results).as_posix(), ""))
        for run in left
    ]
    known = [seconds for seconds in expected if seconds is not None]
    estimate = f"; about {human(sum(known))} left" if ended else ""
    counted = f"[{len(ended) + 1}/{len(runs)}{'+' if more else ''}]"
    print(f"{counted} {text}{estimate}", file=sys.stderr, flush=True)


def _known(results: Path, wanted: Mapping[str, list[str]]) -> tuple[list[str], bool]:
    """The folders of the runs that are known by now, and whether sweeps may add to them.

    wanted: a Wanted, as it is noted.
    """
    folders, going = dict.fromkeys(wanted["folders"]), False
    for sweep in wanted["sweeps"]:
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
