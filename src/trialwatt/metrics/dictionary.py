"""The data dictionary: every column of the tables, with all that is to be known of it.

The tables' schema, their heads and scales, and what the figures, the page and the paper show, are
made from it, so that a new metric is one entry here and its formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from trialwatt.config.factors import FACTORS
from trialwatt.metrics import columns
from trialwatt.metrics.columns import Column, Place
from trialwatt.records.outcome import LIFECYCLE

_CONFIG = "the resolved configuration in run.json"
_MANIFEST = "run.json"
_EVENTS = "events of the records, monotonic time"
_COUNT = "count of the records' trials"
_SHARED = "static power by reservation, dynamic by CPU time; measured as energy_method says"
_PRICED = "reserved resources × time × dated price table"


_TABLES: dict[Place, int] = {"results": 0, "paper_resource": 0, "paper_search": 0}


def _column(*facts: Any, named: Sequence[str] = (), **more: Any) -> Column:
    """named: its short name, its title and what stands on an axis, as far as it is shown."""
    more |= dict(zip(("short", "title", "label"), named, strict=False))
    return Column(*facts, **more)


def _text(name: str, definition: str, method: str, **more: Any) -> Column:
    return _column(name, "text", "", definition, method, **more)


def _flag(name: str, definition: str, method: str) -> Column:
    return Column(name, "flag", "", definition, method)


def _whole(name: str, unit: str, definition: str, method: str, **more: Any) -> Column:
    return _column(name, "whole", unit, definition, method, low=0, **more)


def _real(name: str, unit: str, definition: str, method: str, **more: Any) -> Column:
    return _column(name, "real", unit, definition, method, **{"low": 0, **more})


def _trials(outcome: str, definition: str) -> Column:
    return _whole(
        f"trials_{outcome}",
        "trials",
        definition,
        _COUNT,
        quantity="count",
        named=(f"trials {outcome}", f"trials {outcome}"),
        shown={"run": 0},
    )


def _time(name: str, definition: str, **more: Any) -> Column:
    return _real(name, "ms", definition, _EVENTS, quantity="time", **more)


def _energy(name: str, definition: str, method: str = _SHARED, **more: Any) -> Column:
    return _real(name, "kWh", definition, method, quantity="energy", **more)


def _cost(name: str, definition: str, method: str = _PRICED, **more: Any) -> Column:
    return _real(name, "currency", definition, method, quantity="cost", **more)


def _share(name: str, definition: str, method: str, **more: Any) -> Column:
    return _real(name, "", definition, method, quantity="share", **more)


def _score(name: str, definition: str, method: str = _MANIFEST, **more: Any) -> Column:
    return _column(name, "real", "", definition, method, quantity="score", **more)


def _settings() -> Iterator[Column]:
    """What may be varied, and beside it what of it a worker really gets."""
    for factor in FACTORS.values():
        words: dict[str, Any] = {"named": (factor.short, factor.title)}
        if factor.kind == "text":
            yield _text(factor.column, factor.definition, _CONFIG, **words)
            continue
        words |= {"low": 0, "quantity": "size" if factor.unit == "MB" else "count"}
        if factor.reserved != "cpu_physical":
            words["shown"] = {"configuration": 0}
        yield _column(factor.column, factor.kind, factor.unit, factor.definition, _CONFIG, **words)
        if factor.reserved == "cpu_physical":
            yield _real(
                factor.reserved,
                "cores",
                "physical cores reserved per worker",
                "component events",
                quantity="count",
                named=("cores per worker", "physical cores per worker"),
                shown={"configuration": 0},
            )


_IDENTITY = [
    _text("hash", "hash of the resolved configuration", _CONFIG),
    _whole("repetition", "", "number of the repetition, from 1", _MANIFEST),
    _text("sut", "system under test", _CONFIG),
    _text("testbed", "name of the testbed", _CONFIG),
    _text("folder", "folder of the repetition below the results folder", _MANIFEST),
]

_STEPS = {"collect": "result collection", "metrics": "metric collection"}
_STEP_TIMES = [
    _time(
        f"{step}_ms",
        f"wall time of the {_STEPS.get(step, step)} step",
        named=(
            f"{step.replace('collect', 'collection')}: time",
            f"wall time of the {_STEPS.get(step, step)} step",
        ),
        shown={"lifecycle": 0},
    )
    for step in LIFECYCLE
]
_STEP_ENERGIES = [
    _energy(
        f"step_{step}_energy_kwh",
        f"job energy during the {step} step",
        named=(
            f"{step.replace('collect', 'collection')}: energy",
            f"energy of the {_STEPS.get(step, step)} step",
        ),
        shown={"lifecycle": 0},
    )
    for step in LIFECYCLE
]


def _part(name: str, definition: str) -> Column:
    """A part of the energy of the trials step."""
    return _energy(
        f"{name}_energy_kwh",
        definition,
        named=(f"{name}: energy", f"energy of {definition}"),
        shown={"lifecycle": 0},
    )


_WASTE = [
    _share(f"waste_{kind}_{what}_share", text, method, of=what)
    for kind in ("failed", "pruned", "duplicate")
    for what, text, method in (
        ("time", f"worker time of {kind} trials ÷ reserved worker time", _EVENTS),
        ("energy", f"energy of {kind} trials ÷ job energy", _SHARED),
        ("cost", f"cost of {kind} trials ÷ OC", _PRICED),
    )
]
_METHOD = _text(
    "energy_method", "counter, polled, attributed, modelled or several, joined by +", _MANIFEST
)
_QUALITY = [
    _METHOD,
    _text(
        "energy_meter",
        "the headline meter, from which all energy comes; + the one of accelerators",
        _MANIFEST,
    ),
    _text("energy_domains", "the meter's domains that were added up, joined by +", _MANIFEST),
    _real("sample_hz", "Hz", "readings per second of the headline meter", _MANIFEST),
    _whole("samples", "", "power samples within the run", "rows of the headline meter's samples"),
    _share(
        "gap_share",
        "share of the run in gaps: a reading missing, or an interval over 2.5 sampling periods",
        "union over domains ÷ window",
        of="time",
        high=1.0 + 1e-9,
    ),
    _share(
        "foreign_cpu_share",
        "CPU time of the machine that no part of the run used, and what the hypervisor took, ÷ all "
        "that its cores can give; empty where it is not known",
        "CPU counters of the machine, the components and the harness",
        of="time",
        high=1.0,
        named=("foreign CPU share", "foreign CPU share", "foreign CPU time, % of the machine"),
        shown={"page": 2, "run": 1},
    ),
]

_HELD = [
    _real(
        "reserved_core_s",
        "core-s",
        "physical cores reserved × time, of all components, from their start to their end",
        "component events",
    ),
    _real(
        "used_core_s",
        "core-s",
        "CPU time of all components and of the coordinator; null if that of one is not known",
        "CPU counters",
    ),
    _real(
        "reserved_gb_s",
        "GB-s",
        "memory reserved × time, of all components, in GB of 2^30 bytes",
        "component events",
    ),
]
"""What modelled energy is a function of, whatever the model."""

_PLAN = [
    _text("experiment", "experiment of which this run is a part", "the plan"),
    _text("varied", "workload keys that the experiment compares", "the plan"),
    _text("treatment", "label of the treatment", "the plan"),
    Column("treatment_value", "real", "", "the treatment as a number, if it is one", "the plan"),
    _flag("is_baseline", "whether this is the baseline's configuration", "the plan"),
]
PLANNED = tuple(column.name for column in _PLAN)
"""The columns of RUNS that the plan gives, and no run's records."""

