import json
import shutil
import zipfile

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.provenance.embed import encode, read_sidecar
from trialwatt.review.pack import pack


def names(archive) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        return set(opened.namelist())


def test_what_is_in_it(archive, project):
    found = names(archive)
    for name in (
        "ro-crate-metadata.json",
        "ARTIFACT.md",
        "artifact.json",
        "CITATION.cff",
        "Snakefile",
        "rules/archive.smk",
        "scripts/archive.py",
        "envs/requirements.lock",
        "config/config.yaml",
        "config/experiments/more-cpu.yaml",
        "config/goals/digits.json",
        "results/plan.json",
        "results/report.html",
        "results/testbeds/lab.json",
        "results/sweeps/more-cpu/plain-grid/move0.json",
        "results/metrics/more-cpu/runs.parquet",
        "results/tables/answers-tests.csv",
        "results/warm-ups/lab/plain/run.json",
    ):
        assert name in found
    runs = {name for name in found if name.startswith("results/runs/")}
    assert len([name for name in runs if name.endswith("/run.json")]) == 2
    assert not [name for name in found if "/." in name or "__pycache__" in name]
    assert "config/quick.yaml" not in found


def test_the_same_results_give_the_same_bytes_in_any_folder_and_at_any_time(
    archive, project, tmp_path
):
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    for file in copy.rglob("*"):
        file.touch()
    again = pack(
        copy, copy / "results", tmp_path / "again.zip", project.plan.files, {"version": "0.1.0"}
    )
    same = project_code(again, archive)
    assert same == set()


def project_code(one, other) -> set[str]:
    """Files that differ; the RO-Crate alone names the code of the checkout."""
    with zipfile.ZipFile(one) as a, zipfile.ZipFile(other) as b:
        assert a.namelist() == b.namelist() == sorted(a.namelist())
        assert {i.date_time for i in a.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        return {n for n in a.namelist() if a.read(n) != b.read(n)} - {"ro-crate-metadata.json"}


def test_byte_for_byte(archive, project, tmp_path, monkeypatch):
    monkeypatch.chdir(project.root)
    assert project.pack(tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_no_path_of_this_machine_is_in_what_we_write(archive, project, unpacked):
    for file in unpacked.folder.rglob("*"):
        if file.suffix in (".json", ".md", ".csv", ".tex", ".svg", ".html"):
            assert str(project.root) not in file.read_text(encoding="utf-8"), file
    sidecar = read_sidecar(unpacked / "results/figures/more-cpu/wr.svg")
    assert '"/' not in encode(sidecar[0])


def test_the_map(unpacked):
    found = json.loads((unpacked / "artifact.json").read_text())
    claims = {claim["id"]: claim for claim in found["claims"]}
    assert list(claims) == ["more-cpu", "H1", "H2"]
    own = claims["more-cpu"]
    assert own["experiment_file"] == "config/experiments/more-cpu.yaml" and own["runs"] == 2
    assert own["minutes"]["execution"] == 3.0  # two runs of 90 s
    assert found["minutes"]["set_up"] == 1.7  # a warm-up of 90 s, and 10 s of idle power
    assert found["minutes"]["analysis"] > 0
    assert any("least energy under" in sentence for sentence in own["expected"])
    for one in own["figures"]:
        assert (unpacked / one["file"]).is_file()
    assert claims["H1"]["experiments"] == []  # more-cpu is none of the resource experiments
    assert claims["H1"]["expected"][0].startswith("H1: ")
    text = (unpacked / "ARTIFACT.md").read_text(encoding="utf-8")
    assert "### more-cpu: More CPU" in text and "| execution | 3.0 |" in text


def test_a_results_folder_that_is_not_done(project, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    (copy / "results/tables/more-cpu.csv").unlink()
    with pytest.raises(TrialwattError, match=r"results/tables/more-cpu\.csv: missing; make it"):
        pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files)


def test_a_paper_belongs_into_it(project, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    (copy / "paper").mkdir()
    (copy / "paper/paper.typ").write_text("= Title\n")
    found = names(pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files))
    assert "paper/paper.typ" in found


def test_a_configuration_file_from_elsewhere_is_in_it_by_its_name(project, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    mine = tmp_path / "mine.yaml"
    mine.write_text("repetitions: 1\n")
    plan = copy / "results/plan.json"
    content = json.loads(plan.read_text())
    content["experiments"][0]["config_files"].append("mine.yaml")
    plan.write_text(json.dumps(content))
    with pytest.raises(TrialwattError, match=r"mine\.yaml: missing"):
        pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files)
    files = [*project.plan.files, str(mine)]
    assert "mine.yaml" in names(pack(copy, copy / "results", tmp_path / "x.zip", files))
