"""PDF files as matplotlib and Typst write them: objects in order, and one table of their places.

Lengths of compressed streams, and so all places in the file, move with the last digit of a
coordinate. They are checked against the file that they stand in, and then left out; what remains,
text between streams and what the streams hold, is compared with the other file's, piece by piece.
A file of another build (several tables, compressed tables) is told by its bytes.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from trialwatt.review.compare.rounding import Rounding
from trialwatt.review.compare.texts import drawn, excerpts, in_bytes, same

_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_LENGTH = re.compile(rb"(?<=/Length )(\d+)( 0 R)?")
_TABLE = re.compile(rb"xref\n0 (\d+)\s*\n((?:\d{10} \d{5} [nf][ \r]\n)+)trailer")
_END = re.compile(rb"startxref\n(\d+)\n%%EOF\n?")
_HASH = rb"(\([^()]*\)|<[0-9A-Fa-f]*>)"
_IDENTITY = re.compile(rb"/ID\s*\[\s*" + _HASH + rb"\s*" + _HASH + rb"\s*\]")
_LITERAL = re.compile(r"(\((?:[^()\\]|\\.)*\)|<[0-9A-Fa-f\s]*>)", re.DOTALL)
_MOST = 256 << 20
_LEAST_HASH = 16


@dataclass(frozen=True)
class _Pieces:
    """texts: what stands between streams, without lengths and places. streams: what they hold."""

    texts: list[str]
    streams: list[bytes]


def pdf(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    """Texts in it are exact as texts, all other numbers are coordinates."""
    try:
        here, again = _pieces(theirs), _pieces(ours)
    except (ValueError, zlib.error):
        return in_bytes(theirs, ours)
    if len(here.streams) != len(again.streams):
        return f"{len(here.streams)} streams here, {len(again.streams)} made again"
    for number, (a, b) in enumerate(zip(here.texts, again.texts, strict=True)):
        if a != b and not _same_objects(a, b, rounding):
            return f"objects after stream {number} differ: {excerpts(a, b)}"
    for number, (x, y) in enumerate(zip(here.streams, again.streams, strict=True), start=1):
        if x != y and not _same_objects(x.decode("latin1"), y.decode("latin1"), rounding):
            a, b = x.decode("latin1"), y.decode("latin1")
            return f"stream {number} differs: {excerpts(a, b)}"
    return ""


def _same_objects(a: str, b: str, rounding: Rounding) -> bool:
    one, other = _LITERAL.split(a), _LITERAL.split(b)
    return len(one) == len(other) and all(
        x == y or (same if place % 2 else drawn)(x, y, rounding)
        for place, (x, y) in enumerate(zip(one, other, strict=True))
    )


def _pieces(data: bytes) -> _Pieces:
    """Raises ValueError where the file is of another build, or names lengths or places that are
    not its own."""
    table, end = _TABLE.search(data), _END.search(data)
    if not table or not end or end.end() != len(data) or int(end[1]) != table.start():
        raise ValueError("no one table of objects, at its end")
    places = _places(data, int(table[1]), table[2])
    texts, streams, lengths, place, left = [], [], [], 0, _MOST
    while found := _STREAM.search(data, place, table.start()):
        before = data[place : found.end()]
        head = before.rpartition(b" obj")[2]
        said = _LENGTH.search(head)
        if said is None:
            raise ValueError("a stream without a length")
        length = int(said[1])
        if said[2]:  # it stands in an object of its own
            lengths.append(length)
            length = _whole_number(data, places, lengths[-1])
        texts.append(before if said[2] else before[: -len(head)] + _LENGTH.sub(b"", head, 1))
        place = found.end() + length
        if not re.match(rb"\r?\n?endstream", data[place : place + 11]):
            raise ValueError("a length is not that of its stream")
        streams.append(_content(data[found.end() : place], head, left))
        left -= len(streams[-1])
    texts.append(data[place : table.start()] + data[table.end() : end.start()])
    identity = _IDENTITY.search(texts[-1])
    hashes = {text.strip(b"()<>") for text in identity.groups()} if identity else set()
    return _Pieces(
        [_bare(text, hashes, lengths).decode("latin1") for text in texts],
        [_bare(stream, hashes) for stream in streams],
    )


def _content(data: bytes, head: bytes, left: int) -> bytes:
    if b"FlateDecode" not in head:
        return data
    opener = zlib.decompressobj()
    content = opener.decompress(data, left)
    if not opener.eof or opener.unused_data:
        raise ValueError("a stream is cut off, too large, or holds more than it unpacks to")
    return content


def _whole_number(data: bytes, places: list[int], number: int) -> int:
    """The object `number`, which is a whole number."""
    place = places[number] if number < len(places) else len(data)
    found = re.compile(rb"\d+ 0 obj\s*(\d{1,10})\s*endobj").match(data, place)
    if not found:
        raise ValueError("a length that is no number")
    return int(found[1])


def _bare(text: bytes, hashes: set[bytes], lengths: Iterable[int] = ()) -> bytes:
    """Without the objects that are lengths of streams, and the file's identity, which is a hash of
    its content."""
    for number in lengths:
        text = re.sub(rb"(?<!\d)(%d 0 obj\s*)\d+(?=\s*endobj)" % number, rb"\1", text)
    for each in hashes:
        text = text.replace(each, b"") if len(each) >= _LEAST_HASH else text
    return text


def _places(data: bytes, count: int, entries: bytes) -> list[int]:
    """Where each object is, by the table: that it is there is checked."""
    lines = entries.split(b"\n")[:-1]
    if len(lines) != count:
        raise ValueError("the table of objects has another size than it says")
    places = [int(line[:10]) for line in lines]
    for number, (line, place) in enumerate(zip(lines, places, strict=True)):
        if line[17:18] == b"n" and not data.startswith(b"%d 0 obj" % number, place):
            raise ValueError(f"object {number} is not where the table of objects says")
    return places
