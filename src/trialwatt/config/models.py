"""The models of the configuration: one source for validation, the JSON schema and the run hash.

Units stand in the names. Unknown keys are errors everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError


def _single(message: str) -> WrapValidator:
    """One error for a value that is none of a union's types, instead of one per type."""

    def validate(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("single", message) from error

    return WrapValidator(validate)


Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
TableKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]
Value = Annotated[bool | int | float | str, _single("must be a finite number, true, false or text")]
Number = Annotated[int | float, _single("must be a finite number")]


class Model(BaseModel):
    """Base: immutable, and a misspelt key is an error instead of a setting that nothing reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# --- search space Φ ---------------------------------------------------------------------------


class Choices(Model):
    """A hyperparameter that takes one of the listed values; these are its grid levels too."""

    choices: Annotated[list[Value], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen = [(type(c) is bool, c) for c in self.choices]
        if len(set(seen)) != len(seen):
            raise ValueError("choices holds a value twice")
        return self


class Range(Model):
    """A hyperparameter on an interval, both ends included.

    `levels` is the number of its grid levels (evenly spaced, on the log axis if `log`); without
    `levels`, a stepped or integer range has a level at every step.
    """

    low: Number
    high: Number
    log: bool = False
    step: Annotated[float, Field(gt=0)] | None = None
    levels: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low must be below high (got {self.low} and {self.high})")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range must start above 0 (got {self.low})")
        if self.log and self.step is not None:
            raise ValueError("a log range has no step")
        return self


def _axis_kind(value: object) -> str | None:
    if isinstance(value, Choices | Range):
        return "(choices)" if isinstance(value, Choices) else "(range)"
    if isinstance(value, Mapping):
        return "(choices)" if "choices" in value else "(range)"
    return None


Axis = Annotated[
    Annotated[Choices, Tag("(choices)")] | Annotated[Range, Tag("(range)")],
    Discriminator(
        _axis_kind,
        custom_error_type="axis",
        custom_error_message="must be {choices: [...]} or {low: ..., high: ...}",
    ),
]
Space = Annotated[dict[str, Axis], Field(min_length=1)]


# --- workload configuration -------------------------------------------------------------------


class Search(Model):
    """How Φ is searched. `budget` is the number of trials; null means pS, the size of the grid."""

    sampler: Name = "grid"
    pruner: Name = "none"
    budget: Annotated[int, Field(ge=1)] | None = None
    sampler_options: dict[str, Value] = {}
    pruner_options: dict[str, Value] = {}


class Workers(Model):
    """wn, wcpu, wmem and at. `cpu` is nominal; a testbed's cpu_per_vcpu gives the physical one."""

    count: Annotated[int, Field(ge=1)] = 4
    cpu: Annotated[float, Field(gt=0)] = 2
    memory_mb: Annotated[int, Field(ge=64)] = 2048
    accelerator: Literal["cpu", "gpu", "tpu"] = "cpu"


class Goal(Model):
    """tg: (score, direction, target). `target` null means the dataset's committed reference."""

    score: Literal["macro_f1", "accuracy"] = "macro_f1"
    direction: Literal["maximize"] = "maximize"
    target: Annotated[float, Field(gt=0, le=1)] | None = None


class Workload(Model):
    """One workload configuration: everything about a job but its SUT, testbed and repetition."""

    dataset: Name = "mnist"
    model: Name = "ff"
    algorithm: Name = "adam"
    batch: Annotated[int, Field(ge=1)] = 50
    epochs: Annotated[int, Field(ge=1)] = 5
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.2
    validate_each_epoch: bool = False
    space: Space
    fixed: dict[str, Value] = {}
    search: Search = Search()
    workers: Workers = Workers()
    goal: Goal = Goal()
    deadline_s: Annotated[float, Field(gt=0)] = 3600


class WorkloadFile(Workload):
    """A workload as a file gives it: `space` may be the name of a file in config/spaces."""

    space: Name | Space  # type: ignore[assignment] # wider until the file is read


# --- testbed ----------------------------------------------------------------------------------


