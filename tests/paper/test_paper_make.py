"""The paper of a small project: what it says, what ends its making, and that it stays the same."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import typst
from matplotlib import get_data_path
from pypdf import PdfReader
from tests.review.conftest import Unpacked

from trialwatt.errors import TrialwattError
from trialwatt.figures.products import sections
from trialwatt.files import sha256
from trialwatt.paper.build import build
from trialwatt.paper.numbers import paper_numbers
from trialwatt.provenance.trace import trace
from trialwatt.review.verify import verify

ROOT = Path(__file__).resolve().parents[2]
PDF, NUMBERS = Path("results/paper/paper.pdf"), Path("results/paper/numbers.json")


@pytest.fixture
def source(tmp_path) -> Path:
    """The paper's source, to be changed at will."""
    return Path(shutil.copytree(ROOT / "paper", tmp_path / "paper"))


def text_of(file: Path) -> str:
    pages = [page.extract_text() for page in PdfReader(file).pages]
    assert all(len(page) > 300 for page in pages), "a page is all but empty"
    return " ".join(" ".join(pages).split())


def test_it_says_what_the_results_hold_and_only_that(made):
    said = text_of(PDF)
    for words in ("Demonstration only", "More CPU", "one platform", "References", "modelled"):
        assert words in said
    for other in ("R-MEM", "S-Pru", "How much memory", "Does a pruner"):
        assert other not in said


def test_the_numbers_are_those_of_the_tables(made):
    numbers = json.loads(NUMBERS.read_text(encoding="utf-8"))
    runs = pd.read_parquet("results/metrics/more-cpu/runs.parquet")
    answers = pd.read_csv("results/tables/answers.csv", keep_default_na=False)
    whole = answers[answers["scope"] == "all"].set_index("hypothesis")
    assert numbers["runs"]["total"] == str(runs["folder"].nunique())
    assert numbers["runs"]["demonstration"] and numbers["setup"]["one_platform"]
    for name in ("H1", "H2"):
        assert numbers["answers"][name]["verdict"] == whole.loc[name, "verdict"]
    said = "Nothing is compared: there are 1 of the 5 blocks that it takes (on lab)."
    assert own(numbers)["lead"].endswith(said) and own(numbers)["findings"] == []
    assert own(numbers)["sweeps"]


def own(numbers: dict) -> dict:
    return numbers["experiments"]["more-cpu"]


def test_another_record_is_another_number(made, tmp_path):
    copy = Path(shutil.copytree("results", tmp_path / "results"))
    table = copy / "metrics/more-cpu/runs.parquet"
    runs = pd.read_parquet(table)
    runs["ept_kwh"] *= 3
    runs.to_parquet(table)
    before = json.loads(NUMBERS.read_text(encoding="utf-8"))
    after = paper_numbers(copy, sections(made.plan))
    assert own(before)["table"]["rows"] != own(after)["table"]["rows"]
    assert before["setup"] == after["setup"]


def test_it_is_traced_to_its_records(made):
    found = trace(PDF)
    assert found.ok and found.chain.kind == "paper" and found.chain.runs
    sidecar = json.loads(PDF.with_suffix(".json").read_text(encoding="utf-8"))
    assert set(sidecar["outputs"]) == {"paper.pdf", "numbers.json"}


def test_the_same_bytes_on_another_day_in_another_place(made, monkeypatch, tmp_path):
    first = {file: file.read_bytes() for file in (PDF, NUMBERS)}
    copy = shutil.copytree(made.root, tmp_path / "elsewhere", symlinks=True)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    shutil.rmtree("results/paper")
    made.make_paper()
    assert {file: file.read_bytes() for file in (PDF, NUMBERS)} == first


def fonts_of(file: Path) -> set[str]:
    return {
        str(font.get_object()["/BaseFont"])
        for page in PdfReader(file).pages
        for font in page["/Resources"].get("/Font", {}).values()
    }


