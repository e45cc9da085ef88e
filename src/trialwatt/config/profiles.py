"""Which testbed a Snakemake profile takes by itself: k8s runs on a cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trialwatt.config.yaml_files import read_yaml

TESTBEDS = {"k8s": "k8s-local"}
"""Profile → the testbed that it takes where the settings name none of the same platform."""
KEY = "testbed"


def testbed_of_profile(
    config: Mapping[str, Any], arguments: Sequence[str], root: Path | None = None
) -> dict[str, str]:
    """What the profile of a workflow's call adds to its settings: its testbed, or nothing.

    A testbed of the profile's platform that a settings file names is left as it is, so that
    `--configfile mine.yaml` can choose another cluster; so is every testbed that `--config` names.
    One of another platform (that of config/config.yaml, or of config/quick.yaml) is replaced: the
    same experiments then run on the cluster.
    """
    root = root or Path.cwd()
    for profile in _profiles(arguments):
        if profile not in TESTBEDS or _on_the_command_line(arguments):
            continue
        testbed = TESTBEDS[profile]
        if _platform(root, config.get(KEY)) != _platform(root, testbed):
            return {KEY: testbed}
    return {}


def _platform(root: Path, testbed: object) -> object:
    """What its file names; None where there is no such file."""
    file = f"config/testbeds/{testbed}.yaml"
    data, _ = read_yaml(root / file, file)
    return None if data is None else data.get("platform", "local")


def _profiles(arguments: Sequence[str]) -> list[str]:
    """Names of the profiles that Snakemake was called with; the last one counts most."""
    given: list[str] = []
    for place, argument in enumerate(arguments):
        option, is_joined, value = argument.partition("=")
        if option == "--profile":
            given.append(value if is_joined else "".join(arguments[place + 1 : place + 2]))
    given = given or [os.environ.get("SNAKEMAKE_PROFILE", "")]
    return [_name(Path(one)) for one in reversed(given)]


def _name(profile: Path) -> str:
    """A profile is named by its folder, whichever way it is given."""
    return profile.parent.name if profile.suffix == ".yaml" else profile.name


def _on_the_command_line(arguments: Sequence[str]) -> bool:
    return any(argument.startswith(f"{KEY}=") for argument in arguments)
