"""Where the time and the energy of a run go: its seven steps, the trials split into theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import note
from trialwatt.figures.panels import DOT, Panel, bars, draw, rows
from trialwatt.figures.style import STEPS, footnote, heading, legend_entry, nothing, styled

BEFORE = ("deploy", "setup")
PARTS = ("load", "train", "validate", "between")
AFTER = ("collect", "test", "metrics", "undeploy")
UNSPLIT = "trials, not split"
REST = "services, harness (trials step)"
_LOOKS = {**STEPS, UNSPLIT: "#A6C8A6", REST: "#9C7A5B"}
_WORDS = {"between": "between trials", "metrics": "metric collection"}


@styled
def lifecycle(
    runs: pd.DataFrame,
    trials: pd.DataFrame,
    experiment: str,
    unavailable: Sequence[Mapping] = (),
) -> Figure:
    """Two panels of stacked bars, a bar per SUT and treatment: time, and energy, by step.

    Bars are means over completed repetitions, so that their parts add up; dots are the total of
    each repetition. The trials step is wall time, split as the mean worker spent it.
    """
    if runs.empty:
        return nothing("Lifecycle", no_runs(unavailable))
    done, absent = runs[runs["status"] == "completed"], absences(runs, unavailable)
    if done.empty:
        return nothing("Lifecycle", "no run of this experiment was completed.", absent)
    found = rows(runs, treatments.axis(runs))
    times, energies = time_by_step(done, trials), energy_by_step(done)
    time = quantity.duration(times.sum(axis=1, min_count=1))
    energy = quantity.energy(energies.sum(axis=1, min_count=1))
    modelled = ", modelled" if quantity.is_modelled(done["energy_method"]) else ""
    panels = [
        Panel(title, label, bars(found, table.reindex(runs.index) * scale.factor, _LOOKS))
        for title, label, table, scale in (
            ("time", f"wall time per run ({time.unit})", times, time),
            ("energy", f"energy per run ({energy.unit}{modelled})", energies, energy),
        )
    ]
    figure = draw(found, panels)
    shown = {part for panel in panels for part in panel.frame["part"].dropna()}
    handles = [
        Patch(label=_WORDS.get(part, part), facecolor=_LOOKS[part])
        for part in energies.columns
        if part in shown
    ]
    handles.append(legend_entry("one repetition", **DOT))
    heading(figure, f"{experiment}: time and energy by lifecycle step", handles, columns=6)
    counts = found.loc[done.index].groupby("place").size().tolist()
    footnote(
        figure,
        note(
            done,
            f"Bars: mean of the completed repetitions ({treatments.sentence_of_n(counts)}). Time "
            "of the trials step is split as its workers spent it on average. JCT is setup to "
            "collect.\n",
        )
        + absent,
    )
    return figure


def time_by_step(runs: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """Wall time in ms, a row per run and a column per step; rows add up to the run's length.

    The trials step is split by worker time: load + train + validate + between is wn times its
    wall time. A run whose trials are not on record keeps it whole. Missing is NaN.
    """
    table = pd.DataFrame(index=runs.index)
    for step in BEFORE:
        table[step] = quantity.column(runs, f"{step}_ms")
    workers = quantity.column(runs, "wn")
    whole = quantity.column(runs, "trials_ms")
    spent = _worker_time(trials).reindex(runs["folder"]).set_axis(runs.index)
    share = spent.div(workers, axis=0)
    known = share["train"].notna() & whole.notna()
    for part in ("load", "train", "validate"):
        table[part] = share[part].where(known)
    # Worker time beyond the step's end (a trial that outlived it) cannot be negative idle time.
    table["between"] = (whole - share.sum(axis=1)).clip(lower=0).where(known)
    table[UNSPLIT] = whole.where(~known)
    for step in AFTER:
        table[step] = quantity.column(runs, f"{step}_ms")
    table[REST] = float("nan")
    return table[[*BEFORE, *PARTS, UNSPLIT, REST, *AFTER]]


def energy_by_step(runs: pd.DataFrame) -> pd.DataFrame:
    """Energy in kWh, a row per run and a column per step; rows add up to the steps' energy.

    What the trials step drew beyond its workers is a column of its own (services, harness).
    """
    table = pd.DataFrame(index=runs.index)
    for step in (*BEFORE, *AFTER):
        table[step] = quantity.column(runs, f"step_{step}_energy_kwh")
    for part in PARTS:
        table[part] = quantity.column(runs, f"{part}_energy_kwh")
    whole = quantity.column(runs, "step_trials_energy_kwh")
    known = table["train"].notna()
    rest = whole - table[list(PARTS)].sum(axis=1)
    table[REST] = rest.where(known & (rest > 1e-9 * whole.abs()))
    table[UNSPLIT] = whole.where(~known)
    return table[[*BEFORE, *PARTS, UNSPLIT, REST, *AFTER]]


def _worker_time(trials: pd.DataFrame) -> pd.DataFrame:
    """ms of worker time in load, train and validate, per run folder."""
    names = ["load", "train", "validate"]
    if trials.empty:
        return pd.DataFrame(columns=names, index=pd.Index([], name="folder"), dtype=float)
    spent = pd.DataFrame({name: quantity.column(trials, f"{name}_ms") for name in names})
    return spent.groupby(trials["folder"].astype(str)).sum(min_count=1)
