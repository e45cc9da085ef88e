"""From raw data to models: every fault becomes a Problem with its file and key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from trialwatt.config.functions import Found, find
from trialwatt.config.keys import siblings, suggestion
from trialwatt.config.models import Function
from trialwatt.config.origins import Origins
from trialwatt.config.yaml_files import read_yaml
from trialwatt.credentials import HIDDEN, redacted
from trialwatt.errors import Problem, TrialwattError

T = TypeVar("T", bound=BaseModel)


class Problems:
    """What is wrong so far, in the order in which it was found, each thing once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def add(self, *problems: Problem) -> None:
        self._found.update(dict.fromkeys(problems))

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found)


class ConfigFiles:
    """The files below root/config, each read once; names are relative to root."""

    def __init__(self, root: Path, problems: Problems):
        self._root, self._problems = root, problems
        self._read: dict[str, dict[str, Any] | None] = {}
        self._functions: dict[str, Found] = {}

    @property
    def names(self) -> list[str]:
        """The files that were read so far."""
        sources = [found.file for found in self._functions.values() if found.file]
        return [*self._read, *sources]

    def read(self, name: str) -> dict[str, Any] | None:
        """The mapping in root/name; None if it cannot be had, which is then a problem."""
        if name not in self._read:
            data, problems = read_yaml(self._root / name, name)
            self._problems.add(*problems)
            self._read[name] = data
        return self._read[name]

    def named(
        self, kind: str, name: str, origins: Origins, path: tuple[Any, ...]
    ) -> tuple[str, dict[str, Any] | None]:
        """config/<kind>/<name>.yaml, which `path` asks for: its name and what it holds."""
        file = f"config/{kind}/{name}.yaml"
        folder = self._root / "config" / kind
        there = sorted(item.stem for item in folder.glob("*.yaml"))
        if name not in there:
            hint = suggestion(name, there) or f"; there are: {', '.join(there) or 'none'}"
            self._problems.add(origins.problem(path, f"there is no {file}{hint}"))
            return file, None
        return file, self.read(file)

    def function(self, written: str, at: Problem) -> Function | None:
        """The function that a workload names as its trial; None if there is none that can be used,
        which is then a problem at this place."""
        try:
            self._functions[written] = self._functions.get(written) or find(written, self._root)
        except TrialwattError as error:
            self._problems.add(Problem(at.file, at.key, str(error)))
            return None
        return self._functions[written].function


def validated(
    kind: type[T],
    data: dict[str, Any],
    origins: Origins,
    problems: Problems,
    instead: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[T | None, frozenset[str]]:
    """`data` as a model (strictly: no text for numbers), and its faulty keys.

    Where keys are faulty, their problems are added and the model is made without them, so that
    the rest can be checked too; None where that cannot be done. `instead` gives stand-ins for
    faulty keys that a model must have.
    """
    try:
        return kind.model_validate(data, strict=True), frozenset()
    except ValidationError as error:
        faulty = set[str | int]()
        for fault in error.errors(include_url=False):
            path = tuple(part for part in fault["loc"] if not _is_tag(part))
            faulty.update(path[:1])
            problems.add(origins.problem(path, _message(kind, path, fault)))
    rest = {key: value for key, value in data.items() if key not in faulty}
    rest.update({key: value for key, value in instead.items() if key in faulty})
    try:
        return kind.model_validate(rest, strict=True), frozenset(map(str, faulty))
    except ValidationError:
        return None, frozenset(map(str, faulty))


def _is_tag(part: str | int) -> bool:
    """What pydantic adds to a path: the members of a union, and the mark of a faulty key."""
    return isinstance(part, str) and (part.startswith("(") or part == "[key]")


_MESSAGES = {
    "missing": "is missing",
    "greater_than": "must be greater than {gt} (got {got})",
    "greater_than_equal": "must be at least {ge} (got {got})",
    "less_than": "must be less than {lt} (got {got})",
    "less_than_equal": "must be at most {le} (got {got})",
    "int_type": "must be a whole number (got {got})",
    "int_from_float": "must be a whole number (got {got})",
    "float_type": "must be a number (got {got})",
    "bool_type": "must be true or false (got {got})",
    "string_type": "must be text (got {got})",
    "list_type": "must be a list (got {got})",
    "dict_type": "must hold keys (got {got})",
    "model_type": "must hold keys (got {got})",
    "model_attributes_type": "must hold keys (got {got})",
    "invalid_key": "keys must be text",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "finite_number": "must be a finite number (got {got})",
    "single": "{text} (got {got})",
    "axis": "{text} (got {got})",
    "options": "{text}",
    "string_pattern_mismatch": "must be made of {letters}, digits and dashes (got {got})",
    "literal_error": "must be {expected} (got {got})",
    "value_error": "{error}",
}


_SECRET_KEY = re.compile("(?i)_env$|password|token|secret")
"""Keys that hold what is not to be shown, or the name of where it is: some write it there."""


def _message(kind: Any, path: tuple[Any, ...], fault: Mapping[str, Any]) -> str:
    if fault["type"] == "extra_forbidden":
        known = siblings(kind, path)
        hint = suggestion(path[-1], known) or f"; known are: {', '.join(known)}"
        return f"unknown key{hint}"
    template = _MESSAGES.get(fault["type"], "{text} (got {got})")
    details = {
        key: f"{value:g}" if isinstance(value, float) else value
        for key, value in fault.get("ctx", {}).items()
    }
    letters = "letters" if "A-Z" in details.get("pattern", "") else "lower-case letters"
    return template.format(
        text=fault["msg"], got=_shown(fault["input"], path), letters=letters, **details
    )


def _shown(value: Any, path: tuple[Any, ...]) -> str:
    if _SECRET_KEY.search(".".join(map(str, path))):
        return HIDDEN
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    text = redacted(text)  # before it is cut: half a URL is not known as one
    return text if len(text) <= 60 else f"{text[:57]}..."
