"""Where roles run: a platform starts them in their limits, tells how they end, removes them."""

from __future__ import annotations

from importlib.metadata import entry_points

GROUP = "trialwatt.platforms"
"""Entry points of the platforms; another package adds one by registering there."""


def get(name: str):
    """The class of a registered platform: a Platform and PlatformKind of platforms.base."""
    return entry_points(group=GROUP)[name].load()
