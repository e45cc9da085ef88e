"""What the commands of replay say."""

from __future__ import annotations

from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.provenance.plans import read_plan
from trialwatt.replay.measured import table_of


def table_command(results: Path, output: Path, experiment: str, csv: Path | None) -> str:
    """Make a trial table of an experiment's runs and write it; says what is in it, and what not.

    Raises TrialwattError where the experiment is not of the plan, or has no run yet.
    """
    plan = read_plan(results)
    wanted = [results / folder for folder in plan.folders(experiment)]
    folders = [folder for folder in wanted if folder.is_dir()]
    if not folders:
        raise TrialwattError(
            f"{results}: no run of the experiment {experiment} is there; measure it first"
        )
    table = table_of(folders, plan.context)
    table.write(output)
    if csv is not None:
        table.write_csv(csv)
    said = [
        f"{output}: {len(table.phis)} φ × {len(table.seeds)} seeds × "
        f"{table.workload.epochs} epochs, energy {table.facts.methods}"
    ]
    if missing := len(wanted) - len(folders):
        said.append(f"{missing} of {len(wanted)} planned runs are not there")
    try:
        table.check()
    except TrialwattError as error:
        said.append(f"not to be searched yet: {error}")
    return "\n".join(said)
