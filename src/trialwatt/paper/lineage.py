"""What a number of the paper is made of: tables, rows, columns, and the runs behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from trialwatt.analysis.answers import REPLAYED
from trialwatt.analysis.columns import flag, varied
from trialwatt.config.factors import hypotheses
from trialwatt.errors import TrialwattError
from trialwatt.figures import second_table
from trialwatt.figures.best import measure_of, overall_best
from trialwatt.figures.tables import measures, runs_of_rows
from trialwatt.metrics.experiment_notes import CONVERGENCE, UNAVAILABLE, entries
from trialwatt.metrics.tables import read_runs
from trialwatt.paper.constants import PLACES
from trialwatt.paper.names import Named
from trialwatt.paper.numbers import most_compared
from trialwatt.printable import shown
from trialwatt.records.outcome import COMPLETED, FAILED, STATUSES
from trialwatt.replay.experiment import FOLDER, read_said

_UNLIKE = (KeyError, IndexError, ValueError, TypeError, AttributeError)

_OF_RUNS = {
    "total": "the number of folders",
    "configurations": "the number of different `hash`",
    "trials": "the sum of `trials_started`",
    "flagged": "the runs with `flags`",
    "any_flagged": "whether any run has `flags`",
    "why_flagged": "the runs with each kind of `flags`",
    "by_status": "the runs of each `status`",
    "n": "the completed runs of each `hash`",
    "demonstration": "whether any `hash` has too few completed runs",
    "blocked": "whether every run tells its `block`",
    "suts": "the different `sut`",
    **{status: f"the runs with `status` {status}" for status in STATUSES},
}
_OF_EXPERIMENT = {
    "lead": "the runs, their blocks, flags and least energies",
    "not_shown": "why the figures that were left out have nothing to show",
    "runs": "the number of rows",
    "n": "the completed runs of each treatment",
    "flagged": "the runs with `flags`",
    "frameworks": "whether several `sut` can be compared with the control",
    "varied": "whether several treatments have completed runs",
}
_OF_PLAN = ("title", "heading", "keys", "families")
_OF_ENERGY = "`energy_method`, `energy_meter`, `energy_domains`, `sample_hz` and the gaps"


@dataclass(frozen=True)
class Origin:
    """runs: the rows of the metrics tables. tables: those files, below the results folder.
    said: how the number follows from them, in sentences."""

    said: list[str]
    runs: pd.DataFrame
    tables: set[str] = field(default_factory=set)


def origin(results: Path, numbers: Mapping, named: Named) -> Origin:
    """Of a number of numbers.json and the metrics tables that it was made with.

    Raises TrialwattError where the two do not belong together.
    """
    try:
        return _Tables(results, numbers).origin(named)
    except (*_UNLIKE, OSError, TrialwattError) as error:
        raise TrialwattError(
            f"{shown(named.name, 200)}: the tables in {shown(results, 500)} have nothing of which "
            "it could be made; they are not those of the paper, or gone "
            f"({shown(repr(error), 200)})"
        ) from error


class _Tables:
    def __init__(self, results: Path, numbers: Mapping):
        self.results, self.numbers = results, numbers
        self.experiments = [_plain(one) for one in numbers["order"]]
        self.of = {
            one: read_runs(results / "metrics" / one / "runs.parquet") for one in self.experiments
        }

    def origin(self, named: Named) -> Origin:
        first, *rest = named.steps
        ways = {
            "constants": self._constant,
            "setup": self._setup,
            "experiments": self._experiment,
            "best": self._best,
            "headline": self._headline,
            "answers": self._answer,
            "tests": self._test,
            "runs": self._of_all,
            "replays": self._replay,
        }
        way = ways.get(first)
        if way is None:  # the format, and the order of the plan
            return Origin(["no result: it is of the plan"], pd.DataFrame())
        return way(rest)

    def _all(self, said: Sequence[str], experiments: Sequence[str] | None = None) -> Origin:
        names = self.experiments if experiments is None else experiments
        runs = [self.of[name].assign(experiment=name) for name in names]
        whole = pd.concat(runs, ignore_index=True) if runs else pd.DataFrame()
        return Origin([*said], whole, {_runs_of(name) for name in names})

    def _constant(self, steps: list) -> Origin:
        return Origin([f"fixed by the method, in the code: {PLACES[steps[0]]}"], pd.DataFrame())

    def _of_all(self, steps: list) -> Origin:
        what = _OF_RUNS.get(steps[0], _OF_ENERGY)
        return self._all([f"{what}, over all runs of all experiments, each once"])

    def _setup(self, steps: list) -> Origin:
        row = self.numbers["setup"]["rows"][steps[1]][0] if steps[0] == "rows" else steps[0]
        return self._all([f"{row}: what the manifests (run.json) of all runs say, together"])

    def _experiment(self, steps: list) -> Origin:
        name, part, *rest = steps
        runs, whole = self.of[name], {_runs_of(name)}
        if part == "table" and rest and rest[0] in ("rows", "heads"):
            return self._cell(name, rest)
        if part == "findings":
            sentence = self.numbers["experiments"][name]["findings"][rest[0]]
            return self._finding(name, sentence)
        if part == "sweeps":
            file = f"metrics/{name}/{CONVERGENCE}"
            end = entries(self.results / "metrics" / name, CONVERGENCE)[rest[0]]
            own = runs[(runs["sut"] == end["sut"]) & (runs["sampler"] == end["sampler"])]
            said = f"{file}, sweep {rest[0] + 1}; its moves stand in sweeps/{name}/"
            return Origin([said], own, {*whole, file})
        if part == "absent":
            file = f"metrics/{name}/{UNAVAILABLE}"
            said = f"{file}, and the failed runs of {_runs_of(name)}"
            return Origin([said], runs[runs["status"] == FAILED], {*whole, file})
        if part == "figures":
            said = f"written under figures/{name}/{rest[0]}.svg, which `trialwatt trace` traces"
            return Origin([said], runs, whole)
        if part in _OF_PLAN:
            return Origin(["no result: it is of the experiment's file"], pd.DataFrame())
        what = _OF_EXPERIMENT.get(part, _OF_ENERGY)
        return Origin([f"{what} of {_runs_of(name)}"], runs, whole)

    def _replay(self, steps: list) -> Origin:
        """Of replayed searches: to the runs that their trial table was measured in."""
        name, part, *_ = (*steps, "")
        of = f"{FOLDER}/{_plain(name)}"
        table = {run["folder"] for run in read_said(self.results / of)["table"]["runs"]}
        every = pd.concat(self.of.values(), ignore_index=True).drop_duplicates("folder")
        said = f"replayed: {part or 'all'} of the searches in {of}/, tables/{of}.csv and "
        said += f"tables/{FOLDER}-sensitivity/{name}.csv, each of which `trialwatt trace` traces"
        return Origin([said], every[every["folder"].isin(table)], {f"{of}/searches.parquet"})

    def _cell(self, name: str, steps: list) -> Origin:
        heads = self.numbers["experiments"][name]["table"]["heads"]
        if steps[0] == "heads" or len(steps) < 3:
            return Origin([f"the head of a column of tables/{name}.csv"], pd.DataFrame())
        place, head = steps[1], heads[steps[2]]
        treatment, here = list(runs_of_rows(self.of[name]))[place]
        columns = {short: column for column, short in measures().items()}
        column = columns.get(head.split(" (")[0])
        done = here[here["status"] == COMPLETED]
        who = f"{here['sut'].iloc[0]} on {here['testbed'].iloc[0]}, {treatment}"
        row = f"row {place + 1} ({who}) of tables/{name}.csv"
        if column is None:
            return Origin([f"column {head}, {row}"], here, {_runs_of(name)})
        said = [
            f"column {head}, {row}: `{column}_median` (`{column}_low`–`{column}_high`)",
            f"the median of `{column}` over {len(done)} completed runs of {_runs_of(name)}, "
            "in brackets its spread: " + ", ".join(_values(done, column)),
        ]
        return Origin(said, here, {_runs_of(name)})

    def _finding(self, name: str, sentence: str) -> Origin:
        runs = self.of[name]
        who = sentence.partition(": ")[0].partition(" ")[0]
        own = runs[runs["sut"] == who] if who in set(runs["sut"]) else runs
        kind = second_table(varied(runs))
        columns = f"`{measure_of(runs)}`, `jct_ms` and `wte_share`"
        if kind == "cost":
            own, columns = runs, "`job_energy_kwh`, `jct_ms` and `oc`"
        said = f"computed from tables/{kind}/{name}.csv, tables/{name}.csv and {columns} of "
        return Origin([f"{said}{_runs_of(name)}, rows of {who}"], own, {_runs_of(name)})

    def _best(self, steps: list) -> Origin:
        if steps[0] != "rows":
            return self._all(["what stands over and under tables/answers-best.csv"])
        row = overall_best(self.of).iloc[steps[1]]
        name, runs = row["experiment"], self.of[row["experiment"]]
        own = runs[(runs["sut"] == row["sut"]) & (runs["testbed"] == row["testbed"])]
        own = own[own["sampler"] == row["sampler"]] if row["sampler"] else own
        said = [
            f"row {steps[1] + 1} of tables/answers-best.csv, and of {row['sut']} in "
            f"tables/best/{name}.csv",
            f"the smallest median of `{row['measure']}` over the completed runs of a treatment "
            f"in {_runs_of(name)}",
        ]
        return Origin(said, own, {_runs_of(name)})

    def _headline(self, _steps: list) -> Origin:
        name = most_compared(self.of)
        runs = self.of[name]
        base = runs[flag(runs, "is_baseline") == 1]
        said = (
            f"the medians over blocks of `job_energy_kwh` under the baseline in {_runs_of(name)}, "
            "of each SUT ÷ the control with the same sampler"
        )
        return Origin([said], base, {_runs_of(name)})

    def _answer(self, steps: list) -> Origin:
        hypothesis, part, *rest = steps
        if part == "statement":
            return Origin(["no result: it is what was asked"], pd.DataFrame())
        if part != "scopes":
            there = [one for one in self.experiments if self._concerns(hypothesis, one)]
            said = f"tables/answers.csv, {hypothesis} over all scopes; the tests behind it stand in"
            return self._all([f"{said} tables/answers-tests.csv"], there)
        scope = self.numbers["answers"][hypothesis]["scopes"][rest[0]]["scope"]
        return self._scope(scope, hypothesis, f"tables/answers.csv, {hypothesis}, scope {scope}")

    def _test(self, steps: list) -> Origin:
        if steps[0] != "rows":
            return self._all(["the number of tests in tables/answers-tests.csv"])
        hypothesis, scope, test, *_ = self.numbers["tests"]["rows"][steps[1]]
        said = f"tables/answers-tests.csv, {hypothesis}, scope {scope}, test {test}, as recorded"
        return self._scope(scope, hypothesis, said)

    def _scope(self, scope: str, hypothesis: str, said: str) -> Origin:
        """A scope is "SUT in experiment", with more in brackets."""
        sut, _, where = scope.partition(" in ")
        name = where.partition(" (")[0]
        if name.startswith(f"{REPLAYED} "):
            found = self._replay([name.removeprefix(f"{REPLAYED} ")])
            return Origin([said, *found.said], found.runs, found.tables)
        if name not in self.of:
            there = [one for one in self.experiments if self._concerns(hypothesis, one)]
            return self._all([said], there)
        runs = self.of[name]
        return Origin([said], runs[runs["sut"] == sut], {_runs_of(name)})

    def _concerns(self, hypothesis: str, name: str) -> bool:
        return hypothesis in hypotheses(varied(self.of[name]))


def _runs_of(experiment: str) -> str:
    return f"metrics/{experiment}/runs.parquet"


def _values(runs: pd.DataFrame, column: str) -> list[str]:
    return [f"{float(value):.6g}" for value in runs[column].dropna()] if column in runs else []


def _plain(name: object) -> str:
    """An experiment's name, which becomes part of a path."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ValueError(f"{name!r} is no experiment's name")
    return name
