"""CSV by hand: a fault is named by the line that an editor shows, whatever lies before it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.config.csv_lines import read_table
from trialwatt.errors import TrialwattError

WANTED = ("utc_start", "g_per_kwh")
HEAD = b"utc_start,g_per_kwh\n"


def read(tmp_path, data: bytes):
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    return read_table(path, WANTED)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (HEAD + b"a,1\nb,2\n", [2, 3]),
        (HEAD + b"a,1\nb,2", [2, 3]),
        (b"\xef\xbb\xbf" + HEAD + b"a,1\nb,2\n", [2, 3]),
        ((HEAD + b"a,1\nb,2\n").replace(b"\n", b"\r\n"), [2, 3]),
        ((HEAD + b"a,1\nb,2\n").replace(b"\n", b"\r"), [2, 3]),
        (b"\n\n# from: me\n\n" + HEAD + b"\na,1\n,\n  \nb,2\n\n", [7, 10]),
        (b'#, "x"\n' + HEAD + b"a,1\n# \nb,2\n", [3, 5]),
        (b"utc_start,what,g_per_kwh\n" + b'a,"of\n\ntwo",1\nb,,2\n', [2, 5]),
        (b' utc_start , "g_per_kwh"\n'.replace(b' "', b'"') + b" a , 1 \n b, 2\n", [2, 3]),
    ],
)
def test_rows_have_the_lines_of_the_file(tmp_path, data, lines):
    rows = read(tmp_path, data).rows
    assert [row.line for row in rows] == lines
    assert [(row.cells["utc_start"], row.cells["g_per_kwh"]) for row in rows] == [
        ("a", "1"),
        ("b", "2"),
    ]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty; must have the columns utc_start and g_per_kwh"),
        (b"# only\n\n", "is empty"),
        (b"\nutc_start,g_per_kwh,g_per_kwh\n", "line 2: has the column g_per_kwh twice"),
        (b"utc_start,g_per_kwh, g_per_kwh\n", "line 1: has the column g_per_kwh twice"),
        (b"utc_start,g_per_kwh,,\n", "line 1: has a column without a name twice"),
        (b"utc_start;g_per_kwh\n", "line 1: must have the columns utc_start and g_per_kwh, "),
        (HEAD + b"\na,300,5\n", "line 3: has 3 fields, but there are 2 columns; a decimal comma"),
        (HEAD + b"a\n", "line 2: has 1 fields"),
        (HEAD + b'a,1\n"b,2\nc,3\n', "line 3: no CSV: unexpected end of data"),
        (HEAD + b'a,"1"5\n', "line 2: no CSV"),
        (b"\xff\xfeu\x00", "no CSV file: .*save it as UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, data, said):
    with pytest.raises(TrialwattError, match=rf"x\.csv: {said}"):
        read(tmp_path, data)


CELL = st.text(st.sampled_from('ab "\n,;é'), max_size=6)


@given(st.lists(st.tuples(CELL, CELL), max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
def test_any_table_comes_back_with_the_line_of_each_row(tmp_path_factory, rows, blank):
    """Whatever the cells are, and with a blank line or a comment in between."""
    text, expected = io.StringIO(newline=""), []
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(WANTED)
    for row, has_blank in zip(rows, blank, strict=False):
        text.write("\n# a comment\n" if has_blank else "")
        line = text.getvalue().count("\n") + 1
        writer.writerow(row)
        cells = tuple(cell.strip() for cell in row)
        if any(cells):
            expected.append((line, cells))
    folder = tmp_path_factory.mktemp("csv")
    table = read(folder, text.getvalue().encode())
    assert [(row.line, tuple(row.cells.values())) for row in table.rows] == expected
