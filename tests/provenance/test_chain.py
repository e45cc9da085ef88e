import hashlib
import json

import pytest
from tests.provenance.conftest import FOLDER

from trialwatt.errors import TrialwattError
from trialwatt.provenance.chain import completed, validated
from trialwatt.provenance.embed import encode


def test_it_names_everything_with_its_checksum(project):
    found = project.chain()
    assert found["format"] == 2 and found["kind"] == "figure/resource"
    assert found["experiment"] == {
        "id": "r-node",
        "file": "config/experiments/r-node.yaml",
        "sha256": hashlib.sha256(b"title: R-Node\n").hexdigest(),
    }
    assert found["config"] == {
        "config/config.yaml": hashlib.sha256(b"repetitions: 1\n").hexdigest()
    }
    assert found["tables"] == {
        "metrics/r-node/runs.parquet": hashlib.sha256(b"a table").hexdigest()
    }
    (run,) = found["runs"]
    manifest = (project.run / "run.json").read_bytes()
    assert run["run_json_sha256"] == hashlib.sha256(manifest).hexdigest()
    assert "records" not in run and "configurations" not in found  # they stand in run.json
    assert found["energy"] == {"methods": ["modelled"], "meters": ["model"]}
    assert found["hosts"] == [{"cpu_model": "Synthetic CPU", "cores": 2}]
    assert found["packages"] == [{"torch": "2.13.0"}]
    assert found["code"]["this"]["version"] == "0.1.0"
    assert found["code"]["runs"] == [{"version": "0.1.0", "commit": "b" * 40, "dirty": False}]


def test_no_path_of_this_machine_is_in_it(project):
    text = encode(project.chain())
    assert str(project.root) not in text and '"/' not in text


@pytest.mark.parametrize(
    ("series", "named"),
    [
        ("/home/someone/intensity.csv", "intensity.csv"),
        ("../intensity.csv", "intensity.csv"),
        ("config/intensity.csv", "config/intensity.csv"),
    ],
)
def test_a_series_of_intensities_elsewhere_is_named_but_not_placed(project, series, named):
    file = project.run / "run.json"
    manifest = json.loads(file.read_text())
    manifest["config"]["testbed"] = {"carbon_series": series, "region": "world"}
    file.write_text(json.dumps(manifest))
    whole = completed(validated(project.chain(), "x"), [(FOLDER, "0" * 64, manifest)], "x")
    (config,) = whole.configurations.values()
    assert config["testbed"] == {"carbon_series": named, "region": "world"}


def test_a_config_file_elsewhere_is_named_but_not_placed(project, tmp_path):
    other = tmp_path / "mine.yaml"
    other.write_text("x: 1\n")
    assert list(project.chain(config_files=[other])["config"]) == ["mine.yaml"]


def test_the_same_disk_gives_the_same_chain_in_any_order(project):
    first = "runs/local/plain-digits-abc123/rep1"
    second = project.add_run("runs/local/plain-digits-abc123/rep2")
    one, two = project.chain([first, second, first]), project.chain([second, first])
    assert encode(one) == encode(two)
    assert [run["folder"] for run in one["runs"]] == [first, second]


def test_methods_of_the_tables_win(project):
    assert project.chain(energy_methods={"counter", "modelled"})["energy"]["methods"] == [
        "counter",
        "modelled",
    ]


@pytest.mark.parametrize("gone", ["run", "table", "experiment"])
def test_what_is_gone_cannot_be_chained(project, gone):
    file = {"run": project.run / "run.json", "table": project.table}.get(gone, project.experiment)
    file.unlink()
    with pytest.raises(TrialwattError, match=f"{file.name}.*missing"):
        project.chain()


def test_a_damaged_manifest_is_named(project):
    (project.run / "run.json").write_text('{"hash": ')
    with pytest.raises(TrialwattError, match=r"run\.json: damaged"):
        project.chain()
    (project.run / "run.json").write_text("[]")
    with pytest.raises(TrialwattError, match="not a run's manifest"):
        project.chain()


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret", "a/../../b", "", "C:/x", "a\\b"])
def test_a_strangers_path_that_leaves_the_folder_is_refused(project, path):
    found = project.chain()
    found["runs"][0]["folder"] = path
    with pytest.raises(TrialwattError, match=r"here: .*runs\.0\.folder"):
        validated(found, where="here")
    found = project.chain()
    found["runs"][0]["records"] = {path: "0" * 64}
    with pytest.raises(TrialwattError):
        validated(found, where="here")
