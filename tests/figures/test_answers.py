"""From the tables and records of all experiments to the answers, and into the report."""

import json

import pandas as pd
import pytest

from trialwatt.analysis.platforms import platforms_of
from trialwatt.config.plan_parts import ExperimentRow
from trialwatt.errors import TrialwattError
from trialwatt.figures.answers import write_answers
from trialwatt.figures.make import Source
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.metrics.context import MetricsContext
from trialwatt.metrics.tables import build_tables
from trialwatt.page.report import write_report
from trialwatt.provenance.trace import trace

CONTEXT = MetricsContext(
    0.03, 0.004, "USD", "2026-01-01", 400.0, "world", 2023, targets={"digits": 0.9}
)
SETS = {
    name: PowerParameters(
        min_w=low, max_w=high, memory_w_per_gb=0.4, included_gb_per_vcpu=4, source="a test"
    )
    for name, low, high in (("low", 0.5, 2.0), ("high", 1.0, 4.0))
}


@pytest.fixture
def sources(synthetic, tmp_path):
    """Two experiments of synthetic runs with tables: r-node and s-sam."""
    results, folders = tmp_path / "results", {}
    for workers in (1, 2):
        size = synthetic.Synthetic(trials=6, workers=workers, seconds=6)
        folders[workers] = [synthetic.write_run(results, size, n) for n in (1, 2)]
    found = []
    for experiment, varied in (("r-node", "workers.count"), ("s-sam", "search.sampler")):
        rows = [
            ExperimentRow(
                experiment=experiment,
                hash=json.loads((those[0] / "run.json").read_text())["hash"],
                treatment=f"workers.count={workers}",
                treatment_value=float(workers),
                is_baseline=workers == 2,
                varied=varied,
            )
            for workers, those in folders.items()
        ]
        every = [folder for those in folders.values() for folder in those]
        build_tables(every, rows, CONTEXT, results / "metrics" / experiment)
        file = tmp_path / "config" / f"{experiment}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"title: {experiment}\n")
        found.append(Source(experiment, results, tmp_path, file))
    return found


def test_the_files_and_their_chain(sources):
    files = write_answers(sources, CONTEXT, SETS)
    folder = sources[0].results / "tables"
    stems = ("answers", "answers-tests", "answers-best")
    ends = (".csv", ".md", ".tex", ".json")
    assert files == [folder / f"{stem}{end}" for stem in stems for end in ends]
    for file in files:
        if file.suffix != ".json":
            found = trace(file)
            assert found.ok and not found.warnings, (file, found.problems)
    chain = found.chain
    assert len(chain.runs) == 4 and chain.energy.methods == ["modelled"]
    assert {"config/r-node.yaml", "config/s-sam.yaml"} <= set(chain.config)
    assert set(chain.tables) == {f"metrics/{one.experiment}/runs.parquet" for one in sources}
    before = {file: file.read_bytes() for file in files}
    write_answers(sources, CONTEXT, SETS, processes=1)
    assert {file: file.read_bytes() for file in files} == before


def test_what_they_hold(sources):
    write_answers(sources, CONTEXT, SETS)
    folder = sources[0].results / "tables"
    table = pd.read_csv(folder / "answers.csv")
    verdicts = table[table["scope"] == "all"].set_index("hypothesis")["verdict"]
    assert verdicts["H1"] == "demonstration only: undecided: one platform"
    assert verdicts["H2"].startswith("demonstration only: undecided")
    lines = (folder / "answers.md").read_text().splitlines()
    first = next(line for line in lines if line.startswith("| H1 "))
    assert first.startswith("| H1 | all | H1: ")
    assert r"p{0.5\linewidth}" in (folder / "answers.tex").read_text()
    best = pd.read_csv(folder / "answers-best.csv")
    assert list(best["experiment"]) == ["r-node", "s-sam"]
    assert list(best["measure"]) == ["ept_kwh", "energy_to_goal_kwh"]
    assert best["least"][0] and pd.isna(best["least"][1])
    runs = pd.read_parquet(sources[0].tables[0])
    least = runs.groupby("treatment_value")["ept_kwh"].median().min()
    assert best["median_kwh"][0] == pytest.approx(least, rel=1e-12)


def test_an_experiment_without_tables_is_named(sources):
    sources[1].tables[0].unlink()
    with pytest.raises(TrialwattError, match=r"s-sam.*make the metrics first"):
        write_answers(sources, CONTEXT, SETS)


def test_the_report_begins_with_the_answers(sources):
    results = sources[0].results
    sections = [{"id": one.experiment} for one in sources]
    output = write_report(results, sections, results / "report.html")
    assert "have not been computed" in output.read_text()
    write_answers(sources, CONTEXT, SETS)
    text = write_report(results, sections, results / "report.html").read_text()
    place = text.index("H1: demonstration only: undecided: one platform")
    assert place < text.index('<section id="r-node">') and place < text.index("<figure>")
    for name in ("answers.csv", "answers-tests.md", "answers-best.tex"):
        assert f'href="tables/{name}"' in text


def test_what_the_report_says_of_sweeps_and_of_what_is_not_there(sources):
    results, beside = sources[0].results, sources[0].tables[0]
    end = {"sut": "plain", "sampler": "random", "testbed": "synthetic", "state": "converged"}
    end |= {"converged_value": 2.0, "best_value": 2.0, "reason": "2 is it", "demonstration": True}
    beside.with_name("convergence.json").write_text(json.dumps({"sweeps": [end]}))
    absent = {"sut": "hyperopt", "treatment": None, "reason": "hyperopt cannot run here: no Java"}
    beside.with_name("unavailable.json").write_text(json.dumps({"unavailable": [absent]}))
    text = write_report(results, [{"id": "r-node"}], results / "report.html").read_text()
    assert "plain (random): demonstration only: converged: 2 is it." in text
    assert "Not available here. hyperopt cannot run here: no Java." in text
    assert "How the sweeps ended" in text and "<td>not available</td>" in text


def platform(root, testbed, host, platform="local"):
    """A row of the runs table whose manifest tells of this machine."""
    folder = f"runs/{testbed}/run-{host}/rep1"
    (root / folder).mkdir(parents=True)
    manifest = {"host": {"name_hash": host}, "config": {"testbed": {"platform": platform}}}
    (root / folder / "run.json").write_text(json.dumps(manifest))
    return {"testbed": testbed, "folder": folder}


def test_scalings_of_one_machine_are_one_platform(tmp_path):
    rows = [
        platform(tmp_path, "half", "a"),
        platform(tmp_path, "whole", "a"),
        platform(tmp_path, "other", "b"),
        platform(tmp_path, "cluster", "a", "kubernetes"),
        platform(tmp_path, "moved", "b"),
        platform(tmp_path, "moved", "c"),
    ]
    assert platforms_of(pd.DataFrame(rows), tmp_path) == {
        "cluster": "cluster",
        "half": "half",
        "moved": "moved",
        "other": "moved",
        "whole": "half",
    }


def test_a_machine_that_is_not_on_record_stands_for_itself(tmp_path):
    rows = [platform(tmp_path, name, "") for name in ("a", "b")]
    assert platforms_of(pd.DataFrame(rows), tmp_path) == {"a": "a", "b": "b"}
