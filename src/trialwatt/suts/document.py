"""Parts of a document that a command makes: the text between two marks."""

from __future__ import annotations

from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole


def replaced(document: str, begin: str, end: str, text: str) -> str:
    """The document with `text` between the marks. Raises TrialwattError where they are missing."""
    head, found, rest = document.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (found and ended):
        raise TrialwattError(f"the document has no place for the table: {begin} … {end}")
    return f"{head}{begin}\n{text}\n{end}{tail}"


def between(path: Path, begin: str, end: str, text: str) -> None:
    """Put `text` between the marks of a document; whole or not at all."""
    new = replaced(path.read_text(encoding="utf-8"), begin, end, text)
    write_whole(path, new)
