"""What of a plan can be searched on a table of measured trials: the table's run, what tells the
frameworks' cost, and which workloads are a part of the table's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trialwatt.config.checks import SutChecks
from trialwatt.config.expansion import Resolved
from trialwatt.config.factors import RESOURCE, families, tells_cost
from trialwatt.config.identity import canonical_json, canonical_phi
from trialwatt.config.keys import one_of
from trialwatt.config.loading import Problems
from trialwatt.config.models import Experiment, ReplaySettings, RunConfig, Workload
from trialwatt.config.origins import Origins
from trialwatt.config.plan_parts import PlannedExperiment
from trialwatt.config.space import grid, size
from trialwatt.config.variants import EXHAUSTIVE

KEY = "replay"
_FREE = {"search", "space", "epochs", "workers", "goal", "validate_each_epoch", "deadline_s"}
"""Keys of a workload that may be others than the table's: each is looked at by itself."""


FEWEST_SEEDS = 3
"""With fewer a strategy cannot be told from the luck of one training."""


def table_run(
    settings: ReplaySettings,
    repetitions: int,
    experiments: dict[str, PlannedExperiment],
    runs: dict[str, RunConfig],
    suts: SutChecks,
    origins: Origins,
    problems: Problems,
) -> tuple[str, Workload] | None:
    """Folder and workload of the runs that make the trial table; None where that is a problem."""

    def problem(said: str) -> None:
        problems.add(origins.problem((KEY, "table"), said))

    if settings.table not in experiments:
        there = ", ".join(experiments)
        problem(f"is none of the experiments that are measured ({there}); add it to `experiments`")
        return None
    if repetitions < FEWEST_SEEDS:
        message = f"a trial table needs at least {FEWEST_SEEDS}, its seeds (got {repetitions})"
        problems.add(origins.problem(("repetitions",), message))
    own = [run.folder for run in experiments[settings.table].runs]
    own = list(dict.fromkeys(folder for folder in own if suts.is_control(runs[folder].sut)))
    if len(own) != 1:
        problem(
            f"must be one configuration of the control, which adds nothing to a trial; it has "
            f"{len(own)}"
        )
        return None
    workload = runs[own[0]].workload
    if workload.search.sampler != EXHAUSTIVE or size(workload.space) is None:
        problem("must cover a whole grid (search.sampler: grid, a space with levels)")
    elif workload.search.trials is not None:
        problem("must cover its whole grid (search.budget: null)")
    elif workload.search.prunes or not workload.validate_each_epoch:
        problem("needs every epoch of every trial (validate_each_epoch: true, and no pruner)")
    else:
        return own[0], workload
    return None


def check_cost(
    settings: ReplaySettings,
    experiments: dict[str, PlannedExperiment],
    root: Path,
    origins: Origins,
    problems: Problems,
) -> bool:
    """Whether the law of the frameworks' cost comes of a file, not of an experiment of the plan."""
    cost = settings.cost
    if cost is None:
        return False
    if cost in experiments:
        if not tells_cost(experiments[cost].compared or ()):
            message = "tells no cost of frameworks: it must vary search.budget and epochs"
            problems.add(origins.problem((KEY, "cost"), message))
        return False
    if not cost.endswith(".parquet"):
        message = (
            f"is none of the experiments that are measured ({one_of(experiments)}), and no "
            "runs.parquet of one that was measured elsewhere"
        )
        problems.add(origins.problem((KEY, "cost"), message))
    elif not (root / cost).is_file():
        message = f"there is no {cost}; make the metrics of that experiment first"
        problems.add(origins.problem((KEY, "cost"), message))
    return True


def check_family(
    experiment: Experiment, origins: Origins, place: tuple[Any, ...], problems: Problems
) -> bool:
    """Whether an experiment is about searches: resource experiments are never replayed."""
    keys = [key for _, way in experiment.ways for key in way]
    if RESOURCE not in families(keys):
        return True
    said = "is a resource experiment, which is never replayed: its trials would last differently"
    problems.add(origins.problem(place, said))
    return False


def why_not(resolved: Resolved, table: Workload, begins_alike: bool) -> str:
    """Why a workload cannot be searched on the trials of a table's; empty if it can."""
    own = resolved.workload
    if resolved.faulty:
        return ""  # told already
    said, there = own.model_dump(), table.model_dump()
    for key in sorted({*said, *there} - _FREE):
        if said.get(key) != there.get(key):
            return _differs(key, said.get(key), there.get(key))
    for key in said["workers"]:
        if key != "count" and said["workers"][key] != there["workers"][key]:
            return _differs(f"workers.{key}", said["workers"][key], there["workers"][key])
    if own.validate_each_epoch:
        return "validate_each_epoch: without a pruner only the end of a trial is replayed as scored"
    if own.search.spends is not None:
        return "search.budget: only a budget of trials is replayed"
    if reason := _not_in(own, table):
        return reason
    if own.epochs > table.epochs:
        return f"{own.epochs} epochs: the trial table has {table.epochs}"
    if own.epochs < table.epochs and own.trial is not None and not begins_alike:
        return (
            f"{own.epochs} epochs: the trial table has {table.epochs}, and whether its first ones "
            f"are a trial of fewer only {own.trial.name} knows; say so with {KEY}.begins_alike: "
            "true, or measure a table of them"
        )
    return ""


def _not_in(own: Workload, table: Workload) -> str:
    if size(own.space) is None:
        return "space: a continuous range without `levels` is on no grid"
    known = {canonical_json(canonical_phi(phi)) for phi in grid(table.space)}
    asked = ((phi, canonical_json(canonical_phi(phi))) for phi in grid(own.space))
    strange = next((phi for phi, text in asked if text not in known), None)
    if strange is None:
        return ""
    said = ", ".join(f"{name}={value}" for name, value in strange.items())
    return f"space: no part of the trial table's: {said} is not measured"


def _differs(key: str, own: object, there: object) -> str:
    return f"{key} {own}: the trial table is of {there}"
