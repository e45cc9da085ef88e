import json
import sys
import types
from pathlib import Path

import pandas as pd
import pytest

from trialwatt.errors import TrialwattError
from trialwatt.figures import FIGURES, figures_of
from trialwatt.figures.make import make_figures, make_table, one_run_each
from trialwatt.provenance.trace import trace


@pytest.fixture
def source(make_synthetic, make_project):
    return make_project(*make_synthetic(values=(2, 4), repetitions=2))


@pytest.fixture
def timelines(monkeypatch, make_events):
    """The timeline of any run, without records of a real one; remembers which were asked for."""
    asked = []

    def timeline(folder):
        asked.append(folder)
        return make_events(workers=4)

    module = types.ModuleType("trialwatt.metrics.series")
    module.timeline = timeline
    module.anytime = lambda folder: pd.DataFrame(
        {
            "time_ms": [100.0, 900.0],
            "job_energy_kwh": [1e-6, 2e-6],
            "score": [0.9, 0.9],
            "workers_ms": [400.0, 3600.0],
            "workers_ms_of_job": 4000.0,
            "services_ms": 0.0,
            "services_ms_of_job": 0.0,
        }
    )
    monkeypatch.setitem(sys.modules, "trialwatt.metrics.series", module)
    return asked


def test_which_experiment_has_which_figures():
    always = ["lifecycle", "overhead"]
    assert figures_of(["workers.count"]) == ["resource", *always, "wr"]
    assert figures_of(["workers.count"], series=True) == ["resource", *always, "wr", "carbon"]
    assert figures_of([]) == ["anytime", "winners", *always, "wr", "timeline"]
    search = ["waste", "search", "anytime", "pareto", "winners", *always]
    for key in ("search.sampler", "search.sampler_options.n", "space", "epochs", "batch"):
        assert figures_of([key]) == search
    both = figures_of(["workers.memory_mb", "search.pruner"])
    assert both == ["resource", *search, "wr"]
    assert figures_of(["deadline_s"]) == always
    assert figures_of(["epochs", "search.budget"]) == ["cost"]


def test_every_figure_of_the_list_exists_and_has_a_caption():
    for entry in FIGURES.values():
        assert callable(entry.load()) and entry.caption.endswith(".")


_APART: dict[str, dict[str, bytes]] = {}


def apart(name: str, source) -> dict[str, bytes]:
    """The files of a figure that was made alone, by their endings; drawn once for all tests."""
    if name not in _APART:
        _APART[name] = {file.suffix: file.read_bytes() for file in make_figures([name], source)}
    return _APART[name]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_made_and_traces(source, timelines, name):
    files = make_figures([name], source)
    _APART[name] = {file.suffix: file.read_bytes() for file in files}
    stem = source.results / "figures" / "r-node" / name
    assert files == [stem.with_suffix(end) for end in (".svg", ".pdf", ".png", ".json")]
    for file in files[:3]:
        found = trace(file)
        assert found.ok and not found.warnings
    assert found.chain.experiment.file == "config/experiments/r-node.yaml"
    assert found.chain.energy.methods == ["modelled"]
    assert len(found.chain.runs) == (2 if name == "timeline" else 8)


def test_all_figures_at_once_are_the_same_bytes_and_read_records_once(source, timelines):
    make_figures(["timeline"], source)
    asked = len(timelines)
    made = {name: apart(name, source) for name in FIGURES}
    timelines.clear()
    together = make_figures(FIGURES, source)
    assert [(file.stem, file.suffix) for file in together] == [
        (name, suffix) for name, files in made.items() for suffix in files
    ]
    assert all(file.read_bytes() == made[file.stem][file.suffix] for file in together)
    assert 0 < len(timelines) == asked


