import json
import shutil
import zipfile

import pytest

from trialwatt import suts
from trialwatt.errors import TrialwattError
from trialwatt.provenance.archivefile import unpack
from trialwatt.provenance.crate import left_out
from trialwatt.provenance.embed import encode, read_sidecar
from trialwatt.review.pack import _version_of, pack
from trialwatt.review.verdict import render_text
from trialwatt.review.verify import remake_command, verify


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
        "results/page.html",
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
    assert list(claims) == ["more-cpu", "H1", "H2", "paper"]
    assert claims["paper"]["expected"][0].startswith("2 runs with 12 trials in 2 configurations")
    assert "results/paper/paper.pdf" in claims["paper"]["files"]
    own = claims["more-cpu"]
    assert own["experiment_file"] == "config/experiments/more-cpu.yaml" and own["runs"] == 2
    assert own["minutes"]["execution"] == 3.0  # two runs of 90 s
    assert found["minutes"]["set_up"] == 1.7  # a warm-up of 90 s, and 10 s of idle power
    assert found["minutes"]["analysis"] > 0
    assert (
        "Nothing is compared: there are 1 of the 5 blocks that it takes (on lab)."
        in own["expected"]
    )
    for one in own["figures"]:
        assert (unpacked / one["file"]).is_file()
    assert claims["H1"]["experiments"] == ["more-cpu"]  # by what it varies
    assert claims["H2"]["experiments"] == []
    assert claims["H1"]["expected"][0].startswith("H1: ")
    assert own["minutes"]["set_up"] == 1.7
    said = " ".join(found["limits"])
    assert "method: modelled" in said and "of one machine" in said and "a configuration: 1," in said
    assert "space tiny in place of ff-24" in found["deviations"]
    assert "workers.count 2 in place of 4" in found["deviations"]
    text = (unpacked / "ARTIFACT.md").read_text(encoding="utf-8")
    assert "## What it can and cannot say" in text and "space tiny in place of" in text
    assert "### more-cpu: More CPU" in text and "| execution | 3.0 |" in text


def test_a_results_folder_that_is_not_done(project, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    (copy / "results/tables/more-cpu.csv").unlink()
    with pytest.raises(TrialwattError, match=r"results/tables/more-cpu\.csv: missing; make it"):
        pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files)


def test_the_paper_belongs_into_it_where_it_was_made(archive, project, tmp_path):
    made = {"results/paper/paper.pdf", "results/paper/paper.json", "results/paper/numbers.json"}
    assert {"paper/main.typ", "paper/sections/method.typ"} | made <= names(archive)
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    shutil.rmtree(copy / "results/paper")
    found = names(pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files))
    assert "paper/main.typ" in found and not made & found


def test_a_configuration_file_from_elsewhere_is_in_it_by_its_name(project, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    mine = tmp_path / "mine.yaml"
    mine.write_text("repetitions: 1\n")
    plan = copy / "results/plan.json"
    content = json.loads(plan.read_text())
    content["files"].append("mine.yaml")
    plan.write_text(json.dumps(content))
    with pytest.raises(TrialwattError, match=r"mine\.yaml: missing"):
        pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files)
    files = [*project.plan.files, str(mine)]
    assert "mine.yaml" in names(pack(copy, copy / "results", tmp_path / "x.zip", files))


def test_a_light_archive_is_verified_and_its_figures_are_made_again(archive, project, tmp_path):
    light = pack(
        project.root,
        project.results,
        tmp_path / "light.zip",
        project.plan.files,
        {"version": "0.1.0"},
        light=True,
    )
    lacking = names(archive) - names(light)
    assert "results/report.html" in lacking and "results/figures/more-cpu/resource.svg" in lacking
    assert lacking == {name for name in names(archive) if left_out(name)}
    verdict = verify(light)
    assert verdict.ok, render_text(verdict)
    assert verdict.counts["figures"]["of"] == verdict.counts["report"]["of"] == 0
    assert verdict.counts["paper"]["of"] == 3
    said = remake_command(light, tmp_path / "remade")
    assert "and the paper" in said
    figure = "figures/more-cpu/resource.png"
    remade = (tmp_path / "remade/results" / figure).read_bytes()
    assert remade == (project.results / figure).read_bytes()


def test_the_records_of_a_light_archive_are_enough_for_another_light_one(project, tmp_path):
    """Whoever changes a figure's code makes it so of records whose logs are gone."""
    keys = {"config_files": project.plan.files, "code": {"version": "0.1.0"}, "light": True}
    before = pack(project.root, project.results, tmp_path / "before.zip", **keys)
    copy = tmp_path / "copy"
    shutil.copytree(project.root, copy)
    logs = [*copy.glob("results/runs/*/*/rep*/logs")]
    assert logs
    for folder in logs:
        shutil.rmtree(folder)
    after = pack(copy, copy / "results", tmp_path / "after.zip", **keys)
    assert after.read_bytes() == before.read_bytes()
    with pytest.raises(TrialwattError, match=r"logs/.*: missing since the run"):
        pack(copy, copy / "results", tmp_path / "whole.zip", project.plan.files)


@pytest.mark.parametrize(
    ("name", "is_left_out"),
    [
        ("results/figures/r-cpu/resource.svg", True),
        ("results/report.html", True),
        ("results/runs/lab/a/rep1/logs/worker-0/0/stderr", True),
        ("results/warm-ups/lab/plain/best.safetensors", True),
        ("results/runs/lab/a/rep1/logs.zst", True),
        ("results/runs/lab/a/rep1/records.zst", False),
        ("results/runs/lab/a/rep1/records/worker-0.jsonl", False),
        ("results/runs/lab/a/rep1/samples/usage.csv", False),
        ("results/page.html", False),
        ("results/paper/paper.pdf", False),
        ("results/tables/r-cpu.csv", False),
    ],
)
def test_what_a_light_archive_leaves_out(name, is_left_out):
    assert left_out(name) is is_left_out


def test_a_record_that_is_missing_from_a_light_archive_is_found(project, tmp_path):
    light = pack(project.root, project.results, tmp_path / "l.zip", project.plan.files, light=True)
    folder = tmp_path / "unpacked"
    unpack(light, folder)
    gone = next(folder.glob("results/runs/*/*/*/records/worker-0.jsonl"))
    gone.unlink()
    verdict = verify(folder)
    assert any(gone.relative_to(folder).as_posix() == one["path"] for one in verdict.problems)


def test_figures_that_are_missing_from_a_whole_archive_are_found(archive, tmp_path):
    folder = tmp_path / "unpacked"
    unpack(archive, folder)
    shutil.rmtree(folder / "results/figures")
    verdict = verify(folder)
    assert not verdict.ok
    assert any("resource.svg" in one["path"] for one in verdict.problems)


def test_the_version_of_a_sut_is_that_of_the_package_which_it_declares(monkeypatch):
    packages = {"trialwatt": "1", "optuna": "2", "its-package": "3"}
    assert _version_of("optuna", packages) == "2"
    monkeypatch.setattr(suts.get("optuna"), "package", "its-package")
    assert _version_of("optuna", packages) == "3"
    assert _version_of("plain", packages) == "1"
    assert _version_of("of-nobody-here", packages | {"of-nobody-here": "4"}) is None
