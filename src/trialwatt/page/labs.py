"""Whose results there are: our own, and those that `trialwatt import` took from others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.provenance.plans import read_plan

CONTRIBUTED = "contrib"


@dataclass(frozen=True)
class Lab:
    """results: its folder. name: empty for our own. place: its path from our own results.

    experiments: each with `id`, and where known `title` and `varied`.
    """

    results: Path
    experiments: tuple[Mapping, ...] = field(default=())
    name: str = ""
    place: str = ""

    def folder(self, folder: str) -> str:
        """A run's folder as it is called from our own results folder."""
        return f"{self.place}/{folder}" if self.place else folder

    def testbed(self, name: str) -> str:
        """A testbed, told apart from one of ours that has the same name."""
        return f"{name}, contributed by {self.name}" if self.name else name


def own(results: Path, experiments: Iterable[Mapping]) -> Lab:
    """The results of a results folder."""
    return Lab(results, tuple(experiments))


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
        labs.append(Lab(results / place, tuple(plan.sections), about.stem, place))
    return labs
