"""Of which types the values of a run.json are, where they are there: whoever wrote it, what reads
it need not ask again."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from trialwatt.errors import TrialwattError
from trialwatt.printed import shown

MOST_NS = 2**61
"""Of a time or an offset: 73 years, and the sum of two is still one of 64 bits."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Size = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Offset = Annotated[int, Field(ge=-MOST_NS, le=MOST_NS)]
Moment = Annotated[int, Field(ge=0, le=2 * MOST_NS)]
Period = Annotated[float, Field(gt=0, le=1e6)]
MeterName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}$")]
"""It stands in the name of a file."""
MeterNames = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{0,100}$")]


def _configuration(value: dict[str, Any]) -> dict[str, Any]:
    """As it is, where all of its numbers are finite, as they go into its hash, and the testbed is
    of key and value, with at most a path for a series of intensities."""
    json.dumps(value, allow_nan=False)
    testbed = value.get("testbed")
    if testbed is not None and not isinstance(testbed, dict):
        raise ValueError("testbed must be an object")
    if not isinstance((testbed or {}).get("carbon_series"), str | None):
        raise ValueError("testbed.carbon_series must be text")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class _Host(_Part):
    cores: Size | None = None
    memory_mb: Size | None = None
    name_hash: str | None = None


class _Clock(_Part):
    offsets_ns: dict[str, Offset] | None = None


class _Domain(_Part):
    name: str = ""
    unit: Literal["uj", "w", ""] = ""
    resource: Literal["cpu", "memory", "accelerator", ""] = ""
    method: str = ""
    counts: bool = True
    wraps_at: Positive | None = None


class _Parameters(_Part):
    period_s: Period | None = None
    step_s: Period | None = None


class _Meter(_Part):
    available: bool = True
    domains: list[_Domain] = []
    parameters: _Parameters | None = None


class _Idle(_Part):
    meter: str | None = None
    watts: dict[str, Finite | None] | None = None


class _Best(_Part):
    phi: dict[str, bool | int | Finite | str] | None = None
    score: float | None = None
    number: int | None = None
    trial: str | None = None


class _Scores(_Part):
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
    config: Annotated[dict[str, Any], AfterValidator(_configuration)] = {}
    files: dict[str, str] | None = None
    host: _Host | None = None
    clock: _Clock | None = None
    meters: dict[MeterName, _Meter | None] | None = None
    headline_meter: MeterNames | None = None
    headline_domains: dict[MeterName, list[str] | None] | None = None
    meter_errors: list[str] | None = None
    idle: _Idle | None = None
    best: _Best | None = None
    test: _Scores | None = None
    enforcement: _Kind | None = None
    packages: dict[str, str] | None = None
    control: bool | None = None
    code: _Code | None = None
    dataset: dict[str, Any] | None = None


def check_shape(manifest: dict[str, Any], where: object) -> None:
    """Raises TrialwattError naming `where`, and the first key whose value cannot be."""
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key, got = ".".join(map(str, first["loc"])), shown(repr(first["input"]), 100)
        raise TrialwattError(
            f"{where}: not a run's manifest: {shown(key, 200)}: {first['msg']} (got {got}); "
            "take it from its source again"
        ) from error
