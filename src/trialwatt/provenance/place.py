"""Where a path lies: in which results folder, under which name, and what the plan there says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import filterfalse
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from trialwatt.config.blocks import is_scouted
from trialwatt.config.paths import Measured
from trialwatt.config.plan import NAME, Plan
from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance.foreign import read_json
from trialwatt.provenance.plans import read_plan

RESULTS = "results"
"""The results folder's name in an archive."""
MANIFEST = "run.json"
_REPETITION = re.compile(r"rep[0-9]{1,6}")
_FOLDERS = TypeAdapter(list[Measured])


@dataclass(frozen=True)
class Place:
    """results: the folder with the plan. name: of the path, as an archive would call it."""

    results: Path
    name: str

    @cached_property
    def plan(self) -> Plan:
        return read_plan(self.results)

    @cached_property
    def root(self) -> Path | None:
        """The folder that holds the configuration files, if any of them is there."""
        return first_with(self.results.parents, self.plan.files)

    def moves(self, experiment: str, sweep: str) -> Iterator[tuple[str, list[str]]]:
        """Each move of a sweep below the results folder, with the runs that it asks for.

        Raises TrialwattError where one is missing before the last, or is no move.
        """
        asked: list[str] | None = None
        number = 0
        while asked != []:
            name = f"sweeps/{experiment}/{sweep}/move{number}.json"
            content = read_json(self.results / name)
            new = content.get("new") if isinstance(content, dict) else None
            try:
                asked = _FOLDERS.validate_python(new, strict=True)
            except ValidationError as error:
                where = shown(self.results / name, 500)
                raise TrialwattError(f"{where}: damaged, no move of a sweep") from error
            yield name, asked
            number += 1

    def repetitions(self, experiment: PlannedExperiment) -> tuple[list[str], list[str]]:
        """All repetitions of an experiment, sorted, and why some may not be among them."""
        folders, faults = set(self.plan.folders(experiment.id)), []
        for sweep in experiment.sweeps:
            try:
                for _, asked in self.moves(experiment.id, sweep.id):
                    folders.update(filterfalse(is_scouted, asked))
            except TrialwattError as error:
                faults.append(f"{error}; the sweep's runs from there on are not known")
        return sorted(folders), faults


def place_of(path: Path, results: Path | None = None) -> Place | None:
    """The nearest results folder with a plan around a path, or beside one of its folders.

    results: the folder to use for all but the name. None where there is no plan.
    """
    own = Path(os.path.abspath(path))  # noqa: PTH100 - links are left as they are
    for above in own.parents:
        for folder, before in ((above, f"{RESULTS}/"), (above / RESULTS, "")):
            if os.path.lexists(folder / NAME):
                return Place(results or folder, before + own.relative_to(above).as_posix())
    return None


def run_folder_of(path: Path) -> Path | None:
    """The run's folder that a path is or lies in; None where it is of no run."""
    own = Path(os.path.abspath(path))  # noqa: PTH100
    for above in (own, *own.parents):
        if os.path.lexists(above / MANIFEST):
            return above
        if os.path.lexists(above / NAME):
            return None
    return None


def repetitions_in(folder: Path) -> list[Path]:
    """The repetitions of a configuration's folder, by their number."""
    with os.scandir(folder) as entries:
        names = [one.name for one in entries if _REPETITION.fullmatch(one.name) and one.is_dir()]
    return [folder / name for name in sorted(names, key=lambda name: (int(name[3:]), name))]


def first_with(places: Iterable[Path], files: Iterable[str]) -> Path | None:
    """The first folder that holds any of these files."""
    files = list(files)
    return next((at for at in places if any(os.path.lexists(at / file) for file in files)), None)