class Limits(Model):
    """CPU (physical cores) and memory of one service: a head, a master, a database, a driver."""

    cpu: Annotated[float, Field(gt=0)] = 1
    memory_mb: Annotated[int, Field(ge=64)] = 1024


_VARIABLE = "[A-Z_][A-Z0-9_]*"


def _is_none(value: object) -> bool:
    return value is None


class Storage(Model):
    """A database that the SUTs which want one share their search through, instead of a file.

    Either one of the user's: its URL may hold a password, so it is read from the environment
    variable that `postgres_env` names, and stands in no file, record or hash. Or one that each
    run starts for itself, with `postgres: service`: it is in the job, with the limits of a service.
    """

    # The one that is not given is left out, so that the hash of an older run stays what it was.
    postgres_env: Annotated[str, Field(json_schema_extra={"pattern": f"^{_VARIABLE}$"})] | None = (
        Field(None, exclude_if=_is_none)
    )
    postgres: Literal["service"] | None = Field(None, exclude_if=_is_none)

    @field_validator("postgres_env")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        # Shows no value: it may well be the URL itself.
        if value is not None and not re.fullmatch(_VARIABLE, value):
            raise ValueError("must be the name of an environment variable that holds the URL")
        return value

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.postgres_env is None) == (self.postgres is None):
            raise ValueError("needs one of postgres_env and `postgres: service`")
        return self


def _variable(value: str) -> str:
    if not re.fullmatch(_VARIABLE, value):  # not shown: it may well be the secret itself
        raise ValueError("must be the name of an environment variable that holds it")
    return value


Variable = Annotated[
    str, AfterValidator(_variable), Field(json_schema_extra={"pattern": f"^{_VARIABLE}$"})
]
"""What is secret stands in no file and no record, only the name of its variable."""
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


class Prometheus(Model):
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
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://localhost:9090")
        if "@" in parts.netloc or parts.query or parts.fragment:  # may be secret: not shown
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


class BoardPower(Model):
    """What the model meter takes for each accelerator, all the time: the power of its board."""

    kind: Literal["gpu", "tpu"] = "gpu"
    devices: Annotated[int, Field(ge=1)]
    watts: Annotated[float, Field(gt=0)]
    source: Annotated[str, Field(min_length=1)]


PREFIX_LENGTH = 30
"""A namespace's name is <prefix>-<run id>, and must not be longer than 63 characters."""


def _dns_label(value: str) -> str:
    if len(value) > PREFIX_LENGTH or not re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", value):
        raise ValueError(
            "must be a DNS label (lower-case letters, digits and dashes, none of these at either "
            f"end) of at most {PREFIX_LENGTH} characters (got {value!r})"
        )
    return value


def _label_key(value: str) -> str:
    name = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
    if not re.fullmatch(rf"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?{name}", value):
        raise ValueError(f"must be as a key of Kubernetes' labels: [domain/]name (got {value!r})")
    return value


