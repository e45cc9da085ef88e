"""What the method fixes: the numbers of its rules, taken from the code that keeps them."""

from __future__ import annotations

from importlib import import_module

PLACES = {
    "tolerance_percent": "trialwatt.analysis.convergence.TOLERANCE",
    "repetitions": "trialwatt.analysis.convergence.REPETITIONS",
    "coverage_percent": "trialwatt.analysis.convergence.COVERAGE",
    "enough_for_interval": "trialwatt.analysis.intervals.ENOUGH",
    "huber": "trialwatt.analysis.permutation.HUBER",
    "one_sided_percent": "trialwatt.analysis.evidence.ONE_SIDED",
    "resamples_of_tests": "trialwatt.analysis.hypotheses.RESAMPLES",
    "alpha_percent": "trialwatt.analysis.evidence.ALPHA",
    "strong": "trialwatt.analysis.evidence.STRONG",
    "few_samples": "trialwatt.metrics.readings.FEW_SAMPLES",
    "most_gaps_percent": "trialwatt.metrics.readings.GAPS_TOO_MANY",
    "least_idle_percent": "trialwatt.metrics.power_range.LEAST_IDLE",
    "most_idle_percent": "trialwatt.metrics.power_range.MOST_IDLE",
    "most_memory_w": "trialwatt.metrics.power_range.MOST_MEMORY_W",
    "interval_percent": "trialwatt.analysis.intervals.LEVEL",
}
"""Name → where in the code it is kept."""


def constants() -> dict[str, str]:
    """Name → number as text, in the unit that its name tells (none: a count, or a ratio)."""
    return {name: _text(name, place) for name, place in PLACES.items()}


def _text(name: str, place: str) -> str:
    module, _, constant = place.rpartition(".")
    value = getattr(import_module(module), constant)
    if name.endswith("_percent"):
        return f"{100 * value:g}"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
