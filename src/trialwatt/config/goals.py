"""The reference values behind the goal tg: the best score that the base grid reaches, per dataset.

config/goals/<dataset>.json is made by `trialwatt reference` and committed with all its scores.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from trialwatt.config.expansion import Draft, resolve
from trialwatt.config.loading import ConfigFiles, Problems
from trialwatt.config.models import Model, Number, Value, Workload
from trialwatt.config.origins import Origins
from trialwatt.errors import ConfigError, TrialwattError
from trialwatt.files import write_whole

FOLDER = "config/goals"
BASE = "mnist-ff"
"""The base workload: its grid, network, algorithm and epochs are the same for every dataset."""
SHARE = 0.99
"""A goal is this share of the best score (design, section 1)."""

Scores = Annotated[list[float], Field(min_length=1)]


class PointScores(Model):
    """One φ of the grid: its validation scores, one per seed, in the order of the seeds."""

    phi: dict[str, Value]
    macro_f1: Scores
    accuracy: Scores


class Reference(Model):
    """What `trialwatt reference` found out about a dataset, and how."""

    dataset: str
    dataset_sha256: str
    workload: Workload
    seeds: Annotated[list[int], Field(min_length=1)]
    threads: int
    command: str
    packages: dict[str, str]
    seconds: Number
    points: Annotated[list[PointScores], Field(min_length=1)]

    def best(self, score: str = "macro_f1") -> float:
        """The greatest of the points' scores; a point's score is the median over the seeds."""
        return max(statistics.median(getattr(point, score)) for point in self.points)

    def target(self, score: str = "macro_f1") -> float:
        """The goal's target: a share of the best score."""
        return SHARE * self.best(score)


def reference_file(dataset: str) -> str:
    """Where a dataset's reference stands, relative to the root."""
    return f"{FOLDER}/{dataset}.json"


def read_references(root: Path) -> dict[str, Reference]:
    """Dataset → its reference, of all that are committed. Raises TrialwattError for a bad file."""
    return {path.stem: _read(path) for path in sorted((root / FOLDER).glob("[!.]*.json"))}


def targets(root: Path) -> dict[str, float]:
    """Dataset → target of macro-F1, for metrics.context.MetricsContext."""
    return {name: reference.target() for name, reference in read_references(root).items()}


def write_reference(root: Path, reference: Reference) -> Path:
    """Write config/goals/<dataset>.json atomically; returns its path."""
    path = root / reference_file(reference.dataset)
    write_whole(path, reference.model_dump_json(indent=1) + "\n")
    return path


def base_workload(root: Path, dataset: str) -> Workload:
    """The base workload on a dataset. Raises ConfigError with every problem of its file."""
    problems = Problems()
    files = ConfigFiles(root, problems)
    file, data = files.named("workloads", BASE, Origins(FOLDER), ())
    draft = Draft(data or {}, Origins(file)).with_value("dataset", dataset, file, ("dataset",))
    resolved = resolve(draft, files, problems) if data else None
    if resolved is None or len(problems):
        raise ConfigError(list(problems))
    return resolved.workload


def _read(path: Path) -> Reference:
    try:
        reference = Reference.model_validate_json(path.read_text())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise TrialwattError(
            f"{path}: {where}: {first['msg']}; make it anew with `trialwatt reference`"
        ) from error
    if reference.dataset != path.stem:
        raise TrialwattError(f"{path}: is the reference of {reference.dataset}, rename it")
    return reference
