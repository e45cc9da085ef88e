"""The types in a run.json, which may be a stranger's: what reads one need not ask again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trialwatt.printed import shown

_LETTERS = 200


class _Shape(BaseModel):
    """Keys that nobody reads may be anything; null is as good as absent where that is said."""

    model_config = ConfigDict(extra="ignore", strict=True)


_Size = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]


_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
"""Of a meter: it is a part of the names of files."""


class _Host(_Shape):
    cores: _Size
    memory_mb: _Size


class _Domain(_Shape):
    name: str
    resource: Literal["cpu", "memory", "accelerator"]
    unit: Literal["uj", "w"]
    method: str
    wraps_at: Annotated[int, Field(gt=0)] | None = None
    counts: bool = True


_Period = Annotated[float, Field(gt=0, le=1e6)]


class _Parameters(_Shape):
    period_s: _Period | None = None
    step_s: _Period | None = None


class _Meter(_Shape):
    available: bool = True
    domains: list[_Domain] = []
    parameters: _Parameters | None = None


class _Clock(_Shape):
    offsets_ns: dict[str, int] | None = None


class _Idle(_Shape):
    by: str | None = None
    meter: str | None = None
    watts: dict[str, float | None] | None = None


class _Dataset(_Shape):
    name: str
    sha256: str


class _Best(_Shape):
    phi: dict[str, bool | int | float | str]
    score: float | None
    number: int | None = None
    trial: str | None = None


class _Code(_Shape):
    version: str | None = None
    commit: str | None = None
    dirty: bool | None = None


class _Enforcement(_Shape):
    kind: str = ""


class _Manifest(_Shape):
    run_id: str
    folder: str = ""
    hash: str
    repetition: Annotated[int, Field(ge=0)]
    seed: int | None = None
    config: dict[str, Any]
    status: str = ""
    reason: str | None = ""
    started_utc_ns: int | None = None
    ended_utc_ns: int | None = None
    code: _Code | None = None
    packages: dict[str, str] | None = None
    host: _Host
    enforcement: _Enforcement | None = None
    meters: dict[_Name, _Meter] | None = None
    meter_errors: list[str] | None = None
    headline_meter: Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-]*$")] | None = None
    headline_domains: dict[_Name, list[str]] | None = None
    idle: _Idle | None = None
    clock: _Clock | None = None
    dataset: _Dataset | None = None
    best: _Best | None = None
    test: dict[str, float | None] | None = None
    files: dict[str, str] | None = None


def fault_of(manifest: dict) -> str:
    """The first value that is of another type than a run writes, with its key; "" if none is."""
    try:
        _Manifest.model_validate(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return shown(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", _LETTERS)
    return ""
