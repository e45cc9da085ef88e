"""The set-up as the manifests of the runs tell it: machines, limits, meters, software, data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.figures.notes import host_said
from trialwatt.figures.quantity import column, spread
from trialwatt.provenance.foreign import read_json
from trialwatt.records.manifest import MOST_BYTES, check_shape


def setup(results: Path, runs: pd.DataFrame) -> dict:
    """Facts as texts: `rows` (name, value) for a table, and those that sentences need.

    runs: one row for each repetition. Raises TrialwattError where a manifest cannot be read.
    """
    folders = sorted(runs["folder"])
    manifests = [_manifest(results / folder / "run.json") for folder in folders]
    configs = [each.get("config", {}) for each in manifests]
    hosts = _distinct(host_said(each.get("host") or {}) for each in manifests)
    platforms = sorted({_platform(each) for each in manifests})
    targets = dict(zip(runs["folder"], column(runs, "goal_target"), strict=True))
    facts = {
        "Machine": "; ".join(hosts),
        "Testbed": _joined(each.get("testbed_name") for each in configs),
        "Platform": _joined(_at(each, "testbed", "platform") for each in configs),
        "Physical cores per nominal vCPU": _spread(
            _at(each, "testbed", "cpu_per_vcpu") for each in configs
        ),
        "Limits enforced by": _joined(_at(each, "enforcement", "kind") for each in manifests),
        "Dataset": _joined(map(_trained_on, configs)),
        "Network, training": _training(configs),
        "Search spaces (size)": _spread(runs.get("pS", ())),
        "Workers": _spread(runs.get("wn", ())),
        "vCPU per worker": _spread(runs.get("wcpu", ())),
        "Memory per worker (MB)": _spread(runs.get("wmem_mb", ())),
        "Accelerators": _joined(runs.get("accelerator", ())),
        "Samplers": _joined(runs.get("sampler", ())),
        "Pruners": _joined(runs.get("pruner", ())),
        "Goal (validation)": _goal(targets, dict(zip(folders, configs, strict=True))),
        "Energy meter": f"{_joined(runs.get('energy_meter', ()))}; domains "
        f"{_joined(runs.get('energy_domains', ()))}; {_joined(runs.get('energy_method', ()))}",
        "Sampling (Hz)": _spread(runs.get("sample_hz", ())),
        "Idle power (W)": _idle(manifests),
        "Carbon": f"{_joined(runs.get('region', ()))}, {_spread(runs.get('carbon_year', ()))}: "
        f"{_spread(runs.get('cint_g_per_kwh', ()))} gCO₂eq/kWh; PUE {_spread(runs.get('pue', ()))}",
        "Prices": f"{_joined(runs.get('currency', ()))}, "
        f"{_joined(_at(each, 'testbed', 'prices') for each in configs)}, table of "
        f"{_joined(runs.get('price_date', ()))}",
        "Software": _packages(manifests),
        "Seed": _joined(each.get("seed") for each in configs),
        "Code": _code(manifests),
    }
    return {
        "rows": [[name, value] for name, value in facts.items()],
        "machine": facts["Machine"],
        "platforms": f"{len(platforms)}",
        "one_platform": len(platforms) == 1,
        "dataset": facts["Dataset"],
        "sources": _sources(manifests),
        "not_metered": _not_metered(manifests),
    }


def _manifest(file: Path) -> dict:
    try:
        content = read_json(file, MOST_BYTES)
        if not isinstance(content, dict):
            raise TrialwattError("not a manifest")
        check_shape(content, file)
    except TrialwattError as error:
        raise TrialwattError(
            f"{file}: missing or damaged, and the paper's set-up is told by the manifests of all "
            f"runs ({error})"
        ) from error
    return content


def _at(content: Mapping, *keys: str) -> Any:
    """A value deep inside; None where it is not there."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _distinct(values: Iterable[object]) -> list[str]:
    return sorted({str(value) for value in values if value is not None and str(value)})


def _trained_on(config: Mapping) -> object:
    function = _at(config, "workload", "trial", "name")
    return f"that of {function}" if function else _at(config, "workload", "dataset")


