"""From records and the plan to all that the workflow makes of them, in a folder of their own.

Nothing here reads what was made before, but for the version of the code that each file names as
its maker: that is a statement which no record holds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trialwatt.analysis.sweeping import next_move, observed, write_end
from trialwatt.config.plan import NAME
from trialwatt.config.plan_parts import PlannedExperiment, Sweep
from trialwatt.errors import TrialwattError
from trialwatt.figures.products import PAPER, PRODUCTS, Product, archived, make
from trialwatt.metrics.processes import PROCESSES, mapped
from trialwatt.provenance.bounds import left_behind
from trialwatt.provenance.chain import Code
from trialwatt.review.tree import RESULTS, Tree, moves, sweeps_before_blocks
from trialwatt.review.typeset import check_source, typeset

_RECORDS = ("runs", "scouts", "testbeds", "warm-ups")
_MOST_MOVES = 100_000
REPLAY = "replay"
UNKNOWN = {"version": "unknown", "commit": None, "dirty": None}


@dataclass
class Made:
    """What could not be made: the experiment ("all" for what is made of all, REPLAY for what is
    replayed) → why; no_paper: why
    there is no paper, if there should be one."""

    work: Tree
    failed: dict[str, str] = field(default_factory=dict)
    no_paper: str = ""


def workplace(tree: Tree, folder: Path) -> Tree:
    """A folder to make things in: the plan and configuration copied, the records linked."""
    work = Tree(folder, folder / RESULTS, is_archive=True)
    work.results.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(tree.results / NAME, work.results / NAME)
    for name in tree.plan.files:
        if tree.file(name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree.file(name), folder / name)
    for name in _RECORDS:
        if (tree.results / name).is_dir():
            (work.results / name).symlink_to((tree.results / name).resolve())
    return work


def remake(tree: Tree, folder: Path, paper: bool, processes: int = PROCESSES) -> Made:
    """Make everything of a tree's records below `folder` (empty), as the workflow would.

    paper: whether the paper too. What cannot be made is named in the answer, with the reason; the
    rest is made.
    """
    work = workplace(tree, folder)
    made = Made(work)
    one = partial(
        _experiment, tree, work, own=max(1, processes // max(1, len(tree.plan.experiments)))
    )
    names = list(tree.plan.experiments)
    made.failed |= {
        name: why for name, why in zip(names, mapped(one, names, processes, 1), strict=True) if why
    }
    if not made.failed and tree.plan.replay and (why := _said(_replays, tree, work, processes)):
        made.failed[REPLAY] = why
    if not made.failed:
        why = _said(_all, tree, work, processes)
        if why:
            made.failed["all"] = why
        elif paper:
            made.no_paper = _said(_paper, tree, work)
    return made


def _experiment(tree: Tree, work: Tree, name: str, own: int) -> str:
    """Make everything of one experiment; returns why it could not be made, else nothing."""
    return _said(_make_experiment, tree, work, work.plan.experiments[name], own)


def _said(function, *arguments) -> str:
    """A stranger's records may be wrong in ways that nobody foresaw: that ends one experiment,
    with the reason, and not the whole of a verification."""
    try:
        function(*arguments)
    except TrialwattError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _make_experiment(tree: Tree, work: Tree, part: PlannedExperiment, processes: int) -> None:
    ends, asked = [], set(work.plan.folders(part.id))
    for name, sweep in work.plan.sweeps(part.id).items():
        folder = work.results / "sweeps" / part.id / name
        if name in sweeps_before_blocks(tree, part.id):
            shutil.copytree(tree.results / "sweeps" / part.id / name, folder)
            asked.update(new for move in moves(tree.results, part.id, name) for new in move.new)
        else:
            asked |= _play(work, folder, sweep)
        ends.append(str(folder / "end.json"))
    folders = [work.results / folder for folder in sorted(asked)]
    for name, product in archived().items():
        if product.of_each and not product.replayed:
            parts = product.parts(work.plan, part.id)
            for code, some in _by_maker(tree, product, part, parts):
                own = {"experiment": part.id, "folders": folders, "ends": ends}
                _make(work, name, some, code, **own, processes=processes)


def _replays(tree: Tree, work: Tree, processes: int) -> None:
    """What is made of the plan's replay; the searches themselves are taken as they are."""
    folders = [work.results / folder for folder in work.plan.table_folders]
    for name, product in archived().items():
        if not product.replayed:
            continue
        for experiment in product.experiments(work.plan) if product.of_each else [""]:
            files = product.files_in(work.plan, experiment or None)
            if product.kept:
                for file in files:
                    (work.results / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(tree.results / file, work.results / file)
                continue
            # a light archive has no figures: the table is of the same making
            code = maker(tree.results / [file for file in files if file.endswith(".json")][-1])
            own = {"experiment": experiment, "folders": folders, "processes": processes}
            _make(work, name, product.parts(work.plan, experiment), code, **own)


def _all(tree: Tree, work: Tree, processes: int) -> None:
    for name, product in archived().items():
        if not product.of_each and not product.replayed and name != PAPER:
            code = maker(tree.results / product.files[-1])
            _make(work, name, product.parts(work.plan), code, processes=processes)


def _paper(tree: Tree, work: Tree) -> None:
    """From the tree's own source, which may be a stranger's: see review.typeset."""
    check_source(tree.root / PAPER)
    shutil.copytree(tree.root / PAPER, work.root / PAPER, ignore=left_behind)
    product = PRODUCTS[PAPER]
    code = maker(tree.results / product.files[-1])
    _make(work, PAPER, product.parts(work.plan), code, compiled=typeset)


def _make(work: Tree, name: str, parts: Mapping, code: Mapping, **given: Any) -> None:
    series = [work.root / file for file in work.plan.carbon_series]
    make(name, parts, work.results, work.root, code, series, **given)


def _by_maker(
    tree: Tree, product: Product, part: PlannedExperiment, parts: dict[str, Any]
) -> Iterator[tuple[dict, dict[str, Any]]]:
    """The code that made a product's files, with the parts that it made: each figure has its own.

    A light archive has no figures: the table is of the same making.
    """
    table = tree.results / PRODUCTS["table"].files_of([part])[-1]
    if "names" not in parts:
        yield maker(table), parts
        return
    by_maker: dict[str, list[str]] = {}
    for file in product.files_of([part]):
        if file.endswith(".json"):
            code = maker(table if tree.light else tree.results / file)
            by_maker.setdefault(json.dumps(code, sort_keys=True), []).append(Path(file).stem)
    for code, names in by_maker.items():
        yield json.loads(code), parts | {"names": names}


def _play(work: Tree, folder: Path, sweep: Sweep) -> set[str]:
    """Play a sweep anew from the records: writes its moves and its end; the runs it asks for."""
    move, asked = None, set[str]()
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_MOST_MOVES):
        move = next_move(sweep, move, observed(work.results))
        move.write(folder / f"move{move.number}.json")
        asked |= set(move.repetitions)
        if move.is_last:
            write_end(sweep, move, folder / "end.json")
            return asked
    raise TrialwattError(f"{folder.name}: the sweep does not come to an end")


def maker(sidecar: Path) -> dict:
    """The code that a sidecar names as the maker of its files; unknown where it names none."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        code = content["provenance"]["code"]["this"]
        return Code.model_validate(code, strict=True).model_dump(mode="json", exclude_unset=True)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ValidationError):
        return dict(UNKNOWN)
