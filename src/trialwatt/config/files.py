"""The plan of configuration files that are merged as Snakemake merges them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from trialwatt.config.loading import Problems
from trialwatt.config.plan import Plan
from trialwatt.config.planner import load_plan
from trialwatt.config.settings import COMMAND_LINE, DEFAULT_FILE, merge
from trialwatt.errors import ConfigError, Problem


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
    """The experiments that a workflow's targets name: r_mem is config/experiments/r-mem.yaml.

    Raises ConfigError for what was meant to be one: r-mem, r_mme.
    """
    folder = (root or Path.cwd()) / "config" / "experiments"
    there = {rule_of(file.stem): file.stem for file in sorted(folder.glob("*.yaml"))}
    targets = set(targets)
    meant = {target: _meant(target, there) for target in sorted(targets - there.keys())}
    if problems := [
        Problem(COMMAND_LINE, target, f"no such target; did you mean {target_meant}?")
        for target, target_meant in meant.items()
        if target_meant
    ]:
        raise ConfigError(problems)
    return [name for target, name in there.items() if target in targets]


def rule_of(experiment: str) -> str:
    """The name of an experiment's rule, which makes all that is made of it."""
    return experiment.replace("-", "_")


def _meant(target: str, there: Mapping[str, str]) -> str:
    """The rule of an experiment that is nearly called so; of a rule of another kind, empty."""
    if target in there.values():
        return rule_of(target)
    if not re.fullmatch("[a-z]+(_[a-z0-9]+)+", target):
        return ""
    return next(iter(difflib.get_close_matches(target, there, 1, cutoff=0.8)), "")


WITHOUT_A_PLATFORM = {"image", "undeploy", "--lint"}


def asks_platform(arguments: Iterable[str]) -> bool:
    """Whether a call of the workflow depends on what the testbed's platform can do.

    Building the worker image, undeploying and linting do not: they must work where the platform
    cannot be used yet, or any more.
    """
    return WITHOUT_A_PLATFORM.isdisjoint(arguments)
