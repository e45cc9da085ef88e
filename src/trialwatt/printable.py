"""The one way to a terminal for text that may be a stranger's: it can neither steer it nor fill it.

A name, a message of a parser, a value of a record: whoever made them may have put escape
sequences, line breaks that look like lines of ours, or megabytes into them.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST_LETTERS = 2_000
"""Of one line; a path may have 400 and a message holds some of them."""


def shown(text: object, most: int = MOST_LETTERS) -> str:
    """`text` as one line: what is not printable, line breaks too, as a visible escape; cut where
    it is longer than `most` letters, saying by how many."""
    whole = str(text)
    cut = f"… ({len(whole) - most} more letters)" if len(whole) > most else ""
    return "".join(c if c.isprintable() else _visible(c) for c in whole[:most]) + cut


def printable(lines: Iterable[object]) -> str:
    """Each of the lines as `shown`, joined to one text."""
    return "\n".join(shown(line) for line in lines)


def _visible(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
