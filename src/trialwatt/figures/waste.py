"""What part of a job was spent on trials that came to nothing (S-Sam, S-Pru, S-Phi, S-Dur)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import note, room_in
from trialwatt.figures.panels import DOT, Panel, bars, draw, rows
from trialwatt.figures.style import WASTE, footnote, heading, legend_entry, nothing, styled
from trialwatt.metrics.dictionary import metric

DEFINITION = (
    "Waste = failed (crash, out of memory, timeout, lost worker, NaN) + pruned (stopped early) + "
    "duplicate (same φ and epochs as a trial that started earlier and completed), each trial in "
    "the first class that applies."
)
PANELS = {"wtt_ms": "wtt_share", "wte_kwh": "wte_share", "wtc": "wtc_share"}
"""What was wasted → its share of the job's, of which there is one for each class."""


@styled
def waste(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Three panels of stacked bars, a bar per SUT and treatment: wasted time, energy and cost.

    Bars are means over completed repetitions of the share of the job's, so that classes add up;
    dots are the total of each repetition, the number at the bar is the mean absolute waste.
    """
    title = f"{experiment}: waste by class"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    done, absent = runs[runs["status"] == "completed"], absences(runs, unavailable)
    if done.empty:
        return nothing(title, "no run of this experiment was completed.", absent)
    if (quantity.column(done, "wtt_ms") == 0).all():
        return nothing(title, "no trial failed, was pruned or was a duplicate.", absent)
    found = rows(runs, treatments.axis(runs))
    panels = []
    for absolute, share in PANELS.items():
        name, what = metric(absolute).short, metric(absolute).quantity
        shares = pd.DataFrame(
            {kind: 100 * quantity.column(runs, f"waste_{kind}_{what}_share") for kind in WASTE}
        )
        amounts = quantity.column(done, absolute)
        scale = quantity.of_column(absolute, amounts, done)
        modelled = what == "energy" and quantity.is_modelled(done["energy_method"])
        words = f"{metric(share).label}{' (modelled)' if modelled else ''}"
        label = f"{words}\nnumber: {name} in {scale.unit}"
        frame = _numbered(bars(found, shares, WASTE), found, amounts * scale.factor)
        panels.append(Panel(f"{name}: wasted {what}", label, frame))
    figure = draw(found, panels, extra_in=2.1 + room_in(runs))
    for axes, panel in zip(figure.axes, panels, strict=True):  # room for the numbers
        axes.set_xlim(0, 1.3 * top if (top := panel.frame["end"].max()) > 0 else 1)
    handles = [Patch(facecolor=colour, label=kind) for kind, colour in WASTE.items()]
    handles.append(legend_entry("all waste of one repetition", **DOT))
    heading(figure, title, handles, columns=6)
    counts = found.loc[done.index].groupby("place").size().tolist()
    footnote(
        figure,
        note(
            done,
            f"{DEFINITION}\nBars and numbers: mean of the completed repetitions "
            f"({treatments.sentence_of_n(counts)}).\n",
        )
        + absent,
    )
    return figure


def _numbered(frame: pd.DataFrame, found: pd.DataFrame, amounts: pd.Series) -> pd.DataFrame:
    """With the mean amount of each row, at the end of whatever is drawn there."""
    row = frame.groupby("place")
    ends = row["width"].sum().combine(row["total"].max(), max)[row["total"].count() > 0]
    means = amounts.groupby(found["place"]).mean()
    numbers = {"end": ends, "amount": means.map(quantity.number), "sut": row["sut"].first()}
    return pd.concat([frame, pd.DataFrame(numbers).reindex(ends.index).reset_index()])
