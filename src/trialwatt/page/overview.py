"""What the results are and what they can say, lab by lab: the head of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from trialwatt.figures.notes import count_flagged, energy_statement, host_said, place
from trialwatt.figures.tablefiles import read_tidy
from trialwatt.page.labs import Lab
from trialwatt.records.outcome import FAILED

QUESTIONS = {
    "H1": "Does the platform decide which scaling is best in energy?",
    "H2": "Do search space, sampling and pruning decide the waste, and so the energy?",
}
_STATUSES = ("completed", "infeasible", "deadline", FAILED)
_DEMONSTRATION = "demonstration only: "


_OF_ANSWERS = ("hypothesis", "scope", "verdict", "sentence")


def overview(lab: Lab, runs: pd.DataFrame, hosts: Sequence[Mapping]) -> dict:
    """runs: of all experiments of the lab, each once. hosts: of their manifests."""
    found = {
        "name": lab.name,
        "said": "No runs yet.",
        "answers": _answers(lab.results / "tables" / "answers.csv"),
        "facts": [],
    }
    if runs.empty:
        return found
    counts = runs["status"].value_counts()
    each = ", ".join(f"{counts[name]} {name}" for name in _STATUSES if name in counts)
    flagged = count_flagged(runs)
    each += f"; {flagged} flagged" if flagged else ""
    repetitions = runs.groupby("hash")["repetition"].nunique()
    low, high = repetitions.min(), repetitions.max()
    found["facts"] = [
        ("Testbed", place(runs).removeprefix("Testbed: ").rstrip(".")),
        ("Host", "; ".join(filter(None, map(host_said, hosts))) or "not on record"),
        ("Energy", energy_statement(runs).split(": ", 1)[1].rstrip(".")),
        (
            "Runs",
            f"{len(runs)} in {len(repetitions)} configurations, "
            f"{low if low == high else f'{low} to {high}'} repetitions of each: {each}",
        ),
        ("Systems", ", ".join(sorted(set(runs["sut"])))),
    ]
    return found


def _answers(file: Path) -> list[dict]:
    """Per hypothesis the question, one sentence of an answer, and all sentences behind it."""
    if not file.is_file():
        return []
    rows = read_tidy(file, dict.fromkeys(_OF_ANSWERS, str)).to_dict("records")
    answers = []
    for name, question in QUESTIONS.items():
        mine = [row for row in rows if row["hypothesis"] == name]
        mine.sort(key=lambda row: row["scope"] != "all")
        if not mine:
            continue
        whole = mine[0]["scope"] == "all"
        answers.append(
            {
                "name": name,
                "question": question,
                "answer": _plainly(mine[0]["verdict"]) if whole else "No answer yet.",
                "details": [row["sentence"] for row in mine],
            }
        )
    return answers


def _plainly(verdict: str) -> str:
    """A verdict as one sentence."""
    demonstration = verdict.startswith(_DEMONSTRATION)
    said = verdict.removeprefix(_DEMONSTRATION).rstrip(".")
    said = f"{said[:1].upper()}{said[1:]}."
    return f"{said} A demonstration only: too few repetitions." if demonstration else said
