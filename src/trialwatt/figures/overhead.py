"""What a framework itself costs: each SUT against the control, treatment and sampler alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from trialwatt.analysis.blocks import block_of
from trialwatt.analysis.columns import of_control
from trialwatt.analysis.intervals import summary
from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences
from trialwatt.figures.notes import note
from trialwatt.figures.panels import Panel, bars_said, draw, legend_of, placed, points, rows
from trialwatt.figures.style import BASELINE, footnote, heading, nothing, styled
from trialwatt.figures.suts import in_order
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
        return nothing(title, "no run of this experiment was completed.", absent)
    axis = treatments.axis(done)
    others = done[~of_control(done)]
    controls = control(done)
    every = rows(others, axis)
    found = every.groupby("place").filter(lambda row: len(controls(row.index)) > 0)
    if found.empty:
        why = (
            f"there is no SUT and treatment that {name_of_control} ran too, with the same sampler."
        )
        return nothing(title, why, absent)
    found = placed(found)
    panels = []
    for column in shown_in("overhead"):
        each = against_control(done, column.name).reindex(found.index)
        middles = {place: summary(each[row.index]) for place, row in found.groupby("place")}
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


def against_control(done: pd.DataFrame, column: str) -> pd.Series:
    """Of each completed run of no control: its value ÷ that of the control in the same block, on
    its index; NaN where the control ran nothing alike there. What a framework costs is the median
    of these, wherever it is told.
    """
    controls, blocks = control(done), block_of(done)
    values, others = quantity.column(done, column), done[~of_control(done)]
    alike = [others["sut"], others["testbed"], treatments.key(done)[others.index].astype(str)]
    alike += [others[name].fillna("") for name in ("sampler", "budget") if name in others]
    found = [
        ratios(values[rows.index], values[controls(rows.index)], blocks)
        for _, rows in others.groupby(alike)
    ]
    return pd.concat(found) if found else pd.Series(dtype=float)


def ratios(values: pd.Series, control: pd.Series, blocks: pd.Series) -> pd.Series:
    """Each value ÷ the control's of the same block; NaN where it has none above 0.

    blocks: of all runs, by their index. So what drifts from block to block cancels.
    """
    base = control.groupby(blocks[control.index]).median()
    return values / blocks[values.index].map(base.where(base > 0))


def _note(runs: pd.DataFrame, name: str, panels: Sequence[Panel], left_out: int) -> str:
    bars = bars_said(panels)
    bars = bars.replace("largest value", "largest ratio")
    said = (
        f"Large: median of the ratios; small below it: each repetition ÷ {name}'s of the same "
        f"block{bars}. {name[:1].upper()}{name[1:]} searches the same space "
        "with the same sampler and budget, and no framework."
    )
    if left_out:
        said += f" Not shown: {left_out} without a run of {name} "
        said += "under the same treatment and sampler."
    return note(runs, f"{said}\n")
