"""An experiment's treatments: the base workload, with each combination of the values that vary."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trialwatt.config.condition_checks import check_conditions
from trialwatt.config.keys import Path, exists, settable, suggestion
from trialwatt.config.loading import ConfigFiles, Problems, validated
from trialwatt.config.models import (
    ALL,
    Budget,
    Experiment,
    Search,
    Sweep,
    Value,
    Workload,
    WorkloadFile,
)
from trialwatt.config.origins import Origins
from trialwatt.config.space import size

_PLACEHOLDER = {"?": {"choices": [0]}}
"""Stands for a space that cannot be read, so that the rest of the workload is checked too."""


@dataclass(frozen=True)
class Draft:
    """A workload as written, not yet validated."""

    data: dict[str, Any]
    origins: Origins

    def with_value(self, key: str, value: Value, file: str, written: Path) -> Draft:
        """With one dotted key replaced; `written` is where in `file` the value stands."""
        path = tuple(key.split("."))
        origins = self.origins.copy()
        origins.put(path, file, written)
        return Draft(_replaced(self.data, path, value), origins)


def known_key(key: str, origins: Origins, path: Path, problems: Problems) -> bool:
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
    unread: frozenset[str] = frozenset()
    data, origins = draft.data, draft.origins
    if isinstance(data.get("space"), str):
        origins = origins.copy()
        file, space = files.named("spaces", data["space"], origins, ("space",))
        unread = frozenset({"space"}) if space is None else frozenset()
        origins.put(("space",), file, ())
        data = {**data, "space": _PLACEHOLDER if unread else space}
    if isinstance(written := data.get("trial"), str):
        function = files.function(written, origins.problem(("trial",), ""))
        unread |= frozenset({"trial"}) if function is None else frozenset()
        data = {**data, "trial": function}
    workload, faulty = validated(Workload, data, origins, problems, {"space": _PLACEHOLDER})
    if workload is None:
        return None
    if not check_conditions(workload.space, origins, problems):
        unread = frozenset({"space"})
    search = workload.search
    search = search.model_copy(update={"budget": _one_identity(search, size(workload.space))})
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


def _one_identity(search: Search, points: int | None) -> int | Budget | None:
    """A search's budget, written in one way: what is the size of the grid is null."""
    trials = None if search.trials == points else search.trials
    if search.spends is None or search.spends.is_of_trials:
        return trials
    return search.spends.model_copy(update={"trials": trials})


def label_of(values: Mapping[str, Value | None]) -> str:
    """As `workers.count=2`; "baseline" where nothing varies."""
    return ", ".join(f"{key}={value}" for key, value in values.items()) or "baseline"


@dataclass(frozen=True)
class Treatment:
    """One combination of values, as a draft of its workload.

    way: which of the experiment's ways it belongs to. found: its keys whose values were not
    written down but found (`all`). is_between: a step of a sweep between its first and its last.
    """

    values: dict[str, Value]
    draft: Draft
    way: int
    found: frozenset[str]
    is_between: bool = False

    @property
    def label(self) -> str:
        return label_of(self.values)


