"""One look for all figures, and one way to save them: same input, same bytes.

Figures are made of `matplotlib.figure.Figure` alone, never through pyplot, so that nothing of
them is left behind. Colours are Okabe and Ito's and Paul Tol's "muted" set, which colour-blind
readers can tell apart; a SUT has its colour and marker everywhere.
"""

from __future__ import annotations

import contextlib
import functools
import io
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import matplotlib.style
import pandas as pd
import seaborn as sns
import seaborn.objects as so
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trialwatt.figures.suts import DASHED, mark
from trialwatt.files import write_whole
from trialwatt.provenance.embed import FIGURES, PNG_KEY, encode, write_sidecar

PAGE_IN = 7.0
"""Width of both columns of a two-column paper, inches."""
SUFFIXES = FIGURES


OUTCOMES = {
    "completed": "#56B4E9",  # colours that none of our SUTs has
    "pruned": "#E69F00",
    "failed": "#882255",
    "duplicate": "#CC79A7",
}
STEPS = {
    "deploy": "#332288",
    "setup": "#88CCEE",
    "load": "#DDCC77",
    "train": "#117733",
    "validate": "#44AA99",
    "between": "#DDDDDD",
    "collect": "#CC6677",
    "test": "#AA4499",
    "metrics": "#999933",
    "undeploy": "#882255",
}
WASTE = {name: OUTCOMES[name] for name in ("failed", "pruned", "duplicate")}
MUTED = "#666666"
BASELINE = {"color": MUTED, "linewidth": 0.8, "linestyle": (0, (1, 2))}
"""The line that marks the baseline."""
STEPWISE = {"drawstyle": "steps-post", "zorder": 5}
"""Of a line that keeps its height until the next point."""
_MUTED_SET = (
    "#332288",
    "#CC6677",
    "#117733",
    "#DDAA33",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#AA4499",
    "#999933",
)
DASHES = dict(zip(DASHED, ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5))), strict=True))
LINES = [(colour, dashes) for dashes in DASHES for colour in _MUTED_SET]
"""Looks of many lines; those of one colour differ in dashes."""

_LOOK = {
    **sns.axes_style("ticks"),
    **sns.plotting_context("paper", font_scale=0.8),
    "font.family": ["DejaVu Sans"],  # shipped with matplotlib, so it is the same everywhere
    "font.sans-serif": ["DejaVu Sans"],
    "mathtext.fontset": "dejavusans",
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.5,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#333333",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "legend.frameon": False,
    "hatch.linewidth": 0.4,
    "text.hinting": "none",  # so that text is as wide at any resolution
    "savefig.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "savefig.bbox": None,
    "svg.fonttype": "path",
    "svg.hashsalt": "trialwatt",
    "pdf.fonttype": 42,
    "pdf.compression": 6,
}


def look() -> contextlib.AbstractContextManager[None]:
    """The look as a context; settings of the user's own matplotlib have no say in it."""
    return matplotlib.style.context(["default", _LOOK])


def plot(data: pd.DataFrame, **mapping: str) -> so.Plot:
    """A plot in our look, to which marks are added.

    A column mapped to colour holds the colour itself; one mapped to a marker the name of a SUT,
    one mapped to a line's style a key of DASHES.
    """
    markers = {sut: mark(sut).marker for sut in data["sut"].dropna().unique()}
    return (
        so.Plot(data, **mapping)
        .theme(_LOOK)
        .scale(color=None, marker=markers, linestyle=DASHES, fill={True: True, False: False})
    )


def legend_entry(label: str, **look) -> Line2D:
    """An entry of a legend: a mark, unless it is given a line."""
    return Line2D([], [], label=label, **{"linestyle": "none", "linewidth": 1.2} | look)


