"""The point of the factors: names of experiments decide nothing.

Every shipped experiment under another file name and id gives, on the same synthetic results, the
same verdicts, tables and figures; experiments that vary two keys, or none, have theirs too.
"""

from __future__ import annotations

import inspect
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pypdf import PdfReader

from trialwatt.analysis.answers import answers_table, evidence_table
from trialwatt.analysis.columns import varied
from trialwatt.analysis.hypotheses import answers
from trialwatt.config.factors import FACTORS, heading
from trialwatt.config.files import plan_of_files
from trialwatt.figures import FIGURES, category_of, figures_of, treatments
from trialwatt.figures.best import best_table, overall_best
from trialwatt.figures.products import sections
from trialwatt.figures.style import render
from trialwatt.figures.tables import results_table
from trialwatt.metrics.experiment_notes import write_notes
from trialwatt.paper.build import build
from trialwatt.paper.numbers import frameworks_in, write_numbers

ROOT = Path(__file__).parents[2]
SHIPPED = (
    *("baseline", "r-mem", "r-cpu", "r-acl", "r-node", "s-sam", "s-pru", "s-phi", "s-dur"),
    "framework-cost",
)
OTHER = {name: f"x{number:02}" for number, name in enumerate(SHIPPED)}
MINE = {
    "two-resources": {"workers.count": [1, 2], "workers.memory_mb": [512, 1024]},
    "both-kinds": {"workers.count": [1, 2], "search.pruner": ["none", "median"]},
    "two-searches": {"algorithm": ["adam", "sgd"], "batch": [50, 100]},
    "of-no-family": {"deadline_s": [1800, 3600]},
    "nothing": {},
}
REPETITIONS = 5
FEW = 99


def planned(root: Path, names, described=()):
    """The plan of these experiments; described: name → what it varies, for those not shipped."""
    shutil.copytree(ROOT / "config", root / "config")
    folder = root / "config" / "experiments"
    for name, vary in dict(described).items():
        content = {"title": "Mine", "base": "digits-ff", "vary": vary, "suts": ["optuna"]}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    for old, new in names.items():
        (folder / f"{old}.yaml").rename(folder / f"{new}.yaml")
    settings = root / "mine.yaml"
    # fewer treatments, so that it is quick
    only = {"space": ["ff-6", "ff-24"], "search.pruner": ["none", "median"]}
    only |= {
        "workers.memory_mb": [512, 1024],
        "epochs": [1, 5],
        "search.sampler": ["grid", "random", "tpe"],
    }
    only = {} if described else {"only": only}
    settings.write_text(yaml.safe_dump({"experiments": list(names.values()), "suts": None, **only}))
    return plan_of_files([settings], root, ask_platform=False)


def tables(plan) -> dict[str, pd.DataFrame]:
    """Experiment → a runs table; a run has the same numbers wherever it is."""
    found = {}
    for name, experiment in plan.experiments.items():
        rows = []
        placed = {row.hash: row.model_dump() for row in experiment.rows}
        for run in experiment.runs:
            for repetition in range(1, REPETITIONS + 1):
                own = placed[run.folder.rsplit("-", 1)[1]]
                rows.append(own | measured(run, plan.run(run.folder), own["hash"], repetition))
        found[name] = pd.DataFrame(rows)
    return found


def measured(planned, run, digest: str, repetition: int) -> dict:
    rng = np.random.default_rng([int(digest, 16), repetition])
    energy = 1e-5 * rng.lognormal(0, 0.2) * (1 + int(digest[:2], 16) / 128)
    columns = {one.column: one.of(run.workload) for one in FACTORS.values()}
    shares = ("wtt_share", "wte_share", "wtc_share")
    shares += tuple(
        f"waste_{kind}_{what}_share"
        for kind in ("failed", "pruned", "duplicate")
        for what in ("time", "energy", "cost")
    )
    return columns | {
        **{"sut": run.sut, "testbed": "local", "repetition": repetition, "status": "completed"},
        **{"folder": f"{planned.folder}/rep{repetition}", "cpu_physical": 0.5, "reason": ""},
        **{"job_energy_kwh": energy, "ept_kwh": energy / 20, "twh_kwh": energy / 30},
        **{"jct_ms": 1e9 * energy, "oc": 10 * energy, "carbon_g": 400 * energy},
        **{"wtt_ms": 1e7 * energy, "wte_kwh": energy / 9, "wtc": energy, "wr": rng.uniform(0, 0.3)},
        **{share: rng.uniform(0, 0.1) for share in shares},
        **{"goal_censored": False, "energy_to_goal_kwh": energy / 2, "goal_target": 0.9},
        **{"best_score": rng.uniform(0.9, 0.95), "goal_reached": True, "cint_g_per_kwh": 400.0},
        **{"energy_method": "counter", "energy_meter": "rapl", "energy_domains": "cpu"},
        **{"sample_hz": 5.0, "flags": "", "notes": "", "enforcement": "cgroup-v2"},
        **{"currency": "USD", "region": "world", "carbon_year": 2023, "pue": 1.0},
    }


