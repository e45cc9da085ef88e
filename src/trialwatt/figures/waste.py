"""What part of a job was spent on trials that came to nothing (S-Sam, S-Pru, S-Phi, S-Dur)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import conditions
from trialwatt.figures.rows import DOT, Row, bars, canvas, rows, what_became
from trialwatt.figures.style import MUTED, PAGE_IN, WASTE, footnote, heading, nothing, styled
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
    title = f"{experiment}, waste by class"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    done, absent = runs[runs["status"] == "completed"], absences(runs, unavailable)
    if done.empty:
        return nothing(title, f"no run of this experiment was completed. {absent}")
    found = rows(runs, treatments.axis(runs))
    completed = [row._replace(runs=row.runs.intersection(done.index)) for row in found]
    left = {row.place: what_became(runs["status"][row.runs]) for row in found}
    figure, panels = canvas(PAGE_IN, found, 3, extra_in=2.1)
    for axes, absolute, share in zip(panels, PANELS, PANELS.values(), strict=True):
        name, what = metric(absolute).short, metric(absolute).quantity
        shares = pd.DataFrame(
            {kind: 100 * quantity.column(done, f"waste_{kind}_{what}_share") for kind in WASTE}
        )
        amounts = quantity.column(done, absolute)
        scale = quantity.of_column(absolute, amounts, done)
        _bars(axes, completed, shares, amounts * scale.factor, left)
        modelled = what == "energy" and quantity.is_modelled(done["energy_method"])
        axes.set_title(f"{name}: wasted {what}")
        label = f"{metric(share).label}{' (modelled)' if modelled else ''}"
        axes.set_xlabel(f"{label}\nnumber: {name} in {scale.unit}")
    handles = [Patch(facecolor=colour, label=kind) for kind, colour in WASTE.items()]
    handles.append(Line2D([], [], label="all waste of one repetition", **DOT))
    heading(figure, title, handles, columns=6)
    counts = [len(row.runs) for row in completed if len(row.runs)]
    footnote(
        figure,
        f"{DEFINITION}\nBars and numbers: mean of the completed repetitions "
        f"({treatments.sentence_of_n(counts)}).\n{conditions(done)}{absent}",
    )
    return figure


def _bars(
    axes: Axes,
    found: list[Row],
    shares: pd.DataFrame,
    amounts: pd.Series,
    instead: Mapping[float, str],
) -> None:
    """instead: place of a row → what is said where it has no completed run."""
    totals = shares.sum(axis=1, min_count=len(WASTE))
    top = totals.max() if totals.max() > 0 else 1.0
    axes.set_xlim(0, top * 1.38)
    pieces: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in WASTE}
    dots: list[tuple[float, float]] = []
    for row in found:
        parts = shares.loc[row.runs].mean()
        here = totals[row.runs].dropna()
        beside = {"va": "center", "fontsize": 6, "color": MUTED}
        if here.empty:
            axes.text(0, row.place, f" {instead[row.place] or 'ended by deadline'}", **beside)
            continue
        left = 0.0
        for kind, where in pieces.items():
            if parts[kind] > 0:
                where.append((row.place, left, parts[kind]))
                left += parts[kind]
        dots += [(value, row.place) for value in here]
        furthest = max(left, here.max())
        text = quantity.number(amounts[row.runs].mean())
        axes.text(furthest + 0.025 * top, row.place, text, **beside)
    for kind, where in pieces.items():
        bars(axes, where, facecolors=WASTE[kind])
    if dots:  # an empty line that is not clipped would claim the figure's corner for itself
        axes.plot([x for x, _ in dots], [y for _, y in dots], zorder=4, clip_on=False, **DOT)
