import hashlib
import io
import json
import random

import pytest
from rocrate.rocrate import ROCrate
from tests.fuzz import all_clean, mutations, wrong_json

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


def with_file(folder, name, **more):
    file = folder / crate.NAME
    content = json.loads(file.read_text())
    content["@graph"].append({"@id": name, "@type": "File", "sha256": "0" * 64, **more})
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "%2e%2e/x", "a%00b", "", "a//b", "x" * 5000]
)
def test_an_id_that_is_no_path_in_the_archive_is_refused(folder, name):
    with pytest.raises(TrialwattError, match="names what is no file in the archive"):
        crate.checksums(with_file(folder, name))


@pytest.mark.parametrize("name", ["config%2Fconfig.yaml", "./config/config.yaml"])
def test_two_ids_of_one_file_are_refused(folder, name):
    """Else the one that is read last decides which checksum counts."""
    with pytest.raises(TrialwattError, match=r"names config/config\.yaml twice, spelled diff"):
        crate.checksums(with_file(folder, name))


def test_an_id_twice_is_refused(folder):
    with pytest.raises(TrialwattError, match="describes one thing twice"):
        crate.checksums(with_file(folder, "config/config.yaml"))


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_damaged_crate_is_refused_in_words(folder, count):
    rng, file = random.Random(count), folder / crate.NAME
    good = file.read_bytes()

    def read(data):
        file.write_bytes(data)
        for name in crate.checksums(file):
            assert not (folder / name).is_absolute() or (folder / name).is_relative_to(folder)

    value = json.loads(good)
    wrong = (json.dumps(wrong_json(value, rng)).encode() for _ in range(count))
    assert all_clean(wrong, read, (TrialwattError,))
    assert all_clean((mutations(good, rng) for _ in range(count)), read, (TrialwattError,))
