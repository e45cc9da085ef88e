"""Two files that should be the same: identical, equal up to rounding, or different.

Another processor may round the last digit of a number differently, and with it change a figure's
coordinates, a checksum in a sidecar and the bytes of all that holds them. So what is no longer
identical byte for byte is read as numbers in text, tables, drawings or pixels. Every byte of the
file must be accounted for that way; what cannot be read so is told by its bytes, as different.
The first of the two files may be a stranger's: it is only parsed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from trialwatt.review.compare.parquet import parquet
from trialwatt.review.compare.pdf import pdf
from trialwatt.review.compare.png import png
from trialwatt.review.compare.rounding import Outcome, Rounding
from trialwatt.review.compare.texts import PLACES, html, in_bytes, plain, short, svg

__all__ = ["Outcome", "Rounding", "compared"]

_LARGE = 256 << 20
"""Files larger than this are compared by their bytes alone."""
_WAYS: dict[str, Callable[[bytes, bytes, Rounding], str]] = {
    ".svg": svg,
    ".html": html,
    ".parquet": parquet,
    ".png": png,
    ".pdf": pdf,
}
"""Suffix → what returns the first difference in words, empty where there is none but rounding."""
_UNREADABLE = (ValueError, RecursionError, OSError, OverflowError, csv.Error, pa.ArrowException)


def compared(found: Path, remade: Path, checksums: Mapping[str, str] = {}) -> Outcome:
    """Compare a file with the one that was made anew. checksums: see Rounding."""
    if not found.is_file():
        return Outcome("missing")
    theirs, ours = found.read_bytes(), remade.read_bytes()
    if theirs == ours:
        return Outcome(identical=True)
    if max(len(theirs), len(ours)) > _LARGE:
        return Outcome(in_bytes(theirs, ours))
    rounding = Rounding(checksums)
    try:
        said = _WAYS.get(found.suffix, plain)(theirs, ours, rounding)
        if said and (placed := PLACES.get(found.suffix)):
            said = placed(theirs, ours, Rounding(checksums)) or said
    except _UNREADABLE as error:
        said = f"it cannot be read: {short(str(error))}"
    return rounding.outcome(said)
