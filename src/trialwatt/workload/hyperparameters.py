"""The values that a trial is made of: φ and the workload's fixed ones, each one that can be."""

from __future__ import annotations

from trialwatt.config.catalogue import ALGORITHMS, MODELS
from trialwatt.config.identity import canonical_phi
from trialwatt.config.models import Workload
from trialwatt.config.space import Phi


def hyperparameters(workload: Workload, phi: Phi) -> Phi:
    """φ completed by `workload.fixed`.

    Raises ValueError where the network or the algorithm would miss a value, or could not take
    it, or where nothing reads it: a SUT's φ is checked here whatever its framework did to it.
    """
    values = canonical_phi({**workload.fixed, **phi})
    needed = {**MODELS[workload.model], **ALGORITHMS[workload.algorithm]}
    for name in values.keys() - needed.keys():
        raise ValueError(f"{name}: neither {workload.model} nor {workload.algorithm} reads it")
    for name, rule in needed.items():
        if name not in values:
            raise ValueError(f"{name} ({rule.meaning}) is missing: {values}")
        if not rule.allows(values[name]):
            raise ValueError(f"{name} ({rule.meaning}): must be {rule.rule} (got {values[name]!r})")
    return values
