"""YAML as the configuration means it: YAML 1.2 scalars, no duplicate keys, errors with a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from trialwatt.config.keys import dotted
from trialwatt.errors import Problem


class Yaml12Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema.

    PyYAML follows YAML 1.1, where `1e-4` is text, `off` is false and `1:30` is a number of
    seconds; in a configuration of numbers each of these is a trap.
    """


Yaml12Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)"
        r"|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    Yaml12Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
    )


def _construct_int(loader: Yaml12Loader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))  # 010 is ten, not eight


Yaml12Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def parse_yaml(text: str, name: str) -> tuple[Any, list[Problem]]:
    """The document in `text`, and what is wrong with it; `name` is how messages call the file."""
    loader = Yaml12Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, []
        problems = [
            Problem(name, dotted(path), f"line {line}: this key stands here for the second time")
            for path, line in _duplicates(node, (), set())
        ]
        return loader.construct_document(node), problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        return None, [Problem(name, "", f"{place}not valid YAML: {error.problem}")]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return None, [Problem(name, "", f"not valid YAML: {error}")]
    finally:
        loader.dispose()


def read_yaml(path: Path, name: str) -> tuple[dict | None, list[Problem]]:
    """The mapping in a file, or None with the reason. A file with duplicate keys gives both."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, [Problem(name, "", "there is no such file")]
    except UnicodeDecodeError as error:
        return None, [Problem(name, "", f"not UTF-8 text (byte {error.start})")]
    except OSError as error:
        return None, [Problem(name, "", f"cannot be read: {error.strerror}")]
    data, problems = parse_yaml(text, name)
    if not problems and not isinstance(data, dict):
        what = "is empty" if data is None else "holds no keys"
        return None, [Problem(name, "", f"{what}; it must hold `key: value` lines")]
    return (data if isinstance(data, dict) else None), problems


def _duplicates(node: yaml.Node, path: tuple, seen: set[int]):
    if id(node) in seen:  # an anchor that is used again
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            here = (*path, key.value if isinstance(key, yaml.ScalarNode) else "?")
            if here[-1] in keys:
                yield here, key.start_mark.line + 1
            keys.add(here[-1])
            yield from _duplicates(value, here, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _duplicates(item, (*path, index), seen)
