"""A text chunk of a PNG, without its pixels: an image may claim to be of any size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance.foreign import JSON_BYTES, opened

PNG_BYTES = 1 << 30
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNKS = 100_000


class Damaged(ValueError):
    """Why it is no PNG that can be read."""


def text(path: Path, key: str) -> str | None:
    """The first text of a PNG under this key (tEXt, zTXt or iTXt); None where there is none.

    Raises TrialwattError where it is no whole PNG.
    """
    try:
        with opened(path, PNG_BYTES) as file:
            return _text(file, key.encode("latin-1"))
    except (Damaged, OSError) as error:
        raise TrialwattError(
            f"{shown(path, 500)}: damaged, not a PNG file ({shown(error, 200)})"
        ) from error


def _text(file: BinaryIO, key: bytes) -> str | None:
    found: str | None = None
    for kind, content in chunks(file, _READERS.__contains__):
        name, _, rest = content.partition(b"\0")
        if kind in _READERS and name == key and found is None:
            found = _READERS[kind](rest)
    return found


def chunks(
    file: BinaryIO, wanted: Callable[[bytes], bool], most: int = JSON_BYTES
) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk up to the last one; the content is read and checked where its
    kind is wanted, else empty. Raises Damaged where it is no PNG, or a part has over `most` bytes.
    """
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        raise Damaged("its first bytes are not those of a PNG")
    for number in range(_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise Damaged("it is cut off")
        size, kind = struct.unpack(">I4s", head)
        if (kind == b"IHDR") != (number == 0):
            raise Damaged("it does not begin with its one header")
        part = "a text" if kind in _READERS else "a part"
        if not wanted(kind):
            file.seek(size + 4, 1)
            yield kind, b""
        elif size > most:
            raise Damaged(f"{part} in it is too long")
        else:
            content, check = file.read(size), file.read(4)
            if zlib.crc32(kind + content).to_bytes(4, "big") != check:
                raise Damaged(f"the checksum of {part} in it differs")
            yield kind, content
        if kind == b"IEND":
            return
    raise Damaged(f"it has over {_CHUNKS} parts")


def _plain(rest: bytes) -> str:
    return rest.decode("latin-1")


def _packed(rest: bytes) -> str:
    return _unpacked(rest[1:]).decode("latin-1")


def _international(rest: bytes) -> str:
    """A flag whether it is packed, the method, language, translated key, and the text."""
    parts = rest[2:].split(b"\0", 2)
    if len(parts) != 3:
        raise Damaged("a text in it is cut off")
    try:
        return (_unpacked(parts[2]) if rest[0] else parts[2]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged("a text in it is not UTF-8") from error


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        whole = unpacking.decompress(packed, JSON_BYTES)
    except zlib.error as error:
        raise Damaged(f"a text in it cannot be unpacked: {error}") from error
    if not unpacking.eof:
        raise Damaged("a text in it is too long, or cut off")
    return whole


_READERS = {b"tEXt": _plain, b"zTXt": _packed, b"iTXt": _international}
