"""Braces in a path: the workflow's files are named by patterns, in which {name} is a wildcard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from trialwatt.config.loading import Problems
from trialwatt.errors import Problem


def pattern_problem(path: str | Path) -> str:
    """Why the workflow cannot have this path among its files; empty if it can.

    A folder of raw data may have such a name: it is a parameter, and these are taken as they are.
    """
    if re.search("[{}]", str(path)) is None:
        return ""
    return f'"{path}": Snakemake takes the braces in it for a pattern: give it another name'


def check_places(places: Iterable[str | Path], problems: Problems) -> None:
    """Whether the folders of project and workflow, and the settings' files, are no patterns."""
    for place in dict.fromkeys(places):
        if message := pattern_problem(place):
            problems.add(Problem("", "", message))