RUNS = [
    *_PLAN,
    *_IDENTITY,
    _whole("block", "", "block that the run is of; none in records before blocks", _MANIFEST),
    _whole("block_position", "", "place in the block's drawn order, from 1", _MANIFEST),
    _whole("block_runs", "", "how many runs the block has", _MANIFEST),
    _text("block_plan", "digest of the configurations of the block's plan", _MANIFEST),
    _flag("is_control", "whether others are compared with this SUT", _MANIFEST),
    _text("label", "readable label of the configuration", _CONFIG),
    _text("status", "completed, infeasible, deadline; failed: a hole, counted nowhere", _MANIFEST),
    _text("reason", "why the status is not completed", _MANIFEST),
    *_settings(),
    _text("space", "the search space Φ as JSON: hyperparameter → choices or range", _CONFIG),
    _whole("seed", "", "seed of the repetition", _MANIFEST),
    _text("goal_score", "name of the score that is searched for", _CONFIG),
    _text("goal_direction", "maximize, or minimize where a lower score is better", _CONFIG),
    _trials("started", "started trials"),
    _trials("completed", "completed trials, duplicates included"),
    _trials("failed", "failed trials"),
    _trials("pruned", "pruned trials"),
    _trials("duplicate", "completed trials whose φ had been run before, for as many epochs"),
    _whole("reports", "", "epochs whose score a pruner was told; 0 without a pruner", _COUNT),
    _text(
        "ended_by",
        "what of its budget ended the search: seconds, kwh, gco2eq, cost or gain; null: its trials",
        _COUNT,
    ),
    _time("trials_time_ms", "worker time of all trials"),
    _time(
        "jct_ms",
        "JCT: start of setup to end of result collection",
        named=("JCT", "job completion time", "time per job"),
        shown={**_TABLES, "resource": 1, "search": 0, "overhead": 0, "impact": 0},
    ),
    *_STEP_TIMES,
    _energy(
        "job_energy_kwh",
        "energy of the job, deploy to undeploy",
        named=("job energy", "job energy", "energy per job"),
        shown={"search": 1, "overhead": 0, "page": 0, "impact": 0},
    ),
    _energy(
        "ept_kwh",
        "EPT: job energy ÷ distinct completed trials, idle included; a duplicate is no result",
        named=("EPT", "energy per completed trial", "energy per trial"),
        shown={**_TABLES, "resource": 0, "impact": 0},
    ),
    _energy(
        "twh_kwh",
        "TWH: mean energy of a started trial",
        named=("TWH", "energy attributed to a trial", "energy per trial"),
        shown={"results": 0, "paper_resource": 0, "resource": 0, "impact": 0},
    ),
    _energy("twh_completed_kwh", "TWH over completed trials only"),
    _real(
        "cint_g_per_kwh",
        "gCO2eq/kWh",
        "CINT: energy-weighted mean intensity over the trials",
        "input: location-based, static or the user's series; without PUE",
        quantity="intensity",
        named=("CINT", "carbon intensity", "energy-weighted over trials"),
        shown={"results": 0, "page": 2},
    ),
    _real(
        "carbon_g",
        "gCO2eq",
        "job energy × intensity × PUE",
        _SHARED,
        quantity="carbon",
        of="energy",
        named=("carbon", "carbon of the job", "per job"),
        shown={"results": 0, "page": 2, "impact": 2},
    ),
    _cost(
        "oc",
        "OC: cost of what all components reserve",
        named=("OC", "job cost", "cost per job"),
        shown={**_TABLES, "resource": 0, "search": 0, "impact": 2},
    ),
    _time(
        "wtt_ms",
        "WTT: worker time of failed, pruned and duplicate trials",
        named=("WTT", "time of wasted trials", "time per job"),
        shown={"results": 0, "paper_search": 0, "page": 2},
    ),
    _share(
        "wtt_share",
        "WTT ÷ time for which workers are reserved",
        _EVENTS,
        of="time",
        named=(
            "WTT share",
            "share of wasted trials in the time of workers",
            "% of reserved worker time",
        ),
        shown={"impact": 2},
    ),
    _energy(
        "wte_kwh",
        "WTE: energy of failed, pruned and duplicate trials",
        named=("WTE", "energy of wasted trials", "energy per job"),
        shown={"results": 0, "paper_search": 0, "page": 2},
    ),
    _share(
        "wte_share",
        "WTE ÷ job energy",
        _SHARED,
        high=1 + 1e-9,
        of="energy",
        named=("WTE share", "share of wasted trials in the energy", "% of job energy"),
        shown={"impact": 2},
    ),
    _cost(
        "wtc",
        "WTC: reserved resources of wasted trials × price",
        named=("WTC", "cost of wasted trials", "cost per job"),
        shown={"results": 0, "paper_search": 0, "page": 2},
    ),
    _share(
        "wtc_share",
        "WTC ÷ OC",
        _PRICED,
        of="cost",
        named=("WTC share", "share of wasted trials in the cost", "% of job cost"),
        shown={"impact": 2},
    ),
    _share(
        "wr",
        "WR: energy of reserved workers without a trial ÷ job energy",
        _SHARED,
        high=1 + 1e-9,
        of="energy",
        named=("WR", "idle share", "% of job energy"),
        shown={"results": 0, "paper_resource": 0, "overhead": 0, "page": 2, "impact": 2},
    ),
    *_WASTE,
    _energy("trials_energy_kwh", "energy of all trials"),
    _energy(
        "idle_energy_kwh",
        "energy of workers while they hold no trial",
        title="idle energy",
        label="per job",
    ),
    _energy("services_energy_kwh", "energy of services"),
    _energy("harness_energy_kwh", "dynamic energy of the coordinator"),
    _energy(
        "other_energy_kwh",
        "what the machine drew beside the job during the run",
        "machine energy − job energy",
        low=-1e-9,
    ),
    *_STEP_ENERGIES,
    _part("load", "load steps during the trials step, import included"),
    _energy("import_energy_kwh", "the part of load that is imports"),
    _part("train", "train steps during the trials step"),
    _part("validate", "validate steps during the trials step"),
    _part("between", "workers between trials during the trials step"),
    _energy(
        "avoided_energy_kwh",
        "energy that pruning avoided; null if a pruned trial ended no epoch",
        "estimate: train energy per epoch of each pruned trial × epochs not run",
    ),
    _score("goal_target", "score that is the goal", "configuration or reference value"),
    _flag("goal_reached", "whether a completed trial reached the goal", _EVENTS),
    _flag("goal_censored", "whether the values to goal are right-censored", _EVENTS),
    _energy("surplus_energy_kwh", "job energy after the goal was reached, else 0"),
    _energy(
        "energy_to_goal_kwh",
        "job energy until the goal was reached",
        named=("energy to goal", "energy until the goal was reached", "energy to tg"),
        shown={"search": 1, "page": 1, "impact": 1},
    ),
    _cost("cost_to_goal", "reserved resources × price until then"),
    _time(
        "time_to_goal_ms",
        "start of setup until the goal was reached",
        named=("time to goal", "time until the goal was reached"),
        shown={"impact": 1},
    ),
    _score(
        "best_score",
        "goal's score of the best trial on the validation split",
        named=("score", "score, validation", "best validation score"),
        shown={**_TABLES, "page": 2, "impact": 3},
    ),
    _text(
        "best_phi",
        "φ of the best trial as JSON with sorted keys; null where it is not on record",
        _MANIFEST,
        named=("best φ", "hyperparameters that won"),
        shown={"run": 1},
    ),
    _text(
        "best_trial",
        "id of the best trial in the trials table",
        _MANIFEST,
        named=("best trial", "trial that won"),
        shown={"run": 1},
    ),
    _score(
        "test_score",
        "goal's score of the best trial's model on the test split; null where there is none",
        named=("test score", "score, test", "score on the test split"),
        shown={"page": 2},
    ),
    _real(
        "peak_memory_mb",
        "MB",
        "greatest peak memory of a worker",
        "the worker's group, or samples",
        quantity="size",
    ),
    _share(
        "utilisation",
        "CPU time of workers ÷ their reserved cores × time",
        "CPU counters",
        of="time",
        named=("utilisation", "utilisation", "CPU time, % of reserved cores"),
        shown={"impact": 2},
    ),
    _cost("trials_cost", "reserved resources of all trials × price"),
    *_HELD,
    _real(
        "throughput_per_h",
        "1/h",
        "completed trials per hour of JCT",
        _EVENTS,
        quantity="rate",
        of="time",
    ),
    *_QUALITY,
    _text("flags", "why this run's energy must be read with care; empty if nothing is", _COUNT),
    _text("enforcement", "how vCPU and memory limits were enforced", _MANIFEST),
    _text("currency", "currency of all costs", "the price table"),
    _text("price_date", "day of the prices", "the price table"),
    _text("region", "region of the carbon intensity", "the carbon table"),
    _whole("carbon_year", "", "year of the carbon intensity", "the carbon table"),
    _real("pue", "", "power usage effectiveness", "the testbed"),
    _text("notes", "what was repaired or is worth knowing", "reader and components"),
]

