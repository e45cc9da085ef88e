"""What the plan hands to the stages after it, as the plain values that rules can pass on."""

from __future__ import annotations

import datetime
import json
import os
import shlex
from dataclasses import asdict
from pathlib import Path

from trialwatt.config.carbon_series import read_series
from trialwatt.config.factors import joined
from trialwatt.config.goals import reference_file, targets
from trialwatt.config.models import RunConfig, access_keys
from trialwatt.config.plan import Plan


def experiment_rows(plan: Plan, experiment: str) -> list[dict]:
    """Where each run stands in an experiment: keywords of metrics.tables.ExperimentRow."""
    rows, varied = [], joined(plan.experiments[experiment].compared)
    for planned in plan.experiments[experiment].runs:
        value = planned.value
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        rows.append(
            {
                "experiment": experiment,
                "varied": varied,
                "hash": planned.folder.rsplit("-", 1)[1],
                "treatment": planned.label,
                "treatment_value": float(value) if numeric else None,
                "is_baseline": planned.is_baseline,
            }
        )
    return rows


def sweep_values(plan: Plan, experiment: str, sweep: str) -> dict:
    """What decides how a sweep goes on: values for analysis.moves.Sweep.of."""
    planned = next(each for each in plan.experiments[experiment].sweeps if each.id == sweep)

    def treatment(run) -> dict:
        return {"value": float(run.value), "folder": run.folder}

    return {
        "sut": planned.sut,
        "sampler": planned.sampler,
        "testbed": planned.testbed,
        "key": planned.key,
        "steps": [treatment(step) for step in planned.steps],
        "baseline": treatment(planned.baseline),
        "tolerance": planned.tolerance,
        "patience": planned.patience,
        "repetitions": plan.settings.repetitions,
        "most_repetitions": plan.settings.repetitions_at_most,
    }


def unavailable(plan: Plan, experiment: str) -> list[dict]:
    """What of an experiment cannot be run here: sut, treatment (either may be None), reason."""
    return [asdict(each) for each in plan.experiments[experiment].unavailable]


def run_text(run: RunConfig) -> str:
    """A run as text for its rule, without what may change and redoes no run (the image, say)."""
    return run.model_dump_json(exclude={"testbed": access_keys(run.testbed.sections)})


def run_of(text: str, testbed_record: Path) -> RunConfig:
    """The run that `run_text` wrote, with what it left out from the record of the testbed."""
    run = json.loads(text)
    for section, access in access_keys(run["testbed"]).items():
        known = json.loads(testbed_record.read_text(encoding="utf-8"))["testbed"][section]
        run["testbed"][section] |= {key: known[key] for key in access & known.keys()}
    return RunConfig.model_validate(run)


def image_arguments() -> list[str]:
    """What TRIALWATT_BUILD adds to the building of the image, split as a shell would."""
    return shlex.split(os.environ.get("TRIALWATT_BUILD", ""))


def carbon_series(plan: Plan) -> list[str]:
    """The testbed's series of carbon intensities, as the input of a rule: one file or none."""
    return [plan.testbed.carbon_series] if plan.testbed.carbon_series else []


def metrics_values(plan: Plan, root: Path | None = None) -> dict:
    """Prices, intensity, PUE and goals: keywords of metrics.context.MetricsContext.

    The goals' targets are read from config/goals of `root` (default: the current folder, in which
    rules run); a dataset that has none has no goal metrics, unless a workload names its own target.

    A series of intensities goes before the testbed's region: then `intensity` is None, to be read
    from the file by who has it as an input, and the file's name stands for the region.

    An accelerator type is priced as the model that the testbed names for it; without one, as an
    entry of the type's own name, if the price set has one.
    """
    prices, carbon = plan.tables.prices, plan.tables.carbon
    models = {"gpu": "gpu", "tpu": "tpu"} | plan.testbed.accelerator_model
    values = {
        "price_per_cpu_h": prices.per_vcpu_h,
        "price_per_gb_h": prices.per_gb_h,
        "price_per_accelerator_h": {
            kind: prices.accelerators_per_h[model]
            for kind, model in models.items()
            if model in prices.accelerators_per_h
        },
        "currency": prices.currency,
        "price_date": prices.date,
        "intensity": carbon.intensity_g_per_kwh,
        "region": plan.testbed.region,
        "carbon_year": carbon.year,
        "pue": plan.testbed.pue,
        "targets": targets(root or Path.cwd()),
    }
    for file in carbon_series(plan):
        first = datetime.datetime.fromtimestamp(read_series(Path(file))[0][0] / 1e9, datetime.UTC)
        name = f"series {Path(file).name}"
        values |= {"intensity": None, "region": name, "carbon_year": first.year}
    return values


def power_models(plan: Plan) -> dict[str, dict]:
    """Every power model that we ship: name → the fields of config.tables.PowerModel."""
    return {name: model.model_dump() for name, model in plan.tables.all_power.items()}


def source(plan: Plan, experiment: str) -> dict:
    """Where an experiment comes from: values for figures.make.source_of."""
    planned = plan.experiments[experiment]
    others = {other.file for name, other in plan.experiments.items() if name != experiment}
    goals = [reference_file(dataset) for dataset in plan.datasets]
    return {
        "experiment": experiment,
        "title": planned.title,
        "results": plan.settings.results,
        "file": planned.file,
        "config_files": [
            *(file for file in plan.files if file not in others),
            *(file for file in goals if Path(file).is_file()),
        ],
    }


def report_sections(plan: Plan) -> list[dict]:
    """The experiments as the report shows them."""
    return [
        {"id": name, "title": planned.title, "varied": list(planned.varies)}
        for name, planned in plan.experiments.items()
    ]
