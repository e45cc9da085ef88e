"""The description in an SVG's metadata, without building the document."""

from __future__ import annotations

from pathlib import Path
from xml.parsers import expat

from trialwatt.errors import TrialwattError
from trialwatt.printed import shown
from trialwatt.provenance.foreign import JSON_BYTES, read_bytes

SVG_BYTES = 256 << 20
_DESCRIPTION = "http://purl.org/dc/elements/1.1/ description"


def description(path: Path) -> str | None:
    """The first `dc:description` of an SVG; None where there is none.

    Raises TrialwattError where it is no SVG in UTF-8, or declares entities: ours have none, and
    a few of them can stand for any amount of text.
    """
    reader = _Reader()
    try:
        reader.read(read_bytes(path, SVG_BYTES))
    except (expat.ExpatError, ValueError) as error:
        raise TrialwattError(
            f"{shown(path, 500)}: damaged, not an SVG file ({shown(error, 200)})"
        ) from error
    return reader.found


class _Reader:
    """The parser and what it has met: the depth inside the description, and its text so far."""

    def __init__(self) -> None:
        self.found: str | None = None
        self._depth, self._letters = 0, 0
        self._text: list[str] = []
        # The encoding is ours to say: of a file's own one any codec would be looked up.
        self._parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity

    def read(self, data: bytes) -> None:
        self._parser.Parse(data, True)

    def _start(self, name: str, _attributes: dict) -> None:
        if self._depth or (self.found is None and name == _DESCRIPTION):
            self._depth += 1

    def _end(self, _name: str) -> None:
        if self._depth:
            self._depth -= 1
            if not self._depth:
                self.found = "".join(self._text)

    def _characters(self, text: str) -> None:
        if self._depth == 1:
            self._letters += len(text)
            if self._letters > JSON_BYTES:
                raise ValueError("its description is too long")
            self._text.append(text)

    def _entity(self, name: str, *_: object) -> None:
        raise ValueError(f"it declares an entity, {shown(name, 60)}")
