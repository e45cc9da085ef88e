"""Where the time and the energy of a run go: its seven steps, the trials split into theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from trialwatt.figures import quantity, treatments
from trialwatt.figures.absent import absences, no_runs
from trialwatt.figures.notes import conditions
from trialwatt.figures.rows import DOT, bars, canvas, rows, what_became
from trialwatt.figures.style import (
    MUTED,
    PAGE_IN,
    STEPS,
    footnote,
    heading,
    nothing,
    styled,
)

BEFORE = ("deploy", "setup")
PARTS = ("load", "train", "validate", "between")
AFTER = ("collect", "test", "metrics", "undeploy")
UNSPLIT = "trials, not split"
REST = "services, harness (trials step)"
_LOOKS = {
    **{step: {"facecolor": colour} for step, colour in STEPS.items()},
    UNSPLIT: {"facecolor": "#A6C8A6", "hatch": "////", "edgecolor": "white"},
    REST: {"facecolor": "#F2F2F2", "hatch": "\\\\\\\\", "edgecolor": "#888888"},
}
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
        return nothing("Lifecycle", f"no run of this experiment was completed. {absent}")
    axis = treatments.axis(runs)
    found = rows(runs, axis)
    tables = {"time": time_by_step(done, trials), "energy": energy_by_step(done)}

    figure, both = canvas(PAGE_IN, found, 2)
    panels = dict(zip(tables, both, strict=True))
    shown: list[str] = []
    for what, table in tables.items():
        axes = panels[what]
        totals = table.sum(axis=1, min_count=1)
        if what == "time":
            scale = quantity.duration(totals)
            axes.set_xlabel(f"wall time per run ({scale.unit})")
        else:
            scale = quantity.energy(totals)
            modelled = ", modelled" if quantity.is_modelled(done["energy_method"]) else ""
            axes.set_xlabel(f"energy per run ({scale.unit}{modelled})")
        pieces: dict[str, list[tuple[float, float, float]]] = {}
        for place, _, _, members in found:
            parts = table.loc[members.intersection(done.index)].mean() * scale.factor
            if parts.isna().all():
                said = f" {what_became(runs['status'][members]) or 'ended by deadline'}"
                axes.text(0, place, said, va="center", fontsize=6.5, color=MUTED)
                continue
            left = 0.0
            for name, width in parts.items():
                if not width > 0:
                    continue
                pieces.setdefault(name, []).append((place, left, width))
                left += width
        for name, where in pieces.items():
            bars(axes, where, **_LOOKS[name])
        shown += [name for name in pieces if name not in shown]
        places = {index: row.place for row in found for index in row.runs}
        axes.plot(totals * scale.factor, [places[i] for i in totals.index], zorder=4, **DOT)
        axes.set_xlim(left=0)
    order = [name for name in _LOOKS if name in shown]
    order.sort(key=list(tables["energy"].columns).index)
    handles = [Patch(label=_WORDS.get(name, name), linewidth=0, **_LOOKS[name]) for name in order]
    handles.append(Line2D([], [], label="one repetition", **DOT))
    heading(figure, f"{experiment}, time and energy by lifecycle step", handles, columns=6)
    counts = [len(here) for row in found if len(here := row.runs.intersection(done.index))]
    footnote(
        figure,
        f"Bars: mean of the completed repetitions ({treatments.sentence_of_n(counts)}). Time of "
        "the trials step is split as its workers spent it on average. JCT is setup to collect.\n"
        + conditions(done)
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
