"""The models of the configuration: one source for validation, the JSON schema and the run hash.

Units stand in the names. Unknown keys are errors everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from trialwatt.config import registry


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

    @classmethod
    def known_keys(cls) -> dict[str, Any]:
        """The keys that a file of it may hold, with their types."""
        return {name: field.annotation for name, field in cls.model_fields.items()}


def _is_empty(value: object) -> bool:
    return not value


# --- search space Φ ---------------------------------------------------------------------------

When = Annotated[
    dict[str, Annotated[list[Value], Field(min_length=1)]], Field(exclude_if=_is_empty)
]
"""A condition: parent → its values. The hyperparameter is in φ only where each parent is, with one
of its values."""


class Choices(Model):
    """A hyperparameter that takes one of the listed values; these are its grid levels too."""

    choices: Annotated[list[Value], Field(min_length=1)]
    when: When = {}

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
    when: When = {}

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


def _is_none(value: object) -> bool:
    return value is None


Amount = Annotated[float | None, Field(gt=0, exclude_if=_is_none)]


class Gain(Model):
    """A search ends where the best score has risen (or fallen, to minimise) by less than
    `per_kwh` for each kWh of the job, over the last `trials` that completed."""

    per_kwh: Annotated[float, Field(gt=0)]
    trials: Annotated[int, Field(ge=1)]


class Rates(Model):
    """What a budget's carbon and money are reckoned with: of the testbed, when it was planned."""

    currency: str
    per_cpu_h: float
    per_gb_h: float
    per_accelerator_h: dict[str, float]
    g_per_kwh: float
    pue: float


class Budget(Model):
    """How much a search may spend; what is reached first ends it.

    trials: null means pS. seconds: from the start of setup. kwh, gco2eq, cost (in the currency of
    the testbed's prices): of the whole job, from deploy on, by its running meters. running: whether
    a trial that runs when it is spent is finished, or stopped after its epoch. rates: not for
    files, the plan knows them.
    """

    trials: Annotated[int | None, Field(ge=1, exclude_if=_is_none)] = None
    seconds: Amount = None
    kwh: Amount = None
    gco2eq: Amount = None
    cost: Amount = None
    gain: Annotated[Gain | None, Field(exclude_if=_is_none)] = None
    running: Literal["finish", "prune"] = "finish"
    rates: Annotated[Rates | None, Field(exclude_if=_is_none)] = None

    @property
    def limits(self) -> dict[str, float]:
        """What it limits beside the trials and the gain: seconds, kwh, gco2eq, cost."""
        found = {key: getattr(self, key) for key in ("seconds", "kwh", "gco2eq", "cost")}
        return {key: value for key, value in found.items() if value is not None}

    @property
    def of_energy(self) -> bool:
        """Whether a meter must be read while the job runs."""
        return bool(self.limits.keys() & {"kwh", "gco2eq"} or self.gain)

    @property
    def is_of_trials(self) -> bool:
        """Whether it is a number of trials and nothing else."""
        return not self.limits and self.gain is None


def _budget_kind(value: object) -> str:
    return "(amounts)" if isinstance(value, Budget | Mapping) else "(trials)"


Spent = Annotated[
    Annotated[int, Field(ge=1), Tag("(trials)")] | Annotated[Budget, Tag("(amounts)")],
    Discriminator(_budget_kind),
]


class Search(Model):
    """How Φ is searched. `budget` is the number of trials, null means pS, the size of the grid; or
    what else may be spent."""

    sampler: Name = "grid"
    pruner: Name = "none"
    budget: Spent | None = None
    sampler_options: dict[str, Value] = {}
    pruner_options: dict[str, Value] = {}

    @property
    def trials(self) -> int | None:
        """The most trials that it may start; None means pS."""
        return self.budget.trials if isinstance(self.budget, Budget) else self.budget

    @property
    def spends(self) -> Budget | None:
        """The budget, where it is not of trials alone."""
        return self.budget if isinstance(self.budget, Budget) else None

    @property
    def prunes(self) -> bool:
        """Whether the framework is told the score of each epoch."""
        return self.pruner != "none"


class Workers(Model):
    """wn, wcpu, wmem and at. `cpu` is nominal; a testbed's cpu_per_vcpu gives the physical one."""

    count: Annotated[int, Field(ge=1)] = 4
    cpu: Annotated[float, Field(gt=0)] = 2
    memory_mb: Annotated[int, Field(ge=64)] = 2048
    accelerator: Literal["cpu", "gpu", "tpu"] = "cpu"


