"""How a difference is said."""

from __future__ import annotations

_SHOWN = 60


def in_bytes(theirs: bytes, ours: bytes) -> str:
    """From where on they differ."""
    pairs = enumerate(zip(theirs, ours, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(theirs), len(ours)))
    return f"from byte {at} on ({len(theirs)} bytes here, {len(ours)} made again)"


def excerpts(a: str | None, b: str | None) -> str:
    """Both texts around the place where they begin to differ."""
    if a is None or b is None:
        return f"only {'made again' if a is None else 'here'}: {short(a or b or '')!r}"
    pairs = enumerate(zip(a, b, strict=False))
    at = next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
    start = max(0, at - _SHOWN // 2)
    return f"{short(a[start:])!r} here, {short(b[start:])!r} made again"


def short(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
