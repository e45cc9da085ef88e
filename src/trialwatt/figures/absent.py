"""What is not in the data, said wherever the data are shown: failed runs, and what cannot be run.

Neither is counted anywhere; both keep their place, so that a gap is never taken for a choice.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from trialwatt.analysis.columns import not_counted
from trialwatt.figures import treatments
from trialwatt.figures.groups import groups
from trialwatt.provenance.embed import read_sidecar
from trialwatt.records.outcome import FAILED

ABSENT = "absent"
"""Key of a figure's provenance: why there is nothing to see in it, and it is left out."""
_MOST_LETTERS = 160
_GAP = "\N{BULLET}"


class Absent(NamedTuple):
    """What cannot be run here for one reason. sut: empty for "nobody can".

    treatments: their short names; empty where the SUT itself is not available.
    """

    sut: str
    treatments: tuple[str, ...]
    reason: str

    @property
    def sentence(self) -> str:
        subject = (self.sut,) if self.sut else self.treatments
        if len(subject) == 1 and subject[0] in self.reason.partition(":")[0].split():
            return self.reason
        named = [self.sut] if self.sut else []
        named += [", ".join(self.treatments)] if self.treatments else []
        return f"{': '.join(named)}: {self.reason}"


def grouped(unavailable: Iterable[Mapping]) -> list[Absent]:
    """The entries of unavailable.json; those of one SUT that differ in a name only become one.

    `plain offers no sampler "tpe"` and the same of "gp" become `plain offers no sampler tpe, gp`.
    """
    found: dict[tuple[str, str], tuple[list[str], list[str]]] = {}
    for entry in unavailable:
        sut, label, reason = entry["sut"] or "", entry["treatment"] or "", entry["reason"]
        values = [part.split("=", 1)[-1] for part in label.split(", ")] if label else []
        quoted = next((value for value in values if f'"{value}"' in reason), None)
        pattern = reason if quoted is None else reason.replace(f'"{quoted}"', _GAP)
        names, gaps = found.setdefault((sut, pattern.rstrip(".")), ([], []))
        names += [treatments.short(label)] if label else []
        gaps += [quoted] if quoted is not None and quoted not in gaps else []
    return [
        Absent(sut, tuple(names), pattern.replace(_GAP, ", ".join(gaps)))
        for (sut, pattern), (names, gaps) in found.items()
    ]


def not_here(unavailable: Sequence[Mapping]) -> str:
    """One paragraph, short enough for a figure; empty where all can be run.

    What a SUT does offer is left out: the figure shows it.
    """
    said = "; ".join(each.sentence.split("; it has: ")[0] for each in grouped(unavailable))
    return f"Not available here. {said}." if said else ""


def left_out(stem: Path) -> str:
    """Why a figure that was made as `<stem>.svg`, … shows nothing; empty where it shows something,
    or was not made. Raises TrialwattError where its sidecar is damaged."""
    sidecar = stem.with_name(f"{stem.name}.json")
    found = read_sidecar(sidecar) if sidecar.is_file() else None
    reason = found[0].get(ABSENT) if found else None
    return reason if isinstance(reason, str) else ""


def no_runs(unavailable: Sequence[Mapping]) -> str:
    """Why an experiment without runs shows nothing."""
    said = not_here(unavailable)
    return f"this experiment has no runs yet. {said}".strip()


def failures(runs: pd.DataFrame) -> str:
    """Which runs failed, and why; empty where none did."""
    if runs.empty or not (runs["status"] == FAILED).any():
        return ""
    axis, keys = treatments.axis(runs), treatments.key(runs)
    where: dict[tuple[str, str], int] = {}
    for group in groups(runs):
        for index in group.runs.index[group.runs["status"] == FAILED]:
            place = (f"{group.name}, {axis.names[keys[index]]}", reason_of(runs.loc[index]))
            where[place] = where.get(place, 0) + 1
    by_reason: dict[str, list[str]] = {}
    for (name, reason), count in where.items():
        by_reason.setdefault(reason, []).append(f"{name} (×{count})" if count > 1 else name)
    said = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
    return f"{not_counted(sum(where.values()))} {said}."


def reason_of(run: pd.Series) -> str:
    """Its reason on one short line."""
    reason = run.get("reason")
    words = str(reason) if isinstance(reason, str) and reason else "no reason on record"
    return textwrap.shorten(words, _MOST_LETTERS, placeholder=" …").rstrip(".")


def what_is_absent(runs: pd.DataFrame, unavailable: Iterable[Mapping]) -> list[str]:
    """Which runs failed and what cannot be run here, a sentence each, in full."""
    failed = failures(runs)
    missing = [f"Not available here. {one.sentence}." for one in grouped(unavailable)]
    return [failed, *missing] if failed else missing


def absences(runs: pd.DataFrame, unavailable: Sequence[Mapping]) -> str:
    """All of it as lines for a footnote, each with a line break before it; empty where nothing is.

    runs: all of the experiment's, the failed ones among them.
    """
    lines = [failures(runs), not_here(unavailable)]
    return "".join(f"\n{line}" for line in lines if line)
