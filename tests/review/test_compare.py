import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialwatt.review.compare import Outcome, compared


def pair(tmp_path, suffix, one, other):
    a, b = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    a.write_bytes(one)
    b.write_bytes(other)
    return a, b


@pytest.mark.parametrize(
    ("suffix", "one", "other", "said"),
    [
        (".csv", b"x,y\n1,2\n", b"x,y\n1,3\n", "row 1, column y: '2' here, '3' made again"),
        (".csv", b"x,y\n1,2\n", b"x,y\n", "row 1: only here"),
        (".json", b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', "a.b[1]: '2' here, '3'"),
        (".json", b'{"a": 1}', b"{}", "a: only here"),
        (".json", b'{"a": 1}', b'{"a":1}', "line 1"),
        (".json", b"{", b"{}", "it cannot be read"),
        (".json", b"[" * 100_000, b"{}", "it cannot be read"),
        (".md", b"a\nb\n", b"a\nc\n", "line 2: 'b' here, 'c' made again"),
        (".svg", b"<svg/>\xff", b"<svg/>", "from byte 6 on"),
        (".pdf", b"%PDF-1", b"%PDF-2", "from byte 5 on"),
        (".parquet", b"PAR1", b"PAR1x", "it cannot be read"),
        (".png", b"x", b"y", "it cannot be read"),
    ],
)
def test_the_first_difference_in_words(tmp_path, suffix, one, other, said):
    assert said in compared(*pair(tmp_path, suffix, one, other)).said


def test_identical_and_missing(tmp_path):
    a, b = pair(tmp_path, ".csv", b"x\n", b"x\n")
    assert compared(a, b) == Outcome(identical=True)
    a.unlink()
    assert compared(a, b).said == "missing"


def test_parquet(tmp_path):
    def write(name, **columns):
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    ours = write("b.parquet", x=[1.0, float("nan")])
    assert "row 1, column x: '2.0' here" in compared(write("1.parquet", x=[2.0, 3.0]), ours).said
    assert "other ones" in compared(write("2.parquet", y=[1.0, 2.0]), ours).said
    assert "1 rows here, 2" in compared(write("3.parquet", x=[1.0]), ours).said
    pq.write_table(pa.table({"x": [1.0, float("nan")]}), tmp_path / "4.parquet", compression="gzip")
    assert "from byte" in compared(tmp_path / "4.parquet", ours).said


def test_pictures(tmp_path):
    from PIL import Image

    def write(name, size=(4, 4), dot=None):
        image = Image.new("RGB", size, "white")
        if dot:
            image.putpixel(dot, (0, 0, 0))
        image.save(tmp_path / name)
        return tmp_path / name

    ours = write("b.png")
    assert "between (1, 2) and (2, 3)" in compared(write("1.png", dot=(1, 2)), ours).said
    assert "an image of 5 x 4" in compared(write("2.png", size=(5, 4)), ours).said


SUM = "6de57b9aed8316b1872ce848a262dd23aa6ee2002db0c39dd3c2ca9949a5b0c1"
OTHER = "b39a05e636b320b35de706573583e6e0ad0bd4969747bc46485e83960c5bb9e0"


@pytest.mark.parametrize(
    ("suffix", "one", "other", "values"),
    [
        (".csv", b"x,y\n1,0.30000000000000004\n", b"x,y\n1,0.3\n", 1),
        (".csv", b"x\n3\n", b"x\n3.0000000000000004\n", 1),  # Arrow writes 3.0 as 3
        (".csv", b"x\n1e-05\n", b"x\n9.999999999999999e-06\n", 1),
        (".json", b'{"a": [1.1, 2.2000000000000006]}', b'{"a": [1.1, 2.2]}', 1),
        (".md", b"| 8.955882352941174 | 5 |", b"| 8.955882352941175 | 5 |", 1),
        (".html", b"<script>[0.1,0.30000000000000004]</script>", b"<script>[0.1,0.3]</script>", 1),
        (".svg", b'<path d="M 1.000001 2 \nL 3 4.5"/>', b'<path d="M 1 2 \nL 3 4.500001"/>', 0),
        (
            ".svg",
            b'<g id="m0123456789"/><use x="#m0123456789"/>',
            b'<g id="mabcdefabcd"/><use x="#mabcdefabcd"/>',
            0,
        ),
    ],
)
def test_the_last_digits_of_numbers_are_rounding(tmp_path, suffix, one, other, values):
    found = compared(*pair(tmp_path, suffix, one, other))
    assert found.rounded and found.values == values and found.greatest < 1e-15


@pytest.mark.parametrize(
    ("suffix", "one", "other"),
    [
        (".csv", b"x\n0.123456789123\n", b"x\n0.123456788123\n"),  # the ninth digit
        (".csv", b"x\n3.123456789123\n", b"x\n3.123456790123\n"),
        (".csv", b"x\n100000000000\n", b"x\n100000000001\n"),  # whole numbers are exact
        (".csv", b"x\n1.0\n", b"x\nnan\n"),
        (".csv", b"x\n1e400\n", b"x\n1e401\n"),
        (".json", b'{"a": 1.0, "b": 2.0}', b'{"b": 2.0, "a": 1.0}'),  # order
        (".json", b'{"a": "supported"}', b'{"a": "undecided"}'),
        (".md", b"least energy under 512 MB", b"least energy under 640 MB"),
        (".svg", b'<path d="M 1 2"/>', b'<path d="M 1.00001 2"/>'),
        (".svg", b"<!-- 1.5 -->", b"<!-- 1.500001 -->"),  # a label, no coordinate
        (
            ".svg",
            b'<g id="m0123456789"/><use x="#m0123456789"/>',
            b'<g id="mabcdefabcd"/><use x="#m0123456789"/>',
        ),
        (
            ".svg",
            b'<a id="m0123456789"/><a id="m0123456789"/>',
            b'<a id="m0123456789"/><a id="mabcdefabcd"/>',
        ),
    ],
)
def test_what_is_more_than_rounding(tmp_path, suffix, one, other):
    assert compared(*pair(tmp_path, suffix, one, other)).said


def test_a_checksum_of_what_is_equal_up_to_rounding_is_no_second_fault(tmp_path):
    a, b = pair(tmp_path, ".json", f'{{"x": "{SUM}"}}'.encode(), f'{{"x": "{OTHER}"}}'.encode())
    assert compared(a, b).said
    assert compared(a, b, {OTHER: SUM}).rounded
    assert compared(a, b, {SUM: OTHER}).said


def test_last_digits_in_parquet_and_nothing_beside_them(tmp_path):
    from trialwatt.metrics.tables import write_parquet

    def write(name, more=b"", **columns):
        write_parquet(pa.table(columns), tmp_path / name)
        file = tmp_path / name
        file.write_bytes(file.read_bytes()[:4] + more + file.read_bytes()[4:])
        return file

    ours = write("b.parquet", x=[0.3, None, float("nan")], y=["a", "b", "b"])
    rounded = {"x": [0.1 + 0.2, None, float("nan")], "y": ["a", "b", "b"]}
    found = compared(write("1.parquet", **rounded), ours)
    assert found.rounded and found.values == 1
    assert compared(write("2.parquet", **rounded | {"y": ["a", "b", "c"]}), ours).said
    assert compared(write("3.parquet", **rounded | {"x": [0.3, 0.0, float("nan")]}), ours).said
    assert compared(
        write("4.parquet", **rounded | {"x": [0.3000001, None, float("nan")]}), ours
    ).said
    hidden = tmp_path / "5.parquet"
    pq.write_table(pa.table(rounded).replace_schema_metadata({"more": "told"}), hidden)
    assert compared(hidden, ours).said


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The same figure of numbers that differ in their last bits, and of others."""
    import numpy as np
    from matplotlib.figure import Figure

    from trialwatt.figures.style import render

    folder = tmp_path_factory.mktemp("drawn")
    for name, scale, checksum in (("a", 1.0, SUM), ("b", 1 + 3e-16, OTHER), ("c", 1.002, SUM)):
        figure = Figure(figsize=(4, 3))
        axes = figure.add_subplot()
        x = np.sort(np.random.default_rng(0).random(30))
        y = np.cumsum(x - 0.4) * scale
        axes.plot(x, y, marker="o")
        axes.fill_between(x, y - 0.3 * scale, y + 0.2)
        axes.scatter(x, y * 1.1, s=20 * abs(y))
        for suffix in (".svg", ".pdf", ".png"):
            provenance = {"generator": "trialwatt", "tables": {"runs": checksum}}
            (folder / f"{name}{suffix}").write_bytes(render(figure, suffix, provenance))
    return folder


@pytest.mark.parametrize("suffix", [".svg", ".pdf", ".png"])
def test_a_figure_of_numbers_that_differ_in_their_last_bits(drawn, suffix):
    a, b, c = (drawn / f"{name}{suffix}" for name in "abc")
    assert a.read_bytes() != b.read_bytes()
    assert compared(a, b, {OTHER: SUM}).rounded
    assert compared(a, b).said  # of a table that is another one
    assert compared(c, a).said


def test_bytes_in_a_pdf_that_nothing_accounts_for(drawn, tmp_path):
    pdf = (drawn / "a.pdf").read_bytes()
    at = pdf.index(b"endstream") + len(b"endstream\n")
    table = pdf.index(b"xref\n0 ")
    changed = {
        "a comment at its end": pdf + b"% more\n",
        "a comment between objects": pdf[:at] + b"% more\n" + pdf[at:],
        "an object elsewhere": pdf[: table + 40] + b"0000000001" + pdf[table + 50 :],
        "another end": pdf.replace(b"startxref\n", b"startxref\n1"),
    }
    for name, data in changed.items():
        (tmp_path / "x.pdf").write_bytes(data)
        assert compared(tmp_path / "x.pdf", drawn / "b.pdf", {OTHER: SUM}).said, name


def test_what_hides_in_a_picture(drawn, tmp_path):
    import zlib

    png = (drawn / "a.png").read_bytes()
    chunk = b"teXt" + b"more"
    chunk = len(b"more").to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    for data in (png + b"more", png[:33] + chunk + png[33:], png[:-20], png[:40] + b"x" + png[41:]):
        (tmp_path / "x.png").write_bytes(data)
        assert compared(tmp_path / "x.png", drawn / "b.png", {OTHER: SUM}).said


def test_a_figure_inside_a_page(drawn, tmp_path):
    import base64

    def page(name):
        data = base64.b64encode((drawn / f"{name}.svg").read_bytes())
        return b'<p>x</p><img src="data:image/svg+xml;base64,' + data + b'"><p>0.5</p>'

    for name in ("a", "c"):
        one, other = pair(tmp_path, ".html", page(name), page("b"))
        found = compared(one, other, {OTHER: SUM})
        assert found.rounded if name == "a" else "figure 1 in it: line" in found.said
