"""How much of a job's energy its workers draw while they hold no trial (WR), and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import conditions
from trialwatt.figures.rows import bars, bars_said, canvas, dots, legend_of, rows, what_became
from trialwatt.figures.style import MUTED, PAGE_IN, STEPS, footnote, heading, nothing, styled
from trialwatt.metrics.dictionary import metric

WHEN = {
    "within": ("idle between trials", STEPS["between"], "\\\\\\\\"),
    "outside": ("idle outside the trials step", "#B0A0C8", ""),
}


@styled
def wr(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Three panels with a row per SUT and treatment: WR, idle energy by when, utilisation.

    Medians with their bars and all repetitions; the bars of idle energy are means, so that their
    two parts add up.
    """
    title = f"{experiment}, idle workers"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    found = rows(runs, treatments.axis(runs))
    figure, (share, energy, used) = canvas(PAGE_IN, found, 3)
    summaries = []
    for axes, column in ((share, metric("wr")), (used, metric("utilisation"))):
        values = 100 * quantity.column(runs, column.name)
        summaries += dots(axes, found, runs, values)
        modelled = column.from_energy and quantity.is_modelled(runs["energy_method"])
        axes.set_title(column.heading)
        axes.set_xlabel(f"{column.label}{' (modelled)' if modelled else ''}")
        axes.set_xlim(0, max(1.0, 1.08 * values.max()) if values.notna().any() else 1.0)
    idle = quantity.column(runs, "idle_energy_kwh")
    between = quantity.column(runs, "between_energy_kwh")
    scale = quantity.of_column("idle_energy_kwh", idle, runs)
    parts = {"within": between * scale.factor, "outside": (idle - between) * scale.factor}
    pieces: dict[str, list[tuple[float, float, float]]] = {when: [] for when in WHEN}
    for row in found:
        members = row.runs[runs["status"][row.runs] == "completed"]
        means = {when: values[members].mean() for when, values in parts.items()}
        if not any(mean == mean for mean in means.values()):
            text = what_became(runs["status"][row.runs])
            energy.text(0, row.place, f" {text}", va="center", fontsize=6.5, color=MUTED)
            continue
        left = 0.0
        for when, mean in means.items():
            pieces[when].append((row.place, left, max(0.0, mean)))
            left += max(0.0, mean)
    for when, (_, colour, hatch) in WHEN.items():
        bars(energy, pieces[when], facecolor=colour, hatch=hatch, edgecolor="#888888")
    energy.set_title("idle energy")
    energy.set_xlabel(f"per job ({quantity.head('idle_energy_kwh', scale, runs)})")
    energy.autoscale_view(scaley=False)
    energy.set_xlim(left=0)
    handles = legend_of(runs, [row.sut for row in found])
    handles += [
        Patch(facecolor=colour, hatch=hatch, edgecolor="#888888", linewidth=0, label=words)
        for words, colour, hatch in WHEN.values()
    ]
    heading(figure, title, handles, columns=6)
    spreads = bars_said(summaries)
    footnote(
        figure,
        "WR: energy of reserved workers while they hold no trial ÷ job energy. Large: median; "
        f"small below it: every repetition{'; ' + spreads if spreads else ''}. Idle energy: mean.\n"
        + conditions(runs)
        + absences(runs, unavailable),
    )
    return figure
