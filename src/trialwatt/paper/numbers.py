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

from trialwatt.analysis.cells import varied
from trialwatt.analysis.convergence import REPETITIONS
from trialwatt.config.factors import HYPOTHESES, heading
from trialwatt.errors import TrialwattError
from trialwatt.figures import FIGURES, figures_of, treatments
from trialwatt.figures.absent import failures, grouped
from trialwatt.figures.best import overall_best, overall_explained, readable_overall
from trialwatt.figures.notes import conditions, count_flagged, energy_statement
from trialwatt.figures.quantity import is_modelled, methods, number
from trialwatt.figures.tablefiles import read_tidy
from trialwatt.figures.tables import explanation, readable, results_table
from trialwatt.files import write_whole
from trialwatt.metrics.beside import CONVERGENCE, UNAVAILABLE, read_beside
from trialwatt.metrics.dictionary import shown_in
from trialwatt.metrics.tables import read_runs
from trialwatt.paper.constants import constants
from trialwatt.paper.findings import findings, ratios
from trialwatt.paper.setup import setup
from trialwatt.records.outcome import FAILED

FORMAT = 1
_STATUSES = ("completed", "infeasible", "deadline", FAILED)
_ALWAYS = ("SUT", "testbed", "sampler", "treatment")
_OF_ANSWERS = ("hypothesis", "scope", "verdict", "sentence")
_OF_TESTS = {
    **dict.fromkeys(("hypothesis", "scope", "test", "coefficients", "effect_name"), str),
    **dict.fromkeys(("n", "p", "p_adjusted", "effect", "low", "high"), float),
    "primary": bool,
}


def write_numbers(results: Path, experiments: Sequence[Mapping], output: Path) -> Path:
    """Write the numbers of these experiments; equal results give equal bytes.

    experiments: each with `id`, `title` and `varied` (the workload keys that vary), all with
    their metrics, tables and figures made. Raises TrialwattError naming what is missing.
    """
    content = paper_numbers(results, experiments)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(output, text + "\n")
    return output


def paper_numbers(results: Path, experiments: Sequence[Mapping]) -> dict:
    """The content of numbers.json; see write_numbers."""
    _complain(results, experiments)
    tables = {
        one["id"]: read_runs(results / "metrics" / one["id"] / "runs.parquet")
        for one in experiments
    }
    filled = [table for table in tables.values() if len(table)]
    if not filled:
        raise TrialwattError("there is no run in any experiment; a paper needs at least one")
    rows = pd.concat(filled, ignore_index=True)
    compared = _compared(tables)
    return {
        "generator": "trialwatt",
        "format": FORMAT,
        "constants": constants(),
        "runs": _runs(rows.drop_duplicates("folder")),
        "setup": setup(results, rows.drop_duplicates("folder")),
        "order": [one["id"] for one in experiments],
        "experiments": {
            one["id"]: _experiment(results, one, tables[one["id"]], one["id"] in compared)
            for one in experiments
        },
        "best": _best(tables, rows),
        "headline": _headline(tables),
        "answers": _answers(results / "tables" / "answers.csv"),
        "tests": _tests(results / "tables" / "answers-tests.csv"),
    }


def _compared(tables: Mapping[str, pd.DataFrame]) -> set[str]:
    """The experiments that compare each SUT with the control in words, though all could.

    Those that vary nothing, and then those in which there are SUTs that were not in one yet.
    """
    found, seen = set(), set()
    for name in sorted(tables, key=lambda name: bool(varied(tables[name]))):
        suts = {sut for sut, *_ in ratios(tables[name])} if len(tables[name]) else set()
        if suts - seen:
            found.add(name)
            seen |= suts
    return found or {next(iter(tables))}


