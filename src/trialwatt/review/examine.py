"""All checks of one tree, in order, and what came of them as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.figures.products import PRODUCTS, archived
from trialwatt.files import sha256
from trialwatt.paper.build import MAIN, NUMBERS
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import plain_files
from trialwatt.provenance.crate import left_out
from trialwatt.review import artifact
from trialwatt.review.code import check_code
from trialwatt.review.compare import Outcome, compared
from trialwatt.review.plausible import check_plausible
from trialwatt.review.remake import REPLAY, Made, remake
from trialwatt.review.replays import check_replays
from trialwatt.review.structure import (
    Problem,
    Sums,
    check_chains,
    check_configuration,
    check_listing,
    check_paper,
    check_runs,
)
from trialwatt.review.tree import (
    PAPER,
    RESULTS,
    Tree,
    made_of,
    made_of_all,
    made_of_replays,
    made_of_the_paper,
    names_of,
    run_folders,
)

_NO_CLAIM = tuple(f"{RESULTS}/{name}/" for name in ("figures", "tables", "warm-ups", "scouts"))
"""Of what lies there no claim is made."""


def examine(tree: Tree, work: Path) -> dict:
    """Check a tree, make everything again in `work` (empty), compare, and judge each claim.

    Returns as plain data

    - `problems`: path and what is said of it
    - `counts` of what was checked; of each part that was made again how many files are
      `identical`, `rounded` (equal up to rounding), `of` how many
    - `rounding`: of all files that are equal up to rounding the number of `files` and `values`, and
      the `greatest` relative difference
    - `code`: as problems, where the workflow's own files are not those of the installed version
    - `claims`: id, contribution, expected, number of problems
    - `is_sound`: whether anything may be made of its parts

    Raises TrialwattError where there is nothing that could be checked.
    """
    sums, problems, counts = Sums(tree), [], {}
    steps = {"configuration": lambda: check_configuration(tree)}
    if tree.is_archive:
        steps = {"listing": lambda: check_listing(tree, sums)} | steps
    steps |= {"runs": lambda: check_runs(tree, sums), "chains": lambda: check_chains(tree, sums)}
    steps |= {"replays": lambda: check_replays(tree, sums)}
    steps |= {"paper": lambda: check_paper(tree), "plausible": lambda: check_plausible(tree)}
    plan = tree.plan  # of another workflow, or newer: nothing else can be said
    for check in steps.values():
        try:
            problems += check()
        except TrialwattError as error:
            problems.append(Problem(RESULTS, str(error), unsafe=True))
        except Exception as error:  # a stranger's files may be wrong in ways that nobody foresaw
            problems.append(Problem(RESULTS, f"{type(error).__name__}: {error}", unsafe=True))
    code = list(check_code(tree, sums)) if tree.is_archive else []
    counts["files"] = len(sums)
    counts["runs"] = len(_folders(tree))
    counts["configuration"] = len(plan.files)
    described: dict = {"claims": []}
    outcomes: dict[str, Outcome] = {}
    if any(problem.unsafe for problem in problems):
        problems.append(Problem(RESULTS, "nothing was made again, as its parts do not hold"))
    else:
        made = remake(tree, work, paper=bool(made_of_the_paper(tree)))
        problems += [Problem(name, f"cannot be made again: {why}") for name, why in _failed(made)]
        if not made.failed:
            described = _map(made.work, work)
        outcomes = _compare(tree, made)
        problems += [
            Problem(name, f"different: {one.said}") for name, one in outcomes.items() if one.said
        ]
        if tree.is_archive and not made.failed and not made.no_paper:
            problems += [Problem(name, "nothing makes this file") for name in _more(tree, outcomes)]
        for part in _parts():
            own = [name for name in outcomes if _part(name) == part]
            if own or part not in (PAPER, REPLAY):
                counts[part] = {
                    "identical": sum(outcomes[name].identical for name in own),
                    "rounded": sum(outcomes[name].rounded for name in own),
                    "of": len(own),
                }
    return {
        "problems": [{"path": one.path, "said": one.said} for one in problems],
        "counts": counts,
        "code": [{"path": one.path, "said": one.said} for one in code],
        "rounding": _rounding(outcomes.values()),
        "claims": [_judged(claim, tree, problems) for claim in described["claims"]],
        "is_sound": not any(problem.unsafe for problem in problems),
    }


def made_again(tree: Tree, work: Path) -> dict:
    """Only make everything again in `work`; returns `failed` (experiment → why), `figures` and
    `paper` (whether there is one: where the tree holds its source).

    Raises TrialwattError where a run is not the one that it should be.
    """
    if tree.is_archive:
        plain_files(tree.root)
    for problem in check_runs(tree, Sums(tree)):
        if problem.unsafe:
            raise TrialwattError(f"{problem}; `trialwatt verify` says what else is wrong")
    made = remake(tree, work, paper=(tree.root / PAPER / MAIN).is_file())
    if not made.failed:
        _map(made.work, work)
    figures = sum(1 for _ in (made.work.results / "figures").rglob("*.svg"))
    paper = not made.no_paper and bool(made_of_the_paper(made.work))
    failed = made.failed | ({PAPER: made.no_paper} if made.no_paper else {})
    return {"failed": failed, "figures": figures, "paper": paper}


def _map(made: Tree, work: Path) -> dict:
    described = artifact.describe(made)
    for name, text in (
        (artifact.JSON_NAME, artifact.as_json(described)),
        (artifact.TEXT_NAME, artifact.as_markdown(described)),
    ):
        (work / name).write_text(text, encoding="utf-8")
    return described


def _compare(tree: Tree, made: Made) -> dict[str, Outcome]:
    """What came of comparing every file that is made of records, in the order in which they are
    made: a file that names another one's checksum is compared after it."""
    names: list[str] = []
    for part in tree.plan.experiments.values():
        if part.id in made.failed:
            continue
        names += made_of(part)
        for sweep in part.sweeps:
            folder = made.work.results / "sweeps" / part.id / sweep.id
            names += [f"{RESULTS}/sweeps/{part.id}/{sweep.id}/{f.name}" for f in folder.iterdir()]
    if not made.failed:
        names += made_of_replays(tree.plan, kept=False)
        names += made_of_all()
        names += [] if made.no_paper else made_of_the_paper(tree)
        names += [artifact.JSON_NAME, artifact.TEXT_NAME] if tree.is_archive else []
    outcomes: dict[str, Outcome] = {}
    checksums: dict[str, str] = {}
    for name in sorted(set(names), key=_when_made):
        if tree.light and left_out(name):
            continue
        found, remade = tree.file(name), made.work.file(name)
        outcomes[name] = compared(found, remade, checksums)
        if outcomes[name].rounded:
            checksums[sha256(remade)] = sha256(found)
    return dict(sorted(outcomes.items()))


