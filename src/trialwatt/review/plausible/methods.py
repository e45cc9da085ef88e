"""What each meter can measure, and which of its domains make up the headline."""

from __future__ import annotations

from collections.abc import Iterator

from trialwatt.meters.base import Domain, MeterError
from trialwatt.meters.headline import headline_domains
from trialwatt.meters.methods import kind_of, method_of
from trialwatt.printed import shown
from trialwatt.review.plausible.run import LETTERS, Fault, Run, key_fault


def faults(run: Run) -> Iterator[Fault]:
    """Methods that a meter cannot have, and a headline that is not what the meters give."""
    testbed = run.manifest["config"]["testbed"]
    for meter, facts in sorted((run.manifest.get("meters") or {}).items()):
        kind = kind_of(meter)
        if kind is None:
            continue  # of another package: nothing is known of it here
        for number, domain in enumerate(facts.get("domains") or []):
            where = f"meters.{meter}.domains.{number}"
            possible = kind.methods.get(domain["unit"])
            method, stated = method_of(meter, domain, testbed), domain["method"]
            if possible is None:
                units = " and ".join(kind.methods)
                yield key_fault(
                    f"{where}.unit is {domain['unit']}, but a meter {meter} gives {units}"
                )
            elif (method and stated != method) or stated not in possible:
                can = method or ", ".join(possible)
                yield key_fault(
                    f"{where}.method is {shown(stated, LETTERS)}, but what {meter} gives for "
                    f"{shown(domain['name'], LETTERS)} can only be {can}"
                )
    yield from _headline(run)


def _headline(run: Run) -> Iterator[Fault]:
    named = run.manifest.get("headline_domains")
    if not named:
        return
    given = {
        meter: [_domain(each) for each in run.meters[meter].get("domains") or []]
        for meter in run.config.testbed.meters
        if meter in run.meters
    }
    try:
        chosen = headline_domains(given, run.config.workload.workers.accelerator != "cpu")
    except MeterError as error:
        yield key_fault(f"meters: {shown(error)}")
        return
    if named != chosen:
        yield key_fault(
            f"headline_domains is {shown(named, LETTERS)}, but of these meters a run adds up "
            f"{shown(chosen, LETTERS)}"
        )
    elif run.manifest.get("headline_meter") != "+".join(chosen):
        yield key_fault(f"headline_meter is not {'+'.join(chosen)}, whose domains are added up")


def _domain(given: dict) -> Domain:
    return Domain(
        name=given["name"],
        resource=given["resource"],
        unit=given["unit"],
        method=given["method"],
        wraps_at=given.get("wraps_at"),
        counts=given.get("counts", True),
    )
