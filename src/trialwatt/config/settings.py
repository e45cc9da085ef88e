"""The merged settings, and which file or option each of them came from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trialwatt.config.loading import Problems
from trialwatt.config.origins import Origins
from trialwatt.config.yaml_files import parse_yaml, read_yaml

DEFAULT_FILE = "config/config.yaml"
COMMAND_LINE = "command line"
BUILD = "TRIALWATT_BUILD"
"""Environment variable: what is added to the command that builds the worker image."""
_MISSING = object()


@dataclass(frozen=True)
class _File:
    name: str
    ours: dict[str, Any]  # as our loader reads it
    theirs: Any  # as Snakemake reads it (YAML 1.1)


def relative(path: Path, root: Path) -> str:
    """How messages call a file: relative to root where it lies below it."""
    full, root = path.resolve(), root.resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else str(path)


def merge(files: Iterable[Path], root: Path, problems: Problems) -> dict[str, Any]:
    """What Snakemake makes of several configuration files: a later one replaces single keys."""
    merged: dict[str, Any] = {}
    for path in files:
        data, found = read_yaml(path, relative(path, root))
        problems.add(*found)
        _update(merged, data or {})
    return merged


def settle(
    config: Mapping[str, Any], files: Iterable[str | Path], root: Path, problems: Problems
) -> tuple[dict[str, Any], Origins]:
    """`config` with the scalars of YAML 1.2, and the origin of each key.

    Snakemake reads `1e-4` as text and says nothing of duplicate keys, so its files are read
    again here. A value that stands in none of them was given on the command line.
    """
    sources = []
    paths = list(dict.fromkeys(Path(file) for file in files))
    # Snakemake names the files of the command line first, although they win over the default.
    paths.sort(key=lambda path: relative(path, root) == DEFAULT_FILE)
    for path in paths:
        name = relative(path, root)
        data, found = read_yaml(path, name)
        problems.add(*found)
        if data is not None:
            sources.append(_File(name, data, _as_snakemake(path)))
    origins = Origins(DEFAULT_FILE)
    return _settled(config, (), sources, origins), origins


def _settled(value: Any, path: tuple[Any, ...], sources: list[_File], origins: Origins) -> Any:
    if path:
        file = next((s for s in sources if _held(s, path, value)), None)
        if file is not None:
            origins.put(path, file.name)
        elif sources and not isinstance(value, Mapping):
            origins.put(path, COMMAND_LINE)
        if not isinstance(value, Mapping):
            ours = _lookup(file.ours, path) if file else _typed(value, len(path) > 1)
            return value if ours is _MISSING else ours
    return {key: _settled(item, (*path, key), sources, origins) for key, item in value.items()}


def _typed(value: Any, is_nested: bool) -> Any:
    """A value of the command line: what stands within another Snakemake leaves as text."""
    if isinstance(value, list):
        return [_typed(item, True) for item in value]
    if not isinstance(value, str) or not is_nested:
        return value
    read, problems = parse_yaml(value, COMMAND_LINE)
    return value if problems or isinstance(read, Mapping | list) else read


def _held(file: _File, path: tuple[Any, ...], value: Any) -> bool:
    """Whether the file holds this very value (of a mapping: the key) at `path`."""
    found = [_lookup(data, path) for data in (file.theirs, file.ours)]
    if isinstance(value, Mapping):
        return any(isinstance(item, Mapping) for item in found)
    return any(type(item) is type(value) and item == value for item in found)


def _lookup(data: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return _MISSING
        data = data[part]
    return data


def _as_snakemake(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return {}  # our loader, which has bounded it, takes what Snakemake's does not: 2026-02-31


def _update(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping):
            if not isinstance(target.get(key), dict):
                target[key] = {}
            _update(target[key], value)
        else:
            target[key] = value


def image_arguments() -> list[str]:
    """What the environment adds to the building of the worker image, split as a shell would."""
    return shlex.split(os.environ.get(BUILD, ""))
