"""What the results are and what they can say, lab by lab: the head of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from trialwatt.figures.notes import by_status, count_flagged, energy_statement, host_said, place
from trialwatt.page.labs import Lab
from trialwatt.summary.answers import answers_of


def overview(lab: Lab, runs: pd.DataFrame, hosts: Sequence[Mapping]) -> dict:
    """runs: of all experiments of the lab, each once. hosts: of their manifests."""
    facts = _facts(runs, hosts) if len(runs) else []
    return {"name": lab.name, "answers": answers_of(lab.results), "facts": facts}


def _facts(runs: pd.DataFrame, hosts: Sequence[Mapping]) -> list[tuple[str, str]]:
    flagged = count_flagged(runs)
    each = by_status(runs) + (f"; {flagged} flagged" if flagged else "")
    repetitions = runs.groupby("hash")["repetition"].nunique()
    low, high = repetitions.min(), repetitions.max()
    return [
        ("Testbed", place(runs).removeprefix("Testbed: ").rstrip(".")),
        ("Host", "; ".join(filter(None, map(host_said, hosts))) or "not on record"),
        ("Energy", energy_statement(runs).split(": ", 1)[1].rstrip(".")),
        (
            "Runs",
            f"{len(runs):,} in {len(repetitions):,} configurations, "
            f"{low if low == high else f'{low} to {high}'} repetitions of each: {each}",
        ),
        ("Systems", ", ".join(sorted(set(runs["sut"])))),
    ]
