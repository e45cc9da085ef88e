"""The parts that other packages may add to: SUTs, platforms and meters, found by entry point."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any


class Registry:
    """The entry points of one group (`trialwatt.suts`, ...), loaded when they are first asked for.

    Their modules must import a framework inside functions only: planning never pays for it.
    """

    def __init__(self, group: str):
        self._points: dict[str, EntryPoint] = {
            point.name: point for point in entry_points(group=group)
        }
        self._loaded: dict[str, tuple[Any, str]] = {}

    @property
    def names(self) -> list[str]:
        return sorted(self._points)

    def load(self, name: str) -> tuple[Any, str]:
        """The class, or None and why its module cannot be loaded. Raises KeyError if unknown."""
        if name not in self._loaded:
            point = self._points[name]
            try:
                self._loaded[name] = (point.load(), "")
            except (ImportError, AttributeError) as error:
                self._loaded[name] = (None, f"{point.value} cannot be loaded: {error}")
        return self._loaded[name]


def options() -> Registry:
    """The sections of a testbed that parts bring along: key → subclass of config.models.Options."""
    return _options(tuple(sys.path))


@cache
def _options(path: tuple[str, ...]) -> Registry:
    return Registry("trialwatt.options")
