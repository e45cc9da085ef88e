"""Of which types the values of a run.json are, where they are there: whoever wrote it, what reads
it need not ask again."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from trialwatt.errors import TrialwattError
from trialwatt.printed import shown

MOST_NS = 2**61
"""Of a time or an offset: 73 years, and the sum of two is still one of 64 bits."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Offset = Annotated[int, Field(ge=-MOST_NS, le=MOST_NS)]
Moment = Annotated[int, Field(ge=0, le=2 * MOST_NS)]
MeterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
"""It stands in the name of a file."""


def _finite(value: dict) -> dict:
    """As it is, where all of its numbers are finite: they go into its hash."""
    json.dumps(value, allow_nan=False)
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Host(_Part):
    cores: Annotated[int, Field(ge=1)] | None = None
    memory_mb: Positive | None = None
    name_hash: str | None = None


class _Clock(_Part):
    offsets_ns: dict[str, Offset] = {}


class _Domain(_Part):
    name: str = ""
    unit: str = ""
    resource: str = ""
    method: str = ""
    counts: bool = True
    wraps_at: Positive | None = None


class _Parameters(_Part):
    period_s: Positive | None = None


class _Meter(_Part):
    domains: list[_Domain] = []
    parameters: _Parameters | None = None


class _Idle(_Part):
    meter: str | None = None
    watts: dict[str, Finite | None] | None = None


class _Scores(_Part):
    score: float | None = None
    macro_f1: float | None = None
    accuracy: float | None = None


class _Kind(_Part):
    kind: str = ""


class _Code(_Part):
    version: str | None = None
    commit: str | None = None
    dirty: bool | None = None


class _Manifest(_Part):
    run_id: str = ""
    hash: str = ""
    folder: str = ""
    repetition: Annotated[int, Field(ge=0, lt=1_000_000)] = 0
    status: str = ""
    reason: str | None = None
    seed: int | None = None
    started_utc_ns: Moment | None = None
    ended_utc_ns: Moment | None = None
    config: Annotated[dict[str, Any], AfterValidator(_finite)] = {}
    files: dict[str, str] | None = None
    host: _Host | None = None
    clock: _Clock = _Clock()
    meters: dict[MeterName, _Meter | None] | None = None
    headline_meter: str | None = None
    headline_domains: dict[MeterName, list[str] | None] | None = None
    meter_errors: list[Any] | None = None
    idle: _Idle | None = None
    best: _Scores | None = None
    test: _Scores | None = None
    enforcement: _Kind | None = None
    packages: dict[str, str] | None = None
    code: _Code | None = None
    dataset: dict[str, Any] | None = None


def check_shape(manifest: dict, where: object) -> None:
    """Raises TrialwattError naming `where`, and the first key whose value cannot be."""
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise TrialwattError(
            f"{where}: {shown(key, 200)}: {first['msg']} (got {shown(repr(first['input']), 100)}); "
            "take it from its source again"
        ) from error
