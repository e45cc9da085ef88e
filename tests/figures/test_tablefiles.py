import re

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.figures.tablefiles import Table, escaped, latex
from trialwatt.figures.tables import results


def test_special_letters_are_escaped():
    assert escaped("50 % of a_b & {c} #1 $2 ~ ^ \\") == (
        r"50 \% of a\_b \& \{c\} \#1 \$2 \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert escaped("gCO₂eq 10⁻⁶ USD 1–2 µWh φ") == (
        r"gCO$_2$eq 10$^{-6}$ USD 1--2 $\mu$Wh $\varphi$"
    )


@given(st.text(alphabet="ab_%&$#{}~^\\<>|–µ₂⁻⁶³φ ", max_size=30))
def test_whatever_is_escaped_is_balanced(text):
    made = escaped(text)
    bare = re.sub(r"\\[{}$]", "", made)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not re.search(r"(?<!\\)[%&#]", made)


def test_a_plain_tabular_with_as_many_cells_in_each_row(make_synthetic):
    runs, _ = make_synthetic(repetitions=2)
    table = results(runs, "R-Node")
    text, shown = latex(table), table.shown
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text).group(1)
    assert len(columns) == len(shown.columns) and columns.startswith("ll") and "r" in columns
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(shown) + 1
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(columns) - 1}
    assert text.isascii() and "modelled, not measured" in text and "EPT (mWh, modelled)" in text


def test_no_rows():
    assert "No data" in latex(Table("x", pd.DataFrame(), pd.DataFrame(), ""))
