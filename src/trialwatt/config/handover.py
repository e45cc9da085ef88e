"""What the plan hands to the stages after it, as the plain values that rules can pass on."""

from __future__ import annotations

from trialwatt.config.plan import Plan


def experiment_rows(plan: Plan, experiment: str) -> list[dict]:
    """Where each run stands in an experiment: keywords of metrics.tables.ExperimentRow."""
    rows = []
    for planned in plan.experiments[experiment].runs:
        value = planned.value
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        rows.append(
            {
                "experiment": experiment,
                "hash": planned.folder.rsplit("-", 1)[1],
                "treatment": planned.label,
                "treatment_value": float(value) if numeric else None,
                "is_baseline": planned.is_baseline,
            }
        )
    return rows


def metrics_values(plan: Plan) -> dict:
    """Prices, intensity and PUE of the testbed: keywords of metrics.context.MetricsContext."""
    prices, carbon = plan.tables.prices, plan.tables.carbon
    return {
        "price_per_cpu_h": prices.per_vcpu_h,
        "price_per_gb_h": prices.per_gb_h,
        "price_per_accelerator_h": dict(prices.accelerators_per_h),
        "currency": prices.currency,
        "price_date": prices.date,
        "intensity": carbon.intensity_g_per_kwh,
        "region": plan.testbed.region,
        "carbon_year": carbon.year,
        "pue": plan.testbed.pue,
    }


def source(plan: Plan, experiment: str) -> dict:
    """Where an experiment comes from: values for figures.make.source_of."""
    planned = plan.experiments[experiment]
    others = {other.file for name, other in plan.experiments.items() if name != experiment}
    return {
        "experiment": experiment,
        "results": plan.settings.results,
        "file": planned.file,
        "config_files": [file for file in plan.files if file not in others],
    }


def report_sections(plan: Plan) -> list[dict]:
    """The experiments as the report shows them."""
    return [
        {"id": name, "title": planned.title, "varied": list(planned.varies)}
        for name, planned in plan.experiments.items()
    ]
