"""What is made of replayed searches: attainment curves, and a table that compares strategies.

Every title and note says that they are replayed (docs/replay.md).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trialwatt.config.factors import heading as heading_of
from trialwatt.config.plan import NAME as PLAN
from trialwatt.errors import TrialwattError
from trialwatt.figures import quantity
from trialwatt.figures.absent import ABSENT, not_here
from trialwatt.figures.make import Source
from trialwatt.figures.style import (
    DASHES,
    LINES,
    PAGE_IN,
    STEPWISE,
    Absent,
    blank,
    footnote,
    heading,
    legend_entry,
    nothing,
    save,
    styled,
)
from trialwatt.figures.tablefiles import Table, write_table
from trialwatt.metrics.dictionary import metric
from trialwatt.provenance.chain import chain, code_version
from trialwatt.records.outcome import COMPLETED
from trialwatt.replay.columns import EXPERIMENT
from trialwatt.replay.experiment import FOLDER, read_replayed
from trialwatt.replay.results import NAME, Results, read_results
from trialwatt.replay.workflow import chain_of

CAPTION = (
    "Replayed searches, not run ones: how many have reached the goal by an energy, a time and a "
    "cost, what they take and waste, and how the strategies compare; below it what live searches "
    "said of them."
)
_TO_GOAL = ("energy_to_goal_kwh", "time_to_goal_ms", "cost_to_goal")
_COMPARED = (
    "jct_ms",
    "job_energy_kwh",
    "energy_to_goal_kwh",
    "oc",
    "wte_share",
    "best_score",
)
INTERVAL = (0.05, 0.5, 0.95)
_CROWD = 9
"""More lines than that are shown SUT by SUT."""
_IN_NAME = ("search.sampler=", "search.pruner=")
"""Parts of a treatment that the name of a strategy says already."""
_NONE: Mapping[str, Any] = {"runs": ()}


def compare_command(folders: Sequence[Path], output: Path) -> str:
    """Read folders of replayed searches, and write the figure and the table of them.

    Their chain leads to the runs that the trial table was measured in, where the folders lie in
    the results folder of those.
    """
    results = [read_results(folder) for folder in folders]
    _same(results)
    files = [folder.resolve() / NAME for folder in folders]
    written = write_table(
        output / "replayed", comparison(results), _chain("table/replayed", results, files)
    )
    drawn = attainment(results)
    written += save(drawn, output / "attainment", _chain("figure/attainment", results, files))
    return "\n".join(str(file) for file in written)


def make_replayed(described: Source, results: Path) -> list[Path]:
    """The figure and the table of an experiment that was replayed, each with its chain: to the runs
    of the trial table, of the frameworks' cost, and to the live ones of the check."""
    found = read_replayed(results, described.experiment)
    live = {run for one in found.said["strategies"] for run in (one["coverage"] or _NONE)["runs"]}
    folder = results / FOLDER / found.id
    tables = [folder / NAME, *(folder / f"{name}.parquet" for name in EXPERIMENT)]
    title = heading_of(described.title or found.id, found.varied)
    absent = not_here(found.unavailable)
    figure = chain_of(found, "figure/attainment", described, tables, live)
    drawn = attainment(found.strategies, title, absent)
    if isinstance(drawn, Absent):
        figure |= {ABSENT: drawn.reason}
    written = save(drawn, results / "figures" / FOLDER / found.id / "attainment", figure)
    table = chain_of(found, "table/replayed", described, tables, live)
    shown = comparison(found.strategies, title, absent)
    return [*written, *write_table(results / "tables" / FOLDER / found.id, shown, table)]


def names(results: Sequence[Results]) -> list[str]:
    """What each strategy is called: with what its treatment has beside sampler and pruner."""
    found = []
    for one in results:
        parts = one.said.get("treatment", "").split(", ")
        beside = [part for part in parts if "=" in part and not part.startswith(_IN_NAME)]
        found.append(", ".join([one.strategy, *(part.rpartition(".")[2] for part in beside)]))
    return found


def _chain(kind: str, results: Sequence[Results], files: Sequence[Path]) -> dict:
    table = results[0].said["table"]
    common = Path(os.path.commonpath([file.parent.parent for file in files]))
    around = [folder for folder in (common, *common.parents) if (folder / PLAN).is_file()]
    known = chain(
        kind=kind,
        experiment={"id": "replayed"},
        folders=(),
        tables=files,
        results=around[0] if around else common,
        root=Path.cwd(),
        energy_methods=table["energy"].split("+"),
        code=code_version(Path.cwd()),
    )
    runs = [
        {
            "folder": run["folder"],
            "hash": run["hash"],
            "repetition": run["repetition"],
            "status": COMPLETED,
            "run_json_sha256": run["manifest"],
        }
        for run in table["runs"]
    ]
    return known | {"runs": runs, "trial_table_sha256": table["sha256"]}


