"""How a sweep goes on: from what was run so far to the runs that are to be made next.

It first scouts: one run of geometrically spaced treatments over the whole range shows where the
curve is flat. Its blocks then hold the fine steps to one beyond that point, and the scouted ones
beyond it; where the knee's interval touches the end of the fine steps, later blocks hold more.

The workflow plays it move by move. A move is a small JSON file that names new runs; the next one
reads it and their records. So a sweep that was interrupted goes on at the move that is missing, and
the files tell how it came to its end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter, ValidationError

from trialwatt.analysis.convergence import REPETITIONS, Step, Verdict, assess, flat_from
from trialwatt.config.blocks import SCOUTS, is_scouted, scout_folder
from trialwatt.config.plan_parts import Sweep, SweepStep
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.provenance.foreign import read_json
from trialwatt.records.outcome import Outcome, outcome

SCOUT_TOLERANCE = 0.1
"""Single runs are noisy: what they show as flat may still fall by this much."""
_MOST_BYTES = 4 << 20


def _inside(folder: str) -> str:
    parts = PurePosixPath(folder).parts
    if not parts or folder.startswith("/") or ".." in parts or "\0" in folder:
        raise ValueError("names a folder outside the results")
    return folder


Inside = Annotated[str, AfterValidator(_inside)]
"""A folder below that of the results."""


@dataclass(frozen=True)
class Move:
    """new: the runs that this move asks for, as <folder>/rep<n> or scouted; empty at the end.

    steps: how many fine steps the blocks have come to hold; 0 while it scouts. blocks: how many
    are asked for, this move's included; since: folder → the first block that has it. scouted:
    treatment and JCT (ms, null where it did not complete) of each run that was scouted. verdict:
    what the sweep says so far. Moves of earlier versions know of steps, new and verdict only.
    """

    number: int
    steps: int
    new: list[Inside]
    verdict: Verdict | None = None
    blocks: int = 0
    since: dict[Inside, int] = field(default_factory=dict)
    scouted: list[tuple[float, float | None]] = field(default_factory=list)

    @property
    def repetitions(self) -> list[str]:
        """Those of the new runs that count: all but the scouted ones."""
        return [one for one in self.new if not is_scouted(one)]

    @property
    def is_before_blocks(self) -> bool:
        """Whether rules made it that there were before sweeps went in blocks, and are no more."""
        return not self.blocks and bool(self.repetitions)

    @property
    def is_last(self) -> bool:
        return not self.new

    def write(self, path: Path) -> None:
        _write(asdict(self), path)

    @classmethod
    def read(cls, path: Path) -> Move:
        """Raises TrialwattError where the file is missing, damaged or of another version."""
        try:
            return _MOVE.validate_python(read_json(Path(path), _MOST_BYTES))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            said = f"damaged, no move of a sweep ({first['msg']})"
        except TrialwattError as error:
            said = str(error).removeprefix(f"{path}: ")
        raise TrialwattError(
            f"{path}: {said}; remove it, and `snakemake --profile local` makes it again"
        )


_MOVE = TypeAdapter(Move)


def next_move(sweep: Sweep, before: Move | None, observe: Callable[[str, int], Outcome]) -> Move:
    """The move after `before`, which has been carried out; the first one where there is none.

    observe: folder and block (blocks.SCOUTS: what was scouted) → how that run came out.
    """
    if before is None:
        if not sweep.scouts:
            return _blocks(sweep, Move(-1, 0, []), len(sweep.steps))
        return Move(0, 0, [scout_folder(one.folder) for one in sweep.scouts])
    if not before.blocks:
        found = [(one.value, observe(one.folder, SCOUTS).jct_ms) for one in sweep.scouts]
        seen = [(value, ms if math.isfinite(ms) else None) for value, ms in found]
        return _blocks(sweep, replace(before, scouted=seen), _worth_trying(sweep, found))
    verdict = assess(
        [
            _step(one, {n: observe(one.folder, n) for n in _blocks_of(one, before)})
            for one in _treatments(sweep)
            if one.folder in before.since
        ],
        [one.value for one in _treatments(sweep)],
        sweep.tolerance,
    )
    if before.blocks >= sweep.repetitions:
        return replace(before, number=before.number + 1, new=[], verdict=verdict)
    return _blocks(sweep, replace(before, verdict=verdict), _grown(sweep, before.steps, verdict))


def ended(sweep: Sweep, last: Move) -> dict[str, Any]:
    """How a sweep ended, as the figures read it."""
    assert last.verdict is not None, "only a sweep with a verdict ends"
    own = {"sut": sweep.sut, "sampler": sweep.sampler, "testbed": sweep.testbed}
    return own | asdict(last.verdict) | {"scouted": last.scouted}


def write_end(sweep: Sweep, last: Move, path: Path) -> None:
    """Write `ended` as JSON."""
    _write(ended(sweep, last), path)


def observed(results: Path) -> Callable[[str, int], Outcome]:
    """Reads how a run below the results folder came out."""
    return lambda folder, block: outcome(
        results / (f"{folder}/rep{block}" if block != SCOUTS else scout_folder(folder))
    )


def _blocks(sweep: Sweep, before: Move, steps: int) -> Move:
    """Asks for the next blocks: at first as many as a judgement needs, then one by one, as long as
    there are steps that a later one may hold in addition."""
    first, last = before.blocks + 1, sweep.repetitions
    if steps < len(sweep.steps):
        last = min(last, max(REPETITIONS, first))
    inside = {one.folder for one in [*sweep.steps[:steps], *sweep.scouts, sweep.baseline]}
    since = dict.fromkeys(sorted(inside), first) | before.since
    new = [f"{name}/rep{block}" for block in range(first, last + 1) for name in since]
    return replace(before, number=before.number + 1, steps=steps, new=new, blocks=last, since=since)


def _worth_trying(sweep: Sweep, found: list[tuple[float, float]]) -> int:
    """How many fine steps there are to one beyond the point from which the scouts are flat."""
    jct_ms = [ms for _, ms in found]
    if not any(map(math.isfinite, jct_ms)):
        return 1  # none is feasible; the scouted ones are tried again, to be sure
    flat = found[flat_from(jct_ms, SCOUT_TOLERANCE)][0]
    return _one_beyond(sweep, flat)


def _grown(sweep: Sweep, steps: int, verdict: Verdict) -> int:
    if verdict.high is None or verdict.high < sweep.steps[steps - 1].value:
        return steps
    return max(steps, _one_beyond(sweep, verdict.high))


def _one_beyond(sweep: Sweep, value: float) -> int:
    return min(len(sweep.steps), sum(one.value <= value for one in sweep.steps) + 1)


def _treatments(sweep: Sweep) -> list[SweepStep]:
    """All that may be tried, rising; the Baseline at its place."""
    there = {one.value: one for one in [sweep.baseline, *sweep.steps]}
    return [there[value] for value in sorted(there)]


def _blocks_of(one: SweepStep, before: Move) -> range:
    return range(before.since[one.folder], before.blocks + 1)


def _step(treatment: SweepStep, outcomes: dict[int, Outcome]) -> Step:
    jct_ms = {n: one.jct_ms for n, one in outcomes.items() if math.isfinite(one.jct_ms)}
    if jct_ms:
        return Step(treatment.value, jct_ms)
    failed = all(one.status == "failed" for one in outcomes.values())
    return Step(treatment.value, {}, "failed" if failed else "infeasible")


def _write(values: dict[str, Any], path: Path) -> None:
    """Whole or not at all: the next move trusts what it finds."""
    write_whole(path, json.dumps(values, indent=1) + "\n")
