"""Trial ids as numbers: millions of them are compared and sorted, and few are ever shown."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BITS = 32
_PLAIN = 2**_BITS - 1
"""Stands for the number of an id that is not of the form name/number."""


class TrialKeys:
    """Two-way map between ids ("worker-0/3") and int64 keys.

    A key is the code of a name (its place in `names`) and a number.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        return list(self._codes)

    def base(self, name: str) -> int:
        """The key of name/0; the key of name/i is base + i."""
        return self._codes.setdefault(name, len(self._codes)) << _BITS

    def key(self, trial: str) -> int:
        name, _, number = trial.rpartition("/")
        if name and number.isdecimal() and str(int(number)) == number and int(number) < _PLAIN:
            return self.base(name) + int(number)
        return self.base(trial) + _PLAIN

    def name(self, base: int) -> str:
        """The name that base() was given."""
        return self.names[base >> _BITS]

    def codes_of(self, names: list[str]) -> np.ndarray:
        """Our codes of the names of another TrialKeys, for `moved`."""
        return np.array([self.base(name) >> _BITS for name in names], np.int64)

    def ids(self, keys: np.ndarray) -> pa.Array:
        """The ids of keys (n,), as strings."""
        names = pc.take(pa.array(self.names, pa.string()), pa.array(keys >> _BITS))
        numbers = keys & _PLAIN
        texts = pc.binary_join_element_wise(names, pc.cast(pa.array(numbers), pa.string()), "/")
        return pc.if_else(pa.array(numbers == _PLAIN), names, texts)


def moved(keys: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Keys of one TrialKeys as keys of another, whose codes of the first one's names these are."""
    return (codes[keys >> _BITS] << _BITS) | (keys & _PLAIN)
