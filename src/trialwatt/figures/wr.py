"""How much of a job's energy its workers draw while they hold no trial (WR), and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import note
from trialwatt.figures.panels import Panel, bars, draw, legend_of, points, points_said, rows
from trialwatt.figures.style import STEPS, footnote, heading, nothing, styled
from trialwatt.metrics.dictionary import metric

WHEN = {"idle between trials": STEPS["between"], "idle outside the trials step": "#B0A0C8"}


@styled
def wr(runs: pd.DataFrame, experiment: str, unavailable: Sequence[Mapping] = ()) -> Figure:
    """Three panels with a row per SUT and treatment: WR, idle energy by when, utilisation.

    Medians with their bars and all repetitions; the bars of idle energy are means, so that their
    two parts add up.
    """
    title = f"{experiment}: idle workers"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    found = rows(runs, treatments.axis(runs))
    modelled = " (modelled)" if quantity.is_modelled(runs["energy_method"]) else ""
    share, used = (
        Panel(
            column.heading,
            column.label + (modelled if column.from_energy else ""),
            points(found, 100 * quantity.column(runs, column.name)),
        )
        for column in (metric("wr"), metric("utilisation"))
    )
    idle = quantity.column(runs, "idle_energy_kwh")
    between = quantity.column(runs, "between_energy_kwh")
    scale = quantity.of_column("idle_energy_kwh", idle, runs)
    parts = scale.factor * pd.DataFrame(dict(zip(WHEN, (between, idle - between), strict=True)))
    per_job = f"per job ({quantity.head('idle_energy_kwh', scale, runs)})"
    panels = [share, Panel("idle energy", per_job, bars(found, parts, WHEN)), used]
    figure = draw(found, panels)
    handles = [Patch(facecolor=colour, label=words) for words, colour in WHEN.items()]
    heading(figure, title, [*legend_of(runs, found["sut"]), *handles], columns=6)
    footnote(
        figure,
        note(
            runs,
            "WR: energy of reserved workers while they hold no trial ÷ job energy. "
            f"{points_said(panels)} Idle energy: mean; dots: every repetition.\n",
        )
        + absences(runs, unavailable),
    )
    return figure
