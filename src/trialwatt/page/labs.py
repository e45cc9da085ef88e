"""Whose results there are: our own, and those that `trialwatt import` took from others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.figures.products import replays, sections
from trialwatt.provenance.plans import read_plan
from trialwatt.summary.experiment import ExperimentSummary, read_summary

CONTRIBUTED = "contrib"


@dataclass(frozen=True)
class Lab:
    """results: its folder. name: empty for our own. place: its path from our own results.

    experiments: each with `id`, and where known `title` and `varied`. replays: those that are
    replayed.
    """

    results: Path
    experiments: tuple[Mapping, ...] = field(default=())
    name: str = ""
    place: str = ""
    replays: tuple[str, ...] = ()

    def read(self) -> dict[str, ExperimentSummary]:
        """Its experiments by id. Runs have `own_folder`, their folder below `results`."""
        return {one["id"]: self._ours(read_summary(self.results, one)) for one in self.experiments}

    def _ours(self, summary: ExperimentSummary) -> ExperimentSummary:
        """With its runs, testbeds and reasons told apart from ours that have the same names."""
        runs = summary.runs
        if len(runs):
            runs = runs.assign(own_folder=runs["folder"])
        if not self.name:
            return replace(summary, runs=runs)
        if len(runs):
            runs["folder"] = f"{self.place}/" + runs["folder"]
            runs["testbed"] = runs["testbed"].map(self._testbed)
        return replace(
            summary,
            runs=runs,
            ends=[end | {"testbed": self._testbed(end["testbed"])} for end in summary.ends],
            unavailable=[
                entry | {"reason": f"{entry['reason']} ({self.name})"}
                for entry in summary.unavailable
            ],
        )

    def _testbed(self, name: str) -> str:
        return f"{name}, contributed by {self.name}"


def own(results: Path, experiments: Iterable[Mapping], replays: Iterable[str] = ()) -> Lab:
    """The results of a results folder."""
    return Lab(results, tuple(experiments), replays=tuple(replays))


def contributed(results: Path) -> list[Lab]:
    """The imported results of a results folder, by name. Raises TrialwattError where one's plan
    is missing or damaged."""
    labs = []
    for about in sorted((results / CONTRIBUTED).glob("[!.]*.json")):
        place = f"{CONTRIBUTED}/{about.stem}/results"
        try:
            plan = read_plan(results / place)
        except TrialwattError as error:
            raise TrialwattError(
                f"{results / place}: {error}\nImport these results again, or remove {about}"
            ) from error
        replayed = tuple(replays(plan))
        labs.append(Lab(results / place, tuple(sections(plan)), about.stem, place, replayed))
    return labs
