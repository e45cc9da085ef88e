"""Where each key of a merged configuration was written, so that a message can name the place."""

from __future__ import annotations

from trialwatt.config.keys import Path, dotted
from trialwatt.errors import Problem


class Origins:
    """Maps a path in merged data to the file and key that it came from; the deepest entry wins."""

    def __init__(self, file: str, key: Path = ()):
        self._entries: dict[Path, tuple[str, Path]] = {(): (file, key)}

    def put(self, path: Path, file: str, key: Path | None = None) -> None:
        """From `path` downwards the data came from `key` (default: the same path) of `file`."""
        self._entries = {
            known: origin for known, origin in self._entries.items() if known[: len(path)] != path
        }
        self._entries[path] = (file, path if key is None else key)

    def copy(self) -> Origins:
        other = Origins("")
        other._entries = dict(self._entries)
        return other

    def of(self, path: Path) -> tuple[str, Path]:
        """The file, and the path in it."""
        for length in range(len(path), -1, -1):
            if (entry := self._entries.get(path[:length])) is not None:
                file, key = entry
                return file, (*key, *path[length:])
        raise AssertionError("the root always has an origin")

    def below(self, path: Path) -> list[Path]:
        """The paths at or below `path` that have an origin of their own, the last put first."""
        return [known for known in reversed(self._entries) if known[: len(path)] == path]

    def is_of_others(self, *path: str) -> bool:
        """Whether the default file says this setting of its own experiments, and another file names
        other ones."""
        default, _ = self.of(())
        return self.of(path)[0] == default != self.of(("experiments",))[0]

    def problem(self, path: Path, message: str) -> Problem:
        file, key = self.of(path)
        return Problem(file, dotted(key), message)
