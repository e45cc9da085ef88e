"""Carbon per job and per trial, and the intensity of the time in which it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import note
from trialwatt.figures.panels import Panel, draw, legend_of, points, points_said, rows
from trialwatt.figures.style import footnote, heading, nothing, styled


@styled
def carbon(
    runs: pd.DataFrame,
    trials: pd.DataFrame,
    experiment: str,
    unavailable: Sequence[Mapping] = (),
) -> Figure:
    """Carbon per job and per started trial (mean of a run), and CINT.

    A row per SUT and treatment: median of the completed runs, its bar, all repetitions.
    """
    title = f"{experiment}: carbon"
    if runs.empty:
        return nothing(title, no_runs(unavailable))
    intensity = quantity.column(runs, "cint_g_per_kwh")
    shown = [
        ("carbon per job", "carbon_g", quantity.column(runs, "carbon_g"), "per job"),
        ("carbon per trial", "carbon_g", _per_trial(runs, trials), "attributed to a started trial"),
        ("CINT: carbon intensity", "cint_g_per_kwh", intensity, "energy-weighted over trials"),
    ]
    found = rows(runs, treatments.axis(runs))
    panels = []
    for head, name, values, words in shown:
        scale = quantity.of_column(name, values, runs)
        label = f"{words}\n({quantity.head(name, scale, runs)})"
        frame = points(found, values * scale.factor)
        panels.append(Panel(head, label, frame, from_zero=name == "carbon_g"))
    figure = draw(found, panels)
    heading(figure, title, legend_of(runs, found["sut"]), columns=7)
    said = note(runs, f"{_statement(runs)} {points_said(panels)}\n")
    footnote(figure, said + absences(runs, unavailable))
    return figure


def _per_trial(runs: pd.DataFrame, trials: pd.DataFrame) -> pd.Series:
    """gCO2eq of the mean started trial of each run, on the index of runs."""
    if trials.empty or "carbon_g" not in trials:
        return pd.Series(float("nan"), index=runs.index)
    mean = quantity.column(trials, "carbon_g").groupby(trials["folder"].astype(str)).mean()
    return mean.reindex(runs["folder"]).set_axis(runs.index)


def _statement(runs: pd.DataFrame) -> str:
    """Where the intensity comes from: region, year and PUE."""
    regions = sorted({str(r) for r in runs["region"].dropna()} - {""}) if "region" in runs else []
    year = quantity.spread(quantity.column(runs, "carbon_year"))
    pue = quantity.spread(quantity.column(runs, "pue"))
    return (
        "Carbon = energy × intensity × PUE, location-based. Intensity: that of the time; region "
        f"{', '.join(regions) or 'unknown'}, year {year}; PUE {pue}."
    )
