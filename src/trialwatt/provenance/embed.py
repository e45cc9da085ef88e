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
from pathlib import Path
from xml.etree import ElementTree

from trialwatt.errors import TrialwattError
from trialwatt.provenance.files import sha256, write_whole

PNG_KEY = "trialwatt"
FIGURES = (".svg", ".pdf", ".png")
_DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"


class NoProvenance(TrialwattError):
    """The file says nothing about where it comes from."""


def encode(provenance: dict) -> str:
    """One line of ASCII with sorted keys: the same chain is the same text everywhere."""
    return json.dumps(provenance, sort_keys=True, separators=(",", ":"), allow_nan=False)


def embedded(path: Path) -> dict:
    """The provenance inside a figure. Raises NoProvenance, or TrialwattError for a damaged file."""
    readers = {".svg": _from_svg, ".pdf": _from_pdf, ".png": _from_png}
    text = readers[path.suffix.lower()](path)
    try:
        value = json.loads(text) if text else None
    except ValueError:
        value = None
    if not isinstance(value, dict) or value.get("generator") != "trialwatt":
        raise NoProvenance(
            f"{path}: no provenance inside; it was not made by trialwatt, or a program that "
            "edited or optimised it has removed the metadata. Re-make it, or trace the original."
        )
    return value


def sidecar_of(path: Path) -> Path:
    """The sidecar of a figure or table; of a sidecar itself; of another JSON file the one beside
    it that names it."""
    own = path.with_name(f"{path.stem}.json")
    if path == own and not _is_sidecar(own):
        return next((one for one in sorted(path.parent.glob("*.json")) if _names(one, path)), own)
    return own


def _is_sidecar(file: Path) -> bool:
    content = _content(file)
    return isinstance(content, dict) and "outputs" in content and "provenance" in content


def _names(sidecar: Path, path: Path) -> bool:
    outputs = _content(sidecar).get("outputs") if _is_sidecar(sidecar) else None
    return isinstance(outputs, dict) and path.name in outputs


def _content(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
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
    if not sidecar.is_file():
        return None
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        provenance, outputs = content["provenance"], content["outputs"]
        if not isinstance(provenance, dict) or not isinstance(outputs, dict):
            raise TypeError("provenance and outputs must be objects")
    except (ValueError, KeyError, TypeError) as error:
        raise TrialwattError(f"{sidecar}: damaged, not a sidecar of trialwatt ({error})") from error
    return provenance, outputs


def _from_svg(path: Path) -> str | None:
    try:
        found = ElementTree.parse(path).getroot().iter(_DESCRIPTION)
    except ElementTree.ParseError as error:
        raise TrialwattError(f"{path}: damaged, not an SVG file ({error})") from error
    return next((element.text for element in found), None)


def _from_pdf(path: Path) -> str | None:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        info = PdfReader(path).metadata
    except PyPdfError as error:
        raise TrialwattError(f"{path}: damaged, not a PDF file ({error})") from error
    return str(info["/Keywords"]) if info and "/Keywords" in info else None


def _from_png(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as image:
            return image.info.get(PNG_KEY)
    except (UnidentifiedImageError, ValueError) as error:
        raise TrialwattError(f"{path}: damaged, not a PNG file ({error})") from error
