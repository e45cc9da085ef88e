"""When two numbers, two coordinates, two shades or two checksums count as the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

RELATIVE = 1e-11
"""Of the larger of two numbers. Another order of additions changes the sixteenth digit, an
unlucky difference of sums the twelfth; one changed digit in the ninth place is a hundred times
this."""
DRAWN, DRAWN_RELATIVE = 2e-6, 3e-7
"""Of coordinates in drawings, in their unit (a point is 0.35 mm) and relative: they are written
with six decimals (SVG) or as 32-bit numbers (the paper), so their last digit is that coarse."""
SHADES = 3
"""Of 255, in each channel of a pixel, where a line moved by less than any eye or printer tells."""


@dataclass(frozen=True)
class Outcome:
    """What came of comparing two files.

    said: the first real difference in words, empty where there is none. identical: byte for byte.
    values: numbers that differ within RELATIVE; greatest: the greatest relative difference of
    those. A file may be equal up to rounding with no such value: coordinates or pixels that moved
    with one, or checksums of a file that is itself equal up to rounding.
    """

    said: str = ""
    identical: bool = False
    values: int = 0
    greatest: float = 0.0

    @property
    def rounded(self) -> bool:
        return not self.said and not self.identical


@dataclass
class Rounding:
    """Collects what differs in its last digits while one file is compared.

    checksums: of a file as we made it → as it is in the archive, of all that were found equal up
    to rounding; a sidecar that names the latter is no second fault.
    """

    checksums: Mapping[str, str] = field(default_factory=dict)
    values: int = 0
    greatest: float = 0.0

    def number(self, a: float, b: float) -> bool:
        """Whether these are the same but for rounding; counts it if so."""
        size = max(abs(a), abs(b))
        if not math.isfinite(size) or abs(a - b) > RELATIVE * size:
            return False
        if a != b:
            self.values += 1
            self.greatest = max(self.greatest, abs(a - b) / size)
        return True

    def coordinate(self, a: float, b: float) -> bool:
        """Whether these are the same place in a drawing."""
        size = max(abs(a), abs(b))
        return math.isfinite(size) and abs(a - b) <= DRAWN + DRAWN_RELATIVE * size

    def checksum(self, a: str, b: str) -> bool:
        """Whether a (the archive's) is of the file whose checksum is b as we made it."""
        return a == b or self.checksums.get(b) == a

    def outcome(self, said: str = "") -> Outcome:
        return Outcome(said) if said else Outcome("", False, self.values, self.greatest)
