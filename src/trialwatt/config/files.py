"""The plan of configuration files that are merged as Snakemake merges them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trialwatt.config.loading import Problems
from trialwatt.config.plan import Plan
from trialwatt.config.planner import load_plan
from trialwatt.config.settings import DEFAULT_FILE, merge
from trialwatt.errors import ConfigError


def plan_of_files(
    configfiles: Iterable[Path],
    root: Path | None = None,
    testbed: str | None = None,
    ask_platform: bool = True,
) -> Plan:
    """The plan of config/config.yaml with `configfiles` merged over it.

    What `snakemake --configfile` would plan; `testbed` goes before that of the files. Raises
    ConfigError with every problem.
    """
    root = root or Path.cwd()
    files = [root / DEFAULT_FILE, *configfiles]
    problems = Problems()
    merged = merge(files, root, problems)
    if any(not problem.key for problem in problems):  # a file is missing or no YAML at all
        raise ConfigError(list(problems))
    if testbed is not None:
        merged["testbed"] = testbed
    return load_plan(merged, root=root, files=files, ask_platform=ask_platform)


def experiments_among(targets: Iterable[str], root: Path | None = None) -> list[str]:
    """The experiments that a workflow's targets name: r_mem is config/experiments/r-mem.yaml."""
    folder = (root or Path.cwd()) / "config" / "experiments"
    there = {file.stem.replace("-", "_"): file.stem for file in sorted(folder.glob("*.yaml"))}
    return [name for target, name in there.items() if target in set(targets)]


WITHOUT_A_PLATFORM = {"image", "undeploy", "--lint"}


def asks_platform(arguments: Iterable[str]) -> bool:
    """Whether a call of the workflow depends on what the testbed's platform can do.

    Building the worker image, undeploying and linting do not: they must work where the platform
    cannot be used yet, or any more.
    """
    return WITHOUT_A_PLATFORM.isdisjoint(arguments)
