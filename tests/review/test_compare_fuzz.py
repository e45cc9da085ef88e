"""A damaged file of a stranger is compared all the same: it is different, or the damage is none."""

import base64
import zlib

import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from tests.fuzz import fuzz

from trialwatt.figures.style import render
from trialwatt.metrics.tables import write_parquet
from trialwatt.review.compare import Outcome, compared

MOST_S = 5.0
FEW, MANY = 60, 3_000
SUFFIXES = (".csv", ".json", ".md", ".html", ".svg", ".png", ".pdf", ".parquet")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind, as it is made again."""
    folder = tmp_path_factory.mktemp("compared")
    figure = Figure(figsize=(2, 2))
    figure.add_subplot().plot([0.1, 0.2, 0.4], [1, 2, 3])
    provenance = {"generator": "trialwatt", "tables": {"runs": "6d" * 32}}
    for suffix in (".svg", ".png", ".pdf"):
        (folder / f"x{suffix}").write_bytes(render(figure, suffix, provenance))
    rows = {"x": [0.3, None, float("nan")] * 20, "y": ["a", "b", "b"] * 20, "n": [1, 2, 3] * 20}
    write_parquet(pa.table(rows), folder / "x.parquet")
    (folder / "x.csv").write_text("x,y\n" + "0.30000000000000004,a\n1e-05,b\n" * 20)
    (folder / "x.json").write_text('{"a": [1, 2.5, {"b": null}], "c": "' + "6d" * 32 + '"}')
    (folder / "x.md").write_text("| a | 0.5 |\n" * 20)
    svg = (folder / "x.svg").read_bytes()
    page = b'<img src="data:image/svg+xml;base64,' + base64.b64encode(svg) + b'">'
    (folder / "x.html").write_bytes(page)
    return folder


def attempts(files, suffix, inputs, seed):
    ours, theirs = files / f"x{suffix}", files / f"theirs{suffix}"

    def attempt(data: bytes) -> None:
        theirs.write_bytes(data)
        found = compared(theirs, ours)
        assert isinstance(found, Outcome)
        assert found.identical == (data == ours.read_bytes())

    return fuzz({suffix: ours.read_bytes()}, attempt, (), inputs, seed=seed, most_s=MOST_S)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_mutated_files(files, suffix):
    found = attempts(files, suffix, FEW, 1)
    assert found.inputs >= FEW and not found.unclean, found.unclean[:3]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_mutated_files(files, suffix):
    found = attempts(files, suffix, MANY, 2)
    assert not found.unclean, found.unclean[:3]


def test_a_stream_of_a_pdf_that_unpacks_without_end(files, tmp_path):
    pdf = (files / "x.pdf").read_bytes()
    start = pdf.index(b"stream\n") + len(b"stream\n")
    bomb = zlib.compress(bytes(300 << 20), 9)
    (tmp_path / "x.pdf").write_bytes(pdf[:start] + bomb + pdf[pdf.index(b"\nendstream") :])
    assert compared(tmp_path / "x.pdf", files / "x.pdf").said
