"""How systems under test are told apart: colour, marker, and the order in which they are listed.

Apart from the look of figures, so that tables need no drawing library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class Mark(NamedTuple):
    """How a SUT looks."""

    colour: str
    marker: str


SUTS = {
    "plain": Mark("#4D4D4D", "s"),
    "optuna": Mark("#0072B2", "o"),
    "ray": Mark("#D55E00", "^"),
    "hyperopt": Mark("#009E73", "D"),
}
DASHED = ("solid", "dashed", "dotted", "dash-dotted")
"""How lines of one colour are told apart."""
_OTHER_COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#882255")
_OTHER_MARKERS = ("v", "P", "X", "p", "h", "<", ">")


def mark(sut: str) -> Mark:
    """Colour and marker of a SUT; one that we do not know gets its own by its name's hash."""
    if sut in SUTS:
        return SUTS[sut]
    number = int.from_bytes(hashlib.sha256(sut.encode()).digest()[:4], "big")
    colour = _OTHER_COLOURS[number % len(_OTHER_COLOURS)]
    return Mark(colour, _OTHER_MARKERS[number // len(_OTHER_COLOURS) % len(_OTHER_MARKERS)])


def in_order(suts: Iterable[str]) -> list[str]:
    """SUTs as they are listed everywhere: the known ones first, then the others by name."""
    known = list(SUTS)
    return sorted(set(suts), key=lambda sut: (known.index(sut) if sut in SUTS else 99, sut))