def test_no_date_and_no_font_of_the_machine(made):
    reader = PdfReader(PDF)
    assert not {"/CreationDate", "/ModDate"} & set(reader.metadata)
    fonts = fonts_of(PDF)
    own = typst.Fonts(include_system_fonts=False).families()
    names = {name.replace(" ", "") for name in own} | {"NewCM"}
    assert fonts and all(any(name in font for name in names) for font in fonts), fonts


def test_a_font_of_the_machine_is_not_used(made, monkeypatch, tmp_path, source):
    """One of the same name as the paper's is on the machine, and found by whoever looks."""
    folder = tmp_path / "home/.local/share/fonts"
    folder.mkdir(parents=True)
    shutil.copy(Path(get_data_path(), "fonts/ttf/STIXGeneral.ttf"), folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home/.local/share"))
    monkeypatch.setenv("TYPST_FONT_PATHS", str(folder))
    style = source / "style.typ"
    asked = style.read_text("utf-8").replace(
        '"Libertinus Serif"', '("STIXGeneral", "New Computer Modern")'
    )
    style.write_text(asked, "utf-8")
    output = build(source, NUMBERS, Path("results"), tmp_path / "paper.pdf")
    assert "STIX" not in str(fonts_of(output)) and "NewCM" in str(fonts_of(output))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('#num("runs.invented")', "there is no number runs.invented in numbers.json"),
        ('#fig("more-cpu", "invented")', "there is no figure more-cpu/invented"),
        ('#fig("s-pru", "waste")', "there is no figure s-pru/waste"),
        ("@tab-invented", "tab-invented"),
        ("#let (", "sections/threats.typ"),
    ],
)
def test_what_is_named_but_not_made_ends_it(made, source, tmp_path, line, said):
    file = source / "sections/threats.typ"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    output = tmp_path / "out" / "paper.pdf"
    with pytest.raises(TrialwattError, match="the paper cannot be made") as caught:
        build(source, NUMBERS, Path("results"), output)
    assert said in str(caught.value)
    assert not output.exists()


@pytest.mark.parametrize("name", ["figures/more-cpu/resource.svg", "tables/answers.csv"])
def test_a_missing_file_is_named(made, tmp_path, name):
    copy = Path(shutil.copytree("results", tmp_path / "results"))
    (copy / name).unlink()
    with pytest.raises(TrialwattError, match=r"missing.*snakemake") as caught:
        paper_numbers(copy, sections(made.plan))
    assert Path(name).name in str(caught.value)


def test_a_figure_that_is_gone_and_damaged_numbers(made, tmp_path, source):
    with pytest.raises(TrialwattError, match=r"\.svg.*names this figure"):
        build(source, NUMBERS, tmp_path, tmp_path / "paper.pdf")
    (tmp_path / "numbers.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrialwattError, match="damaged"):
        build(source, tmp_path / "numbers.json", Path("results"), tmp_path / "paper.pdf")
    (source / "main.typ").unlink()
    with pytest.raises(TrialwattError, match=r"main\.typ: missing"):
        build(source, NUMBERS, Path("results"), tmp_path / "paper.pdf")


def test_without_experiments_or_runs_there_is_no_paper(made):
    with pytest.raises(TrialwattError, match="at least one experiment"):
        paper_numbers(Path("results"), [])


def test_an_edited_number_is_found_in_a_review_even_with_its_checksums(made, tmp_path):
    archive = Unpacked(made.pack(tmp_path / "lab.zip"), tmp_path / "unpacked")
    assert not verify(archive.folder).problems
    content = json.loads((archive / str(NUMBERS)).read_text(encoding="utf-8"))
    content["runs"]["total"] = "1,000"
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (archive / str(NUMBERS)).write_text(text, encoding="utf-8")
    sidecar = archive / "results/paper/paper.json"
    beside = json.loads(sidecar.read_text(encoding="utf-8"))
    beside["outputs"]["numbers.json"] = sha256(archive / str(NUMBERS))
    sidecar.write_text(json.dumps(beside, sort_keys=True, indent=1) + "\n", encoding="utf-8")
    archive.relist()
    found = {each["path"]: each["said"] for each in verify(archive.folder).problems}
    assert set(found) == {str(NUMBERS), "results/paper/paper.json"}
    assert "1,000" in found[str(NUMBERS)]