class Variations:
    """The treatments of experiments, narrowed by the `only` at `path` of the settings."""

    def __init__(
        self,
        only: Mapping[str, list[Value]],
        origins: Origins,
        path: tuple[str, ...] = ("only",),
    ):
        self._only, self._origins, self._path = only, origins, path
        self._tried: dict[str, list[Value]] = {}

    def treatments(
        self,
        experiment: Experiment,
        file: str,
        origins: Origins,
        base: Draft,
        everything: Mapping[str, list[Value]],
        problems: Problems,
    ) -> Iterator[Treatment]:
        """Every combination of the values that vary, the last key fastest, way by way.

        everything: what `all` means, per key.
        """
        for number, (path, way) in enumerate(experiment.ways):
            axes = []
            for key, written in way.items():
                if known_key(key, origins, (*path, key), problems):
                    axes.append(
                        self._axis(key, written, origins, (*path, key), everything, problems)
                    )
            found = frozenset(key for key, written in way.items() if written == ALL)
            combinations = list(itertools.product(*axes)) if axes else []
            for index, combination in enumerate(combinations):
                draft = base
                for key, value, place in combination:
                    draft = draft.with_value(key, value, file, place)
                values = {key: value for key, value, _ in combination}
                is_between = sweep_of(experiment, number) is not None and (
                    0 < index < len(combinations) - 1
                )
                yield Treatment(values, draft, number, found, is_between)

    def unused(self, problems: Problems) -> None:
        """Report what `only` names and no experiment tries.

        What the default configuration says of its own experiments is no fault of others.
        """
        for key, values in self._only.items():
            if self._origins.is_of_others(*self._path, key):
                continue
            if key not in self._tried:
                message = "no experiment of this configuration varies it; take it out, or set it "
                message += "to null in a file of your own"
                problems.add(self._origins.problem((*self._path, key), message))
                continue
            for index, value in enumerate(values):
                if value not in self._tried[key]:
                    there = ", ".join(map(str, dict.fromkeys(self._tried[key])))
                    message = f"no experiment tries {value}; there are: {there}"
                    problems.add(self._origins.problem((*self._path, key, index), message))

    def _axis(
        self,
        key: str,
        written: list[Value] | Sweep | str,
        origins: Origins,
        path: Path,
        everything: Mapping[str, list[Value]],
        problems: Problems,
    ) -> list[tuple[str, Value, Path]]:
        """(key, value, its place in the file) of each value of one key."""
        if isinstance(written, Sweep):
            last = len(written.values) - 1
            places: list[tuple[Value, Path]] = [
                (value, (*path, "maximum" if last and index == last else "start"))
                for index, value in enumerate(written.values)
            ]
        elif written == ALL:
            if key not in everything:
                message = f"`all` is known of {', '.join(everything)} only; list the values"
                problems.add(origins.problem(path, message))
            places = [(value, path) for value in everything.get(key, [])]
        else:
            repeated(written, origins, path, problems)
            places = [(value, (*path, index)) for index, value in enumerate(written)]
        self._tried.setdefault(key, []).extend(value for value, _ in places)
        wanted = self._only.get(key)
        return [(key, value, place) for value, place in places if wanted is None or value in wanted]


def sweep_of(experiment: Experiment, way: int) -> tuple[str, Sweep] | None:
    """The key and the sweep of a way that is one, and the only one."""
    _, varied = experiment.ways[way]
    if len(experiment.ways) > 1:
        return None
    found = [(key, written) for key, written in varied.items() if isinstance(written, Sweep)]
    return found[0] if found else None


def check_sweeps(experiment: Experiment, origins: Origins, problems: Problems) -> None:
    """A sweep is of one key alone: what would the others' converged step be? It is the only way of
    its experiment: a run that two ways share stands in one of them."""
    for path, varied in experiment.ways:
        swept = [key for key, written in varied.items() if isinstance(written, Sweep)]
        if swept and len(varied) > 1:
            message = "a sweep cannot be combined with other keys; list its values instead"
            problems.add(origins.problem((*path, swept[0]), message))
        elif swept and len(experiment.ways) > 1:
            message = "a sweep cannot be one of several ways; make it an experiment of its own"
            problems.add(origins.problem((*path, swept[0]), message))


def value_at(draft: Draft, workload: Workload, key: str) -> Value | None:
    """What a workload holds at a dotted key: as written (the name of a space), else its value;
    of what is a whole mapping, as a space that is written down in place, a word for it."""
    path = key.split(".")
    found: Any = draft.data
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return found
    found = workload
    for part in path:
        found = found.get(part) if isinstance(found, Mapping) else getattr(found, part, None)
    return found if found is None or isinstance(found, bool | int | float | str) else "in place"


def repeated(
    values: Sequence[Any],
    origins: Origins,
    path: Path,
    problems: Problems,
    before: Sequence[Any] = (),
) -> None:
    """Report every value of a list that stands in it, or in the one `before`, already."""
    seen = [(isinstance(value, bool), value) for value in before]
    for index, value in enumerate(values):
        mark = (isinstance(value, bool), value)
        if mark in seen:
            problems.add(origins.problem((*path, index), f"{value} stands in the list already"))
        seen.append(mark)


def _replaced(data: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = path
    inner = data.get(first)
    if rest:
        value = _replaced(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)
    return {**data, first: value}


def _sorted(mapping: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(mapping.items()))
