"""What the method fixes: the numbers of its rules, taken from the code that keeps them."""

from __future__ import annotations

from trialwatt.analysis import convergence, evidence, hypotheses, intervals
from trialwatt.metrics import energy


def constants() -> dict[str, str]:
    """Name → number as text, in the unit that its name tells (none: a count, or a ratio)."""
    return {
        "tolerance_percent": f"{100 * convergence.TOLERANCE:g}",
        "patience": f"{convergence.PATIENCE}",
        "repetitions": f"{convergence.REPETITIONS}",
        "most_repetitions": f"{convergence.MOST_REPETITIONS}",
        "enough_for_interval": f"{intervals.ENOUGH}",
        "resamples": f"{intervals.RESAMPLES:,}",
        "resamples_of_tests": f"{hypotheses.RESAMPLES:,}",
        "alpha_percent": f"{100 * evidence.ALPHA:g}",
        "strong": f"{evidence.STRONG:g}",
        "few_samples": f"{energy.FEW_SAMPLES}",
        "most_gaps_percent": f"{100 * energy.GAPS_TOO_MANY:g}",
        "interval_percent": "95",
    }


PLACES = {
    "tolerance_percent": "trialwatt.analysis.convergence.TOLERANCE",
    "patience": "trialwatt.analysis.convergence.PATIENCE",
    "repetitions": "trialwatt.analysis.convergence.REPETITIONS",
    "most_repetitions": "trialwatt.analysis.convergence.MOST_REPETITIONS",
    "enough_for_interval": "trialwatt.analysis.intervals.ENOUGH",
    "resamples": "trialwatt.analysis.intervals.RESAMPLES",
    "resamples_of_tests": "trialwatt.analysis.hypotheses.RESAMPLES",
    "alpha_percent": "trialwatt.analysis.evidence.ALPHA",
    "strong": "trialwatt.analysis.evidence.STRONG",
    "few_samples": "trialwatt.metrics.energy.FEW_SAMPLES",
    "most_gaps_percent": "trialwatt.metrics.energy.GAPS_TOO_MANY",
    "interval_percent": "trialwatt.analysis.intervals.summary",
}
"""Name → where in the code it is kept."""
