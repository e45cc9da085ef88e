import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trialwatt.review.compare import difference


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
    assert said in difference(*pair(tmp_path, suffix, one, other))


def test_identical_and_missing(tmp_path):
    a, b = pair(tmp_path, ".csv", b"x\n", b"x\n")
    assert difference(a, b) == ""
    a.unlink()
    assert difference(a, b) == "missing"


def test_parquet(tmp_path):
    def write(name, **columns):
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    ours = write("b.parquet", x=[1.0, float("nan")])
    assert "row 1, column x: '2.0' here" in difference(write("1.parquet", x=[2.0, 3.0]), ours)
    assert "other ones" in difference(write("2.parquet", y=[1.0, 2.0]), ours)
    assert "1 rows here, 2" in difference(write("3.parquet", x=[1.0]), ours)
    pq.write_table(pa.table({"x": [1.0, float("nan")]}), tmp_path / "4.parquet", compression="gzip")
    assert "from byte" in difference(tmp_path / "4.parquet", ours)


def test_pictures(tmp_path):
    from PIL import Image

    def write(name, size=(4, 4), dot=None):
        image = Image.new("RGB", size, "white")
        if dot:
            image.putpixel(dot, (0, 0, 0))
        image.save(tmp_path / name)
        return tmp_path / name

    ours = write("b.png")
    assert "between (1, 2) and (2, 3)" in difference(write("1.png", dot=(1, 2)), ours)
    assert "an image of (5, 4)" in difference(write("2.png", size=(5, 4)), ours)
