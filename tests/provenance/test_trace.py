import hashlib
import json
import shutil

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.figures.style import nothing, save
from trialwatt.provenance.embed import (
    NoProvenance,
    embedded,
    read_sidecar,
    sidecar_of,
    write_sidecar,
)
from trialwatt.provenance.render import render_json, render_text
from trialwatt.provenance.trace import trace, trace_command
from trialwatt.records.manifest import write_manifest
from trialwatt.records.sealed import seal

SUFFIXES = [".svg", ".pdf", ".png"]


@pytest.fixture
def stem(project):
    """A saved figure of the project, without its suffix."""
    stem = project.results / "figures" / "r-node" / "resource"
    save(nothing("R-Node", "a test"), stem, project.chain())
    return stem


@pytest.fixture
def table(project):
    stem = project.results / "tables" / "r-node"
    csv = stem.with_name("r-node.csv")
    csv.parent.mkdir()
    csv.write_text("sut\nplain\n")
    write_sidecar(stem, project.chain(kind="table/results"), [csv])
    return csv


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_embedded_is_what_the_sidecar_says(project, stem, suffix):
    figure = stem.with_suffix(suffix)
    assert embedded(figure) == read_sidecar(figure)[0] == project.chain()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_intact_chain(stem, suffix, capsys):
    found = trace(stem.with_suffix(suffix))
    assert found.ok and not found.warnings
    assert {check.part for check in found.checks} == {"config", "table", "manifest", "record"}
    assert {check.state for check in found.checks} == {"agrees"}
    assert trace_command(stem.with_suffix(suffix)) == 0
    text = capsys.readouterr().out
    for part in (
        "experiment: r-node",
        "config/experiments/r-node.yaml",
        "metrics/r-node/runs.parquet",
        "runs/local/plain-digits-abc123/rep1  completed",
        "records/worker-0.jsonl  sha256 ",
        "configuration abc123: plain, digits, grid, 4 × 2.0 vCPU",
        "energy: modelled (meter: model)",
        "code of the runs: trialwatt 0.1.0, commit bbbbbbbbbbbb",
        "resource.json agrees",
        "The chain holds: 4 files",
    ):
        assert part in text