def _parts() -> list[str]:
    """What is made of records, in the order in which it is made."""
    places = dict.fromkeys(_part(file) for one in archived().values() for file in one.files)
    first = ("metrics", "sweeps", REPLAY)
    return [*first, *(place for place in places if place not in first), "map"]


def _pages() -> set[str]:
    """What shows all experiments at once."""
    return {file for one in archived().values() for file in one.files if "/" not in file}


def _when_made(name: str) -> tuple[int, bool, str]:
    """Sidecars, which hold checksums of what they describe, come after it."""
    part = _part(name)
    is_sidecar = name.endswith(".json") and part in (REPLAY, "figures", "tables", PAPER)
    return _parts().index(part), is_sidecar and not name.endswith(NUMBERS), name


def _rounding(outcomes: Iterable[Outcome]) -> dict:
    rounded = [one for one in outcomes if one.rounded]
    return {
        "files": len(rounded),
        "values": sum(one.values for one in rounded),
        "greatest": max((one.greatest for one in rounded), default=0.0),
    }


def _more(tree: Tree, compared: Iterable[str]) -> list[str]:
    """Files of an archive that nothing in the plan accounts for."""
    about = {crate.NAME, artifact.JSON_NAME, artifact.TEXT_NAME}
    return sorted(set(plain_files(tree.root)) - {*names_of(tree), *compared, *about})


def _judged(claim: Mapping, tree: Tree, problems: Iterable[Problem]) -> dict:
    """A claim with the problems of what it rests on: its files, runs, sweeps and configuration."""
    experiments = set(claim["experiments"])
    runs = {
        f"{RESULTS}/{folder}/"
        for name, own in _by_experiment(tree).items()
        if name in experiments
        for folder in own
    }
    others = {
        f"{RESULTS}/{kind}/{part.id}/"
        for part in tree.plan.experiments.values()
        if part.id not in experiments
        for kind in ("metrics", "figures", "sweeps")
    } | {
        f"{RESULTS}/tables/{folder}{part.id}."
        for part in tree.plan.experiments.values()
        if part.id not in experiments
        for folder in ("", "best/")
    }
    files = set(claim["files"])

    def touches(problem: Problem) -> bool:
        path = problem.path
        if path in files:
            return True
        if path.startswith((f"{PAPER}/", f"{RESULTS}/{PAPER}/")):
            return claim["id"] == PAPER
        if path.startswith(f"{RESULTS}/runs/"):
            return path.startswith(tuple(runs))
        if path.startswith((*_NO_CLAIM, f"{RESULTS}/{REPLAY}/")):
            return False
        return not path.startswith(tuple(others)) and path not in (
            *(f"{RESULTS}/{page}" for page in _pages()),
            artifact.JSON_NAME,
            artifact.TEXT_NAME,
        )

    return {
        "id": claim["id"],
        "contribution": claim["contribution"],
        "expected": claim["expected"],
        "problems": sum(map(touches, problems)),
    }


def _failed(made: Made) -> Iterable[tuple[str, str]]:
    places = {"all": "tables/answers.csv", REPLAY: REPLAY}
    for name, why in made.failed.items():
        yield f"{RESULTS}/{places.get(name, f'metrics/{name}')}", why
    if made.no_paper:
        yield f"{RESULTS}/{PRODUCTS[PAPER].files[1]}", made.no_paper


def _by_experiment(tree: Tree) -> dict[str, list[str]]:
    try:
        return run_folders(tree)
    except TrialwattError:  # told where it was checked; then only the fixed runs are known
        return {name: tree.plan.folders(name) for name in tree.plan.experiments}


def _folders(tree: Tree) -> set[str]:
    return {folder for own in _by_experiment(tree).values() for folder in own}


def _part(name: str) -> str:
    if name in (artifact.JSON_NAME, artifact.TEXT_NAME):
        return "map"
    part = name.removeprefix(f"{RESULTS}/").partition("/")[0]
    return part.partition(".")[0] if part in _pages() else part