def _same(results: Sequence[Results]) -> None:
    """Raises TrialwattError where the searches are not on one table, with one goal."""
    first = results[0].said
    for key in ("table", "goal", "workers", "space"):
        for one in results[1:]:
            if one.said[key] != first[key]:
                raise TrialwattError(
                    f"{one.strategy}: replayed with another {key} than {results[0].strategy}; "
                    "only searches on one table, for one goal, are compared"
                )


@styled
def attainment(results: Sequence[Results], of: str = "", absent: str = "") -> Figure:
    """Share of searches that have reached the goal by an energy, a time and a cost; a line for each
    strategy, and where they are many a row of panels for each SUT. of: whose they are; absent: what
    is not there to be shown."""
    title = f"{of}, replayed searches: how many have reached the goal".removeprefix(", ")
    title = title[0].upper() + title[1:]
    reached = [one.searches["goal_reached"].astype(bool) for one in results]
    if not any(own.any() for own in reached):
        return nothing(title, "no replayed search has reached the goal, or there is none.", absent)
    suts = [one.said["sut"] for one in results]
    rows = [range(len(results))]
    if len(results) > _CROWD:
        rows = [[i for i, own in enumerate(suts) if own == sut] for sut in dict.fromkeys(suts)]
    figure = blank(PAGE_IN, 1.6 + 1.6 * len(rows) + 0.15 * (len(results) // 3))
    for number, row in enumerate(rows):
        _panels(figure, results, row, number, len(rows))
    handles = [
        legend_entry(name, linewidth=1.4, **_look(place))
        for place, name in enumerate(names(results))
    ]
    heading(figure, title, handles, columns=4)
    footnote(figure, "\n".join(part for part in (note(results), absent) if part))
    return figure


def _look(place: int) -> dict[str, Any]:
    colour, dashes = LINES[place % len(LINES)]
    return {"color": colour, "linestyle": DASHES[dashes]}


def _panels(
    figure: Figure, results: Sequence[Results], row: Iterable[int], number: int, count: int
) -> None:
    """One row of so many, of the strategies at these places: a panel for each of what was spent.
    All rows have one scale."""
    runs = _as_runs(results)
    for panel, column in enumerate(_TO_GOAL):
        axes = figure.add_subplot(count, len(_TO_GOAL), number * len(_TO_GOAL) + panel + 1)
        values = [one.searches[column].dropna().sort_values().to_numpy() for one in results]
        scale = quantity.of_column(column, np.concatenate(values), runs)
        furthest = max(own[-1] for own in values if len(own)) * scale.factor
        for place in row:
            own = values[place]
            spent = np.concatenate([[0.0], own * scale.factor, [furthest]])
            share = np.arange(len(own) + 1) / len(results[place].searches) * 100
            share = np.append(share, share[-1])
            axes.plot(spent, share, linewidth=1.3, **_look(place), **STEPWISE)
        head = quantity.head(column, scale, runs)
        words = column.rpartition("_goal")[0].replace("_", " ") + " goal"
        axes.set_xlabel(f"{words} ({head})" if head else words)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 101)
        if not panel:
            of = f" ({results[place].said['sut']})" if count > 1 else ""
            axes.set_ylabel(f"% of replayed searches{of}")


def comparison(results: Sequence[Results], of: str = "", absent: str = "") -> Table:
    """A row per strategy: median and 90 % interval of its searches, and in how many of them it
    needs less energy to the goal than the first strategy in the search of the same number. of,
    absent: as for `attainment`."""
    called = zip(names(results), results, strict=True)
    tidy = pd.DataFrame([_row(name, one, results[0]) for name, one in called])
    runs, shown = _as_runs(results), pd.DataFrame({"strategy": tidy["strategy"]})
    for column in _COMPARED:
        scale = quantity.of_column(column, tidy[f"{column}_median"], runs)
        head = quantity.head(column, scale, runs)
        name = metric(column).short
        shown[f"{name} ({head})" if head else name] = [
            _cell(row, column, scale.factor) for row in tidy.to_dict("records")
        ]
    shown["reached the goal"] = [_percent(value) for value in tidy["reached_share"]]
    shown["less energy to goal than the first"] = [_percent(v) for v in tidy["less_share"]]
    shown["n"] = tidy["searches"]
    said = "Median, in brackets the interval of 90 % of the searches; of energy to goal, a search "
    said += "that did not reach it counts as the greatest. "
    title = f"{of}, replayed searches: strategies compared".removeprefix(", ")
    title = title[0].upper() + title[1:]
    return Table(title, tidy, shown, f"{said}{note(results)} {absent}".rstrip())


def _row(name: str, one: Results, first: Results) -> dict[str, Any]:
    rows = one.searches
    row: dict[str, Any] = {"strategy": name, "searches": len(rows)}
    for column in _COMPARED:
        values = rows[column].to_numpy(float, na_value=np.nan)
        if column in _TO_GOAL:
            values = np.where(np.isnan(values), np.inf, values)
        # of the searches themselves: between a number and infinity there is nothing
        low, middle, high = np.quantile(values, INTERVAL, method="inverted_cdf")
        row |= {f"{column}_median": middle, f"{column}_low": low, f"{column}_high": high}
    own, other = (each.searches.set_index("search")["energy_to_goal_kwh"] for each in (one, first))
    pairs = pd.concat([own, other], axis=1, join="inner").to_numpy(float, na_value=np.inf)
    pairs = np.where(np.isnan(pairs), np.inf, pairs)
    less, equal = pairs[:, 0] < pairs[:, 1], pairs[:, 0] == pairs[:, 1]
    return row | {
        "reached_share": float(rows["goal_reached"].mean()),
        "less_share": np.nan if one is first else float(less.mean() + equal.mean() / 2),
        "energy_method": one.said["table"]["energy"],
    }


def _cell(row: dict[str, Any], column: str, factor: float) -> str:
    ends = [row[f"{column}_{end}"] * factor for end in ("median", "low", "high")]
    middle, low, high = (
        "not reached" if np.isinf(value) else quantity.number(value) for value in ends
    )
    return f"{middle} ({low}–{high})"


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}"


