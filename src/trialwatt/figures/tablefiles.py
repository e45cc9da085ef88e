"""A table as files: CSV for programs, Markdown for reading, LaTeX for a paper, and the sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.metrics.experiment_notes import AGAIN
from trialwatt.printable import shown
from trialwatt.provenance.embed import write_sidecar

_SENTENCE = 80
"""A text of more letters than this is broken into lines in LaTeX."""
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "–": "--",
    "−": r"$-$",
    "÷": r"$\div$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "µ": r"$\mu$",
    "φ": r"$\varphi$",
    "ρ": r"$\rho$",
    "₂": r"$_2$",
    "⁻": r"$^{-}$",
    "²": r"$^{2}$",
    "³": r"$^{3}$",
    "⁶": r"$^{6}$",
    "Σ": r"$\Sigma$",
    "ω": r"$\omega$",
    "ε": r"$\varepsilon$",
    "∞": r"$\infty$",
    "“": "``",
    "”": "''",
    "’": "'",
}


NO_DATA = "No data: this experiment has no runs yet."


class Table(NamedTuple):
    """A table for programs (tidy) and for people (shown); note: what its cells mean."""

    title: str
    tidy: pd.DataFrame
    shown: pd.DataFrame
    note: str

    @property
    def heads(self) -> list[str]:
        return list(self.shown.columns)

    @property
    def rows(self) -> list[list[str]]:
        return self.shown.astype(str).values.tolist()


def write_table(stem: Path, table: Table, provenance: dict) -> list[Path]:
    """Write `<stem>.csv` (tidy), `.md` and `.tex` (shown) and the sidecar; returns their paths."""
    texts = {
        ".csv": table.tidy.to_csv(index=False, lineterminator="\n"),
        ".md": markdown(table),
        ".tex": latex(table),
    }
    outputs = [stem.with_name(f"{stem.name}{end}") for end in texts]
    for output, text in zip(outputs, texts.values(), strict=True):
        write_whole(output, text)
    return [*outputs, write_sidecar(stem, provenance, outputs)]


def read_tidy(
    file: Path, columns: Mapping[str, type], keep_default_na: bool = False
) -> pd.DataFrame:
    """The CSV that `write_table` wrote, which must have these columns, of these types.

    Raises TrialwattError where it is missing, damaged, or another table.
    """
    try:
        table = pd.read_csv(file, keep_default_na=keep_default_na, dtype=dict(columns))
        missing = [name for name in columns if name not in table.columns]
        if not missing:
            return table
        said = f"no column {missing[0]}"
    except (OSError, ValueError, OverflowError, pd.errors.ParserError) as error:
        said = shown(error, 200)
    raise TrialwattError(f"{file}: damaged, or another table ({said}); {AGAIN}")


def markdown(table: Table) -> str:
    """The table as Markdown, with its title and what its cells mean."""
    if table.shown.empty:
        return f"# {table.title}\n\n{NO_DATA}\n"
    rows = [table.heads, ["---"] * len(table.heads), *table.rows]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
    return "\n".join([f"# {table.title}\n", *lines, "", table.note.strip(), ""])


def latex(table: Table) -> str:
    """The table as a plain `tabular`, to be read with \\input; it needs no package.

    The first line is a comment with the title; what the cells mean stands below the table.
    """
    head = f"% {escaped(table.title)}"
    if table.shown.empty:
        return f"{head}\n{NO_DATA}\n"
    columns = "".join(_column(table.shown[name]) for name in table.heads)
    lines = [
        " & ".join(escaped(cell) for cell in row) + r" \\" for row in [table.heads, *table.rows]
    ]
    return "\n".join(
        [
            head,
            rf"\begin{{tabular}}{{{columns}}}",
            r"\hline",
            lines[0],
            r"\hline",
            *lines[1:],
            r"\hline",
            r"\end{tabular}",
            "",
            rf"\par\smallskip\noindent{{\footnotesize {escaped(table.note.strip())}\par}}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is, in any of its engines."""
    return "".join(_LATEX.get(letter, letter) for letter in text).replace("$^{-}$$^{", "$^{-")


def _column(column: pd.Series) -> str:
    """How LaTeX sets a column: numbers to the right, sentences in lines of their own width."""
    text = column.astype(str)
    if text.str.fullmatch(r"[\d.e+()–−\- ]+").all():
        return "r"
    return r"p{0.5\linewidth}" if text.str.len().max() > _SENTENCE else "l"
