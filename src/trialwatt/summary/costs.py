"""What an experiment says of the cost of frameworks, in sentences computed from their laws."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from trialwatt.analysis.framework_cost import JOBS, SHARE, TRIAL, Estimate, Law, in_job
from trialwatt.figures import quantity
from trialwatt.figures.cost_table import laws_in_order, length, scale_of
from trialwatt.figures.suts import in_order
from trialwatt.summary.findings import compares, listed, nothing_compared


def findings(runs: pd.DataFrame) -> list[str]:
    """A sentence for each SUT, "who: what"; none of fewer blocks than a comparison needs."""
    laws = _told(runs)
    return [_sentence(found) for found in laws.values()]


def answer(runs: pd.DataFrame) -> str:
    """From which length of a trial on each SUT costs little, without a full stop."""
    laws = [found[0] for found in _told(runs).values()]
    if not laws:
        return nothing_compared(min((law.blocks for law in laws_in_order(runs)), default=0))
    return "; ".join(
        _from(
            law.break_even[TRIAL],
            f"what {law.sut} adds to a trial is below {100 * SHARE:g} % of the trial's "
            f"{_called(law)}",
        )
        for law in laws
    )


def _told(runs: pd.DataFrame) -> dict[str, list[Law]]:
    """SUT → its laws, of those that are told."""
    told = [law for law in laws_in_order(runs) if law.compared] if compares(runs) else []
    return {
        sut: [law for law in told if law.sut == sut] for sut in in_order(law.sut for law in told)
    }


def _sentence(laws: Sequence[Law]) -> str:
    """Of one SUT: its terms, and the length of trials from which on its energy is small."""
    added, unsure = [], []
    for name, what in (("job", "a job"), ("trial", "each trial"), ("report", "each report")):
        known = [law for law in laws if name in law.terms]
        clear = [law for law in known if law.terms[name].is_told_apart]
        if clear:
            added.append(f"{listed([_amount(law, name) for law in clear])} to {what}")
        if dim := [_called(law) for law in known if law not in clear]:
            unsure.append(f"{listed(dim)} of {what}")
    said = [f"it adds {listed(added)}"] if added else []
    if unsure:
        said.append(f"what it adds to the {listed(unsure)} is not told apart from nothing")
    first = laws[0]
    share = f"below {100 * SHARE:g} % of the {_called(first)} of a trial"
    ends = [_from(first.break_even[TRIAL], f"its part of a trial is {share}")]
    ends += [_from(first.break_even[in_job(n)], f"in a job of {n} trials") for n in JOBS]
    return (
        f"{first.sut}: beside {first.control} {', and '.join(said)}; {', '.join(ends)} "
        f"(n = {first.blocks} blocks)."
    )


def _called(law: Law) -> str:
    return law.quantity.name


def _amount(law: Law, name: str) -> str:
    scale = scale_of(law)
    modelled = law.quantity.name == "energy" and quantity.is_modelled(law.runs["energy_method"])
    number = quantity.number(law.terms[name].value * scale.factor).replace("-", "−")
    return f"{number} {scale.unit}{' (modelled)' if modelled else ''}"


def _from(even: Estimate, what: str) -> str:
    """With the end of the interval up to which it may be so."""
    ends = [length(value) for value in even]
    value, _, high = [f"{end} s" if end[0].isdigit() else end for end in ends]
    if value == "never" or high == "never":
        return f"{what} at no length for certain" if value != "never" else f"{what} at no length"
    if high == "any":
        return f"{what} at any length"
    return f"{what} where a trial lasts {value} (95 %: at most {high}) or longer"
