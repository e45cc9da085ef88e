"""Notes beside an experiment's tables: how its sweeps ended, and what cannot be run here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.provenance.foreign import read_json

CONVERGENCE, UNAVAILABLE = "convergence.json", "unavailable.json"
AGAIN = "remove it, and `snakemake --profile local` makes it again"
_MOST_BYTES = 16 << 20


class _End(BaseModel):
    """How a sweep ended."""

    model_config = ConfigDict(extra="allow")

    sut: str
    sampler: str
    testbed: str
    state: str
    reason: str = ""
    converged_value: float | None = None
    best_value: float | None = None
    demonstration: bool = False
    low: float | None = None
    high: float | None = None
    scouted: list[tuple[float, float | None]] = []


class _Unavailable(BaseModel):
    sut: str | None
    treatment: str | None
    reason: str


_END = TypeAdapter(_End)
_KEYS: dict[str, tuple[str, TypeAdapter[Any]]] = {
    CONVERGENCE: ("sweeps", TypeAdapter(dict[str, list[_End]])),
    UNAVAILABLE: ("unavailable", TypeAdapter(dict[str, list[_Unavailable]])),
}


def write_notes(folder: Path, ends: Iterable[str], unavailable: Sequence[dict[str, Any]]) -> None:
    """Write both files into the folder of the tables.

    ends: files, one per sweep, of how it ended: sut, sampler, testbed and the fields of its
    verdict. unavailable: sut and treatment (either may be None) and the reason, of each. Raises
    TrialwattError where an end is missing or damaged.
    """
    sweeps = [_checked(_END, read_json(Path(end), _MOST_BYTES), Path(end)) for end in ends]
    contents = {CONVERGENCE: {"sweeps": sweeps}, UNAVAILABLE: {"unavailable": unavailable}}
    for name, content in contents.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / name, text)


def read_notes(file: Path) -> list[dict[str, Any]]:
    """The entries of one of the two files, which must be called as they are.

    Raises TrialwattError where it is missing or damaged.
    """
    key, kind = _KEYS[file.name]
    try:
        return _checked(kind, read_json(file, _MOST_BYTES), file)[key]
    except KeyError as error:
        raise TrialwattError(f"{file}: damaged, it lacks {key}; {AGAIN}") from error


def entries(folder: Path, name: str) -> list[dict[str, Any]]:
    """Those of a file in the folder of the tables; none in a set that is older than the file."""
    file = folder / name
    return read_notes(file) if file.is_file() else []


def _checked(kind: TypeAdapter[Any], value: Any, file: Path) -> Any:
    """The value as it is, where it has these types."""
    try:
        kind.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise TrialwattError(f"{file}: damaged: {key}: {first['msg']}; {AGAIN}") from error
    return value
