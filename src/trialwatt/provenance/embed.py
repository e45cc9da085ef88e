"""Provenance inside a figure and in the sidecar next to it.

| file | where |
|---|---|
| SVG | `dc:description` in the metadata element |
| PDF | `Keywords` in the information dictionary |
| PNG | text chunk `trialwatt` |
| any figure or table `x.*` | sidecar `x.json`: the provenance, and a checksum of each file `x.*` |
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from xml.parsers import expat

from trialwatt.errors import TrialwattError
from trialwatt.files import sha256, write_whole
from trialwatt.printable import shown
from trialwatt.provenance import pdftext, pngtext
from trialwatt.provenance.foreign import JSON_BYTES, Missing, parse_json, read_bytes, read_json

PNG_KEY = "trialwatt"
FIGURES = (".svg", ".pdf", ".png")
_BESIDE = 100
"""Files in which a sidecar of another name is looked for."""

SVG_BYTES = 256 << 20
_DESCRIPTION = "http://purl.org/dc/elements/1.1/ description"


class NoProvenance(TrialwattError):
    """The file says nothing about where it comes from."""


def encode(provenance: dict) -> str:
    """One line of ASCII with sorted keys: the same chain is the same text everywhere."""
    return json.dumps(provenance, sort_keys=True, separators=(",", ":"), allow_nan=False)


def embedded(path: Path) -> dict:
    """The provenance inside a figure. Raises NoProvenance, or TrialwattError for a damaged file."""
    readers = {
        ".svg": description,
        ".pdf": pdftext.keywords,
        ".png": lambda figure: pngtext.text(figure, PNG_KEY),
    }
    text = readers[path.suffix.lower()](path)
    try:
        value = parse_json(text, "it") if text else None
    except TrialwattError:
        value = None  # keywords or a description of somebody else
    if not isinstance(value, dict) or value.get("generator") != "trialwatt":
        raise NoProvenance(
            f"{shown(path, 500)}: no provenance inside; it was not made by trialwatt, or a program "
            "that edited or optimised it has removed the metadata. Re-make it, or trace the "
            "original."
        )
    return value


def sidecar_of(path: Path) -> Path:
    """The sidecar of a figure or table; of a sidecar itself; of another JSON file, and of a table
    that has none of its own, the one beside it that names it."""
    own = path.with_name(f"{path.stem}.json")
    if not _is_sidecar(own) and (path == own or not own.exists()):
        beside = islice(sorted(path.parent.glob("*.json")), _BESIDE)
        return next((one for one in beside if _names(one, path)), own)
    return own


def _is_sidecar(file: Path) -> bool:
    content = _content(file)
    return isinstance(content, dict) and "outputs" in content and "provenance" in content


def _names(sidecar: Path, path: Path) -> bool:
    outputs = _content(sidecar).get("outputs") if _is_sidecar(sidecar) else None
    return isinstance(outputs, dict) and path.name in outputs


def _content(file: Path) -> object:
    try:
        return read_json(file)
    except TrialwattError:
        return None  # who reads it as a sidecar says what is wrong with it


def write_sidecar(stem: Path, provenance: dict, outputs: Iterable[Path]) -> Path:
    """Write `<stem>.json`; `outputs` exist already and get a checksum each."""
    sidecar = stem.with_name(f"{stem.name}.json")
    content = {
        "provenance": provenance,
        "outputs": {output.name: sha256(output) for output in outputs},
    }
    write_whole(sidecar, json.dumps(content, sort_keys=True, indent=1, allow_nan=False) + "\n")
    return sidecar


def read_sidecar(path: Path) -> tuple[dict, dict[str, str]] | None:
    """Provenance and checksums from the sidecar of `path`; None where there is no sidecar."""
    sidecar = sidecar_of(path)
    try:
        content = read_json(sidecar)
    except Missing:
        return None
    provenance = content.get("provenance") if isinstance(content, dict) else None
    outputs = content.get("outputs") if isinstance(content, dict) else None
    if not isinstance(provenance, dict) or not _are_outputs(outputs):
        raise TrialwattError(
            f"{shown(sidecar, 500)}: damaged, not a sidecar of trialwatt: it needs `provenance`, "
            "and `outputs` with the checksum of each file beside it"
        )
    return provenance, outputs


def _are_outputs(outputs: object) -> bool:
    """Names of files in the sidecar's own folder, each with a checksum."""
    return isinstance(outputs, dict) and all(
        isinstance(checksum, str) and name not in ("", ".", "..") and Path(name).name == name
        for name, checksum in outputs.items()
    )


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