def _complain(results: Path, experiments: Sequence[Mapping]) -> None:
    if not experiments:
        raise TrialwattError("the paper needs at least one experiment; the plan has none")
    wanted = [results / "tables" / f"answers{part}.csv" for part in ("", "-tests")]
    for one in experiments:
        name = one["id"]
        wanted += [
            results / "metrics" / name / f"{file}"
            for file in ("runs.parquet", "convergence.json", "unavailable.json")
        ]
        wanted += [
            results / "figures" / name / f"{figure}.svg"
            for figure in figures_of(one.get("varied", ()))
        ]
    missing = [str(file) for file in wanted if not file.is_file()]
    if missing:
        raise TrialwattError(
            f"{', '.join(missing[:5])}{', …' if len(missing) > 5 else ''}: missing, and the paper "
            "is made of them; make them with `snakemake --profile local`"
        )


def _runs(runs: pd.DataFrame) -> dict:
    """All runs of all experiments, each once."""
    counts = runs["status"].value_counts()
    done = runs[runs["status"] == "completed"]
    cells = done.groupby("hash").size()
    least = int(cells.min()) if len(cells) else 0
    trials = pd.to_numeric(runs.get("trials_started", pd.Series(dtype=float)), errors="coerce")
    return {
        "total": f"{len(runs):,}",
        "configurations": f"{runs['hash'].nunique():,}",
        "trials": f"{int(trials.sum()):,}",
        "flagged": f"{count_flagged(runs):,}",
        "any_flagged": count_flagged(runs) > 0,
        **{status: f"{counts.get(status, 0):,}" for status in _STATUSES},
        "by_status": ", ".join(f"{counts[s]:,} {s}" for s in _STATUSES if s in counts),
        "n": treatments.sentence_of_n(list(cells)).removeprefix("n = "),
        "demonstration": least < REPETITIONS,
        "modelled": is_modelled(runs["energy_method"]),
        "method": methods(runs["energy_method"]),
        "energy_statement": _capital(energy_statement(runs).split(": ", 1)[-1]),
        "conditions": conditions(runs),
        "suts": _list(sorted(set(runs["sut"]), key=_sut_order(runs))),
    }


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _sut_order(runs: pd.DataFrame):
    from trialwatt.figures.suts import in_order

    order = list(in_order(runs["sut"]))
    return order.index


