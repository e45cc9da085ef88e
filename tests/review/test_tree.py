import os
import shutil

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.provenance import crate
from trialwatt.provenance.archivefile import BadArchive, plain_files
from trialwatt.records.manifest import rewrite_manifest
from trialwatt.review import tree as trees
from trialwatt.review.tree import company_of, files_below, notes_of, tree_of
from trialwatt.review.verify import opened


@pytest.fixture
def results(project, tmp_path):
    """A results folder with its project around it, to be changed at will."""
    return shutil.copytree(project.root, tmp_path / "project") / "results"


def test_an_archive_one_folder_down_is_found_and_its_folder_named(unpacked, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    unpacked.folder.rename(outer / "lab results")
    (outer / ".DS_Store").write_text("")
    (outer / "__MACOSX").mkdir()
    found = tree_of(outer)
    assert found.root == outer / "lab results" and found.is_archive
    assert notes_of(found) == ["the archive lies one folder down, in lab results/"]
    assert notes_of(tree_of(outer / "lab results")) == []
    (outer / "README").write_text("")
    with pytest.raises(TrialwattError, match="neither an unpacked archive"):
        tree_of(outer)


def test_a_link_to_an_archive_is_not_followed_down(unpacked, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "lab").symlink_to(unpacked.folder)
    with pytest.raises(TrialwattError, match="neither an unpacked archive"):
        tree_of(outer)


def test_company_in_an_archive_is_named_and_in_results_too(unpacked, results):
    for root in (unpacked.folder, results.parent):
        (root / "results/.DS_Store").write_text("")
        (root / "paper/.#main.typ").symlink_to("me@host.1")
        (root / "config/~$config.yaml").write_text("")
    for place in (unpacked.folder, results):
        found = tree_of(place)
        names = ["config/~$config.yaml", "paper/.#main.typ", "results/.DS_Store"]
        assert company_of(found) == names
        assert [note.partition(":")[0] for note in notes_of(found)] == names
        assert all("not part of the archive, ignored" in note for note in notes_of(found))


def test_many_notes_are_counted(unpacked):
    for number in range(25):
        (unpacked / f"{number}~").write_text("")
    notes = notes_of(tree_of(unpacked.folder))
    assert len(notes) == 21 and notes[-1] == "and 5 more such files"


def test_a_pipe_in_an_archive_is_refused_before_anything_is_opened(unpacked):
    (unpacked / crate.NAME).unlink()
    os.mkfifo(unpacked / crate.NAME)
    with (
        pytest.raises(BadArchive, match=f"{crate.NAME}: a link or special file"),
        opened(unpacked.folder),
    ):
        pass


@pytest.mark.parametrize("name", ["results/plan.json", "results/runs/x", "config/prices.yaml"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_device_in_results_is_refused_before_anything_is_opened(results, name, kind):
    file = results.parent / name
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    with (
        pytest.raises(BadArchive, match=f"{file.name}: a device, a pipe or a link"),
        opened(results),
    ):
        pass


@pytest.mark.parametrize("name", ["results/plan.json", crate.NAME])
def test_a_huge_file_is_not_read(unpacked, name):
    with (unpacked / name).open("r+b") as file:
        file.truncate(1 << 40)  # takes no disk
    with pytest.raises(TrialwattError, match=rf"{name}: has 1,048,576 MB"), opened(unpacked.folder):
        pass


def test_nothing_hidden_and_no_company_is_packed(project, results):
    names = set(trees.names_of(tree_of(results)))
    (results.parent / "rules/runs.smk~").write_text("")
    (results.parent / "paper/#main.typ#").write_text("")
    run = min((results / "runs").glob("*/*/rep*"))
    for name in (".DS_Store", "records/._worker-1.jsonl", ".snakemake_timestamp"):
        (run / name).write_text("")
    assert set(trees.names_of(tree_of(results))) == names
    assert not [name for name in files_below(results.parent / "paper", "paper") if "#" in name]


def test_what_a_zip_file_holds_beside_the_archive_is_named(archive, unpacked, tmp_path):
    import zipfile

    made = tmp_path / "mac.zip"
    shutil.copy(archive, made)
    with zipfile.ZipFile(made, "a") as opened_zip:
        opened_zip.writestr("__MACOSX/._Snakefile", b"x")
    with opened(made) as found:
        assert company_of(found) == ["__MACOSX/._Snakefile"] and len(notes_of(found)) == 1
        assert plain_files(found.root) == plain_files(unpacked.folder)


def test_runs_that_got_readings_later_are_named_once_for_all(results):
    tree = tree_of(results)
    found = sorted({one for own in trees.run_folders(tree).values() for one in own})
    for folder in found[:2]:
        later = {"utc_ns": 1, "command": "trialwatt collect", "notes": []}
        rewrite_manifest(results / folder, {"collected": {"prometheus": later}}, {})
    (note,) = notes_of(tree)
    assert note == (
        f"results/{found[0]} and 1 more runs: readings of prometheus were collected after the run, "
        "by trialwatt collect"
    )
