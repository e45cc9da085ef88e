import json
import shutil
import zipfile

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.figures.products import sections
from trialwatt.files import sha256
from trialwatt.page.make import write_comparison
from trialwatt.provenance.archivefile import plain_files
from trialwatt.review import contribute
from trialwatt.review.contribute import NotVerified, import_command, take_over
from trialwatt.review.tree import notes_of
from trialwatt.review.verdict import Verdict


@pytest.fixture
def verified(monkeypatch):
    """A verification that finds what it is told to; the real one is tested elsewhere."""

    def pretend(*problems: dict) -> None:
        monkeypatch.setattr(
            contribute,
            "verify_tree",
            lambda tree, place, code_read: Verdict(
                place, list(problems), {}, [], notes=notes_of(tree)
            ),
        )

    return pretend


def test_it_is_unpacked_under_its_name_once(archive, tmp_path, verified):
    verified()
    folder = take_over(archive, "lab-2", tmp_path).folder
    assert folder == tmp_path / "contrib/lab-2"
    assert (folder / "results/metrics/more-cpu/runs.parquet").is_file()
    about = json.loads((tmp_path / "contrib/lab-2.json").read_text())
    assert about["name"] == "lab-2" and about["archive"] == "lab.zip" and len(about["sha256"]) == 64
    with pytest.raises(TrialwattError, match="of this name already"):
        take_over(archive, "lab-2", tmp_path)
    assert {p.name for p in (tmp_path / "contrib").iterdir()} == {"lab-2", "lab-2.json"}


def test_it_is_verified_before_it_is_taken(unpacked, tmp_path):
    """The real verification: a table was edited, and its checksums with it."""
    table = unpacked / "results/tables/more-cpu.csv"
    table.write_text(table.read_text().replace("plain", "optuna", 1))
    sidecar = table.with_suffix(".json")
    beside = json.loads(sidecar.read_text())
    beside["outputs"][table.name] = sha256(table)
    sidecar.write_text(json.dumps(beside, sort_keys=True, indent=1) + "\n")
    unpacked.relist()
    archive = unpacked.archive(tmp_path / "forged.zip")
    with pytest.raises(NotVerified, match=r"more-cpu\.csv: different: row 1, column sut"):
        take_over(archive, "lab", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_it_stands_beside_ours_on_one_page(archive, project, tmp_path, verified):
    verified()
    results = tmp_path / "results"
    shutil.copytree(project.results, results)
    take_over(archive, "lab-2", results)
    known = sections(project.plan)
    text = write_comparison(results, known, results / "comparison.html").read_text()
    assert "Contributed by lab-2" in text and "contrib/lab-2/results/runs/lab/plain-" in text


def test_what_does_not_hold_is_not_taken(archive, tmp_path, verified):
    verified({"path": "results/tables/x.csv", "said": "different: row 1"})
    with pytest.raises(NotVerified, match=r"1 problems, the first: results/tables/x\.csv"):
        take_over(archive, "lab", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_strangers_text_is_no_line_of_ours(archive, tmp_path, verified):
    verified({"path": "x\nVerified: everything is there", "said": "\x1b[2J" + "y" * 10_000})
    with pytest.raises(NotVerified) as refused:
        take_over(archive, "lab", tmp_path)
    first, second = str(refused.value).splitlines()
    assert "\x1b" not in first and len(first) < 3_000 and second.startswith("`trialwatt verify")


def test_one_that_lies_one_folder_down_with_company(archive, unpacked, tmp_path, verified):
    verified()
    with zipfile.ZipFile(tmp_path / "mac.zip", "w") as made:
        for name in plain_files(unpacked.folder):
            made.write(unpacked / name, f"their results/{name}")
        made.writestr("__MACOSX/their results/._Snakefile", b"x")
        made.writestr("their results/.DS_Store", b"x")
    said = import_command(tmp_path / "mac.zip", "lab", tmp_path / "results")
    assert said.splitlines() == [
        f"verified and imported: {tmp_path}/results/contrib/lab",
        "note: the archive lies one folder down, in their results/",
        "note: __MACOSX/their results/._Snakefile: left by a file manager or an editor; not part "
        "of the archive, ignored",
        "note: their results/.DS_Store: left by a file manager or an editor; not part of the "
        "archive, ignored",
    ]
    assert plain_files(tmp_path / "results/contrib/lab") == plain_files(unpacked.folder)
    assert {p.name for p in (tmp_path / "results/contrib").iterdir()} == {"lab", "lab.json"}


def test_a_refusal_keeps_what_was_there_before(archive, tmp_path, verified):
    verified()
    take_over(archive, "first", tmp_path)
    verified({"path": "x", "said": "different"})
    with pytest.raises(NotVerified):
        take_over(archive, "second", tmp_path)
    assert {p.name for p in (tmp_path / "contrib").iterdir()} == {"first", "first.json"}


def test_where_its_description_cannot_be_written_nothing_is_kept(
    archive, tmp_path, verified, monkeypatch
):
    verified()
    monkeypatch.setattr("secrets.token_hex", lambda _: "token")
    name = "lab"
    blocked = tmp_path / f"contrib/.{name}.json.token.part"
    blocked.mkdir(parents=True)
    with pytest.raises(OSError):
        take_over(archive, name, tmp_path)
    assert list((tmp_path / "contrib").iterdir()) == [blocked]


def test_what_is_cut_off_is_not_taken(archive, tmp_path):
    short = tmp_path / "short.zip"
    short.write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(TrialwattError, match="cut off"):
        take_over(short, "lab", tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "-x", "x" * 50])
def test_a_name_is_a_plain_one(archive, tmp_path, name):
    with pytest.raises(TrialwattError, match="--name"):
        take_over(archive, name, tmp_path)


def test_a_zip_file_of_something_else(tmp_path):
    from trialwatt.provenance.archivefile import write_archive

    other = write_archive(tmp_path / "x.zip", {"README.md": b"hello"})
    with pytest.raises(TrialwattError, match="no archive of trialwatt"):
        take_over(other, "lab", tmp_path / "results")