TRIALS = [
    *_IDENTITY,
    _text("worker", "worker that ran it", _EVENTS),
    _text("trial", "id, unique in the run", _EVENTS),
    Column("number", "whole", "", "the framework's own number", _EVENTS),
    _text("phi", "φ as JSON with sorted keys", _EVENTS),
    _whole(
        "start_utc_ns", "ns", "start, UTC", "monotonic time, moved by the run's first UTC stamp"
    ),
    _time("duration_ms", "start to end"),
    _time("load_ms", "load step, import included"),
    _time("import_ms", "the part of load that is imports"),
    _time("train_ms", "train step"),
    _time("validate_ms", "validate step"),
    _whole("epochs", "", "epochs that were completed", _EVENTS),
    _text("outcome", "completed, pruned or failed", _EVENTS),
    _text("reason", "why it failed", _EVENTS),
    _text("waste_class", "failed, pruned, duplicate or empty", "exclusive, in this precedence"),
    _score("score", "goal's score on the validation split", _EVENTS),
    _energy("energy_kwh", "energy attributed to the trial"),
    _energy("static_energy_kwh", "its static part"),
    _energy("dynamic_energy_kwh", "its dynamic part"),
    _energy("train_energy_kwh", "the part of its train step"),
    _real("cpu_s", "s", "CPU time", "the worker's CPU counter"),
    _real(
        "carbon_g",
        "gCO2eq",
        "energy × intensity × PUE",
        _SHARED,
        quantity="carbon",
        of="energy",
    ),
    _cost("cost", "the worker's reserved resources × duration × price"),
    _METHOD,
]

SEGMENTS = [
    _text("resumes", "trial, paused, from whose state this segment of a trial went on", _EVENTS),
    _whole("from_epoch", "", "epochs that the state had behind it", _EVENTS),
]
"""What the trials table has besides where trials were paused and went on."""

CURVE = [
    _time("time_ms", "start of setup until then", title="time since setup"),
]
"""What the anytime curve has beside columns of RUNS: metrics.series.anytime."""


def metric(name: str) -> Column:
    """The column of the runs table or of a curve; of one that is in neither, its name alone."""
    for column in (*RUNS, *CURVE):
        if column.name == name:
            return column
    return Column(name, "real", "", "", "", short=name, title=name, label=name)


def shown_in(place: Place) -> list[Column]:
    """The columns of the runs table that are shown there, in the order in which they are."""
    return columns.shown_in(place, RUNS)
