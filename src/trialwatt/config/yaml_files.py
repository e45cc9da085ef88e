"""YAML as the configuration means it: YAML 1.2 scalars, no duplicate keys, errors with a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from trialwatt.config.keys import dotted
from trialwatt.errors import Problem
from trialwatt.plainfile import read_plain

MOST_BYTES = 1 << 20
MOST_LEVELS = 50
MOST_VALUES = 20_000
"""Of a file, with each `*anchor` as often as it stands there: a few hundred bytes of anchors in
anchors can stand for more values than there is memory."""
_TOO_DEEP = f"nested deeper than {MOST_LEVELS} levels"
_MOST_DIGITS = 18  # fits in 64 bits
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # no file's name holds these, no terminal prints them
_CORE = ("null", "bool", "int", "float", "str", "seq", "map", "merge")


class Yaml12Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML brings no types
    """SafeLoader with the scalars of YAML 1.2's core schema, and with bounds.

    PyYAML follows YAML 1.1, where `1e-4` is text, `off` is false and `1:30` is a number of
    seconds; in a configuration of numbers each of these is a trap.
    """

    _levels = _values = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """As the base class, which calls itself for each level of nesting."""
        self._levels += 1
        self._values += 1
        try:
            if self._levels > MOST_LEVELS:
                raise _unusable(self.peek_event(), _TOO_DEEP)
            if self._values > MOST_VALUES:
                raise _unusable(self.peek_event(), f"it holds more than {MOST_VALUES:,} values")
            return super().compose_node(parent, index)
        finally:
            self._levels -= 1


Yaml12Loader.yaml_constructors = {
    tag: constructor
    for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _CORE
}
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
    text = loader.construct_scalar(node)
    if not re.fullmatch(r"[-+]?[0-9]+", text):
        raise _faulty(node, "is no whole number")
    if len(text.lstrip("+-0")) > _MOST_DIGITS:
        raise _faulty(node, f"has more than {_MOST_DIGITS} digits")
    return int(text)  # 010 is ten, not eight


def _construct_float(loader: Yaml12Loader, node: yaml.ScalarNode) -> float:
    text = loader.construct_scalar(node).lower()
    try:
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise _faulty(node, "is no number") from None


def _construct_bool(loader: Yaml12Loader, node: yaml.ScalarNode) -> bool:
    text = loader.construct_scalar(node).lower()
    if text not in ("true", "false"):
        raise _faulty(node, "is neither true nor false")
    return text == "true"


def _construct_str(loader: Yaml12Loader, node: yaml.ScalarNode) -> str:
    text = loader.construct_scalar(node)
    if found := _NO_TEXT.search(text):
        raise _unusable(node, f"a text may not hold U+{ord(found[0]):04X}")
    return text


def _faulty(node: yaml.ScalarNode, what: str) -> yaml.MarkedYAMLError:
    shown = node.value if len(node.value) <= 40 else f"{node.value[:37]}..."
    return _unusable(node, f"{shown!r} {what}")


Yaml12Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
Yaml12Loader.add_constructor("tag:yaml.org,2002:float", _construct_float)
Yaml12Loader.add_constructor("tag:yaml.org,2002:bool", _construct_bool)
Yaml12Loader.add_constructor("tag:yaml.org,2002:str", _construct_str)


def parse_yaml(text: str, name: str) -> tuple[Any, list[Problem]]:
    """The document in `text`, and what is wrong with it; `name` is how messages call the file."""
    try:
        loader = Yaml12Loader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        letter = f"U+{error.character:04X}" if isinstance(error.character, int) else "one"
        return None, [Problem(name, "", f"line {line}: not valid YAML: may not hold {letter}")]
    try:
        node = loader.get_single_node()
        if node is None:
            return None, []
        _expanded(node, {})
        problems = [
            Problem(name, dotted(path), f"line {line}: this key stands here for the second time")
            for path, line in _duplicates(node, (), set())
        ]
        return loader.construct_document(node), problems
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        return None, [Problem(name, "", f"{place}not valid YAML: {error.problem}")]
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return None, [Problem(name, "", f"not valid YAML: {error}")]
    finally:
        loader.dispose()


def read_yaml(path: Path, name: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """The mapping in a file, or None with the reason. A file with duplicate keys gives both."""
    try:
        text = read_plain(path, MOST_BYTES).decode("utf-8")
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


def _expanded(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """How many values, and levels of nesting, a node stands for where each alias in it is written
    out. Raises MarkedYAMLError where that is too much, or without end.

    An alias names what stands before it or around it, so that this is nested no deeper than the
    text, which is bounded.
    """
    if id(node) in known:
        if (found := known[id(node)]) is None:
            raise _unusable(node, "an anchor that holds itself")
        return found
    known[id(node)] = None
    inside = node.value if isinstance(node, yaml.CollectionNode) else []
    pairs = inside if isinstance(node, yaml.MappingNode) else [(item,) for item in inside]
    counts = [_expanded(each, known) for pair in pairs for each in pair]
    values, levels = 1 + sum(v for v, _ in counts), 1 + max((n for _, n in counts), default=0)
    if values > MOST_VALUES:
        raise _unusable(node, f"with its anchors written out, it holds over {MOST_VALUES:,} values")
    if levels > MOST_LEVELS:
        raise _unusable(node, _TOO_DEEP)
    known[id(node)] = values, levels
    return values, levels


def _unusable(where: yaml.Node | yaml.Event, what: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=where.start_mark)


def _duplicates(
    node: yaml.Node, path: tuple[Any, ...], seen: set[int]
) -> Iterator[tuple[tuple[Any, ...], int]]:
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
