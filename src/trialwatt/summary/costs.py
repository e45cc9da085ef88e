"""What an experiment says of the cost of frameworks, in sentences computed from their laws."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from trialwatt.analysis.framework_cost import JOBS, SHARE, TRIAL, Estimate, Law, in_job
from trialwatt.analysis.paired import fewest_blocks
from trialwatt.figures import quantity
from trialwatt.figures.cost_table import laws_in_order, length, scale_of
from trialwatt.figures.notes import caveat
from trialwatt.figures.suts import in_order
from trialwatt.summary.findings import listed, nothing_compared


def findings(runs: pd.DataFrame) -> list[str]:
    """A sentence for each SUT, "who: what"; of fewer blocks than a comparison needs, that."""
    if runs.empty:
        return []
    flagged = [caveat(runs)] if caveat(runs) else []
    found = laws_in_order(runs)
    told = [law for law in found if law.compared]
    if not told:
        blocks = min((law.blocks for law in found), default=fewest_blocks(runs))
        return [*flagged, nothing_compared(blocks)]
    suts = in_order(law.sut for law in told)
    return [*flagged, *(_sentence([law for law in told if law.sut == sut]) for sut in suts)]


def _sentence(laws: Sequence[Law]) -> str:
    """Of one SUT: its terms, and the length of trials from which on its energy is small."""
    terms = [
        f"{listed([_amount(law, name) for law in laws if name in law.terms])} to {what}"
        for name, what in (("job", "a job"), ("trial", "each trial"), ("report", "each report"))
        if any(name in law.terms for law in laws)
    ]
    first, share = laws[0], f"{100 * SHARE:g} %"
    what = "energy" if first.quantity.name == "energy" else first.quantity.name
    ends = [_from(first.break_even[TRIAL], f"its part of a trial is below {share} of the {what}")]
    ends += [_from(first.break_even[in_job(n)], f"in a job of {n} trials") for n in JOBS]
    return (
        f"{first.sut}: beside {first.control} it adds {listed(terms)}; {', '.join(ends)} "
        f"(n = {first.blocks} blocks)."
    )


def _amount(law: Law, name: str) -> str:
    scale = scale_of(law)
    modelled = law.quantity.name == "energy" and quantity.is_modelled(law.runs["energy_method"])
    said = f"{quantity.number(law.terms[name].value * scale.factor)} {scale.unit}"
    return f"{said} (modelled)" if modelled else said


def _from(even: Estimate, what: str) -> str:
    said = length(even.value)
    if said == "never":
        return f"{what} never"
    if said == "any":
        return f"{what} whatever the trial lasts"
    return f"{what} where a trial lasts {said} s ({length(even.low)}–{length(even.high)}) or longer"