def styled(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorator: draw in our look, whatever the caller's settings are."""

    @functools.wraps(function)
    def draw(*args, **kwargs) -> Figure:
        with look():
            return function(*args, **kwargs)

    return draw


F = TypeVar("F", bound=Figure)


class Absent(Figure):
    """A picture of words for a file that the plan promised, where the data have nothing to show.
    Who shows figures leaves it out, and gives the reason.
    """

    reason = ""


def blank(width_in: float, height_in: float, kind: type[F] = Figure) -> F:
    """An empty figure with a canvas of its own."""
    figure = kind(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@styled
def nothing(title: str, reason: str, more: str = "") -> Absent:
    """What stands for a figure that has nothing to show; more: what else is not there."""
    figure = blank(PAGE_IN, 1.6, Absent)
    figure.reason = reason
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.text(0.5, 0.68, title, ha="center", va="center", weight="bold", fontsize=9)
    text = textwrap.fill(f"No data: {reason} {more}", 90)
    axes.text(0.5, 0.3, text, ha="center", va="center", color=MUTED, fontsize=8, parse_math=False)
    return figure


def heading(figure: Figure, title: str, handles: list, columns: int) -> None:
    """Title and legend above all panels, left aligned, so that neither lies over data.

    At most `columns` entries in a row, fewer where they would not fit the figure's width.
    """
    least = -(-len(handles) // columns)
    for count in dict.fromkeys(-(-len(handles) // r) for r in range(least, len(handles) + 1)):
        legend = figure.legend(
            handles=handles,
            title=title or None,
            title_fontproperties={"weight": "bold", "size": 9},
            alignment="left",
            loc="outside upper left",
            ncols=count,
            columnspacing=1.3,
            handlelength=1.6,
            borderaxespad=0.2,
            borderpad=0.2,
        )
        width = legend.get_window_extent(figure.canvas.get_renderer()).width
        if width <= 0.97 * figure.bbox.width or count == 1:
            return
        legend.remove()


def footnote(figure: Figure, text: str) -> None:
    """What a reader must know, under the panels, within the figure's width."""
    width = int(figure.get_size_inches()[0] * 21)
    figure.supxlabel(
        "\n".join(textwrap.fill(line, width) for line in text.split("\n")),
        x=0.012,
        ha="left",
        fontsize=6.5,
        color=MUTED,
    )


def render(figure: Figure, suffix: str, provenance: dict) -> bytes:
    """A figure as the bytes of one file, with its provenance inside and no date."""
    text = encode(provenance)
    title = f"{provenance.get('experiment', {}).get('id', '')} {provenance.get('kind', '')}"
    metadata: dict[str, dict[str, str | None]] = {
        ".svg": {"Title": title.strip(), "Description": text, "Creator": "trialwatt", "Date": None},
        ".pdf": {
            "Title": title.strip(),
            "Keywords": text,
            "Creator": "trialwatt",
            "CreationDate": None,
        },
        ".png": {"Title": title.strip(), PNG_KEY: text},
    }
    buffer = io.BytesIO()
    with look(), _without_shaping_tables():
        figure.savefig(
            buffer,
            format=suffix.removeprefix("."),
            metadata=metadata[suffix],
            **({"pil_kwargs": {"compress_level": 3}} if suffix == ".png" else {}),
        )
    return buffer.getvalue()


@contextlib.contextmanager
def _without_shaping_tables() -> Iterator[None]:
    """Leave the tables that shape text out of the fonts in a PDF: its text is placed already.

    To subset them takes longer than all the rest of a figure, and matplotlib has no option for it.
    Where fontTools keeps its defaults elsewhere one day, the file is only larger and slower.
    """
    from fontTools.subset import Options

    before = getattr(Options, "_drop_tables_default", None)
    if before is None:
        yield
        return
    Options._drop_tables_default = [*before, "GSUB", "GPOS", "kern"]
    try:
        yield
    finally:
        Options._drop_tables_default = before


def save(figure: Figure, stem: Path, provenance: dict) -> list[Path]:
    """Write `<stem>.svg`, `.pdf`, `.png` and the sidecar `<stem>.json`; returns their paths.

    provenance: of provenance.chain.chain. Equal figures and provenance give equal bytes.
    """
    with look():  # lay it out once, not once per format
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine(None)
    outputs = [stem.with_name(f"{stem.name}{suffix}") for suffix in SUFFIXES]
    for output in outputs:
        write_whole(output, render(figure, output.suffix, provenance))
    return [*outputs, write_sidecar(stem, provenance, outputs)]
