"""The plan of configuration files that are merged as Snakemake merges them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trialwatt.config.loading import Problems
from trialwatt.config.plan import Plan
from trialwatt.config.planner import load_plan
from trialwatt.config.settings import DEFAULT_FILE, merge
from trialwatt.errors import ConfigError


def plan_of_files(configfiles: Iterable[Path], root: Path | None = None) -> Plan:
    """The plan of config/config.yaml with `configfiles` merged over it.

    What `snakemake --configfile` would plan. Raises ConfigError with every problem.
    """
    root = root or Path.cwd()
    files = [root / DEFAULT_FILE, *configfiles]
    problems = Problems()
    merged = merge(files, root, problems)
    if any(not problem.key for problem in problems):  # a file is missing or no YAML at all
        raise ConfigError(list(problems))
    return load_plan(merged, root=root, files=files)


def experiments_among(targets: Iterable[str], root: Path | None = None) -> list[str]:
    """The experiments that a workflow's targets name: r_mem is config/experiments/r-mem.yaml."""
    folder = (root or Path.cwd()) / "config" / "experiments"
    there = {file.stem.replace("-", "_"): file.stem for file in sorted(folder.glob("*.yaml"))}
    return [name for target, name in there.items() if target in set(targets)]
