"""The data dictionary: every column of the two tables, its unit, definition, method and range.

The tables' schema is made from it, so that no column can be without an entry.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from trialwatt.config.factors import FACTORS
from trialwatt.records.outcome import LIFECYCLE

Kind = Literal["text", "whole", "real", "flag"]


@dataclass(frozen=True)
class Column:
    """One column. low and high bound its values (both allowed); missing values are null."""

    name: str
    kind: Kind
    unit: str
    definition: str
    method: str
    low: float = -math.inf
    high: float = math.inf


_TYPES = {"text": pa.string(), "whole": pa.int64(), "real": pa.float64(), "flag": pa.bool_()}
_CONFIG = "the resolved configuration in run.json"
_MANIFEST = "run.json"
_EVENTS = "events of the records, monotonic time"
_COUNT = "count of the records' trials"
_SHARED = "static power by reservation, dynamic by CPU time; measured as energy_method says"
_PRICED = "reserved resources × time × dated price table"


def _text(name: str, definition: str, method: str) -> Column:
    return Column(name, "text", "", definition, method)


def _whole(name: str, unit: str, definition: str, method: str) -> Column:
    return Column(name, "whole", unit, definition, method, low=0)


def _real(name: str, unit: str, definition: str, method: str, high: float = math.inf) -> Column:
    return Column(name, "real", unit, definition, method, low=0, high=high)


def _settings() -> Iterator[Column]:
    """What may be varied, and beside it what of it a worker really gets."""
    for factor in FACTORS.values():
        low = -math.inf if factor.kind == "text" else 0
        yield Column(factor.column, factor.kind, factor.unit, factor.definition, _CONFIG, low)
        if factor.reserved == "cpu_physical":
            words = "physical cores reserved per worker"
            yield _real(factor.reserved, "cores", words, "component events")


_IDENTITY = [
    _text("hash", "hash of the resolved configuration", _CONFIG),
    _whole("repetition", "", "number of the repetition, from 1", _MANIFEST),
    _text("sut", "system under test", _CONFIG),
    _text("testbed", "name of the testbed", _CONFIG),
    _text("folder", "folder of the repetition below the results folder", _MANIFEST),
]

_WORDS = {"collect": "result collection", "metrics": "metric collection"}
_STEP_TIMES = [
    _real(f"{step}_ms", "ms", f"wall time of the {_WORDS.get(step, step)} step", _EVENTS)
    for step in LIFECYCLE
]
_STEP_ENERGIES = [
    _real(f"step_{step}_energy_kwh", "kWh", f"job energy during the {step} step", _SHARED)
    for step in LIFECYCLE
]
_WASTE = [
    _real(f"waste_{kind}_{what}_share", "", text, method)
    for kind in ("failed", "pruned", "duplicate")
    for what, text, method in (
        ("time", f"worker time of {kind} trials ÷ reserved worker time", _EVENTS),
        ("energy", f"energy of {kind} trials ÷ job energy", _SHARED),
        ("cost", f"cost of {kind} trials ÷ OC", _PRICED),
    )
]
_QUALITY = [
    _text(
        "energy_method", "counter, polled, attributed, modelled or several, joined by +", _MANIFEST
    ),
    _text(
        "energy_meter",
        "the headline meter, from which all energy comes; + the one of accelerators",
        _MANIFEST,
    ),
    _text("energy_domains", "the meter's domains that were added up, joined by +", _MANIFEST),
    _real("sample_hz", "Hz", "readings per second of the headline meter", _MANIFEST),
    _whole("samples", "", "power samples within the run", "rows of the headline meter's samples"),
    Column(
        "gap_share",
        "real",
        "",
        "share of the run in gaps: a reading missing, or an interval over 2.5 sampling periods",
        "union over domains ÷ window",
        low=0,
        high=1.0 + 1e-9,
    ),
]

RUNS = [
    _text("experiment", "experiment of which this run is a part", "the plan"),
    _text("varied", "workload keys that the experiment compares", "the plan"),
    _text("treatment", "label of the treatment", "the plan"),
    Column("treatment_value", "real", "", "the treatment as a number, if it is one", "the plan"),
    Column("is_baseline", "flag", "", "whether this is the baseline's configuration", "the plan"),
    *_IDENTITY,
    Column("is_control", "flag", "", "whether others are compared with this SUT", _MANIFEST),
    _text("label", "readable label of the configuration", _CONFIG),
    _text("status", "completed, infeasible, deadline; failed: a hole, counted nowhere", _MANIFEST),
    _text("reason", "why the status is not completed", _MANIFEST),
    *_settings(),
    _whole("seed", "", "seed of the repetition", _MANIFEST),
    _whole("trials_started", "", "started trials", _COUNT),
    _whole("trials_completed", "", "completed trials, duplicates included", _COUNT),
    _whole("trials_failed", "", "failed trials", _COUNT),
    _whole("trials_pruned", "", "pruned trials", _COUNT),
    _whole("trials_duplicate", "", "completed trials whose φ had been run before", _COUNT),
    _real("jct_ms", "ms", "JCT: start of setup to end of result collection", _EVENTS),
    *_STEP_TIMES,
    _real("job_energy_kwh", "kWh", "energy of the job, deploy to undeploy", _SHARED),
    _real("ept_kwh", "kWh", "EPT: job energy ÷ completed trials", _SHARED),
    _real("twh_kwh", "kWh", "TWH: mean energy of a started trial", _SHARED),
    _real("twh_completed_kwh", "kWh", "TWH over completed trials only", _SHARED),
    _real(
        "cint_g_per_kwh",
        "gCO2eq/kWh",
        "CINT: energy-weighted mean intensity over the trials",
        "input: location-based, static or the user's series; without PUE",
    ),
    _real("carbon_g", "gCO2eq", "job energy × intensity × PUE", _SHARED),
    _real("oc", "currency", "OC: cost of what all components reserve", _PRICED),
    _real("wtt_ms", "ms", "WTT: worker time of failed, pruned and duplicate trials", _EVENTS),
    _real("wtt_share", "", "WTT ÷ time for which workers are reserved", _EVENTS),
    _real("wte_kwh", "kWh", "WTE: energy of failed, pruned and duplicate trials", _SHARED),
    _real("wte_share", "", "WTE ÷ job energy", _SHARED, high=1 + 1e-9),
    _real("wtc", "currency", "WTC: reserved resources of wasted trials × price", _PRICED),
    _real("wtc_share", "", "WTC ÷ OC", _PRICED),
    _real(
        "wr",
        "",
        "WR: energy of reserved workers without a trial ÷ job energy",
        _SHARED,
        high=1 + 1e-9,
    ),
    *_WASTE,
    _real("trials_energy_kwh", "kWh", "energy of all trials", _SHARED),
    _real("idle_energy_kwh", "kWh", "energy of workers while they hold no trial", _SHARED),
    _real("services_energy_kwh", "kWh", "energy of services", _SHARED),
    _real("harness_energy_kwh", "kWh", "dynamic energy of the coordinator", _SHARED),
    Column(
        "other_energy_kwh",
        "real",
        "kWh",
        "what the machine drew beside the job during the run",
        "machine energy − job energy",
        low=-1e-9,
    ),
    *_STEP_ENERGIES,
    _real("load_energy_kwh", "kWh", "load steps during the trials step, import included", _SHARED),
    _real("import_energy_kwh", "kWh", "the part of load that is imports", _SHARED),
    _real("train_energy_kwh", "kWh", "train steps during the trials step", _SHARED),
    _real("validate_energy_kwh", "kWh", "validate steps during the trials step", _SHARED),
    _real("between_energy_kwh", "kWh", "workers between trials during the trials step", _SHARED),
    _real(
        "avoided_energy_kwh",
        "kWh",
        "energy that pruning avoided; null if a pruned trial ended no epoch",
        "estimate: train energy per epoch of each pruned trial × epochs not run",
    ),
    Column("goal_target", "real", "", "score that is the goal", "configuration or reference value"),
    Column("goal_reached", "flag", "", "whether a completed trial reached the goal", _EVENTS),
    Column("goal_censored", "flag", "", "whether the values to goal are right-censored", _EVENTS),
    _real("surplus_energy_kwh", "kWh", "job energy after the goal was reached, else 0", _SHARED),
    _real("energy_to_goal_kwh", "kWh", "job energy until the goal was reached", _SHARED),
    _real("cost_to_goal", "currency", "reserved resources × price until then", _PRICED),
    _real("time_to_goal_ms", "ms", "start of setup until the goal was reached", _EVENTS),
    Column(
        "best_score",
        "real",
        "",
        "goal's score of the best trial on the validation split",
        _MANIFEST,
    ),
    Column("test_macro_f1", "real", "", "macro-F1 of the best model on the test split", _MANIFEST),
    Column("test_accuracy", "real", "", "accuracy of the best model on the test split", _MANIFEST),
    _real(
        "peak_memory_mb", "MB", "greatest peak memory of a worker", "the worker's group, or samples"
    ),
    _real("utilisation", "", "CPU time of workers ÷ their reserved cores × time", "CPU counters"),
    _real("throughput_per_h", "1/h", "completed trials per hour of JCT", _EVENTS),
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

PLANNED = ("experiment", "varied", "treatment", "treatment_value", "is_baseline")
"""The columns of RUNS that the plan gives, and no run's records."""