def _as_runs(results: Sequence[Results]) -> pd.DataFrame:
    """What units and notes ask of a runs table."""
    said = results[0].said
    return pd.DataFrame(
        [{"energy_method": said["table"]["energy"], "currency": said["table"]["currency"]}]
    )


_IN_WORDS = {"holds": " (holds)", "fails": " (fails)", "undecided": ""}


def note(results: Sequence[Results]) -> str:
    """What a reader must know of whatever shows these searches."""
    said = results[0].said
    table, counts = said["table"], sorted({len(one.searches) for one in results})
    searches = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    costs = sorted({one.said["framework"] for one in results})
    parts = [
        f"Replayed, not run: {searches} searches each on {said['workers']['count']} virtual "
        f"workers, of {table['workload']}, from measured trials "
        f"({table['seeds']} seeds; testbed {table['testbed']}; table "
        f"{table['sha256'][:10] or 'not of a file'}).",
        f"Energy {table['energy']}. Frameworks: {'; '.join(costs)}.",
    ]
    if table["flags"]:
        parts.insert(0, f"Made of flagged runs: {'; '.join(table['flags'])}.\n")
    return " ".join([*parts, *_checks(results), *_apart(results)])


def _apart(results: Sequence[Results]) -> list[str]:
    """What was measured otherwise than what it is taken for, each once."""
    found = [said for one in results for said in one.said.get("notes", [])]
    found += [said for one in results for said in (one.said.get("coverage") or {}).get("apart", [])]
    return [f"Note: {said}." for said in dict.fromkeys(found)]


def _checks(results: Sequence[Results]) -> Iterator[str]:
    """What live searches said of these; last, of which there were none."""
    checked, unchecked = defaultdict[tuple[str, str], list[str]](list), list[str]()
    for name, one in zip(names(results), results, strict=True):
        known = one.said.get("coverage") or {}
        found = known.get("quantities", [])
        if not found:
            unchecked.append(name)
            continue
        flagged = f" ({known['flagged']} flagged)" if known.get("flagged") else ""
        of = ", ".join(metric(each["quantity"]).short for each in found)
        told = (f"{each['inside']}{_IN_WORDS[each['verdict']]}" for each in found)
        checked[f"{found[0]['live']} live searches{flagged}", of].append(
            f"{name} {', '.join(told)}"
        )
    for (live, of), each in checked.items():
        yield (
            f"Of {live} so many are in the interval of 90 % ({of}; undecided where it does not "
            f"say more): {'; '.join(each)}."
        )
    if unchecked:
        yield f"Not checked against live searches: {'; '.join(unchecked)}."
