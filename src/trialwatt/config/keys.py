"""Keys of the models, by path: which exist, how they are written, and what was probably meant."""

from __future__ import annotations

import difflib
import types
from collections.abc import Collection, Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from trialwatt.config.models import Model

Path = tuple[str | int, ...]


def dotted(path: Iterable[str | int]) -> str:
    """("vary", "workers.count", 2) → vary.workers.count[2]"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def parted(key: str) -> Path:
    """meters.0 → ("meters", 0), as parts name keys of a testbed; "" → ()"""
    return tuple(int(part) if part.isdigit() else part for part in key.split(".") if part)


def suggestion(word: object, candidates: Iterable[str]) -> str:
    """`; did you mean "x"?`, or nothing where nothing is near."""
    near = difflib.get_close_matches(str(word), list(candidates), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def there_is_no(kind: str, name: str, there: Collection[str]) -> str:
    """The sentence on a name that nobody has registered or listed."""
    return f'there is no {kind} "{name}"; there are: {one_of(there)}{suggestion(name, there)}'


def one_of(candidates: Iterable[str]) -> str:
    """The list of what there is, for a message."""
    return ", ".join(candidates) or "none"


def siblings(model: Any, path: Path) -> list[str]:
    """The keys that the model knows beside the last part of `path`; empty where any may stand."""
    return [name for kind in _at(model, path[:-1]) if _is_model(kind) for name in kind.known_keys()]


def exists(model: Any, path: Path) -> bool:
    """Whether `path` leads to something that a file of this model may hold."""
    return bool(_at(model, path))


def settable(model: type[Model], prefix: str = "") -> Iterator[str]:
    """The dotted keys of single values in a model (without what stands in open mappings)."""
    for name, annotation in model.known_keys().items():
        kinds = [kind for kind in _kinds(annotation) if kind is not types.NoneType]
        models = [kind for kind in kinds if _is_model(kind)]
        for kind in models:
            yield from settable(kind, f"{prefix}{name}.")
        if len(models) < len(kinds):  # it may be a single value too
            yield f"{prefix}{name}"


def _at(model: Any, path: Path) -> list[Any]:
    kinds = list(_kinds(model))
    for part in path:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    return kinds


def _inside(kind: Any, part: str | int) -> list[Any]:
    if _is_model(kind):
        known = kind.known_keys()
        return list(_kinds(known[part])) if part in known else []
    if get_origin(kind) is dict and isinstance(part, str):
        return list(_kinds(get_args(kind)[1]))
    if get_origin(kind) is list and isinstance(part, int):
        return list(_kinds(get_args(kind)[0]))
    return []


def _kinds(annotation: Any) -> Iterator[Any]:
    """The members of a union, without what Annotated adds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _kinds(member)
    else:
        yield annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)