TRIALS = [
    *_IDENTITY,
    _text("worker", "worker that ran it", _EVENTS),
    _text("trial", "id, unique in the run", _EVENTS),
    Column("number", "whole", "", "the framework's own number", _EVENTS),
    _text("phi", "φ as JSON with sorted keys", _EVENTS),
    _whole(
        "start_utc_ns", "ns", "start, UTC", "monotonic time, moved by the run's first UTC stamp"
    ),
    _real("duration_ms", "ms", "start to end", _EVENTS),
    _real("load_ms", "ms", "load step, import included", _EVENTS),
    _real("import_ms", "ms", "the part of load that is imports", _EVENTS),
    _real("train_ms", "ms", "train step", _EVENTS),
    _real("validate_ms", "ms", "validate step", _EVENTS),
    _whole("epochs", "", "epochs that were completed", _EVENTS),
    _text("outcome", "completed, pruned or failed", _EVENTS),
    _text("reason", "why it failed", _EVENTS),
    _text("waste_class", "failed, pruned, duplicate or empty", "exclusive, in this precedence"),
    Column("score", "real", "", "goal's score on the validation split", _EVENTS),
    _real("energy_kwh", "kWh", "energy attributed to the trial", _SHARED),
    _real("static_energy_kwh", "kWh", "its static part", _SHARED),
    _real("dynamic_energy_kwh", "kWh", "its dynamic part", _SHARED),
    _real("train_energy_kwh", "kWh", "the part of its train step", _SHARED),
    _real("cpu_s", "s", "CPU time", "the worker's CPU counter"),
    _real("carbon_g", "gCO2eq", "energy × intensity × PUE", _SHARED),
    _real("cost", "currency", "the worker's reserved resources × duration × price", _PRICED),
    _text(
        "energy_method", "counter, polled, attributed, modelled or several, joined by +", _MANIFEST
    ),
]


def schema(columns: list[Column]) -> pa.Schema:
    return pa.schema([(column.name, _TYPES[column.kind]) for column in columns])


def entries(columns: list[Column]) -> list[dict[str, str]]:
    """The dictionary as plain data: name, unit, definition, method."""
    return [
        {"name": c.name, "unit": c.unit, "definition": c.definition, "method": c.method}
        for c in columns
    ]
