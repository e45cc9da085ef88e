"""A light archive: without what can be made again of the rest, and of which nothing is made."""

from __future__ import annotations

import re
from pathlib import Path

from trialwatt.provenance import crate

_MADE_AGAIN = ("results/figures/", "results/report.html")
_USED_BY_NOTHING = re.compile(r"results/(runs|warm-ups)/(.+/logs/.+|.+\.safetensors)")
"""Logs of the components, and the weights of the best models."""


def left_out(name: str) -> bool:
    """Whether a light archive leaves this file out; name: as the archive calls it."""
    return name.startswith(_MADE_AGAIN) or bool(_USED_BY_NOTHING.fullmatch(name))


def is_light(results: Path) -> bool:
    """Whether this results folder is that of an unpacked light archive."""
    return (results.parent / crate.NAME).is_file() and not (results / "figures").exists()
