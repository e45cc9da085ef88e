"""An experiment's treatments: the base workload, with each combination of the values that vary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialwatt.config.keys import exists, settable, suggestion
from trialwatt.config.loading import ConfigFiles, Problems, validated
from trialwatt.config.models import Experiment, Value, Workload, WorkloadFile
from trialwatt.config.origins import Origins

_PLACEHOLDER = {"?": {"choices": [0]}}
"""Stands for a space that cannot be read, so that the rest of the workload is checked too."""


@dataclass(frozen=True)
class Draft:
    """A workload as written, not yet validated."""

    data: dict
    origins: Origins

    def with_value(self, key: str, value: Value, file: str, written: tuple) -> Draft:
        """With one dotted key replaced; `written` is where in `file` the value stands."""
        path = tuple(key.split("."))
        origins = self.origins.copy()
        origins.put(path, file, written)
        return Draft(_replaced(self.data, path, value), origins)


def known_key(key: str, origins: Origins, path: tuple, problems: Problems) -> bool:
    """Whether a dotted key of `set` or `vary` names something in a workload."""
    if exists(WorkloadFile, tuple(key.split("."))):
        return True
    hint = (
        suggestion(key, settable(WorkloadFile)) or "; a workload's keys are meant, as workers.count"
    )
    problems.add(origins.problem(path, f"a workload has no such key{hint}"))
    return False


@dataclass(frozen=True)
class Resolved:
    """A validated workload. `faulty`: its keys that could not be used; it then cannot be run."""

    workload: Workload
    origins: Origins
    faulty: frozenset[str]


def resolve(draft: Draft, files: ConfigFiles, problems: Problems) -> Resolved | None:
    """The validated workload, its space read from config/spaces where it is a name.

    Mappings are sorted: the order of keys in a file has no meaning, so it must not change a run
    whose hash does not see it either.
    """
    data, origins, unread = draft.data, draft.origins, frozenset()
    if isinstance(data.get("space"), str):
        origins = origins.copy()
        file, space = files.named("spaces", data["space"], origins, ("space",))
        unread = frozenset({"space"}) if space is None else frozenset()
        origins.put(("space",), file, ())
        data = {**data, "space": _PLACEHOLDER if unread else space}
    workload, faulty = validated(Workload, data, origins, problems, {"space": _PLACEHOLDER})
    if workload is None:
        return None
    search = workload.search
    search = search.model_copy(
        update={
            "sampler_options": _sorted(search.sampler_options),
            "pruner_options": _sorted(search.pruner_options),
        }
    )
    update = {
        "space": _sorted(workload.space),
        "fixed": _sorted(workload.fixed),
        "search": search,
    }
    return Resolved(workload.model_copy(update=update), origins, faulty | unread)


def treatments(
    experiment: Experiment, file: str, origins: Origins, base: Draft, problems: Problems
) -> Iterator[tuple[dict[str, Value], Draft]]:
    """Every combination of the values that vary, the last key fastest; none if nothing varies."""
    axes = []
    for key, values in experiment.vary.items():
        repeated(values, origins, ("vary", key), problems)
        if known_key(key, origins, ("vary", key), problems):
            axes.append([(key, index, value) for index, value in enumerate(values)])
    for combination in itertools.product(*axes) if axes else ():
        draft = base
        for key, index, value in combination:
            draft = draft.with_value(key, value, file, ("vary", key, index))
        yield {key: value for key, _, value in combination}, draft


def value_at(draft: Draft, workload: Workload, key: str) -> Value | None:
    """What a workload holds at a dotted key: as written (the name of a space), else its value."""
    path = key.split(".")
    found: Any = draft.data
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return found
    found = workload
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else getattr(found, part, None)
    return found


def repeated(
    values: list, origins: Origins, path: tuple, problems: Problems, before: Sequence = ()
) -> None:
    """Report every value of a list that stands in it, or in the one `before`, already."""
    seen = [(isinstance(value, bool), value) for value in before]
    for index, value in enumerate(values):
        mark = (isinstance(value, bool), value)
        if mark in seen:
            problems.add(origins.problem((*path, index), f"{value} stands in the list already"))
        seen.append(mark)


def _replaced(data: Mapping, path: tuple, value: Value) -> dict:
    first, *rest = path
    inner = data.get(first)
    if rest:
        value = _replaced(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)
    return {**data, first: value}


def _sorted(mapping: dict) -> dict:
    return dict(sorted(mapping.items()))
