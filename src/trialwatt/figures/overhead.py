"""What a framework itself costs: each SUT against plain under the same treatment and sampler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trialwatt.analysis.intervals import ENOUGH, RESAMPLES, SEED, Summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences
from trialwatt.figures.notes import conditions
from trialwatt.figures.rows import bars_said, canvas, closed_up, legend_of, medians, rows, small
from trialwatt.figures.style import (
    BASELINE,
    MUTED,
    PAGE_IN,
    footnote,
    heading,
    nothing,
    styled,
)

CONTROL = "plain"
_SEARCH = ("search.sampler=", "search.budget=")
PANELS = (
    ("jct_ms", "JCT", "job completion time"),
    ("job_energy_kwh", "energy", "job energy"),
    ("wr", "WR", "idle share"),
)


@styled
def overhead(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Ratios to plain of JCT, job energy and WR, a row per SUT and treatment.

    Compared are completed runs of one testbed, treatment and sampler; a row without a counterpart
    is left out and counted in the note.
    """
    title = f"{experiment}, framework overhead against plain"
    done = runs[runs["status"] == "completed"] if len(runs) else runs
    absent = absences(runs, unavailable)
    if done.empty:
        return nothing(title, f"no run of this experiment was completed. {absent}")
    axis = treatments.axis(done)
    others = done[done["sut"] != CONTROL]
    controls = control(done)
    pairs = [(row, controls(row.runs)) for row in rows(others, axis)]
    pairs, all_rows = [(row, plain) for row, plain in pairs if len(plain)], len(pairs)
    found = closed_up([row for row, _ in pairs])
    if not found:
        why = "there is no SUT and treatment that plain ran too, with the same sampler."
        return nothing(title, f"{why} {absent}")
    figure, panels = canvas(PAGE_IN, found, 3)
    summaries: list[Summary] = []
    for axes, (name, head, words) in zip(panels, PANELS, strict=True):
        values = quantity.column(done, name)
        furthest, points, middles = 1.0, {}, {}
        for row, (_, plains) in zip(found, pairs, strict=True):
            mine, plain = values[row.runs].dropna(), values[plains].dropna()
            here = ratio(mine, plain)
            if here.n == 0:
                axes.text(0, row.place, " not on record", va="center", fontsize=6.5, color=MUTED)
                continue
            summaries.append(here)
            each = mine / plain.median()
            furthest = max(furthest, here.high, each.max())
            points.setdefault(row.sut, []).extend((point, row.place) for point in each)
            middles.setdefault(row.sut, []).append((row.place, here))
        for sut, middle in middles.items():
            small(axes, sut, points[sut], filled=True)
            medians(axes, sut, middle)
        modelled = name != "jct_ms" and quantity.is_modelled(done["energy_method"])
        axes.axvline(1, zorder=0, **BASELINE)
        axes.set_title(f"{head} ÷ plain's")
        axes.set_xlabel(f"{words}, ratio{' (modelled)' if modelled else ''}")
        axes.set_xlim(0, 1.06 * furthest)
    heading(figure, title, legend_of(others, [row.sut for row in found]), columns=7)
    footnote(figure, _note(done, summaries, all_rows - len(found)) + absent)
    return figure


def control(runs: pd.DataFrame) -> Callable[[pd.Index], pd.Index]:
    """Finds to some (alike) runs those of plain with their testbed, treatment, sampler and budget.

    Sampler and budget are compared as such, not as parts of a treatment's label: where a search
    of the whole space has the budget of another treatment, plain ran it once for both.
    """
    named = [column for column in ("sampler", "budget") if column in runs]
    columns = [runs["testbed"], treatments.key(runs).map(_without_search)]
    columns += [runs[column].fillna("") for column in named]
    alike = dict(zip(runs.index, zip(*columns, strict=True), strict=True))
    plain: dict[tuple, list] = {}
    for index in runs.index[runs["sut"] == CONTROL]:
        plain.setdefault(alike[index], []).append(index)
    return lambda members: pd.Index(plain.get(alike[members[0]], []))


def _without_search(key: object) -> object:
    """A treatment without what the columns sampler and budget tell."""
    if not isinstance(key, str):
        return key
    parts = key.split(", ")
    return ", ".join(part for part in parts if not part.startswith(_SEARCH))


def ratio(values: pd.Series, control: pd.Series) -> Summary:
    """Ratio of medians and its spread; n is that of the smaller side.

    Below six values on a side the spread is from the smallest to the largest ratio of two runs;
    from six on the 95 % percentile bootstrap interval, both sides resampled, seeded.
    """
    a, b = (np.sort(side.to_numpy(float)) for side in (values.dropna(), control.dropna()))
    n = min(len(a), len(b))
    if n == 0 or np.median(b) <= 0:
        return Summary(np.nan, np.nan, np.nan, "none", 0)
    middle = float(np.median(a) / np.median(b))
    if n < ENOUGH:
        high = float(a[-1] / b[0]) if b[0] > 0 else np.inf
        return Summary(middle, float(a[0] / b[-1]), high, "range", n)
    rng = np.random.default_rng(SEED)
    drawn = [
        np.median(side[rng.integers(0, len(side), (RESAMPLES, len(side)))], axis=1)
        for side in (a, b)
    ]
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    return Summary(middle, float(low), float(high), "bootstrap", n)


def _note(runs: pd.DataFrame, summaries: list[Summary], left_out: int) -> str:
    bars = bars_said(summaries).replace("smallest to largest value", "smallest to largest ratio")
    bars = bars.replace("interval of the median", "interval of the ratio")
    said = (
        "Large: ratio of the medians; small below it: each repetition ÷ plain's median"
        f"{'; ' + bars if bars else ''}. Plain searches the same space "
        "with the same sampler and budget, and no framework."
    )
    if left_out:
        said += f" Not shown: {left_out} without a run of plain "
        said += "under the same treatment and sampler."
    return f"{said}\n{conditions(runs)}"
