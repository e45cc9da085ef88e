import json
import pickle
import shutil
from pathlib import Path

import pytest

from trialwatt.figures import figures_of
from trialwatt.files import sha256
from trialwatt.paper.build import build
from trialwatt.provenance import crate
from trialwatt.provenance.embed import encode
from trialwatt.review.verdict import render_text
from trialwatt.review.verify import verify, verify_command

TABLE = "results/tables/more-cpu.csv"
FIGURE = "results/figures/more-cpu/wr.png"


def said(verdict) -> dict[str, str]:
    return {one["path"]: one["said"] for one in verdict.problems}


def test_an_intact_archive(archive, capsys):
    assert verify_command(archive) == 0
    text = capsys.readouterr().out
    assert "Verified: complete, consistent in itself" in text and " files identical." in text
    assert f"SHA-256 {sha256(archive)}  lab.zip" in text
    assert "Not checked: whether the records are genuine" in text
    assert "unchanged" not in text and "up to rounding" not in text
    assert "more-cpu: reproduced: Nothing is compared: there are 1 of the 5 blocks" in text
    assert "H1: reproduced: H1: " in text and "H2: reproduced: H2: " in text
    count = 4 * len(figures_of(["workers.cpu"]))  # three formats and a sidecar
    assert f"figures {count} of {count} identical" in text and "sweeps 3 of 3 identical" in text
    assert "paper 3 of 3 identical" in text and "paper: reproduced: 2 runs with" in text


def test_harmless_company_is_named_and_no_claim_suffers(unpacked, tmp_path, capsys):
    """Of a file manager and an editor: beside the records, the paper's source and the figures; in
    a folder that lies one folder down."""
    records = min((unpacked / "results/runs").rglob("worker-1.jsonl")).parent
    (records / "._worker-1.jsonl").write_bytes(b"\0\5\x16\7")
    (unpacked / "paper/sections/._conclusion.typ").write_bytes(b"7 \0")
    (unpacked / "config/goals/._digits.json").write_bytes(b"\0\5\x16\7")
    (unpacked / "paper/.#main.typ").symlink_to("me@host.1")
    (unpacked / "results/figures/.DS_Store").write_bytes(b"x")
    (tmp_path / "outer").mkdir()
    unpacked.folder.rename(tmp_path / "outer/lab")
    assert verify_command(tmp_path / "outer") == 0
    said = capsys.readouterr().out
    assert "note: the archive lies one folder down, in lab/" in said
    assert said.count("left by a file manager or an editor") == 5
    assert "paper: reproduced" in said and "problem" not in said


def forge(unpacked, name: str, content: bytes) -> None:
    """Change a figure or table, and every checksum that names it."""
    file = unpacked / name
    file.write_bytes(content)
    sidecar = file.with_suffix(".json")
    beside = json.loads(sidecar.read_text())
    beside["outputs"][file.name] = sha256(file)
    sidecar.write_text(json.dumps(beside, sort_keys=True, indent=1) + "\n")
    unpacked.relist()


def edit_listing(unpacked, name: str) -> None:
    """List one more file in the RO-Crate."""
    listing = unpacked / crate.NAME
    content = json.loads(listing.read_text())
    content["@graph"].append({"@id": name, "@type": "File", "sha256": sha256(unpacked / name)})
    listing.write_text(json.dumps(content))


def test_a_swapped_figure_and_an_edited_number_are_found_even_with_their_checksums(
    unpacked, tmp_path
):
    forge(unpacked, FIGURE, (unpacked / FIGURE).with_name("resource.png").read_bytes())
    rows = (unpacked / TABLE).read_text().splitlines()
    cells = rows[1].split(",")
    place = rows[0].split(",").index("ept_kwh_median")
    cells[place] = "1.25e-09"
    forge(unpacked, TABLE, "\n".join([rows[0], ",".join(cells), *rows[2:], ""]).encode())
    shutil.copy(unpacked / FIGURE, unpacked / "results/figures/more-cpu/more.png")
    edit_listing(unpacked, "results/figures/more-cpu/more.png")
    (unpacked / "model.pkl").write_bytes(pickle.dumps([1]))
    edit_listing(unpacked, "model.pkl")
    verdict = verify(unpacked.archive(tmp_path / "forged.zip"))
    found = said(verdict)
    assert found.pop("results/figures/more-cpu/more.png") == "nothing makes this file"
    assert found.pop("model.pkl") == "nothing makes this file"
    assert "different: row 1, column ept_kwh_median: '1.25e-09' here" in found[TABLE]
    assert found[FIGURE].startswith("different: ")
    sidecars = {name.rsplit(".", 1)[0] + ".json" for name in (TABLE, FIGURE)}
    assert found.keys() == {TABLE, FIGURE} | sidecars
    assert {claim["id"]: claim["problems"] for claim in verdict.claims} == {
        "more-cpu": 5,
        "H1": 1,
        "H2": 1,
        "paper": 1,  # the file that belongs to nothing is a problem of all
    }
    assert "more-cpu: NOT REPRODUCED (5 problems)" in render_text(verdict)


