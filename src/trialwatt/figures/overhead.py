"""What a framework itself costs: each SUT against the control, treatment and sampler alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trialwatt.analysis.intervals import ENOUGH, RESAMPLES, SEED, Summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences
from trialwatt.figures.notes import conditions
from trialwatt.figures.panels import Panel, bars_said, draw, legend_of, placed, points, rows
from trialwatt.figures.style import BASELINE, footnote, heading, nothing, styled
from trialwatt.figures.suts import in_order, of_control
from trialwatt.metrics.dictionary import shown_in

_SEARCH = ("search.sampler=", "search.budget=")


@styled
def overhead(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Ratios to the control of JCT, job energy and WR, a row per SUT and treatment.

    Compared are completed runs of one testbed, treatment and sampler; a row without a counterpart
    is left out and counted in the note.
    """
    done = runs[runs["status"] == "completed"] if len(runs) else runs
    name_of_control = _named(done)
    title = f"{experiment}: framework overhead against {name_of_control}"
    absent = absences(runs, unavailable)
    if done.empty:
        return nothing(title, f"no run of this experiment was completed. {absent}")
    axis = treatments.axis(done)
    others = done[~of_control(done)]
    controls = control(done)
    every = rows(others, axis)
    found = every.groupby("place").filter(lambda row: len(controls(row.index)) > 0)
    if found.empty:
        why = (
            f"there is no SUT and treatment that {name_of_control} ran too, with the same sampler."
        )
        return nothing(title, f"{why} {absent}")
    found = placed(found)
    alike = {place: controls(row.index) for place, row in found.groupby("place")}
    panels = []
    for column in shown_in("overhead"):
        values = quantity.column(done, column.name)
        base = {place: values[those].dropna() for place, those in alike.items()}
        mine = values[found.index]
        middles = {
            place: ratio(mine[row.index].dropna(), base[place])
            for place, row in found.groupby("place")
        }
        each = mine / found["place"].map({place: those.median() for place, those in base.items()})
        modelled = column.from_energy and quantity.is_modelled(done["energy_method"])
        label = f"{column.title}, ratio{' (modelled)' if modelled else ''}"
        head = f"{column.short} ÷ {name_of_control}'s"
        panels.append(Panel(head, label, points(found, each, middles)))
    figure = draw(found, panels)
    for axes in figure.axes:
        axes.axvline(1, zorder=0, **BASELINE)
    heading(figure, title, legend_of(others, found["sut"]), columns=7)
    left_out = every["place"].nunique() - found["place"].nunique()
    footnote(figure, _note(done, name_of_control, panels, left_out) + absent)
    return figure


def control(runs: pd.DataFrame) -> Callable[[pd.Index], pd.Index]:
    """Finds to some (alike) runs those of the control with their testbed, treatment, sampler and
    budget; where several controls have such, those of the one that is listed first.

    Sampler and budget are compared as such, not as parts of a treatment's label: where a search
    of the whole space has the budget of another treatment, the control ran it once for both.
    """
    named = [column for column in ("sampler", "budget") if column in runs]
    columns = [runs["testbed"], treatments.key(runs).map(_without_search)]
    columns += [runs[column].fillna("") for column in named]
    alike = dict(zip(runs.index, zip(*columns, strict=True), strict=True))
    mine = runs[of_control(runs)]
    found: dict[tuple, list] = {}
    for sut in in_order(mine["sut"]):
        own: dict[tuple, list] = {}
        for index in mine.index[mine["sut"] == sut]:
            own.setdefault(alike[index], []).append(index)
        found = own | found
    return lambda members: pd.Index(found.get(alike[members[0]], []))


def _named(runs: pd.DataFrame) -> str:
    """The control's name, several joined; in words where no run is of one."""
    names = in_order(runs.loc[of_control(runs), "sut"]) if len(runs) else []
    return " or ".join(names) or "the control"


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


def _note(runs: pd.DataFrame, name: str, panels: Sequence[Panel], left_out: int) -> str:
    bars = bars_said(panels)
    bars = bars.replace("largest value", "largest ratio").replace("the median", "the ratio")
    said = (
        f"Large: ratio of the medians; small below it: each repetition ÷ {name}'s median"
        f"{bars}. {name[:1].upper()}{name[1:]} searches the same space "
        "with the same sampler and budget, and no framework."
    )
    if left_out:
        said += f" Not shown: {left_out} without a run of {name} "
        said += "under the same treatment and sampler."
    return f"{said}\n{conditions(runs)}"
