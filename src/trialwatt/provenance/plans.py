"""A results folder's plan.json, which may be a stranger's: read within bounds, checked, or refused.

What it holds is config.plan.Plan; provenance.format1 reads what the first format held.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from trialwatt.config.plan import ELSEWHERE, FORMAT, NAME, Here, Plan
from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.printable import shown
from trialwatt.provenance import format1
from trialwatt.provenance.chain import first_fault
from trialwatt.provenance.foreign import Missing, read_json

_MOST_BYTES = 64 << 20


def write_plan(results: Path, text: str, elsewhere: Mapping[str, str | Path]) -> None:
    """The plan of a results folder (Plan.as_json), with copies of the configuration files that lie
    outside its root (Plan.here.elsewhere), and of no others."""
    folder = results / ELSEWHERE
    for old in folder.glob("*"):
        if old.name not in elsewhere:
            old.unlink()
    for name, file in elsewhere.items():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, Path(file).read_bytes())
    write_whole(results / NAME, text)


def read_plan(results: Path) -> Plan:
    """The plan of a results folder. Raises TrialwattError where it is missing, damaged, newer, or
    of others."""
    file = results / NAME
    try:
        content = read_json(file, _MOST_BYTES)
    except Missing as error:
        raise TrialwattError(
            f"{NAME}: missing; the workflow writes it into its results folder, from which "
            "`snakemake --profile local archive` takes it"
        ) from error
    except TrialwattError as error:
        raise TrialwattError(f"{NAME}: {str(error).removeprefix(f'{file}: ')}") from error
    if not isinstance(content, dict) or content.get("generator") != "trialwatt":
        raise TrialwattError(f"{NAME}: of another workflow, trialwatt has not written it")
    found = content.get("format")
    if isinstance(found, int) and found > FORMAT:
        raise TrialwattError(
            f"{NAME}: has format {found}, newer than {FORMAT}, the newest that is known "
            "here; install a newer trialwatt"
        )
    if found not in (FORMAT, format1.FORMAT):
        raise TrialwattError(
            f"{NAME}: format {shown(repr(found), 60)} is not known here, only {format1.FORMAT} "
            f"and {FORMAT}"
        )
    try:
        if found == format1.FORMAT:
            return format1.plan_of(content)
        return Plan.model_validate(content | {"here": Here()})
    except ValidationError as error:
        raise TrialwattError(f"{NAME}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """What is wrong first, after its key."""
    return first_fault(error).replace(": Value error, ", ": ", 1)