def _training(configs: Sequence[Mapping]) -> str:
    """Networks and their training; of functions, their source."""
    images = [each for each in configs if not _at(each, "workload", "trial")]
    sources = [_at(each, "workload", "trial") for each in configs if each not in images]
    said = sorted({f"{one['name']} (SHA-256 {one['sha256'][:10]}…)" for one in sources})
    if images:
        network, algorithm, batch = (
            [_at(each, "workload", key) for each in images]
            for key in ("model", "algorithm", "batch")
        )
        said.insert(0, f"{_joined(network)}; {_joined(algorithm)}, batch {_spread(batch)}")
    return (
        f"{'; '.join(said)}, epochs {_spread(_at(each, 'workload', 'epochs') for each in configs)}"
    )


def _joined(values: Iterable[object]) -> str:
    return ", ".join(_distinct(v for v in values if not _missing(v))) or "not recorded"


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and pd.isna(value)) or value is pd.NA


def _spread(values: Iterable[object]) -> str:
    numbers = sorted(
        {round(float(v), 6) for v in values if not _missing(v) and not isinstance(v, str)}
    )
    if 1 < len(numbers) <= 6:
        return ", ".join(f"{number:g}" for number in numbers)
    said = spread(numbers)
    return "not recorded" if said == "?" else said


def _platform(manifest: Mapping) -> str:
    """The same host and the same way to run workers there is one platform (docs/analysis.md)."""
    return f"{_at(manifest, 'host', 'name_hash')} {_at(manifest, 'config', 'testbed', 'platform')}"


def _goal(targets: Mapping[str, float], configs: Mapping[str, Mapping]) -> str:
    """Each score with the targets of its runs; both by the folder of a run."""
    found: dict[tuple[object, str], list[float]] = {}
    for folder, config in configs.items():
        score = _at(config, "workload", "goal", "score")
        less = _at(config, "workload", "goal", "direction") == "minimize"
        known = found.setdefault((score, "≤" if less else "≥"), [])
        known += [] if _missing(targets[folder]) else [round(targets[folder], 4)]
    said = (
        f"{score} {way} {_spread(known)}" if known else f"{score}, no target"
        for (score, way), known in found.items()
        if score
    )
    return "; ".join(sorted(said)) or "not recorded"


def _idle(manifests: Iterable[Mapping]) -> str:
    found = _distinct(
        ", ".join(f"{domain} {watts:.3g}" for domain, watts in sorted(own.items()))
        + (" (by definition of the model)" if _at(each, "idle", "by") == "definition" else "")
        for each in manifests
        if isinstance(own := _at(each, "idle", "watts"), Mapping)
    )
    if len(found) > 3:
        return f"{found[0]} to {found[-1]}"
    return "; ".join(found) or "not recorded"


def _packages(manifests: Iterable[Mapping]) -> str:
    found: dict[str, set[str]] = {}
    for each in manifests:
        known = (_at(each, "coordinator", "packages") or {}) | (each.get("packages") or {})
        for name, version in known.items():
            if version:
                found.setdefault(name, set()).add(str(version))
    return ", ".join(f"{name} {'/'.join(sorted(found[name]))}" for name in sorted(found))


def _code(manifests: Iterable[Mapping]) -> str:
    return "; ".join(
        _distinct(
            f"{(_at(each, 'code', 'commit') or 'unknown commit')[:10]}"
            + (" with local changes" if _at(each, "code", "dirty") else "")
            for each in manifests
        )
    )


def _sources(manifests: Iterable[Mapping]) -> list[str]:
    """What the headline meters say of themselves: for a model, its coefficients and source."""
    said = _distinct(
        f"{name}: {reason.removeprefix('modelled, not measured: ')}."
        for each in manifests
        if (name := each.get("headline_meter")) and (reason := _at(each, "meters", name, "reason"))
    )
    return said


def _not_metered(manifests: Iterable[Mapping]) -> list[str]:
    """Meters that the testbed names and that did not work, with the reason."""
    return _distinct(
        f"{name}: {meter['reason'].split(': a virtual')[0]}."
        for each in manifests
        for name, meter in (each.get("meters") or {}).items()
        if not meter.get("available") and meter.get("reason")
    )