class Goal(Model):
    """tg: (score, direction, target). `target` null means the dataset's committed reference."""

    score: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "macro_f1"
    direction: Literal["maximize", "minimize"] = "maximize"
    target: float | None = None

    @property
    def sign(self) -> int:
        """What makes a score one of which more is better, whatever the direction: times 1 or -1."""
        return 1 if self.direction == "maximize" else -1


FUNCTION_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


class Function(Model):
    """A function of the user's that is a workload's trial, as it was found (config.functions).

    name: `module:function`. sha256: of the module's source. tests: whether the module tests the
    best model. resumes: whether it can go on with one that it has paused. imports: top-level names
    of the modules that it imports, without Python's own. package, version: the distribution that
    has the module; null where it lies in a project.
    """

    name: Annotated[str, Field(pattern=f"^{FUNCTION_NAME.pattern}$", max_length=200)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tests: bool
    resumes: Annotated[bool, Field(exclude_if=lambda resumes: not resumes)] = False
    imports: list[str]
    package: str | None
    version: str | None

    @property
    def label(self) -> str:
        """What a folder is named by."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


IMAGE_KEYS = ("dataset", "model", "algorithm", "batch", "validation_share")
"""Keys of a workload of images, which one by a function has not."""


class Workload(Model):
    """One workload configuration: everything about a job but its SUT, testbed and repetition.

    trial: a function of the user's, instead of images and a network (docs/your-workload.md).
    """

    trial: Function | None = None
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

    @property
    def data(self) -> str:
        """File name of what its workers train on: the prepared dataset, or the function's source"""
        if self.trial is None:
            return f"{self.dataset}.safetensors"
        return f"{self.trial.label}-{self.trial.sha256[:10]}.py"

    @property
    def model_suffix(self) -> str:
        """Of a file with a model: what a function writes is nobody's format but its own."""
        return ".safetensors" if self.trial is None else ".model"

    @property
    def is_tested(self) -> bool:
        """Whether the best model is scored on the test split."""
        return self.trial is None or self.trial.tests

    @model_serializer(mode="wrap")
    def _of_its_kind(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        left_out = ("trial",) if self.trial is None else IMAGE_KEYS
        return {key: value for key, value in dump(self).items() if key not in left_out}


class WorkloadFile(Workload):
    """A workload as a file gives it: `space` may be the name of a file in config/spaces, `trial`
    is the name of a function."""

    trial: str | None = None  # type: ignore[assignment] # until it is found
    space: Name | Space  # type: ignore[assignment] # wider until the file is read


# --- testbed ----------------------------------------------------------------------------------


class Limits(Model):
    """CPU (physical cores) and memory of one service: a head, a master, a database, a driver."""

    cpu: Annotated[float, Field(gt=0)] = 1
    memory_mb: Annotated[int, Field(ge=64)] = 1024


VARIABLE = "[A-Z_][A-Z0-9_]*"


def _variable(value: str) -> str:
    if not re.fullmatch(VARIABLE, value):  # not shown: it may well be the secret itself
        raise ValueError("must be the name of an environment variable that holds it")
    return value


Variable = Annotated[
    str, AfterValidator(_variable), Field(json_schema_extra={"pattern": f"^{VARIABLE}$"})
]
"""What is secret stands in no file and no record, only the name of its variable."""


ANY_VARIABLE = "[A-Za-z_][A-Za-z0-9_]*"


def _environment_name(value: str) -> str:
    if not re.fullmatch(ANY_VARIABLE, value):  # not shown: NAME=VALUE may hold a secret
        raise ValueError("must be the name of an environment variable")
    return value


EnvironmentName = Annotated[
    str,
    AfterValidator(_environment_name),
    Field(json_schema_extra={"pattern": f"^{ANY_VARIABLE}$"}),
]


class BoardPower(Model):
    """What the model meter takes for each accelerator, all the time: the power of its board."""

    kind: Literal["gpu", "tpu"] = "gpu"
    devices: Annotated[int, Field(ge=1)]
    watts: Annotated[float, Field(gt=0)]
    source: Annotated[str, Field(min_length=1)]


class Options(Model):
    """A section of the testbed that belongs to a part: to a SUT, a platform or a meter.

    It is registered under its key, as an entry point "trialwatt.options". Its module imports
    neither a framework nor the part: every process of a run reads the sections of its testbed.
    """

    access: ClassVar[frozenset[str]] = frozenset()
    """Keys that say how something is reached, not what it is: another value redoes no run."""

    def problems(self, testbed: Testbed) -> list[tuple[str, str]]:
        """What is wrong with it that types cannot say, before anything starts.

        (dotted key in the section, or "" for the section itself; sentence) of each.
        """
        return []

    def completed(self) -> Self:
        """With what the user's environment has for it, where the file leaves it open.

        Only keys of `access`: what differs between two users is no part of a run.
        """
        return self


T = TypeVar("T", bound=Options)


class _Section(NamedTuple):
    """What stands in a testbed under a key that is none of its own."""

    key: str
    written: Any


AS_RECORDED = MappingProxyType({"recorded": True})
"""Context of a validation of records: sections of parts that cannot be loaded here stay as they
are, since nothing here has to understand them."""


def _read_section(section: _Section, info: ValidationInfo) -> Any:
    if isinstance(section.written, Options):
        return section.written
    known = registry.options()
    kind, fault = known.load(section.key) if section.key in known.names else (None, "")
    if kind is not None:
        return kind.model_validate(section.written, strict=True)
    if info.context == AS_RECORDED:
        return section.written
    if fault:
        raise PydanticCustomError("options", "{fault}", {"fault": fault})
    raise PydanticKnownError("extra_forbidden")


_STANDING = {"service": "storage", "idle_s": "prometheus"}
"""Key → the section after it that stands in every record and hash, null where it is not given.
Other sections stand after `platform`, only where they are given: a rule's parameter is this text,
and another text would redo every run."""


class Testbed(Model):
    """Where runs happen and how they are metered. Prices and carbon only matter to the metrics.

    `carbon_series` is a CSV file (utc_start, g_per_kwh), relative to the project; where it is
    given it is used instead of the region's yearly mean. `accelerator_model` says which entry of
    the price set a worker's gpu or tpu is charged by. `environment` names variables of the user's
    that the components of a run get besides those that all get (platforms/environment.py).
    `quiet_wait_s` is how long a run waits for others to leave the machine quiet before it refuses
    to start, or starts all the same where `allow_busy_machine` (docs/methodology, rule 12).
    `allow_other_versions` lets runs go on whose components are of other versions of packages, or of
    other code, than the coordinator; they are flagged.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name
    model_config = ConfigDict(extra="allow")  # the sections of the parts that are installed
    __pydantic_extra__: dict[str, Annotated[Any, PlainValidator(_read_section)]]

    platform: Name = "local"
    cpu_per_vcpu: Annotated[float, Field(gt=0, le=1)] = 1.0
    allow_oversubscription: bool = False
    enforcement: Literal["auto", "cgroup-v2", "systemd", "cgroup-v1", "soft"] = "auto"
    service: Limits = Limits()
    meters: Annotated[list[Name], Field(min_length=1)] = ["rapl", "model"]
    sample_hz: Annotated[float, Field(ge=1, le=50)] = 5
    idle_s: Annotated[float, Field(ge=0)] = 10
    quiet_wait_s: Annotated[float, Field(ge=0, le=86400)] = 300
    allow_busy_machine: bool = False
    allow_other_versions: Annotated[bool, Field(exclude_if=_is_empty)] = False
    environment: Annotated[list[EnvironmentName], Field(exclude_if=_is_empty)] = []
    power_model: Name = "gcp-median"
    accelerator_board_w: BoardPower | None = None
    prices: Name = "gcp-n2"
    accelerator_model: dict[Literal["gpu", "tpu"], TableKey] = {}
    region: TableKey = "world"
    carbon_series: Annotated[str, Field(min_length=1)] | None = None
    pue: Annotated[float, Field(ge=1)] = 1.0

    @property
    def sections(self) -> dict[str, Any]:
        """The sections that are given: key → Options, or what a record holds of another part."""
        return dict(self.__pydantic_extra__ or {})

    def options(self, kind: type[T]) -> T | None:
        """The section of this kind; None where it is not given."""
        return next((each for each in self.sections.values() if isinstance(each, kind)), None)

    @classmethod
    def known_keys(cls) -> dict[str, Any]:
        known = registry.options()
        return super().known_keys() | {key: known.load(key)[0] or Any for key in known.names}

    def completed(self) -> Self:
        """With what the user's environment has for its sections; see Options.completed."""
        return self.model_copy(update={k: each.completed() for k, each in self.sections.items()})

    @model_validator(mode="before")
    @classmethod
    def _with_sections(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {
            key: value if key in cls.model_fields else _Section(key, value)
            for key, value in data.items()
            if not (value is None and _is_section(key))
        }

    @model_serializer(mode="wrap")
    def _in_order(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = dump(self)
        sections = {key: found.pop(key) for key in sorted(self.sections) if key in found}
        standing = {after: {key: sections.pop(key, None)} for after, key in _STANDING.items()}
        places = {"platform": sections, **standing}
        ordered: dict[str, Any] = {}
        for key, value in found.items():
            ordered |= {key: value, **places.get(key, {})}
        return ordered


def access_keys(sections: Iterable[str]) -> dict[str, frozenset[str]]:
    """Section → its keys of access, of the sections that have such."""
    known = registry.options()
    kinds = {key: known.load(key)[0] for key in sections if key in known.names}
    return {key: kind.access for key, kind in kinds.items() if kind is not None and kind.access}


def _is_section(key: str) -> bool:
    return key in _STANDING.values() or key in registry.options().names


# --- experiments and the whole ----------------------------------------------------------------


class Sweep(Model):
    """Rising treatments, of which as many are tried as it takes to find the knee of the job
    completion time.

    From `start` in steps of `step` up to `maximum` (included); `tolerance` as in docs/analysis.md,
    "Convergence".
    """

    start: Number
    step: Annotated[Number, Field(gt=0)]
    maximum: Number
    until: Literal["jct"] = "jct"
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 0.05

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

    `set` replaces single workload keys (dotted) of the base, after the settings' own `set`: what
    the experiment needs to be as it is. Its baseline has them too.

    Treatments are a list of values, a sweep, or `all`. Several keys are combined; a list of
    mappings varies in several ways, one after the other. Every one of `suts` must be able to run
    here; those of `optional_suts` that cannot, or for which there is no room, are left out, of all
    or of single treatments, and the plan says why.
    """

    title: str
    base: Name
    set: dict[str, Value] = {}
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


class ReplaySettings(Model):
    """What is searched on a table of measured trials, beside what is measured (docs/replay.md).

    table: the experiment whose runs make the trial table. cost: that which tells what frameworks
    cost, or the runs.parquet of one that was measured elsewhere; null: it is not counted. searches:
    of each strategy. experiments: need not be among those that are measured. `suts`, `set` and
    `only`: as those of the settings, for what is replayed; `set` goes over theirs.
    begins_alike: that a trial of the user's function with fewer epochs is the beginning of one with
    more, so that it can be replayed: it has no schedule that depends on their number.
    """

    table: Name
    cost: Annotated[str, Field(min_length=1)] | None = None
    searches: Annotated[int, Field(ge=1)] = 2000
    experiments: Annotated[list[Name], Field(min_length=1)]
    suts: Annotated[list[Name], Field(min_length=1)] | None = None
    set: dict[str, Value] = {}
    only: dict[str, Annotated[list[Value], Field(min_length=1)] | None] | None = None
    begins_alike: bool = False


class Settings(Model):
    """config/config.yaml: which experiments run, where, how often and on which data.

    `base` replaces the base workload of every experiment, `set` replaces single workload keys
    (dotted) of the base, `suts` replaces the experiments' lists (the optional ones too),
    `optional_suts` adds to them what can run here, `only` narrows what a key varies over to the
    values that it lists (null: to none, where another file did). Where another file names the
    experiments, the `suts` of config/config.yaml are not for them.

    `repetitions` is a number of blocks: one repetition of every configuration, all mixed. `replay`:
    what is searched on the trials of one of the experiments.
    """

    testbed: Name = "local"
    experiments: Annotated[list[Name], Field(min_length=1)]
    base: Name | None = None
    set: dict[str, Value] = {}
    only: dict[str, Annotated[list[Value], Field(min_length=1)] | None] | None = None
    suts: Annotated[list[Name], Field(min_length=1)] | None = None
    optional_suts: list[Name] = []
    repetitions: Annotated[int, Field(ge=1)] = 3
    warm_up: bool = True
    seed: Annotated[int, Field(ge=0)] = 1
    data: str | None = None
    results: str = "results"
    replay: ReplaySettings | None = None


# --- one run ----------------------------------------------------------------------------------

TESTBED_KEYS_OF_METRICS = {"prices", "accelerator_model", "region", "carbon_series", "pue"}
"""Testbed keys that only the metrics read: a new price must not redo a measurement."""

TESTBED_KEYS_OF_WAITING = {"quiet_wait_s", "allow_busy_machine", "allow_other_versions"}
"""Testbed keys that say when, or whether, a run may start, not what it is: another value redoes no
run."""


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
