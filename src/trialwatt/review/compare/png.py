"""PNG pictures: the same chunks in the same order, and pixels within SHADES."""

from __future__ import annotations

import io
from collections.abc import Iterator

from trialwatt.provenance import pngtext
from trialwatt.review.compare.rounding import SHADES, Rounding
from trialwatt.review.compare.texts import same

_MOST_PIXELS = 100_000_000


def png(theirs: bytes, ours: bytes, rounding: Rounding) -> str:
    """What is written inside is text; chunks that hold neither that nor pixels are exact."""
    here, again = list(_chunks(theirs)), list(_chunks(ours))
    size = [chunks[0][1][:8] for chunks in (here, again)]
    if size[0] != size[1]:
        (w, h), (x, y) = ((_int(s[:4]), _int(s[4:])) for s in size)
        return f"an image of {w} x {h} here, {x} x {y} made again"
    if [kind for kind, _ in here] != [kind for kind, _ in again]:
        return "the parts of the file are other ones"
    for (kind, a), (_, b) in zip(here, again, strict=True):
        alike = a == b or (
            kind == b"tEXt" and same(a.decode("latin1"), b.decode("latin1"), rounding)
        )
        if kind != b"IDAT" and not alike:
            return f"what is written inside is another text ({kind.decode('latin1')!r})"
    return _pixels(theirs, ours)


def _pixels(theirs: bytes, ours: bytes) -> str:
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(ours)) as b, Image.open(io.BytesIO(theirs), formats=["PNG"]) as a:
        if a.size != b.size or a.mode != b.mode or b.size[0] * b.size[1] > _MOST_PIXELS:
            return f"an image of {a.size} {a.mode} here, {b.size} {b.mode} made again"
        apart = ImageChops.difference(a.convert("RGBA"), b.convert("RGBA"))
    box = (
        apart.point(lambda shade: 255 if shade > SHADES else 0)
        .convert("RGBA")
        .getbbox(alpha_only=False)
    )
    if box:
        return f"pixels differ by more than {SHADES} of 255, between {box[:2]} and {box[2:]}"
    return ""


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each; neighbouring IDAT as one. Raises ValueError where it is no PNG, a
    checksum is wrong, or something follows its end."""
    file, before = io.BytesIO(data), b""
    for kind, content in pngtext.chunks(file, lambda kind: True, len(data)):
        if not (kind == before == b"IDAT"):
            yield kind, content
        before = kind
    if after := len(file.read()):
        raise ValueError(f"{after} bytes follow its end")


def _int(data: bytes) -> int:
    if len(data) != 4:
        raise ValueError("cut off")
    return int.from_bytes(data, "big")
