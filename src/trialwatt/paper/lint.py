"""What may stand in the paper's source: words, and no digit of a result."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from trialwatt.provenance.bounds import is_company

STYLE = "style.typ"
NAMES = r"\bH[12]\b|CO₂"
"""Names with a digit, which the text may use."""
LENGTH = r"-?\d+(\.\d+)?(pt|em|in|cm|mm|%|fr)(?!\w)"
_CODE = (
    r"luma\(\d+\)|place == 0|it\.level == 1|columns: 2|numbering: \"[1A.]+\"|update\(0\)|"
    r"slice\(1\)|len\(\) > [01]|most: \d+|"
)
LAYOUT = rf"{_CODE}{LENGTH}"
"""Digits of the layout, which only the style may have."""
_SHOWN = 80


def typed_digits(source: Path) -> Iterator[tuple[str, str]]:
    """File and line wherever a digit stands in the paper's source that no generated file gave."""
    for file in sorted(source.rglob("*.typ")):
        name = file.relative_to(source).as_posix()
        if is_company(name):
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        for line in digits(text, LAYOUT if name == STYLE else NAMES):
            yield name, line.strip()[:_SHOWN]


def digits(text: str, allowed: str) -> list[str]:
    """Lines in which there is a digit (superscripts too) that is not of what is allowed."""
    text = re.sub(r"(?m)^\s*//.*$|(?<=[\s,])//\s.*$", "", text)
    text = re.sub(allowed, "", text)
    return [line for line in text.splitlines() if any(letter.isdigit() for letter in line)]
