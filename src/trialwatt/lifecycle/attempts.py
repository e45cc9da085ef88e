"""A run that fails for another reason than its treatment is tried once more, then it is a hole.

A hole is a repetition's folder with status failed: the workflow goes on, tables and figures show
it, and the workflow's exit code is not 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trialwatt.config.models import RunConfig
from trialwatt.lifecycle.crew import RunFailed
from trialwatt.lifecycle.execute import execute


def attempt(
    config: RunConfig, repetition: int, data: str, testbed_facts: str, results: str
) -> Path:
    """Run one repetition, twice if need be; returns its folder, as `execute` does."""
    try:
        return execute(config, repetition, data, testbed_facts, results)
    except RunFailed as error:
        print(f"failed: {error}; it is tried once more", file=sys.stderr, flush=True)
    return execute(config, repetition, data, testbed_facts, results, failure_is_result=True)
