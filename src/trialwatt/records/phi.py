"""φ as it was written → canonical JSON, one text per distinct φ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trialwatt.config.identity import canonical_json
from trialwatt.config.models import Choices, Range, Space
from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance.jsontext import parse_json

_VALUE = r'(-?(0|[1-9][0-9]*)(\.[0-9]+)?(e[+-]?[0-9]+)?|true|false|"[^"\\,{}[:cntrl:]]*")'


def encode_phis(texts: pa.ChunkedArray, space: Space) -> tuple[np.ndarray, pa.Array]:
    """Index of each φ (n,) in the distinct ones, and those as canonical JSON.

    Values are spelled as the search space does: a float 1.0 of an integer axis becomes 1. Raises
    TrialwattError where a text is no φ.
    """
    whole = pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], pa.string())
    encoded = whole.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    written = encoded.dictionary
    plain = np.array(_is_plain(written, space))
    if plain.all():
        return codes, written
    spelled = [
        text if done else _canonical(text, space)
        for text, done in zip(written.to_pylist(), plain.tolist(), strict=True)
    ]
    again = pa.array(spelled, pa.string()).dictionary_encode()
    return again.indices.to_numpy(zero_copy_only=False).astype(np.int64)[codes], again.dictionary


def _is_plain(texts: pa.Array, space: Space) -> pa.Array:
    """Which texts are canonical already; our writers' are, where the space has no float axis
    that could hold the same value in two spellings. Not told where φs differ in their names."""
    names = sorted(space)
    if any(_has_spellings(space[name]) or space[name].when for name in names):
        return pa.array(np.zeros(len(texts), bool))
    inside = ",".join(f"{json.dumps(name)}:{_VALUE}" for name in names)
    return pc.match_substring_regex(texts, r"^\{" + inside + r"\}$")


def _has_spellings(axis: Choices | Range) -> bool:
    """Whether a JSON number may stand for a value of the axis in another spelling (1 and 1.0)."""
    if isinstance(axis, Choices):
        return any(not isinstance(c, bool | str) and float(c).is_integer() for c in axis.choices)
    return _is_whole(axis)


def _is_whole(axis: Range) -> bool:
    step = axis.step is None or float(axis.step).is_integer()
    return isinstance(axis.low, int) and isinstance(axis.high, int) and step


def canonical(phi: Mapping[str, Any], space: Space) -> str:
    """Canonical JSON of one φ, its values spelled as the space does."""
    return canonical_json({name: _typed(space.get(name), value) for name, value in phi.items()})


def _canonical(text: str, space: Space) -> str:
    try:
        phi: Any = parse_json(text)
        if not all(isinstance(value, str | int | float) for value in phi.values()):
            raise ValueError("a value is neither a number nor a word")
        return canonical(phi, space)
    except (ValueError, AttributeError) as error:
        raise TrialwattError(f"records: {shown(text, 200)!r} is no φ: {error}") from error


def _typed(axis: Choices | Range | None, value: Any) -> Any:
    if isinstance(axis, Choices):
        for choice in axis.choices:
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return choice
    if isinstance(axis, Range) and isinstance(value, float) and value.is_integer():
        return int(value) if _is_whole(axis) else value
    return value