def test_a_number_that_is_typed_into_the_paper_is_found_though_all_of_it_was_made_again(
    unpacked, tmp_path
):
    text = unpacked / "paper/sections/conclusion.typ"
    text.write_text(text.read_text("utf-8") + "\nIt saves 37.5 percent.\n", "utf-8")
    paper, results = unpacked / "results/paper", unpacked / "results"
    sidecar = json.loads((paper / "paper.json").read_text("utf-8"))
    sidecar["provenance"]["config"]["paper/sections/conclusion.typ"] = sha256(text)
    chain = encode(sidecar["provenance"])
    build(unpacked / "paper", paper / "numbers.json", results, paper / "paper.pdf", chain)
    sidecar["outputs"]["paper.pdf"] = sha256(paper / "paper.pdf")
    (paper / "paper.json").write_text(json.dumps(sidecar, sort_keys=True, indent=1) + "\n")
    unpacked.relist()
    verdict = verify(unpacked.folder)
    assert list(said(verdict)) == ["paper/sections/conclusion.typ"]
    assert "typed by hand" in said(verdict)["paper/sections/conclusion.typ"]
    assert "37.5 percent" in said(verdict)["paper/sections/conclusion.typ"]
    assert [c["id"] for c in verdict.claims if c["problems"]] == ["paper"]


def test_another_pdf_in_place_of_the_paper_is_found_even_with_its_checksums(unpacked, tmp_path):
    pdf = unpacked / "results/paper/paper.pdf"
    pdf.write_bytes(pdf.read_bytes() + b"\n% edited\n")
    forge(unpacked, "results/paper/paper.pdf", pdf.read_bytes())
    verdict = verify(unpacked.folder)
    found = said(verdict)
    assert set(found) == {"results/paper/paper.pdf", "results/paper/paper.json"}
    assert found["results/paper/paper.pdf"].startswith("different: ")
    assert "paper: NOT REPRODUCED (2 problems)" in render_text(verdict)


def test_a_working_tree_whose_paper_was_written_on_since_its_pdf_was_made(project, tmp_path):
    copy = Path(shutil.copytree(project.root, tmp_path / "copy"))
    text = copy / "paper/sections/conclusion.typ"
    text.write_text(text.read_text("utf-8") + "\nOne more sentence.\n", "utf-8")
    found = said(verify(copy / "results"))
    assert set(found) == {
        "paper/sections/conclusion.typ",
        "results/paper/paper.pdf",
        "results/paper/paper.json",
    }


def test_one_byte_of_a_record_changes_what_is_made_of_it(project, tmp_path, capsys):
    """In a results folder; the forger has put it into the run's manifest."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy)
    samples = min((copy / "results/runs").rglob("power-model.csv"))
    lines = samples.read_text().splitlines(keepends=True)
    middle = len(lines) // 2
    lines[middle] = lines[middle].replace(",3", ",4", 1).replace(".", "1.", 1)
    samples.write_text("".join(lines))
    manifest = samples.parents[1] / "run.json"
    content = json.loads(manifest.read_text())
    content["files"]["samples/power-model.csv"] = sha256(samples)
    manifest.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    assert verify_command(copy / "results", as_json=True) == 1
    verdict = json.loads(capsys.readouterr().out)
    found = {one["path"]: one["said"] for one in verdict["problems"]}
    assert "different: row " in found["results/metrics/more-cpu/runs.csv"]
    assert "_kwh" in found["results/metrics/more-cpu/runs.parquet"]
    name = manifest.relative_to(copy).as_posix()
    assert "changed" in found[name] and "was made from it" in found[name]
    assert all(claim["problems"] for claim in verdict["claims"] if claim["id"] != "H2")
    assert verdict["counts"]["sweeps"] == {"identical": 3, "rounded": 0, "of": 3}


def test_a_sweep_from_before_blocks_is_taken_as_it_is_and_said(unpacked):
    place = unpacked / "results/sweeps/more-cpu/plain-grid"
    for file in place.glob("move*.json"):
        move = json.loads(file.read_text())
        known = {key: move[key] for key in ("number", "steps", "new", "verdict")}
        file.write_text(json.dumps(known | {"repetitions": {}}))
    unpacked.relist()
    verdict = verify(unpacked.folder)
    assert verdict.ok, verdict.problems
    (note,) = verdict.notes
    assert note.startswith("results/sweeps/more-cpu/plain-grid: of rules from before blocks")


def test_a_missing_configuration_file(unpacked, tmp_path):
    (unpacked / "config/prices.yaml").unlink()
    verdict = verify(unpacked.archive(tmp_path / "less.zip"))
    assert said(verdict)["config/prices.yaml"].startswith("missing")
    assert "NOT verified" in render_text(verdict)
    assert verdict.claims == [] or all(claim["problems"] for claim in verdict.claims)


def test_a_name_in_an_archive_cannot_steer_the_terminal(archive):
    from trialwatt.review.verdict import Verdict

    counts = {"files": 1, "runs": 1, "configuration": 1}
    verdict = Verdict("x", [{"path": "\x1b[2Ja", "said": "\x1b"}], counts, [])
    assert "\x1b" not in render_text(verdict)


@pytest.mark.parametrize("kind", ["changed", "missing", "more"])
def test_results_that_do_not_belong_together_are_not_packed(project, tmp_path, monkeypatch, kind):
    from trialwatt.errors import TrialwattError
    from trialwatt.review.pack import pack

    copy = tmp_path / "copy"
    shutil.copytree(project.root, copy)
    monkeypatch.chdir(copy)
    record = min((copy / "results/runs").rglob("worker-0.jsonl"))
    if kind == "changed":
        record.write_text(record.read_text() + "\n")
    elif kind == "missing":
        record.unlink()
    else:
        record.with_name("worker-9.jsonl").write_text("")
    with pytest.raises(TrialwattError, match=r"do not belong together[\s\S]*worker-\d\.jsonl"):
        pack(copy, copy / "results", tmp_path / "x.zip", project.plan.files)
    assert not (tmp_path / "x.zip").exists()
