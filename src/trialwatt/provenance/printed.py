"""What is printed of a file that may be a stranger's."""

from __future__ import annotations

from collections.abc import Iterable


def printable(lines: Iterable[str]) -> str:
    """The lines as one text; names in them cannot steer the terminal."""
    return "\n".join("".join(c for c in line if c.isprintable()) for line in lines)
