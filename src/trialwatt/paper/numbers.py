"""results/paper/numbers.json: every number, sentence and table of the paper, made of results.

The paper's source holds no result. It asks for one by its path in this file (`num("runs.total")`),
and one that is not there ends the build. All values are texts, ready to be printed, so that a
number has one look wherever it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from trialwatt.analysis.answers import RECORDED, readable_tests
from trialwatt.analysis.columns import varied
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.config.factors import SEARCH, families
from trialwatt.errors import TrialwattError
from trialwatt.figures import FIGURES, treatments
from trialwatt.figures.answers import STEM, TESTS
from trialwatt.figures.best import overall
from trialwatt.figures.notes import (
    by_status,
    conditions,
    count_flagged,
    energy_statement,
    why_flagged,
)
from trialwatt.figures.quantity import column, is_modelled, methods
from trialwatt.figures.suts import in_order
from trialwatt.figures.tablefiles import NO_DATA, Table, read_tidy
from trialwatt.figures.tables import explanation
from trialwatt.files import write_whole
from trialwatt.metrics.dictionary import shown_in
from trialwatt.metrics.experiment_notes import CONVERGENCE, UNAVAILABLE
from trialwatt.paper.constants import constants
from trialwatt.paper.setup import setup
from trialwatt.records.outcome import COMPLETED, STATUSES
from trialwatt.replay.experiment import FOLDER
from trialwatt.summary.answers import Asked, answers_of
from trialwatt.summary.experiment import ExperimentSummary, read_summary
from trialwatt.summary.findings import headline, listed, ratios
from trialwatt.summary.replayed import captions, read_replays

FORMAT = 1
_ALWAYS = ("SUT", "testbed", "sampler", "treatment")
_OF_TESTS = {
    **dict.fromkeys(
        ("hypothesis", "scope", "test", "coefficients", "effect_name", "interval"), str
    ),
    **dict.fromkeys(("statistic", "p", "p_adjusted", "effect", "low", "high"), float),
    "n": int,
    "primary": bool,
}


def write_numbers(
    results: Path, experiments: Sequence[Mapping], output: Path, replays: Sequence[str] = ()
) -> Path:
    """Write the numbers of these experiments; equal results give equal bytes.

    experiments: each with `id`, `title` and `varied` (the workload keys that vary), all with
    their metrics, tables and figures made. replays: those that are replayed. Raises TrialwattError
    naming what is missing.
    """
    content = paper_numbers(results, experiments, replays)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(output, text + "\n")
    return output


def paper_numbers(
    results: Path, experiments: Sequence[Mapping], replays: Sequence[str] = ()
) -> dict:
    """The content of numbers.json; see write_numbers. `replays` is in it where anything is."""
    summaries = [read_summary(results, one) for one in experiments]
    _complain(results, summaries)
    tables = {one.id: one.runs for one in summaries}
    filled = [table for table in tables.values() if len(table)]
    if not filled:
        raise TrialwattError("there is no run in any experiment; a paper needs at least one")
    runs = pd.concat(filled, ignore_index=True).drop_duplicates("folder")
    compared = frameworks_in(tables)
    best = overall(tables)
    keep = [head for head in best.heads if head != "method"]
    return {
        "generator": "trialwatt",
        "format": FORMAT,
        "constants": constants(),
        "runs": _runs(runs),
        "setup": setup(results, runs),
        "order": [one.id for one in summaries],
        "experiments": {one.id: _experiment(one, one.id in compared) for one in summaries},
        "best": _table(best._replace(shown=best.shown[keep])),
        "headline": headline(tables[most_compared(tables)]),
        "answers": {asked.name: _answer(asked) for asked in answers_of(results)},
        "tests": _tests(results / "tables" / f"{TESTS}.csv"),
    } | ({"replays": _replays(results, replays)} if replays else {})


def _replays(results: Path, names: Sequence[str]) -> dict:
    return {
        one.found.id: {
            "heading": one.heading,
            "lead": one.lead,
            "note": one.note,
            "findings": one.findings,
            "absent": [*one.absent, *one.not_shown],
            "figures": {
                name: {"path": f"figures/{FOLDER}/{one.found.id}/{name}.svg", "caption": caption}
                for name, caption in captions(one).items()
            },
            "comparison": _table(one.comparison),
            "equal_score": _table(one.equal_score),
            "sensitivity": _table(one.sensitivity),
        }
        for one in read_replays(results, names)
    }


def most_compared(tables: Mapping[str, pd.DataFrame]) -> str:
    """The experiment in which the most frameworks can be compared with the control."""
    return max(tables, key=lambda name: (len(ratios(tables[name])), len(tables[name]) > 0))


def frameworks_in(tables: Mapping[str, pd.DataFrame]) -> set[str]:
    """The experiments that compare each SUT with the control in words, though all could.

    Those that vary nothing, and then those in which there are SUTs that were not in one yet.
    """
    found, seen = set(), set()
    for name in sorted(tables, key=lambda name: bool(varied(tables[name]))):
        suts = {sut for sut, *_ in ratios(tables[name])}
        if suts - seen:
            found.add(name)
            seen |= suts
    return found or {next(iter(tables))}


def _complain(results: Path, summaries: Sequence[ExperimentSummary]) -> None:
    if not summaries:
        raise TrialwattError("the paper needs at least one experiment; the plan has none")
    wanted = [results / "tables" / f"{name}.csv" for name in (STEM, TESTS)]
    for one in summaries:
        folder, figures = (results / name / one.id for name in ("metrics", "figures"))
        wanted += [folder / name for name in ("runs.parquet", CONVERGENCE, UNAVAILABLE)]
        wanted += [figures / f"{name}.svg" for name in one.planned]
    missing = [str(file) for file in wanted if not file.is_file()]
    if missing:
        raise TrialwattError(
            f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}: missing, and the paper "
            "is made of them; make them with `snakemake --profile local`"
        )


def _runs(runs: pd.DataFrame) -> dict:
    """All runs of all experiments, each once."""
    done = runs[runs["status"] == COMPLETED]
    cells = done.groupby("hash").size()
    least = int(cells.min()) if len(cells) else 0
    trials = column(runs, "trials_started")
    statement = energy_statement(runs).split(": ", 1)[-1]
    return {
        "total": f"{len(runs):,}",
        "configurations": f"{runs['hash'].nunique():,}",
        "trials": f"{int(trials.sum()):,}",
        "flagged": f"{count_flagged(runs):,}",
        "any_flagged": count_flagged(runs) > 0,
        "why_flagged": why_flagged(runs),
        **{status: f"{(runs['status'] == status).sum():,}" for status in STATUSES},
        "by_status": by_status(runs),
        "n": treatments.sentence_of_n(list(cells)).removeprefix("n = "),
        "demonstration": least < REPETITIONS,
        "blocked": bool(column(runs, "block").notna().all()),
        "modelled": is_modelled(runs["energy_method"]),
        "method": methods(runs["energy_method"]),
        "energy_statement": statement[:1].upper() + statement[1:],
        "conditions": conditions(runs),
        "suts": listed(in_order(runs["sut"])),
    }


def _experiment(summary: ExperimentSummary, compared: bool) -> dict:
    runs, results = summary.runs, summary.results
    done = results.tidy[results.tidy["n"] > 0]
    shown = _shown(results, SEARCH in families(summary.varied)) if results.rows else results.shown
    note = explanation(results.tidy, runs, shown) if results.rows else ""
    return {
        "title": summary.title,
        "heading": summary.heading,
        "keys": list(summary.compared),
        "varied": bool(done["treatment"].nunique() > 1),
        "frameworks": len({sut for sut, *_ in ratios(runs)}) > 1,
        "families": sorted(families(summary.compared)),
        "runs": f"{len(runs):,}",
        "n": summary.n,
        "flagged": f"{count_flagged(runs):,}",
        "energy": energy_statement(runs) if len(runs) else "",
        "figures": {
            figure: {
                "path": f"figures/{summary.id}/{figure}.svg",
                "caption": FIGURES[figure].caption,
                "note": _note(figure, runs, summary.n),
            }
            for figure in summary.figures
        },
        "table": _table(results._replace(shown=shown, note=note)),
        "lead": summary.lead,
        "not_shown": summary.not_shown,
        "findings": summary.findings(compared),
        "sweeps": summary.ended,
        "absent": summary.absent,
    }


def _table(table: Table) -> dict:
    return {"heads": table.heads, "rows": table.rows, "note": table.note}


def _note(figure: str, runs: pd.DataFrame, of_n: str) -> str:
    """How a figure's energy came about, and n; a timeline shows one run each and no energy, the
    hyperparameters that won are no energy."""
    if not len(runs):
        return NO_DATA
    if figure == "timeline":
        return "One repetition of each."
    energy = "" if figure == "winners" else f"{energy_statement(runs)} "
    return f"{energy}{of_n} runs for each treatment."


def _shown(results: Table, search: bool) -> pd.DataFrame:
    """The columns of the results table that a page has room for; the rest is in the CSV."""
    table, whole = results.tidy, results.shown
    wanted = {one.short for one in shown_in("paper_search" if search else "paper_resource")}
    columns = [
        column
        for column in whole.columns
        if column in (*_ALWAYS, "n", "method") or column.split(" (")[0] in wanted
    ]
    shown = whole[columns].rename(columns={"method": "energy"})
    if table.loc[table["runs"] > 0, "energy_method"].nunique() == 1:
        shown = shown.drop(columns="energy")  # the caption says it
    absent = table["runs"] == 0
    return shown[~absent.to_numpy()] if not absent.all() else shown


def _answer(asked: Asked) -> dict:
    return {
        "statement": asked.statement,
        "verdict": asked.whole.verdict,
        "words": asked.whole.words,
        "scopes": [
            {"scope": one.scope, "verdict": one.words, "sentence": one.sentence}
            for one in asked.scopes
        ],
    }


def _tests(file: Path) -> dict:
    """The primary tests under the recorded energies, for people."""
    table = read_tidy(file, _OF_TESTS, keep_default_na=True)
    table = table.fillna({"effect_name": "", "interval": ""})
    own = table[(table["coefficients"] == RECORDED) & table["primary"]]
    names = [
        test.removeprefix(f"{scope}: ")
        for scope, test in zip(own["scope"], own["test"], strict=True)
    ]
    shown = readable_tests(own.assign(test=names)).drop(columns=["coefficients", "statistic"])
    return {
        "heads": list(shown.columns),
        "rows": shown.astype(str).values.tolist(),
        "all": f"{len(table):,}",
        "sets": f"{table.loc[table['coefficients'] != RECORDED, 'coefficients'].nunique():,}",
    }
