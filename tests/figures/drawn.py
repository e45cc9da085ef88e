"""What is drawn on a figure, read back from it."""

import numpy as np
from matplotlib.collections import PatchCollection, PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.text import Text

from trialwatt.figures.style import look
from trialwatt.figures.suts import mark


def words(figure) -> str:
    """All its text."""
    with look():
        figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def dots(axes, size, colour=None) -> list[tuple[float, float]]:
    """(x, y) of the dots of a size, in points; of one colour if it is given."""
    return [
        (float(x), float(y))
        for cloud in axes.collections
        if isinstance(cloud, PathCollection)
        for (x, y), area, edge, face in zip(
            cloud.get_offsets(),
            cloud.get_sizes(),
            cloud.get_edgecolors(),
            cloud.get_facecolors(),
            strict=True,
        )
        if area == size**2 and colour in (None, to_hex(edge).upper(), to_hex(face).upper())
    ]


def large(axes, sut) -> list[float]:
    """The medians that are drawn of a SUT, from the top."""
    return [x for x, _ in sorted(dots(axes, 4, mark(sut).colour), key=lambda at: at[1])]


def bars(axes, colour=None) -> list[tuple[float, float, float]]:
    """(left, right, place) of the bars; of one colour if it is given."""
    return [
        (*ends, float(path.vertices[:, 1].mean()))
        for boxes in axes.collections
        if isinstance(boxes, PatchCollection)
        for path, face in zip(boxes.get_paths(), boxes.get_facecolors(), strict=True)
        if colour is None or np.allclose(face, to_rgba(colour))
        for ends in [(float(path.vertices[:, 0].min()), float(path.vertices[:, 0].max()))]
    ]