def test_as_json(project, stem, capsys):
    assert trace_command(stem.with_suffix(".svg"), as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    known, said = embedded(stem.with_suffix(".svg")), found["provenance"]
    manifest = json.loads((project.run / "run.json").read_text())
    assert found["ok"] and known.keys() | {"configurations"} == said.keys()
    assert said["configurations"] == {manifest["hash"]: manifest["config"]}
    assert said["runs"] == [run | {"records": manifest["files"]} for run in known["runs"]]


def test_a_chain_that_repeats_the_checksums_of_records_is_walked_as_before(project, stem):
    """As chains of format 1 did."""
    figure, sidecar = stem.with_suffix(".svg"), sidecar_of(stem.with_suffix(".svg"))
    old = json.loads(sidecar.read_text())
    manifest = json.loads((project.run / "run.json").read_text())
    old["provenance"]["format"] = 1
    old["provenance"]["configurations"] = {manifest["hash"]: manifest["config"]}
    old["provenance"]["runs"][0]["records"] = manifest["files"]
    sidecar.write_text(json.dumps(old))
    figure.unlink()
    assert trace(sidecar).checks[-1].part == "record"
    (project.run / "run.json").unlink()
    (project.run / "records" / "worker-0.jsonl").write_text("forged\n")
    problems = " ".join(trace(sidecar).problems)
    assert "rep1/run.json: missing" in problems
    assert "rep1/records/worker-0.jsonl: its checksum differs" in problems


def test_a_record_that_was_changed_with_its_manifest_breaks_the_chain(project, stem):
    record = project.run / "records" / "worker-0.jsonl"
    record.write_text("forged\n")
    file = project.run / "run.json"
    manifest = json.loads(file.read_text())
    manifest["files"]["records/worker-0.jsonl"] = hashlib.sha256(b"forged\n").hexdigest()
    file.write_text(json.dumps(manifest))
    (problem,) = trace(stem.with_suffix(".svg")).problems
    assert "rep1/run.json: its checksum differs" in problem


def test_a_manifest_that_leads_out_of_its_folder_is_refused(project, stem):
    file = project.run / "run.json"
    manifest = json.loads(file.read_text())
    manifest["files"]["../../../../secret"] = "0" * 64
    file.write_text(json.dumps(manifest))
    sidecar = sidecar_of(stem.with_suffix(".svg"))
    content = json.loads(sidecar.read_text())
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    content["provenance"]["runs"][0]["run_json_sha256"] = checksum
    sidecar.write_text(json.dumps(content | {"outputs": {}}))
    with pytest.raises(TrialwattError, match=r"its provenance cannot be used: runs\.0\.records"):
        trace(sidecar)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", ["missing", "changed"])
def test_a_record_that_is_gone_or_changed_is_named(project, stem, suffix, kind, capsys):
    record = project.run / "records" / "worker-0.jsonl"
    record.unlink() if kind == "missing" else record.write_text("forged\n")
    figure = stem.with_suffix(suffix)
    assert trace_command(figure) == 1
    text = capsys.readouterr().out
    said = {"missing": "missing", "changed": "its checksum differs"}[kind]
    assert f"rep1/records/worker-0.jsonl: {said}" in text and "The chain is broken" in text
    assert trace_command(figure, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_records_gone(project, stem, suffix):
    shutil.rmtree(project.results / "runs")
    found = trace(stem.with_suffix(suffix))
    assert not found.ok
    assert {c.state for c in found.checks if c.part in ("record", "manifest")} == {"missing"}


def test_a_changed_table_or_manifest_breaks_the_chain(project, stem):
    project.table.write_bytes(b"another")
    (project.run / "run.json").write_text("{}")
    problems = trace(stem.with_suffix(".png")).problems
    assert len(problems) == 2 and all("differs" in problem for problem in problems)


def test_a_changed_configuration_file_is_only_a_note(project, stem):
    project.experiment.write_text("title: another\n")
    found = trace(stem.with_suffix(".png"))
    assert found.ok and "config/experiments/r-node.yaml: differs" in found.warnings[0]


def test_figure_and_sidecar_must_agree(stem):
    sidecar = sidecar_of(stem.with_suffix(".svg"))
    content = json.loads(sidecar.read_text())
    content["provenance"]["runs"] = []
    sidecar.write_text(json.dumps(content))
    found = trace(stem.with_suffix(".svg"))
    assert not found.ok and "disagree about: runs" in found.problems[0]


def test_a_figure_that_was_edited_is_noticed(stem):
    figure = stem.with_suffix(".svg")
    figure.write_text(figure.read_text().replace("</svg>", "<!-- edited --></svg>"))
    assert "resource.svg: its checksum is not the one" in trace(figure).problems[0]


def test_without_a_sidecar_the_embedded_chain_is_used(stem):
    sidecar_of(stem.with_suffix(".pdf")).unlink()
    found = trace(stem.with_suffix(".pdf"))
    assert found.ok and "no sidecar resource.json" in found.warnings[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_figure_without_metadata(tmp_path, suffix, capsys):
    from matplotlib.figure import Figure

    bare = tmp_path / f"bare{suffix}"
    Figure().savefig(bare)
    with pytest.raises(NoProvenance, match="no provenance inside"):
        trace(bare)
    assert trace_command(bare) == 1
    assert "no provenance" in capsys.readouterr().err


def test_metadata_that_was_stripped_is_a_problem_even_with_a_sidecar(stem):
    from PIL import Image

    figure = stem.with_suffix(".png")
    with Image.open(figure) as image:
        image.load()
        Image.frombytes(image.mode, image.size, image.tobytes()).save(figure)
    problems = trace(figure).problems
    assert "no provenance inside" in problems[0] and "one of them was changed" in problems[1]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"\x89PNG\r\n\x1a\n", b"%PDF-1.4\n", b"<svg"]
)
def test_a_damaged_figure_is_a_clear_error(tmp_path, suffix, content, capsys):
    figure = tmp_path / f"broken{suffix}"
    figure.write_bytes(content)
    assert trace_command(figure) == 1
    assert f"broken{suffix}" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[]", '{"provenance": 1, "outputs": {}}'])
def test_a_damaged_sidecar_is_a_clear_error(table, text, capsys):
    sidecar_of(table).write_text(text)
    assert trace_command(table) == 1
    assert "r-node.json: damaged, not" in capsys.readouterr().err


def test_a_strangers_chain_is_checked_before_it_is_used(table, capsys):
    content = json.loads(sidecar_of(table).read_text())
    content["provenance"]["runs"][0]["folder"] = "../../.."
    sidecar_of(table).write_text(json.dumps(content))
    assert trace_command(table) == 1
    assert "not a path inside the project" in capsys.readouterr().err


def test_a_strangers_names_cannot_steer_the_terminal(table):
    content = json.loads(sidecar_of(table).read_text())
    content["provenance"]["experiment"]["id"] = "\x1b[2Jx"
    sidecar_of(table).write_text(json.dumps(content))
    assert "\x1b" not in render_text(trace(table))


def test_a_table_traces_through_its_sidecar(table, project):
    assert trace(table).ok
    table.write_text("sut\nforged\n")
    assert "r-node.csv: its checksum is not the one" in trace(table).problems[0]


def test_a_file_with_neither(tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("x")
    with pytest.raises(TrialwattError, match="cannot be traced"):
        trace(other)
    with pytest.raises(TrialwattError, match="there is no such file"):
        trace(tmp_path / "nothing.svg")


def test_a_copy_of_the_results_elsewhere_holds(project, stem, tmp_path):
    moved = tmp_path / "archive"
    shutil.copytree(project.results, moved / "results")
    found = trace(moved / "results" / "figures" / "r-node" / "resource.svg")
    assert found.ok and found.results == moved / "results"


def test_a_figure_carried_off_finds_its_records_only_when_told(
    project, stem, tmp_path, monkeypatch
):
    away = tmp_path / "elsewhere"
    away.mkdir()
    monkeypatch.chdir(away)
    lone = shutil.copy(stem.with_suffix(".svg"), away)
    found = trace(away / "resource.svg")
    assert not found.ok and "no results folder found" in found.problems[0]
    assert trace(away / "resource.svg", results=project.results).ok
    assert trace_command(lone, results=project.results) == 0


def test_a_runs_folder(project, capsys):
    assert trace_command(project.run) == 0
    assert "kind: run" in capsys.readouterr().out
    assert trace(project.run / "run.json").ok
    (project.run / "left-over.txt").write_text("x")
    assert trace(project.run).warnings == ("left-over.txt: not in the manifest",)
    (project.run / "records" / "harness.jsonl").write_text("forged\n")
    assert trace_command(project.run) == 1
    assert json.loads(render_json(trace(project.run)))["checks"][1]["state"] == "differs"


def test_a_record_in_a_sealed_file(project):
    seal(project.run)
    manifest = json.loads((project.run / "run.json").read_text())
    write_manifest(project.run, manifest)
    found = trace(project.run / "records" / "worker-0.jsonl")
    assert found.ok and found.said == (
        "records/worker-0.jsonl is sealed in records.zst, of which run.json names the checksum",
    )
    with pytest.raises(TrialwattError, match=r"there is no such file, and run\.json does not"):
        trace(project.run / "records" / "worker-7.jsonl")
    with (project.run / "records.zst").open("ab") as file:
        file.write(b"x")
    assert "records.zst: its checksum differs" in trace(project.run).problems[0]


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(TrialwattError, match=r"a folder, and no run's"):
        trace(tmp_path)
