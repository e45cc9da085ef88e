import hashlib
import io
import json

import pytest
from rocrate.rocrate import ROCrate

from trialwatt.errors import TrialwattError
from trialwatt.provenance import crate

CODE = {"version": "0.1.0", "commit": "c" * 40, "dirty": False}
RUN = "results/runs/lab/plain-a b-0123456789/rep1"


@pytest.fixture
def contents(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a\n1\n")
    return {
        "Snakefile": b"rule all:\n",
        "config/config.yaml": b"a: 1\n",
        "results/tables/x.csv": table,
        f"{RUN}/run.json": b"{}",
    }


@pytest.fixture
def described():
    second = 1_750_000_000_000_000_000
    run = crate.RunAction(
        RUN, "optuna", "5.0.0", "completed", second, second + 10**10, [f"{RUN}/run.json"]
    )
    return crate.Described(
        "Results",
        "Of a test",
        "https://spdx.org/licenses/MIT",
        CODE,
        ["config/config.yaml"],
        ["results/tables/x.csv"],
        [run],
    )


@pytest.fixture
def folder(contents, described, tmp_path):
    place = tmp_path / "crate"
    for name, content in contents.items():
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    (place / crate.NAME).write_bytes(crate.metadata(contents, described))
    return place


def test_rocrate_reads_it_with_its_profiles_and_actions(folder):
    read = ROCrate(folder)
    assert read.mainEntity.id == "Snakefile"
    assert "ComputationalWorkflow" in read.mainEntity.type
    profiles = {profile.id for profile in read.root_dataset["conformsTo"]}
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    actions = [e for e in read.get_entities() if e.type == "CreateAction"]
    assert {a["instrument"].id for a in actions} == {"Snakefile", "#sut-optuna-5.0.0"}
    assert all(action["startTime"] == "2025-06-15T15:06:40+00:00" for action in actions)
    assert read.root_dataset["datePublished"] == "2025-06-15T15:06:50+00:00"


def test_runcrate_reports_its_actions(folder):
    report = pytest.importorskip("runcrate.report")
    said = io.StringIO()
    report.dump_crate_actions(folder, said)
    assert "instrument: Snakefile" in said.getvalue()
    assert "instrument: #sut-optuna-5.0.0" in said.getvalue()
    assert "config/config.yaml" in said.getvalue()


def test_the_same_contents_give_the_same_text(contents, described):
    assert crate.metadata(contents, described) == crate.metadata(contents, described)


def test_every_file_has_its_checksum(folder, contents):
    found = crate.checksums(folder / crate.NAME)
    assert found.keys() == contents.keys()
    assert found["Snakefile"] == hashlib.sha256(b"rule all:\n").hexdigest()
    assert found["results/tables/x.csv"] == hashlib.sha256(b"a\n1\n").hexdigest()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"@graph": [1]}', '{"@graph": [{"@id": "./"}]}'])
def test_what_is_no_crate_of_a_workflow_is_refused(tmp_path, text):
    (tmp_path / crate.NAME).write_text(text)
    with pytest.raises(TrialwattError, match="damaged, or no RO-Crate"):
        crate.checksums(tmp_path / crate.NAME)


def test_the_crate_of_another_workflow_is_refused(folder):
    content = json.loads((folder / crate.NAME).read_text())
    for entity in content["@graph"]:
        if entity["@id"] == "Snakefile":
            entity["name"] = "rna-seq"
    (folder / crate.NAME).write_text(json.dumps(content))
    with pytest.raises(TrialwattError, match="another workflow"):
        crate.checksums(folder / crate.NAME)
