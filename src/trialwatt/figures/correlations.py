"""Which settings and steps go with which impacts: rank correlations as heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trialwatt.figures import treatments
from trialwatt.figures.absent import absences
from trialwatt.figures.notes import conditions
from trialwatt.figures.style import (
    MUTED,
    PAGE_IN,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    styled,
)
from trialwatt.figures.suts import in_order
from trialwatt.metrics.dictionary import metric

ALPHA = 0.05
EXCLUDED = {"marker": "x", "markersize": 3, "markeredgewidth": 0.5, "color": MUTED}


@styled
def correlations(
    table: pd.DataFrame,
    runs: pd.DataFrame,
    experiment: str,
    unavailable: Sequence[Mapping] = (),
) -> Figure:
    """A heat map per SUT and testbed: settings and steps down, settings and impacts across.

    table: of analysis.correlations.rank_correlations, a row per pair with x, y, their groups, rho,
    p_adjusted, n, and excluded (the reason, else empty). A pair that is no finding whatever the
    data are is crossed out; one that is not known (nothing varied, too few configurations) is
    blank, and a SUT of which no pair is known is named below instead of drawn.
    """
    title = f"{experiment}: rank correlations"
    if table is None or table.empty:
        return nothing(title, f"no run was completed. {absences(runs, unavailable)}")
    down, across = _variables(table)
    if not down or not across:
        why = "too few configurations completed, or nothing varied, in each system under test."
        return nothing(title, f"{why} {absences(runs, unavailable)}")
    every = _panels(table)
    panels = {name: here for name, here in every.items() if here["rho"].notna().any()}
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    figure = blank(PAGE_IN, 1.5 + lines * (0.35 + 0.135 * len(down)) + 0.6)
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for number, (axes, (name, here)) in enumerate(zip(grid.flat, panels.items(), strict=False)):
        is_lowest, is_first = number + columns >= len(panels), number % columns == 0
        _map(axes, here, down, across)
        axes.set_title(name)
        axes.tick_params(labelleft=is_first, labelbottom=is_lowest)
    bar = figure.colorbar(
        grid[0, 0].collections[0], ax=list(grid.flat), shrink=0.6, pad=0.01, aspect=30
    )
    bar.set_label("Spearman's ρ")
    bar.outline.set_visible(False)
    heading(figure, title, _handles(table), columns=3)
    blank_ones = [name for name in every if name not in panels]
    note = _note(table, runs, blank_ones)
    footnote(figure, note + absences(runs, unavailable))
    return figure


def _panels(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    if "sut" not in table:
        return {"": table}
    several = table["testbed"].nunique() > 1 if "testbed" in table else False
    panels = {}
    for sut in in_order(table["sut"]):
        mine = table[table["sut"] == sut]
        if not several:
            panels[sut] = mine
            continue
        for testbed in sorted(mine["testbed"].unique()):
            panels[f"{sut}, {testbed}"] = mine[mine["testbed"] == testbed]
    return panels


def _reason(value: object) -> str:
    return value if isinstance(value, str) else ""


def _variables(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Rows (settings, steps) and columns (settings, impacts) of which something is known."""
    order, known, kind = [], set(), {}
    for x, y, a, b, rho in table[["x", "y", "x_group", "y_group", "rho"]].itertuples(index=False):
        kind[x], kind[y] = a, b
        order += [x, y]
        if rho == rho:
            known |= {x, y}
    order = [name for name in dict.fromkeys(order) if name in known]
    groups: Sequence[str] = ("configuration", "lifecycle", "impact")
    by_kind = {group: [name for name in order if kind[name] == group] for group in groups}
    down = by_kind["configuration"] + by_kind["lifecycle"]
    across = by_kind["configuration"] + by_kind["impact"]
    return down, across


def _map(axes: Axes, table: pd.DataFrame, down: list[str], across: list[str]) -> None:
    both = pd.concat([table, table.rename(columns={"x": "y", "y": "x"})])
    cells = both.drop_duplicates(["x", "y"], keep="last").set_index(["x", "y"])
    rho, p_adjusted, excluded = (
        cells[column].unstack().reindex(index=down, columns=across)
        for column in ("rho", "p_adjusted", "excluded")
    )
    left_out = excluded.map(_reason) != ""
    sns.heatmap(
        rho.astype(float).mask(left_out),
        ax=axes,
        cmap="PuOr_r",
        vmin=-1,
        vmax=1,
        linewidths=1,
        annot=(p_adjusted < ALPHA).map({True: "●", False: ""}.get),
        annot_kws={"fontsize": 4},
        fmt="",
        cbar=False,
        xticklabels=[metric(y).short for y in across],
        yticklabels=[metric(x).short for x in down],
    )
    i, j = left_out.to_numpy().nonzero()
    axes.plot(j + 0.5, i + 0.5, linestyle="none", **EXCLUDED)
    axes.grid(visible=False)
    axes.tick_params(length=0, labelsize=6)
    axes.set(xlabel="", ylabel="")


def _handles(table: pd.DataFrame) -> list[Line2D]:
    dot = {"marker": "o", "markersize": 3, "color": MUTED}
    handles = [legend_entry("p < 0.05 after correction for all pairs", **dot)]
    if table["excluded"].map(_reason).any():
        handles.append(legend_entry("left out: no finding", **EXCLUDED))
    return handles


def _note(table: pd.DataFrame, runs: pd.DataFrame, blank_ones: Sequence[str]) -> str:
    counts = [int(n) for n in table.loc[table["rho"].notna(), "n"].unique()]
    said = [
        f"Spearman's rank correlation over the configurations of a SUT, by their medians "
        f"({treatments.sentence_of_n(counts)}). Blank: not known, as nothing varied or too few "
        "configurations have it."
    ]
    if blank_ones:
        said.append(f"Not drawn, as no pair is known: {', '.join(blank_ones)}.")
    reasons = sorted({_reason(r) for r in table["excluded"]} - {""})
    if reasons:
        said.append(f"Left out by construction: {'; '.join(reasons)}.")
    return " ".join(said) + "\n" + conditions(runs)
