"""The paper and all that belongs to it, as the workflow makes it.

| file below the results folder | what |
|---|---|
| `paper/numbers.json` | every number, sentence and table of the paper |
| `paper/paper.pdf` | the paper, with the chain to its records inside |
| `paper/paper.json` | sidecar: the chain, with the paper's source, and a checksum of both |
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from trialwatt.figures.make import Source, chain_of_all
from trialwatt.figures.replay_answers import files_of_replay
from trialwatt.metrics.experiment_notes import CONVERGENCE, UNAVAILABLE
from trialwatt.metrics.tables import read_runs
from trialwatt.paper.build import NUMBERS, build, compiled
from trialwatt.paper.numbers import write_numbers
from trialwatt.provenance.bounds import is_company
from trialwatt.provenance.embed import encode, write_sidecar

FOLDER, STEM = "paper", "paper"


def make_paper(
    paper: Path,
    sources: Sequence[Source],
    experiments: Sequence[Mapping],
    compiled: Callable[[Path], bytes] = compiled,
    replays: Sequence[str] = (),
) -> list[Path]:
    """Make the paper of these experiments from its Typst source; returns the three files.

    paper: the folder that holds main.typ, absolute or relative to the root of the sources.
    sources, experiments: the same ones in the same order, all below one results folder; the
    latter with `id`, `title` and `varied`, as the report takes them. compiled: see build.build.
    replays: the experiments that are replayed.
    Raises TrialwattError where something that the paper names is not made.
    """
    source = sources[0].root / paper
    results = sources[0].results
    folder = results / FOLDER
    numbers = write_numbers(results, experiments, folder / NUMBERS, replays)
    provenance = _chain(source, sources, replays)
    pdf = build(source, numbers, results, folder / f"{STEM}.pdf", encode(provenance), compiled)
    return [numbers, pdf, write_sidecar(folder / STEM, provenance, [pdf, numbers])]


def texts(source: Path) -> list[str]:
    """The files that the paper is written in, relative to their folder, sorted."""
    return sorted(
        file.relative_to(source).as_posix()
        for file in source.rglob("*")
        if file.suffix in (".typ", ".bib") and file.is_file() and not file.is_symlink()
        if not is_company(file.relative_to(source).as_posix())
    )


def _chain(source: Path, sources: Sequence[Source], replays: Sequence[str]) -> dict:
    tables = [
        file
        for one in sources
        for name in ("runs.parquet", CONVERGENCE, UNAVAILABLE)
        if (file := one.tables[0].with_name(name)).is_file()
    ]
    tables += [file for name in replays for file in files_of_replay(sources[0].results, name)]
    runs = pd.concat([read_runs(one.tables[0]) for one in sources], ignore_index=True)
    return chain_of_all("paper", sources, runs, tables, (source / name for name in texts(source)))
