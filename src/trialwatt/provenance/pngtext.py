"""A text chunk of a PNG, without its pixels: an image may claim to be of any size."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO

from trialwatt.errors import TrialwattError
from trialwatt.printed import shown
from trialwatt.provenance.foreign import JSON_BYTES, opened

PNG_BYTES = 1 << 30
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNKS = 100_000


class _Damaged(ValueError):
    """Why it is no PNG that can be read."""


def text(path: Path, key: str) -> str | None:
    """The first text of a PNG under this key (tEXt, zTXt or iTXt); None where there is none.

    Raises TrialwattError where it is no whole PNG.
    """
    try:
        with opened(path, PNG_BYTES) as file:
            return _text(file, key.encode("latin-1"))
    except (_Damaged, OSError) as error:
        raise TrialwattError(
            f"{shown(path, 500)}: damaged, not a PNG file ({shown(error, 200)})"
        ) from error


def _text(file: BinaryIO, key: bytes) -> str | None:
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        raise _Damaged("its first bytes are not those of a PNG")
    found: str | None = None
    for number in range(_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            raise _Damaged("it is cut off")
        size, kind = struct.unpack(">I4s", head)
        if (kind == b"IHDR") != (number == 0):
            raise _Damaged("it does not begin with its one header")
        if kind == b"IEND":
            return found
        if kind not in _READERS:
            file.seek(size + 4, 1)
            continue
        if size > JSON_BYTES:
            raise _Damaged("a text in it is too long")
        data, check = file.read(size), file.read(4)
        if zlib.crc32(kind + data).to_bytes(4, "big") != check:
            raise _Damaged("the checksum of a text in it differs")
        name, _, rest = data.partition(b"\0")
        if name == key and found is None:
            found = _READERS[kind](rest)
    raise _Damaged(f"it has over {_CHUNKS} parts")


def _plain(rest: bytes) -> str:
    return rest.decode("latin-1")


def _packed(rest: bytes) -> str:
    return _unpacked(rest[1:]).decode("latin-1")


def _international(rest: bytes) -> str:
    """A flag whether it is packed, the method, language, translated key, and the text."""
    parts = rest[2:].split(b"\0", 2)
    if len(parts) != 3:
        raise _Damaged("a text in it is cut off")
    try:
        return (_unpacked(parts[2]) if rest[0] else parts[2]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Damaged("a text in it is not UTF-8") from error


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        whole = unpacking.decompress(packed, JSON_BYTES)
    except zlib.error as error:
        raise _Damaged(f"a text in it cannot be unpacked: {error}") from error
    if not unpacking.eof:
        raise _Damaged("a text in it is too long, or cut off")
    return whole


_READERS = {b"tEXt": _plain, b"zTXt": _packed, b"iTXt": _international}
