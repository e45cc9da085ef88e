"""Bad input, repaired with a note or refused: the rules that all record files share."""

from __future__ import annotations

import numpy as np

from trialwatt.errors import TrialwattError

JUMP_NS = 1_000_000_000
"""UTC against the monotonic clock may drift by less than this; more is a clock that was set."""


def clock_jumped(utc_minus_mono_ns: tuple[int, int]) -> bool:
    """Whether t - m, given as its least and greatest value, changed by more than a second."""
    low, high = utc_minus_mono_ns
    return high - low > JUMP_NS


def jump_note(where: str) -> str:
    return f"{where}: the clock was set during the run; monotonic time is used"


def order_note(where: str) -> str:
    return f"{where}: lines were out of order and were sorted by time"


def doubles_note(where: str, count: int) -> str:
    lines = "1 line was" if count == 1 else f"{count} lines were"
    return f"{where}: {lines} there twice; one copy counts"


def cut_note(where: str, lines: list[int]) -> str:
    named = ", ".join(str(line) for line in lines)
    return f"{where}: cut line dropped (line {named})"


def refuse_foreign(where: str, found: str, run_id: str) -> TrialwattError:
    return TrialwattError(
        f"{where}: holds lines of another run ({found}); this run is {run_id}. "
        "Records of different runs were mixed: take the files from their source again."
    )


def refuse_rubbish(where: str, broken: int, lines: int) -> TrialwattError:
    return TrialwattError(
        f"{where}: {broken} of {lines} lines cannot be read; "
        "this is not a record file, or it was damaged: take it from its source again."
    )


def too_broken(broken: int, lines: int) -> bool:
    """A kill leaves one cut line per process; many more are damage that no note can excuse."""
    return broken > 3 and broken > 0.01 * lines


def in_time_order(times: np.ndarray) -> bool:
    """Whether times never go back; shape (n,)."""
    return bool(np.all(times[1:] >= times[:-1]))
