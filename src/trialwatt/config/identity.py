"""A run's identity: the hash and the readable label of its resolved configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwatt.config.factors import FACTORS
from trialwatt.config.models import (
    TESTBED_KEYS_OF_METRICS,
    TESTBED_KEYS_OF_WAITING,
    RunConfig,
    access_keys,
)
from trialwatt.config.space import Phi


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def run_hash(run: RunConfig) -> str:
    """Ten hex digits of the SHA-256 of all that can change what the run does."""
    return hash_of(run.model_dump(mode="json"))


def hash_of(config: Mapping[str, Any]) -> str:
    """The run_hash of a configuration as it stands in a record: keys that were added since, with
    their defaults, must not change it."""
    testbed = config.get("testbed") or {}
    no_part = TESTBED_KEYS_OF_METRICS | TESTBED_KEYS_OF_WAITING
    kept = {key: value for key, value in testbed.items() if key not in no_part}
    for section, access in access_keys(kept).items():
        if isinstance(options := kept[section], Mapping):
            kept[section] = {key: value for key, value in options.items() if key not in access}
    return hashlib.sha256(canonical_json({**config, "testbed": kept}).encode()).hexdigest()[:10]


def in_common(configs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The keys, with their values, that all of these have with the same value in a hash."""
    texts = [{key: canonical_json(value) for key, value in one.items()} for one in configs]
    first = texts[0] if texts else {}
    same = [key for key, text in first.items() if all(one.get(key) == text for one in texts)]
    return {key: configs[0][key] for key in same}


def run_label(run: RunConfig) -> str:
    """What a person wants to see in a folder's name; the hash makes it unique."""
    load, workers = run.workload, run.workload.workers
    parts = [load.trial.label] if load.trial else [load.dataset, load.model]
    parts.append(load.search.sampler)
    if load.search.prunes:
        parts.append(load.search.pruner)
    parts += [f"{workers.count}x{workers.cpu:g}cpu", f"{workers.memory_mb}mb"]
    if workers.accelerator != "cpu":
        parts.append(workers.accelerator)
    for factor in FACTORS.values():
        if factor.unnamed and (value := factor.of(load)) not in (None, *factor.unnamed):
            parts.append(value if isinstance(value, str) else f"{factor.column}{value}")
    return "-".join(parts)


def run_folder(run: RunConfig) -> str:
    """Folder of a run's repetitions, relative to the results folder."""
    return f"runs/{run.testbed_name}/{run.sut}-{run_label(run)}-{run_hash(run)}"


def run_text(run: RunConfig) -> str:
    """A run as text for its rule, without what may change and redoes no run (the image, say)."""
    access = access_keys(run.testbed.sections)
    sections = {key: dict.fromkeys(keys, True) for key, keys in access.items()}
    left_out = sections | dict.fromkeys(TESTBED_KEYS_OF_WAITING, True)
    return run.model_dump_json(exclude={"testbed": left_out})


def run_of(text: str, testbed_record: Path) -> RunConfig:
    """The run that `run_text` wrote, with what it left out from the record of the testbed."""
    run = json.loads(text)
    known = json.loads(testbed_record.read_text(encoding="utf-8"))["testbed"]
    run["testbed"] |= {key: known[key] for key in TESTBED_KEYS_OF_WAITING & known.keys()}
    for section, access in access_keys(run["testbed"]).items():
        reached = known[section]
        run["testbed"][section] |= {key: reached[key] for key in access & reached.keys()}
    return RunConfig.model_validate(run)


def repetition_seed(seed: int, repetition: int) -> int:
    """63 bits for one repetition, the same for every SUT and treatment: comparisons are paired."""
    return _derived(["repetition", seed, repetition]) >> 1


def canonical_phi(phi: Phi) -> Phi:
    """φ with plain values, whichever library made it: numpy scalars and 32.0 become 32."""
    return {name: _plain(value) for name, value in phi.items()}


def trial_seed(run_seed: int, phi: Phi) -> int:
    """32 bits for one trial, from the repetition's seed and φ alone.

    Neither the SUT, nor the trial's number, nor its worker has a part in it: the same φ of a
    repetition starts from the same weights and sees the same batches under every SUT and every
    number of workers. What then differs between two SUTs is what they cost and which φ they
    choose, not the luck of a training. A duplicate φ repeats the same training exactly, which is
    why it counts as waste.
    """
    return _derived(["trial", run_seed, canonical_phi(phi)]) >> 32


def _derived(value: Any) -> int:
    """64 bits of SHA-256: independent seeds that do not depend on Python or the machine."""
    return int.from_bytes(hashlib.sha256(canonical_json(value).encode()).digest()[:8])


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
