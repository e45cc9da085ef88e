"""The section `prometheus` of a testbed: which server the meter asks, and what."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from trialwatt.config.models import Model, Name, Options, Variable
from trialwatt.credentials import malformed

Label = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class PrometheusQuery(Model):
    """A domain of the prometheus meter: a PromQL expression that gives one series.

    With `by`, the name of a label, each of its values is a domain of its own, <domain>-<value>.
    joules and their parts are counters, watts and their parts momentary power; `method` says
    otherwise where the exporter attributes or models.
    """

    query: Annotated[str, Field(min_length=1)]
    unit: Literal["joules", "millijoules", "microjoules", "watts", "milliwatts", "microwatts"]
    resource: Literal["cpu", "memory", "accelerator"] = "cpu"
    method: Literal["counter", "polled", "attributed", "modelled"] | None = None
    by: Label | None = None


class Cadvisor(Model):
    """CPU time and memory of containers as cAdvisor has them, recorded beside our own.

    `component` is the label that names a component; `match` narrows the containers.
    """

    component: Label = "pod"
    match: dict[Label, str] = {}


class Prometheus(Options):
    """The server that the prometheus meter asks after a run, and what it asks.

    `match` narrows the preset's series: {node_name: worker-1}. `queries` adds domains of your
    own to those of the preset. Credentials are read from the environment variables that are
    named here.
    """

    url: Annotated[str, Field(min_length=1)]
    preset: Literal["kepler", "scaphandre", "dcgm", "custom"] = "custom"
    match: dict[Label, str] = {}
    queries: dict[Name, PrometheusQuery] = {}
    cadvisor: Cadvisor | None = None
    token_env: Variable | None = None
    user_env: Variable | None = None
    password_env: Variable | None = None
    step_s: Annotated[float, Field(ge=1, le=300)] = 5
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 10
    retries: Annotated[int, Field(ge=0, le=10)] = 3

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        # What may be secret is not shown: a raw / in a password makes a path of its rest.
        parts = urlsplit(value.partition("@")[0])
        fault = "@" not in value and malformed(value)
        if fault or parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("must be an address such as http://localhost:9090")
        if "@" in value or parts.query or parts.fragment:
            raise ValueError(
                "must hold no credentials and no parameters: name the environment variables that "
                "hold them in token_env, or in user_env and password_env"
            )
        return value.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.preset == "custom" and not self.queries:
            raise ValueError("a custom preset needs `queries`")
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("user_env and password_env go together")
        if self.token_env and self.user_env:
            raise ValueError("token_env and user_env exclude each other")
        return self