def drawn(plan, name: str, runs: pd.DataFrame, only) -> dict[str, bytes]:
    """Figure → its bytes, of those in `only`, which need no more than the runs table."""
    found, given = {}, {"runs": runs, "unavailable": ()}
    given["experiment"] = heading(plan.experiments[name].title, varied(runs))
    for figure in figures_of(plan.experiments[name].varies):
        draw = FIGURES[figure].load()
        wanted = inspect.signature(draw).parameters.values()
        if figure in only:
            known = {one.name: given[one.name] for one in wanted if one.name in given}
            found[figure] = render(draw(**known), ".svg", {"kind": figure})
    return found


def named(table: pd.DataFrame, names) -> pd.DataFrame:
    """With the shipped names in place of the others, in an order that does not hang on them."""
    back = {new: old for old, new in names.items()}
    texts = table.astype(str).replace(back, regex=True)
    return texts.sort_values(list(texts.columns)).reset_index(drop=True)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    plan = planned(tmp_path_factory.mktemp("shipped"), {name: name for name in SHIPPED})
    return plan, tables(plan)


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    plan = planned(tmp_path_factory.mktemp("renamed"), OTHER)
    return plan, tables(plan)


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    plan = planned(tmp_path_factory.mktemp("mine"), {name: name for name in MINE}, MINE)
    return plan, tables(plan)