def test_the_table_is_made_and_traces(source):
    files = make_table(source)
    tables = source.results / "tables"
    ends = (".csv", ".md", ".tex", ".json")
    stems = (tables / "r-node", tables / "best" / "r-node")
    assert files == [stem.with_suffix(end) for stem in stems for end in ends]
    assert all(trace(file).ok for file in files if file.suffix != ".json")


def test_what_is_known_beside_the_runs_is_used_and_in_the_chain(source):
    beside = source.tables[0]
    beside.with_name("convergence.json").write_text(json.dumps({"sweeps": []}))
    absent = {"sut": "ray", "treatment": None, "reason": "it is not installed"}
    beside.with_name("unavailable.json").write_text(json.dumps({"unavailable": [absent]}))
    svg, *_, sidecar = make_figures(["resource"], source)
    read = json.loads(sidecar.read_text())["provenance"]["tables"]
    names = {Path(file).name for file in read}
    assert names == {"runs.parquet", "convergence.json", "unavailable.json"}
    assert trace(svg).ok
    for file in make_table(source):
        if file.suffix == ".json":
            read = json.loads(file.read_text())["provenance"]["tables"]
            assert {Path(name).name for name in read} == {"runs.parquet", "unavailable.json"}
        elif file.suffix == ".csv":
            assert "it is not installed" in file.read_text()
    beside.with_name("unavailable.json").write_text(json.dumps({"unavailable": []}))
    assert not trace(svg).ok


def test_the_timeline_shows_the_baseline_and_its_duplicates(source, timelines, make_events):
    trials = pd.read_parquet(source.tables[1])
    trials["waste_class"] = "duplicate"
    trials.to_parquet(source.tables[1])
    make_figures(["timeline"], source)
    runs = pd.read_parquet(source.tables[0]).set_index("folder")
    asked = [folder.relative_to(source.results).as_posix() for folder in timelines]
    assert [runs.loc[folder, "sut"] for folder in asked] == ["plain", "optuna"]
    assert all(runs.loc[folder, "is_baseline"] for folder in asked)


def test_one_run_each_prefers_completed_baselines(make_synthetic):
    runs, _ = make_synthetic(values=(2, 4))
    base = runs[runs["is_baseline"] & (runs["sut"] == "plain")].index
    runs.loc[base[0], "status"] = "deadline"
    chosen = one_run_each(runs)
    assert chosen["is_baseline"].all() and chosen.index[0] in base[1:]
    lengths = runs[runs["is_baseline"] & (runs["sut"] == "optuna")]["jct_ms"]
    assert chosen["jct_ms"].iloc[1] == lengths.median()
    runs.loc[base, "status"] = "infeasible"
    assert list(one_run_each(runs)["wn"]) == [2, 4]
    assert one_run_each(runs.assign(status="infeasible")).empty


def test_tables_without_rows_make_figures_that_say_so(source, timelines):
    for file in source.tables:
        pd.read_parquet(file).iloc[:0].to_parquet(file)
    for name in FIGURES:
        assert len(make_figures([name], source)) == 4
    make_table(source)
    found = trace(source.results / "figures" / "r-node" / "resource.svg")
    assert not found.ok and "names no run" in found.problems[0]


def test_what_is_missing_is_named(source):
    with pytest.raises(TrialwattError, match="there is no figure 'x'"):
        make_figures(["x"], source)
    run = pd.read_parquet(source.tables[0]).loc[0, "folder"]
    (source.results / run / "run.json").unlink()
    with pytest.raises(TrialwattError, match=r"run\.json: missing"):
        make_figures(["resource"], source)
    source.tables[0].unlink()
    with pytest.raises(TrialwattError, match="make the metrics of r-node first"):
        make_table(source)


def test_sidecars_hold_no_path_of_this_machine(source, tmp_path):
    *_, sidecar = make_figures(["resource"], source)
    text = sidecar.read_text()
    assert str(tmp_path) not in text and json.loads(text)["outputs"].keys() == {
        "resource.svg",
        "resource.pdf",
        "resource.png",
    }
