"""The table of `trialwatt meters`, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from trialwatt.meters.choose import Row

_HEAD = Row("meter", "use", "what to know", ("domains",))
_GAP = "  "
_LEAST = 30  # columns for a sentence, however narrow the terminal is


def listed(rows: Sequence[Row], width: int) -> str:
    """Aligned columns; a long sentence goes on below itself. width: columns of the terminal."""
    table = [(r.meter, r.use, ", ".join(r.domains) or "-", r.reason or "-") for r in (_HEAD, *rows)]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    margin = sum(widths) + len(_GAP) * 3
    lines = []
    for *cells, reason in table:
        parts = [cell.ljust(size) for cell, size in zip(cells, widths, strict=True)]
        said = textwrap.wrap(reason, max(_LEAST, width - margin), break_on_hyphens=False)
        lines.append(_GAP.join([*parts, said[0]]))
        lines += [" " * margin + more for more in said[1:]]
    return "\n".join(lines)
