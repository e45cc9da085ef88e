"""Errors that speak to the user: what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


class TrialwattError(Exception):
    """Base of all errors whose message is meant for the user; ends a command with exit code 1."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the configuration: the file, the key in it, and why."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


class ConfigError(TrialwattError):
    """Everything that is wrong with a configuration, at once; nothing was started."""

    def __init__(self, problems: list[Problem]):
        self.problems = list(problems)
        count = len(self.problems)
        noun = "error" if count == 1 else "errors"
        super().__init__(
            "\n".join([*map(str, self.problems), f"{count} {noun}; nothing was started."])
        )
