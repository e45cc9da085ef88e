"""Which domains make up the headline: one meter for the machine, one for its accelerators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trialwatt.meters.base import Domain, MeterError


def headline_domains(
    meters: Mapping[str, Sequence[Domain]], accelerators: bool
) -> dict[str, list[str]]:
    """Meter → the domains of it that are added up; no part of the machine is counted twice.

    Definition: docs/methodology, rule 3.

    meters: the available ones, in the testbed's order. The first that measures processors gives
    processors and memory; with `accelerators` (the run's workers hold some), the first that
    measures accelerators gives those. Raises MeterError where no meter measures processors: the
    figures would leave most of a job out.
    """
    machine = _first(meters, lambda domain: domain.resource == "cpu")
    if machine is None:
        raise MeterError(
            f"meters: {', '.join(meters)} measure no processors, and a job's energy without them "
            "would be wrong. Add `model` to the testbed's meters for modelled energy."
        )
    parts = [(machine, ("cpu", "memory"))]
    boards = _first(meters, lambda domain: domain.resource == "accelerator")
    if accelerators and boards is not None:
        parts.append((boards, ("accelerator",)))
    chosen: dict[str, list[str]] = {}
    for meter, resources in parts:
        names = [d.name for d in meters[meter] if d.counts and d.resource in resources]
        chosen.setdefault(meter, []).extend(names)
    names = [name for part in chosen.values() for name in part]
    if len(set(names)) < len(names):
        raise MeterError(
            f"meters: {' and '.join(chosen)} have domains of the same name "
            f"({', '.join(sorted({n for n in names if names.count(n) > 1}))}); rename the query"
        )
    return chosen


def _first(meters: Mapping[str, Sequence[Domain]], wanted) -> str | None:
    return next(
        (name for name, domains in meters.items() if any(d.counts and wanted(d) for d in domains)),
        None,
    )