def _list(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _headline(tables: Mapping[str, pd.DataFrame]) -> str:
    """What the frameworks themselves cost, one sentence; empty where there is no control.

    Of the experiment in which the most of them can be compared.
    """
    filled = [table for table in tables.values() if len(table)]
    runs = max(filled, key=lambda table: len(ratios(table)))
    found = ratios(runs)
    if not found:
        return ""
    energies = _list([number(energy) for _, _, energy, _ in found])
    names = _list([sut for sut, _, _, _ in found])
    return (
        f"Under the baseline a job of {names} needs {energies} times the energy "
        f"({methods(runs['energy_method'])}) of one without a framework that has the same sampler."
    )


def _experiment(results: Path, experiment: Mapping, runs: pd.DataFrame, compared: bool) -> dict:
    name, folder = experiment["id"], results / "metrics" / experiment["id"]
    unavailable = read_beside(folder / UNAVAILABLE)
    sweeps = read_beside(folder / CONVERGENCE)
    table = results_table(runs, unavailable)
    keys = list(experiment.get("varied", ()))
    title = experiment.get("title") or name
    shown = _shown(table, is_search(keys)) if len(table) else None
    of_n = treatments.sentence_of_n(list(table.loc[table["runs"] > 0, "n"]))
    failed = failures(runs) if len(runs) else ""
    return {
        "title": title,
        "heading": heading(title, varied(runs)),
        "varied": bool(table.loc[table["n"] > 0, "treatment"].nunique() > 1),
        "is_search": is_search(keys),
        "runs": f"{len(runs):,}",
        "n": of_n,
        "flagged": f"{count_flagged(runs):,}",
        "energy": energy_statement(runs) if len(runs) else "",
        "figures": {
            figure: {
                "path": f"figures/{name}/{figure}.svg",
                "caption": FIGURES[figure].caption,
                "note": _note(figure, runs, of_n),
            }
            for figure in figures_of(keys)
        },
        "table": {
            "heads": list(shown.columns) if shown is not None else [],
            "rows": shown.astype(str).values.tolist() if shown is not None else [],
            "note": explanation(table, runs, shown) if len(table) else "",
        },
        "findings": findings(runs, table, unavailable, compared) if len(runs) else [],
        "sweeps": [_sweep(sweep) for sweep in sweeps],
        "absent": [
            *([failed] if failed else []),
            *(f"Not available here. {each.sentence.rstrip('.')}." for each in grouped(unavailable)),
        ],
    }


def _note(figure: str, runs: pd.DataFrame, of_n: str) -> str:
    """How a figure's energy came about, and n; a timeline shows one run each and no energy."""
    if not len(runs):
        return "No data."
    if figure == "timeline":
        return "One repetition of each."
    return f"{energy_statement(runs)} {of_n} runs for each treatment."


def is_search(keys: Sequence[str]) -> bool:
    """Whether an experiment is about the search itself, so that waste is what it is read for."""
    return FIGURES["waste"].applies(keys)


def _shown(table: pd.DataFrame, search: bool) -> pd.DataFrame:
    """The columns of the results table that a page has room for; the rest is in the CSV."""
    whole = readable(table)
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


def _sweep(sweep: Mapping) -> str:
    at = f" at {sweep['converged_value']:g}" if sweep.get("converged_value") is not None else ""
    why = f" ({sweep['reason']})" if sweep.get("reason") else ""
    only = "demonstration only: " if sweep.get("demonstration") else ""
    return f"{sweep['sut']}, {sweep['sampler']}: {only}{sweep['state']}{at}{why}."


def _best(tables: Mapping[str, pd.DataFrame], rows: pd.DataFrame) -> dict:
    shown = readable_overall(overall_best(tables))
    keep = [column for column in shown.columns if column != "method"]
    return {
        "heads": keep,
        "rows": shown[keep].astype(str).values.tolist(),
        "note": overall_explained(rows),
    }


def _answers(file: Path) -> dict:
    """Hypothesis → the verdict over all scopes, its sentence, and the sentence of each scope."""
    table = read_tidy(file, dict.fromkeys(_OF_ANSWERS, str))
    found = {}
    for name in HYPOTHESES:
        own = table[table["hypothesis"] == name]
        whole = own[own["scope"] == "all"]
        found[name] = {
            "verdict": whole["verdict"].iloc[0] if len(whole) else "undecided: not asked",
            "words": _worded(whole["verdict"].iloc[0] if len(whole) else "undecided: not asked"),
            "scopes": [
                {"scope": row.scope, "verdict": _worded(row.verdict), "sentence": row.sentence}
                for row in own[own["scope"] != "all"].itertuples()
            ],
        }
    return found


def _worded(verdict: str) -> str:
    """ "undecided (one platform; demonstration only)" of "demonstration only: undecided: …"."""
    from trialwatt.analysis.answers import DEMONSTRATION

    outcome, _, why = verdict.removeprefix(f"{DEMONSTRATION}: ").partition(": ")
    reasons = [why] if why else []
    reasons += [DEMONSTRATION] if verdict.startswith(DEMONSTRATION) else []
    return f"{outcome} ({'; '.join(reasons)})" if reasons else outcome


def _tests(file: Path) -> dict:
    """The primary tests under the recorded energies, for people."""
    from trialwatt.analysis.answers import RECORDED, text

    table = read_tidy(file, _OF_TESTS, keep_default_na=True)
    own = table[(table["coefficients"] == RECORDED) & table["primary"].astype(bool)]
    return {
        "heads": ["hypothesis", "scope", "test", "n", "p", "p (Holm)", "effect", "interval"],
        "rows": [
            [
                row.hypothesis,
                row.scope,
                row.test.removeprefix(f"{row.scope}: "),
                f"{row.n:g}",
                text(float(row.p)),
                text(float(row.p_adjusted)),
                f"{row.effect_name} {text(float(row.effect))}"
                if isinstance(row.effect_name, str) and row.effect_name
                else "–",
                f"{text(float(row.low))}–{text(float(row.high))}",
            ]
            for row in own.itertuples()
        ],
        "all": f"{len(table):,}",
        "sets": f"{table.loc[table['coefficients'] != RECORDED, 'coefficients'].nunique():,}",
    }
