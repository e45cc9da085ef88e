"""How a sweep goes on: from what was run so far to the repetitions that are to be run next.

The workflow plays it move by move. A move is a small JSON file that names new repetitions; the
next one reads it and their records. So a sweep that was interrupted goes on at the move that is
missing, and the files tell how it came to its end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter, ValidationError

from trialwatt.analysis.convergence import Step, Verdict, assess, needs_more_repetitions
from trialwatt.config.plan_parts import Sweep, SweepStep
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.provenance.foreign import read_json
from trialwatt.records.outcome import Outcome, outcome

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
    """repetitions: how many of each folder are asked for, this move's included.

    steps: how many steps the sweep has come to. new: the repetitions that this move asks for, as
    <folder>/rep<n>; empty at the end. verdict: what the sweep says, None while repetitions are
    still wanting.
    """

    number: int
    steps: int
    repetitions: dict[Inside, int]
    new: list[Inside]
    verdict: Verdict | None = None

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

    observe: folder and repetition → how that run came out.
    """
    if before is None:
        first = sorted({sweep.baseline.folder, sweep.steps[0].folder})
        return _asking(0, 1, {}, dict.fromkeys(first, sweep.repetitions))
    known = {
        folder: [observe(folder, number) for number in range(1, count + 1)]
        for folder, count in before.repetitions.items()
    }
    number, steps = before.number + 1, before.steps
    more = {
        folder: len(outcomes) + 1
        for folder, outcomes in known.items()
        if _wants_more(sweep, outcomes)
    }
    if more:
        return _asking(number, steps, before.repetitions, more)
    while True:
        verdict = assess(
            [_step(step, known[step.folder]) for step in sweep.steps[:steps]],
            baseline=_step(sweep.baseline, known[sweep.baseline.folder]),
            tolerance=sweep.tolerance,
            patience=sweep.patience,
            maximum_reached=steps == len(sweep.steps),
        )
        if verdict.state != "continue":
            return Move(number, steps, before.repetitions, [], verdict)
        following = sweep.steps[steps].folder
        steps += 1
        if following not in known:  # else it is the Baseline, whose runs are there
            wanted = {following: sweep.repetitions}
            return _asking(number, steps, before.repetitions, wanted, verdict)


def ended(sweep: Sweep, last: Move) -> dict[str, Any]:
    """How a sweep ended, as the figures read it."""
    assert last.verdict is not None, "only a sweep with a verdict ends"
    own = {"sut": sweep.sut, "sampler": sweep.sampler, "testbed": sweep.testbed}
    return own | asdict(last.verdict)


def write_end(sweep: Sweep, last: Move, path: Path) -> None:
    """Write `ended` as JSON."""
    _write(ended(sweep, last), path)


def observed(results: Path) -> Callable[[str, int], Outcome]:
    """Reads how a repetition below the results folder came out."""
    return lambda folder, repetition: outcome(results / folder / f"rep{repetition}")


def _asking(
    number: int,
    steps: int,
    before: Mapping[str, int],
    wanted: Mapping[str, int],
    verdict: Verdict | None = None,
) -> Move:
    """wanted: folder → how many repetitions of it there are to be."""
    new = [
        f"{folder}/rep{repetition}"
        for folder, count in wanted.items()
        for repetition in range(before.get(folder, 0) + 1, count + 1)
    ]
    return Move(number, steps, {**before, **wanted}, new, verdict)


def _wants_more(sweep: Sweep, outcomes: list[Outcome]) -> bool:
    """A treatment that completes no run is not made better known by more of them."""
    jct_ms = [one.jct_ms for one in outcomes]
    if not any(map(math.isfinite, jct_ms)):
        return False
    return needs_more_repetitions(
        jct_ms, sweep.tolerance, sweep.repetitions, sweep.most_repetitions
    )


def _step(treatment: SweepStep, outcomes: list[Outcome]) -> Step:
    jct_ms = tuple(one.jct_ms for one in outcomes if math.isfinite(one.jct_ms))
    if jct_ms:
        return Step(treatment.value, jct_ms)
    failed = all(one.status == "failed" for one in outcomes)
    return Step(treatment.value, (), "failed" if failed else "infeasible")


def _write(values: dict[str, Any], path: Path) -> None:
    """Whole or not at all: the next move trusts what it finds."""
    write_whole(path, json.dumps(values, indent=1) + "\n")