def two_testbeds(found: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """All runs, and those of a second platform, on which more workers cost more."""
    here = pd.concat(found.values(), ignore_index=True)
    there = here.assign(testbed="cluster", ept_kwh=here["ept_kwh"] * here["wn"])
    return pd.concat([here, there], ignore_index=True)


@pytest.fixture(scope="module")
def asked(shipped, renamed):
    return [answers(two_testbeds(found), resamples=FEW) for _, found in (shipped, renamed)]


def test_the_same_verdicts(asked):
    first, other = asked
    assert {answer.hypothesis for answer in first} == {"H1", "H2"}
    assert len({answer.verdict for answer in first}) > 1
    for table in (answers_table, evidence_table):
        pd.testing.assert_frame_equal(named(table(first), {}), named(table(other), OTHER))


def test_the_same_tables(shipped, renamed):
    for name in SHIPPED:
        for table in (results_table, best_table):
            pd.testing.assert_frame_equal(table(shipped[1][name]), table(renamed[1][OTHER[name]]))
    pd.testing.assert_frame_equal(
        named(overall_best(shipped[1]), {}), named(overall_best(renamed[1]), OTHER)
    )
    assert {OTHER[name] for name in frameworks_in(shipped[1])} == frameworks_in(renamed[1])
    least = overall_best(shipped[1])
    assert set(least.loc[least["least"].notna(), "experiment"]) == {
        *("baseline", "r-mem", "r-cpu", "r-acl", "r-node")
    }


def on_disk(results: Path, plan, found: dict[str, pd.DataFrame], asked) -> Path:
    """What the paper is made of: tables, answers, manifests and pictures that show nothing."""
    for name, runs in found.items():
        write_notes(results / "metrics" / name, [], [])
        runs.to_parquet(results / "metrics" / name / "runs.parquet")
        for figure in figures_of(plan.experiments[name].varies):
            picture = results / "figures" / name / f"{figure}.svg"
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="4"/>')
        for folder in runs["folder"]:
            (results / folder).mkdir(parents=True, exist_ok=True)
            (results / folder / "run.json").write_text("{}")
    (results / "tables").mkdir()
    answers_table(asked).to_csv(results / "tables/answers.csv", index=False)
    evidence_table(asked).to_csv(results / "tables/answers-tests.csv", index=False)
    return results


def in_any_order(numbers: dict) -> dict:
    """Scopes and tests are told in the order of the experiments' names."""
    for asked in numbers["answers"].values():
        asked["scopes"].sort(key=str)
    numbers["tests"]["rows"].sort()
    return numbers


def test_the_same_paper(shipped, renamed, asked, tmp_path):
    papers = []
    for (plan, found), own in zip((shipped, renamed), asked, strict=True):
        results = on_disk(tmp_path / f"of-{len(papers)}", plan, found, own)
        numbers = write_numbers(results, sections(plan), results / "numbers.json")
        pdf = build(ROOT / "paper", numbers, results, results / "paper.pdf")
        said = " ".join(page.extract_text() for page in PdfReader(pdf).pages)
        papers.append((numbers.read_text(encoding="utf-8"), " ".join(said.split())))
    back = {new: old for old, new in OTHER.items()}
    other = re.sub(r"\bx\d\d\b", lambda found: back[found[0]], papers[1][0])
    first = in_any_order(json.loads(papers[0][0]))
    assert first == in_any_order(json.loads(other))
    questions = re.findall(r"ask: \[(.*?)\]", (ROOT / "paper/sections/questions.typ").read_text())
    first, other = ([one for one in questions if one in said] for _, said in papers)
    assert first == other and len(first) >= 9


@pytest.mark.parametrize(("name", "count"), [("r-cpu", 1), ("s-phi", 2), ("s-pru", 2)])
def test_the_same_figures(shipped, renamed, name, count):
    """Of those that hang on what varies; the others have the same axis."""
    first = drawn(shipped[0], name, shipped[1][name], ("resource", "waste", "search"))
    new = OTHER[name]
    assert first == drawn(renamed[0], new, renamed[1][new], tuple(first)) and len(first) == count
    for name, runs in shipped[1].items():
        assert treatments.axis(runs) == treatments.axis(renamed[1][OTHER[name]])


def test_the_same_figures_and_place_in_the_report_for_all(shipped, renamed):
    for name in SHIPPED:
        first, other = (
            of.experiments[id_] for of, id_ in ((shipped[0], name), (renamed[0], OTHER[name]))
        )
        assert figures_of(first.varies) == figures_of(other.varies)
        assert category_of(first.varies) == category_of(other.varies)
        assert [run.folder for run in first.runs] == [run.folder for run in other.runs]


@pytest.mark.parametrize("name", MINE)
def test_two_keys_or_none_have_their_figures_and_tables(mine, name):
    plan, runs = mine[0], mine[1][name]
    found = drawn(plan, name, runs, ("resource", "search", "overhead"))
    assert len(found) >= (1 if name in ("nothing", "of-no-family") else 2)
    assert all(svg.startswith(b"<?xml") for svg in found.values())
    table = results_table(runs)
    assert (table["n"] == REPETITIONS).all() and len(table) == runs["treatment"].nunique()
    best = best_table(runs)
    assert best["best_treatment"].notna().all()
    assert len(runs["folder"].str.rsplit("-", n=1).str[0].unique()) > 1 or name in (
        *("of-no-family", "nothing"),
    )


def test_what_two_keys_are_about(mine):
    said = {(a.hypothesis, a.scope) for a in answers(two_testbeds(mine[1]), resamples=FEW)}
    for scope in (
        ("H1", "optuna in two-resources"),
        ("H1", "optuna in both-kinds (median)"),
        ("H1", "optuna in both-kinds (none)"),
        ("H2", "optuna in both-kinds (local, number of workers 2, between pruners)"),
        ("H2", "optuna in two-searches (local, batch size 50, between training algorithms)"),
        ("H2", "optuna in two-searches (cluster, training algorithm sgd, between batch sizes)"),
    ):
        assert scope in said, (scope, sorted(said))
    assert not any("nothing" in scope or "of-no-family" in scope for _, scope in said)


def test_older_tables_tell_by_the_labels_of_their_treatments(shipped):
    for name, runs in shipped[1].items():
        keys = varied(runs)
        assert varied(runs.drop(columns="varied")) == keys
        assert varied(runs.assign(varied=None)) == keys, name