def _label_value(value: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?", value):
        raise ValueError(f"must be as a value of Kubernetes' labels (got {value!r})")
    return value


LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Seconds = Annotated[float, Field(ge=1, le=3600)]


class Toleration(Model):
    """A taint of nodes that pods may be placed on in spite of it, as Kubernetes has it.

    Without `key` every taint, without `effect` every effect.
    """

    key: LabelKey | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.key is None and self.operator != "Exists":
            raise ValueError("without `key` the operator must be Exists")
        if self.operator == "Exists" and self.value:
            raise ValueError("with the operator Exists there is no `value`")
        return self


class NodeAccelerator(Model):
    """How a worker gets an accelerator of a type: `count` devices of a resource that nodes offer.

    The selector and the tolerations are added to those of all pods.
    """

    resource: LabelKey
    count: Annotated[int, Field(ge=1)] = 1
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: list[Toleration] = []


class HubLimits(Limits):
    """CPU and memory of the pod that takes in the records of a run."""

    cpu: Annotated[float, Field(ge=0.001)] = 0.25
    memory_mb: Annotated[int, Field(ge=64)] = 256


class Kubernetes(Model):
    """How to reach a cluster, and what pods need to find their place in it.

    `context` null is the current one of the kubeconfig. `image` is the worker image, by tag or
    digest. A private registry's credentials, the content of a docker config.json, are read from
    the environment variable that `image_pull_secret_env` names. `ephemeral_mb` is the disk of
    each pod.
    """

    context: Annotated[str, Field(min_length=1)] | None = None
    namespace_prefix: Annotated[str, AfterValidator(_dns_label)] = "trialwatt"
    image: Annotated[str, Field(pattern=r"^\S+$")] | None = None
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    image_pull_secret_env: Variable | None = None
    node_selector: dict[LabelKey, LabelValue] = {}
    tolerations: list[Toleration] = []
    accelerators: dict[Literal["gpu", "tpu"], NodeAccelerator] = {}
    hub: HubLimits = HubLimits()
    ephemeral_mb: Annotated[int, Field(ge=64)] = 2048
    schedule_s: Seconds = 60
    start_s: Seconds = 300
    undeploy_s: Seconds = 120


class Testbed(Model):
    """Where runs happen and how they are metered. Prices and carbon only matter to the metrics.

    `carbon_series` is a CSV file (utc_start, g_per_kwh), relative to the project; where it is
    given it is used instead of the region's yearly mean. `accelerator_model` says which entry of
    the price set a worker's gpu or tpu is charged by.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    platform: Name = "local"
    # Left out where there is none, so that the hash of a local run stays what it was.
    kubernetes: Kubernetes | None = Field(None, exclude_if=_is_none)
    cpu_per_vcpu: Annotated[float, Field(gt=0, le=1)] = 1.0
    allow_oversubscription: bool = False
    enforcement: Literal["auto", "cgroup-v2", "systemd", "cgroup-v1", "soft"] = "auto"
    service: Limits = Limits()
    storage: Storage | None = None
    meters: Annotated[list[Name], Field(min_length=1)] = ["rapl", "model"]
    sample_hz: Annotated[float, Field(ge=1, le=50)] = 5
    idle_s: Annotated[float, Field(ge=0)] = 10
    prometheus: Prometheus | None = None
    power_model: Name = "gcp-median"
    accelerator_board_w: BoardPower | None = None
    prices: Name = "gcp-n2"
    accelerator_model: dict[Literal["gpu", "tpu"], TableKey] = {}
    region: TableKey = "world"
    carbon_series: Annotated[str, Field(min_length=1)] | None = None
    pue: Annotated[float, Field(ge=1)] = 1.0


# --- experiments and the whole ----------------------------------------------------------------


class Sweep(Model):
    """Rising treatments, tried one after another until the job completion time converges.

    From `start` in steps of `step` up to `maximum` (included); `tolerance` and `patience` as in
    docs/analysis.md, "Convergence".
    """

    start: Number
    step: Annotated[Number, Field(gt=0)]
    maximum: Number
    until: Literal["jct"] = "jct"
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05
    patience: Annotated[int, Field(ge=1)] = 2

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.start > self.maximum:
            raise ValueError(
                f"start must not be above maximum (got {self.start:g} and {self.maximum:g})"
            )
        return self

    @property
    def values(self) -> list[int | float]:
        """Every treatment that may be tried, rising."""
        count = int((self.maximum - self.start) / self.step + 1e-9) + 1
        return [self.start + index * self.step for index in range(count)]


ALL = "all"
"""In place of a list: every value that there is (strategies of the SUTs, accelerators)."""


def _variation_kind(value: object) -> str:
    if isinstance(value, Sweep | Mapping):
        return "(sweep)"
    return "(all)" if isinstance(value, str) else "(list)"


Variation = Annotated[
    Annotated[list[Value], Field(min_length=1), Tag("(list)")]
    | Annotated[Sweep, Tag("(sweep)")]
    | Annotated[Literal["all"], Tag("(all)")],
    Discriminator(_variation_kind),
]
Way = Annotated[dict[str, Variation], Field(min_length=1)]


def _ways_kind(value: object) -> str:
    return "(ways)" if isinstance(value, list) else "(way)"


class Experiment(Model):
    """A base workload and what varies: dotted workload keys to their treatments.

    Treatments are a list of values, a sweep, or `all`. Several keys are combined; a list of
    mappings varies in several ways, one after the other. Every one of `suts` must be able to run
    here; those of `optional_suts` that cannot are left out, and the plan says why.
    """

    title: str
    base: Name
    vary: Annotated[
        Annotated[dict[str, Variation], Tag("(way)")]
        | Annotated[list[Way], Field(min_length=1), Tag("(ways)")],
        Discriminator(_ways_kind),
    ] = {}
    suts: Annotated[list[Name], Field(min_length=1)]
    optional_suts: list[Name] = []

    @property
    def ways(self) -> list[tuple[tuple[Any, ...], Mapping[str, list[Value] | Sweep | str]]]:
        """(path in the file, key → treatments) of each way in which it varies."""
        if isinstance(self.vary, list):
            return [(("vary", index), way) for index, way in enumerate(self.vary)]
        return [(("vary",), self.vary)] if self.vary else []


class Settings(Model):
    """config/config.yaml: which experiments run, where, how often and on which data.

    `base` replaces the base workload of every experiment, `set` replaces single workload keys
    (dotted) of the base, `suts` replaces the experiments' lists (the optional ones too),
    `optional_suts` adds to them what can run here, `only` narrows what a key varies over to the
    values that it lists (null: to none, where another file did).

    A step of a sweep gets further repetitions, up to `most_repetitions`, until its interval is
    within tolerance; null means ten, and no further ones where `repetitions` is below five.
    """

    testbed: Name = "local"
    experiments: Annotated[list[Name], Field(min_length=1)]
    base: Name | None = None
    set: dict[str, Value] = {}
    only: dict[str, Annotated[list[Value], Field(min_length=1)] | None] | None = None
    suts: Annotated[list[Name], Field(min_length=1)] | None = None
    optional_suts: list[Name] = []
    repetitions: Annotated[int, Field(ge=1)] = 3
    most_repetitions: Annotated[int, Field(ge=1)] | None = None
    warm_up: bool = True
    seed: Annotated[int, Field(ge=0)] = 1
    data: str | None = None
    results: str = "results"

    @model_validator(mode="after")
    def _most(self) -> Self:
        if self.most_repetitions is not None and self.most_repetitions < self.repetitions:
            raise ValueError(
                f"most_repetitions must not be below repetitions (got {self.most_repetitions} and "
                f"{self.repetitions})"
            )
        return self

    @property
    def repetitions_at_most(self) -> int:
        """Of a step of a sweep."""
        if self.most_repetitions is not None:
            return self.most_repetitions
        return max(10, self.repetitions) if self.repetitions >= 5 else self.repetitions


# --- one run ----------------------------------------------------------------------------------

TESTBED_KEYS_OF_METRICS = {"prices", "accelerator_model", "region", "carbon_series", "pue"}
"""Testbed keys that only the metrics read: a new price must not redo a measurement."""
KUBERNETES_KEYS_OF_ACCESS = {
    "context",
    "namespace_prefix",
    "image",
    "image_pull_policy",
    "image_pull_secret_env",
    "schedule_s",
    "start_s",
    "undeploy_s",
}
"""How the cluster is reached, not what it is: a new name of it, or of the image, redoes nothing.
The digest of the image is in each manifest, as the version of the code is."""


class RunConfig(Model):
    """The resolved configuration of a run, the thing that is hashed. One hash, n repetitions."""

    format: Literal[1] = 1
    sut: Name
    workload: Workload
    testbed_name: Name
    testbed: Testbed
    seed: int

    @property
    def worker_cpu(self) -> float:
        """Physical cores of one worker."""
        return self.workload.workers.cpu * self.testbed.cpu_per_vcpu

    @property
    def threads(self) -> int:
        """Threads of one worker: a second one on a fraction of a core only slows it down."""
        return max(1, int(self.worker_cpu))
