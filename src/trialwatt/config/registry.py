"""The parts that other packages may add to: SUTs, platforms and meters, found by entry point."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points


class Registry:
    """The entry points of one group (`trialwatt.suts`, ...), loaded when they are first asked for.

    Their modules must import a framework inside functions only: planning never pays for it.
    """

    def __init__(self, group: str):
        self._points: dict[str, EntryPoint] = {
            point.name: point for point in entry_points(group=group)
        }
        self._loaded: dict[str, tuple[type | None, str]] = {}

    @property
    def names(self) -> list[str]:
        return sorted(self._points)

    def load(self, name: str) -> tuple[type | None, str]:
        """The class, or None and why its module cannot be loaded. Raises KeyError if unknown."""
        if name not in self._loaded:
            point = self._points[name]
            try:
                self._loaded[name] = (point.load(), "")
            except (ImportError, AttributeError) as error:
                self._loaded[name] = (None, f"{point.value} cannot be loaded: {error}")
        return self._loaded[name]
