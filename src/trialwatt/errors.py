"""Errors that speak to the user: what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from trialwatt.credentials import redacted


class TrialwattError(Exception):
    """Base of all errors whose message is meant for the user; ends a command with exit code 1.

    No message shows credentials, whatever library's words are in it.
    """

    def __str__(self) -> str:
        return redacted(super().__str__())


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the configuration: the file, the key in it, and why."""

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        parts = (self.file, self.key, self.message)
        return redacted(": ".join(part for part in parts if part))


class ConfigError(TrialwattError):
    """Everything that is wrong with a configuration, at once; nothing was started."""

    def __init__(self, problems: list[Problem]):
        self.problems = list(problems)
        count = len(self.problems)
        noun = "error" if count == 1 else "errors"
        super().__init__(
            "\n".join([*map(str, self.problems), f"{count} {noun}; nothing was started."])
        )
