"""An account of energy → the result that the user gets: carbon, cost and waste of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from trialwatt.measure.account import Account, Span
from trialwatt.measure.places import Place
from trialwatt.measure.result import Result, TrialResult
from trialwatt.measure.settings import Settings, as_dict
from trialwatt.measure.sources import Source
from trialwatt.metrics.formulas import (
    FAILED,
    J_PER_KWH,
    MB_PER_GB,
    PRUNED,
    carbon_g,
    cost,
    waste_classes,
)

if TYPE_CHECKING:
    from trialwatt.measure.session import Trial

RUNNING = "running"


def result_of(
    found: Account,
    trials: Sequence[Trial],
    spans: Sequence[Span],
    window_ns: tuple[int, int],
    settings: Settings,
    sources: Sequence[Source],
    cores: float,
    memory_gb: float,
    said: Sequence[str],
    place: Place,
) -> Result:
    """cores, memory_gb: what is charged for. said: notes from before the account."""
    region, pue = settings.carbon, settings.testbed.pue
    energy_j = found.trial_static_j + found.trial_dynamic_j
    outcomes = [(trial.outcome if trial.ended else None) or RUNNING for trial in trials]
    waste = _waste(trials, spans, outcomes)
    domains = [domain for source in sources for domain in source.domains]
    boards = [domain.name for domain in domains if domain.resource == "accelerator"]
    devices = len(boards)
    notes = [*said, *found.notes]
    if boards:
        notes.append(f"{', '.join(boards)}: counted whole, whoever used it")
    if devices and settings.accelerator_price is None:
        notes.append("no price of the accelerators (`accelerator=`): they are not in the cost")

    def priced(seconds: float) -> float:
        return float(
            cost(
                cores,
                memory_gb * MB_PER_GB,
                seconds * 1e9,
                settings.prices.per_vcpu_h,
                settings.prices.per_gb_h,
                devices * seconds * 1e9,
                settings.accelerator_price or 0.0,
            )
        )

    def grams(joules: float) -> float:
        return carbon_g(joules / J_PER_KWH, region.intensity_g_per_kwh, pue)

    seconds = (window_ns[1] - window_ns[0]) / 1e9
    results = tuple(
        TrialResult(
            number=number,
            phi=trial.phi,
            start_s=(span.start_ns - window_ns[0]) / 1e9,
            end_s=(span.end_ns - window_ns[0]) / 1e9,
            outcome=outcomes[number],
            waste=waste[number],
            score=trial.score,
            energy_j=float(energy_j[number]),
            static_j=float(found.trial_static_j[number]),
            cpu_s=float(found.trial_cpu_s[number]),
            carbon_g=grams(float(energy_j[number])),
            cost=priced(float(found.held_s[number])),
            until_j=float(found.until_j[number]),
            place=str(trial.place),
        )
        for number, (trial, span) in enumerate(zip(trials, spans, strict=True))
    )
    return Result(
        seconds=seconds,
        energy_j=found.job_j,
        idle_j=found.job_j - float(energy_j.sum()),
        wasted_j=sum(trial.energy_j for trial in results if trial.waste),
        other_j=found.machine_j - found.job_j,
        carbon_g=grams(found.job_j),
        cost=priced(seconds),
        currency=settings.prices.currency,
        cpu_s=found.cpu_s,
        method="+".join(dict.fromkeys(domain.method for domain in domains)),
        meters="+".join(source.name for source in sources),
        domains=tuple(domain.name for domain in domains),
        samples=found.samples,
        gap_share=found.gap_share,
        foreign_share=found.foreign_share,
        cores=cores,
        memory_gb=memory_gb,
        region=settings.testbed.region,
        intensity_g_per_kwh=region.intensity_g_per_kwh,
        pue=pue,
        sources={
            "carbon": as_dict(region),
            "prices": as_dict(settings.prices),
            "power": {source.name: source.meter.parameters for source in sources},
        },
        notes=tuple(notes),
        place=str(place),
        trials=results,
    )


def _waste(trials: Sequence[Trial], spans: Sequence[Span], outcomes: Sequence[str]) -> list[str]:
    """A trial without φ is a duplicate of none; one that runs is no waste yet."""
    texts = [
        f"trial {number}"
        if trial.phi is None
        else json.dumps(trial.phi, sort_keys=True, default=repr)
        for number, trial in enumerate(trials)
    ]
    _, phi = np.unique(np.array(texts, str), return_inverse=True)
    failed = np.array([outcome == FAILED for outcome in outcomes], bool)
    pruned = np.array([outcome in (PRUNED, RUNNING) for outcome in outcomes], bool)
    starts = np.array([span.start_ns for span in spans], np.int64)
    found = waste_classes(starts, phi, failed, pruned).tolist()
    return ["" if done == RUNNING else each for done, each in zip(outcomes, found, strict=True)]
