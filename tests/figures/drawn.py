"""What is drawn on a figure, read back from it."""

from matplotlib.text import Text

from trialwatt.figures.style import look
from trialwatt.figures.suts import mark


def words(figure) -> str:
    """All its text."""
    with look():
        figure.draw_without_rendering()
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def large(axes, sut) -> list[float]:
    """The medians that are drawn of a SUT, from the top."""
    return [
        float(x)
        for line in axes.lines
        if line.get_marker() == mark(sut).marker and line.get_markersize() == 4
        for x in line.get_xdata()
    ]
