import base64
import hashlib
import json
import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from tests.figures.synthetic_search import as_losses, search_tables
from tests.page.conftest import EXPERIMENTS, HARM

from trialwatt.analysis.answers import STATEMENTS
from trialwatt.analysis.winners import winner, worded
from trialwatt.errors import TrialwattError
from trialwatt.figures.suts import mark
from trialwatt.files import sha256
from trialwatt.page.make import write_comparison, write_page
from trialwatt.page.sections import _curve_scales


class Page(HTMLParser):
    """What a page is made of; fails on an element that is not closed."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.found, self.text, self.scripts = [], [], "", []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self.open[-1:] != ["style"]:
            self.text += f" {data}"


def content_of(file: Path) -> dict:
    return json.loads(Page(file.read_text()).scripts[0])


def test_what_the_results_are_and_can_say_stands_first(page):
    text = " ".join(Page(page.read_text()).text.split())
    for part in (
        "Testbed lab",
        "Energy modelled, not measured",
        "12 in 6 configurations, 2 repetitions of each: 10 completed, 2 infeasible",
        f"H1 {STATEMENTS['H1']} Undecided (one platform; demonstration only).",
        "Undecided (too few runs).",
        "H1 for plain in r-node: undecided: one platform.",
    ):
        assert part in text, part


def test_each_run_can_be_traced(page, bench):
    content = content_of(page)
    assert len(content["runs"]) == 12
    for run in content["runs"]:
        folder = bench.results / run["folder"]
        manifest = json.loads((folder / "run.json").read_text())
        assert run["manifest"] == sha256(folder / "run.json")
        assert run["records"] == manifest["files"]
        config = content["pools"]["config"][run["config"]]
        testbed = content["pools"]["testbed"][config["testbed"]]
        assert config | {"testbed": testbed} == manifest["config"]
        assert content["pools"]["code"][run["code"]]["commit"] == "c" * 40


def test_values_are_those_of_the_metrics(page, bench):
    content = content_of(page)
    values = content["columns"]["values"]
    by_folder = {run["folder"]: run for run in content["runs"]}
    for name in ("r-node", "s-sam"):
        runs = pd.read_parquet(bench.results / f"metrics/{name}/runs.parquet")
        for run in runs.to_dict("records"):
            shown = by_folder[run["folder"]]["values"]
            for measure in ("ept_kwh", "twh_kwh", "jct_ms", "oc", "wr", "cint_g_per_kwh"):
                value = shown[values.index(measure)]
                assert value == run[measure] or (value is None and pd.isna(run[measure]))


def test_a_section_has_its_points_medians_table_and_gaps(page, bench):
    sections = {each["id"]: each for each in content_of(page)["experiments"]}
    node, sam, mem = (sections[name] for name in ("r-node", "s-sam", "r-mem"))
    assert [group["name"] for group in node["groups"]] == ["plain", "optuna"]
    assert len(node["runs"]) == 10 and not node["axis"]["words"]
    runs = pd.read_parquet(bench.results / "metrics/r-node/runs.parquet")
    two = runs[(runs["sut"] == "optuna") & (runs["wn"] == 2)]
    (cell,) = [c for c in node["cells"] if c[:2] == [1, 1]]
    assert cell[2][0][0] == pytest.approx(two["ept_kwh"].median(), rel=1e-5)
    (never,) = [c for c in node["cells"] if c[:2] == [1, 2]]
    assert set(never[2]) == {None}
    table = node["tables"][0]
    assert table["heads"][:2] == ["SUT", "treatment"] and table["heads"][-1] == "method"
    assert [head.split(" ")[0] for head in table["heads"][2:13]] == (
        ["JCT", "EPT", "TWH", "CINT", "carbon", "OC", "WTT", "WTE", "WTC", "WR", "score"]
    )
    assert "0 (2 infeasible)" in [row["cells"][-2] for row in table["rows"]]
    assert sam["gaps"] == [
        {
            "sut": "plain",
            "names": ["tpe"],
            "reason": "plain offers no sampler tpe; it has: grid, random",
        }
    ]
    assert sam["waste_heads"] == {
        "time": "% of reserved worker time",
        "energy": "% of job energy",
        "cost": "% of job cost",
    }
    assert sam["axis"]["words"] and sam["waste"] and sam["curves"]["goals"]
    assert (sam["curves"]["score"], sam["curves"]["sign"]) == ("macro_f1", 1)
    assert mem["runs"] == [] and mem["tables"] == []


def test_the_winning_phi_of_each_run_and_treatment(page, bench):
    content = content_of(page)
    assert "best_phi" in content["columns"]["words"]
    assert ["best_phi", "hyperparameters that won"] in content["columns"]["told"]
    by_folder = {run["folder"]: run for run in content["runs"]}
    runs = pd.read_parquet(bench.results / "metrics/r-node/runs.parquet")
    for run in runs.to_dict("records"):
        assert by_folder[run["folder"]]["best_phi"] == run["best_phi"]
    (node,) = [each for each in content["experiments"] if each["id"] == "r-node"]
    table = node["tables"][-1]
    assert table["title"] == "Hyperparameters that won"
    assert table["heads"] == ["SUT", "treatment", "φ (runs)"]
    two = runs[(runs["sut"] == "optuna") & (runs["wn"] == 2)]
    assert two["best_phi"].notna().all()
    cells = {tuple(row["cells"][:2]): row["cells"][2] for row in table["rows"]}
    cell = cells["optuna", "2 workers"]
    assert cell == worded(winner(two)) and cell.endswith(" of 2)")


def test_a_system_looks_as_everywhere(page):
    suts = content_of(page)["suts"]
    assert suts == {name: list(mark(name)) for name in ("plain", "optuna")}


def test_links_lead_to_files_beside_the_page(page, bench):
    files = content_of(page)["experiments"][0]["files"][0]
    assert [each["name"] for each in files["figures"]] == ["resource"]
    for each in (*files["figures"][0]["files"], *files["tables"], *files["metrics"]):
        assert (bench.results / each["path"]).is_file()


def test_nothing_is_loaded_from_elsewhere(page):
    text = page.read_text()
    assert len(text.encode()) < 400_000
    found = Page(text)
    assert not [tag for tag, attributes in found.found if "src" in attributes]
    links = [a["href"] for _, a in found.found if "href" in a]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", text)
    assert str(page.parent) not in text


def test_the_browser_is_told_to_run_and_load_nothing_else(page):
    text = page.read_text()
    policy = dict(
        part.split(" ", 1)
        for part in re.search(r'content="(default-src[^"]*)"', text)[1].split("; ")
    )
    assert policy["default-src"] == "'none'" and policy["img-src"] == "data:"
    for name, tag in (("style-src", "style"), ("script-src", "script")):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", text, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert policy[name] == f"'sha256-{digest}'"


def test_the_same_records_give_the_same_bytes(page, bench, tmp_path, monkeypatch):
    before = page.read_bytes()
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(bench.root, elsewhere)
    for name, value in {"LC_ALL": "C", "LANG": "C", "TZ": "Asia/Kathmandu"}.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    monkeypatch.chdir(elsewhere)
    try:
        again = write_page(Path("results"), EXPERIMENTS, Path("results/page.html"), processes=2)
        assert again.read_bytes() == before
    finally:
        monkeypatch.undo()
        time.tzset()


def test_contributed_results_stand_beside_ours_under_their_name(two_labs):
    content = content_of(two_labs.results / "comparison.html")
    assert content["labs"] == ["", "their-lab"]
    node = content["experiments"][0]
    testbeds = [group["testbed"] for group in node["groups"]]
    theirs = "lab, contributed by their-lab"
    assert testbeds == ["lab", theirs, "lab", theirs]
    theirs = [run for run in content["runs"] if run["lab"]]
    assert len(theirs) == 12
    for run in theirs:
        assert run["folder"].startswith("contrib/their-lab/results/runs/")
        assert (two_labs.results / run["folder"] / "run.json").is_file()
    assert [each["id"] for each in content["experiments"]] == ["r-node", "s-sam", "r-mem", "theirs"]
    assert {own["lab"] for own in node["files"]} == {"", "their-lab"}


def test_our_own_page_does_not_change_by_it(two_labs, page):
    own = write_page(two_labs.results, EXPERIMENTS, two_labs.results / "page.html", processes=1)
    assert not content_of(own)["experiments"][0]["files"][0]["figures"]
    assert {run["lab"] for run in content_of(own)["runs"]} == {""}


def test_names_of_strangers_are_no_markup(two_labs):
    file = two_labs.results / "comparison.html"
    text, content = file.read_text(), content_of(file)
    theirs = [run for run in content["runs"] if run["lab"]]
    assert HARM in content["suts"] and HARM in {run["reason"] for run in theirs}
    assert content["experiments"][-1]["title"] == HARM
    assert "<img" not in text and text.count("</script>") == 2
    assert "&lt;/script&gt;&lt;img" in text  # the host, which stands in the head


def test_a_contribution_without_its_plan(two_labs, tmp_path):
    shutil.copytree(two_labs.results / "contrib", tmp_path / "contrib")
    (tmp_path / "contrib/their-lab/results/plan.json").unlink()
    with pytest.raises(TrialwattError, match=r"(?s)their-lab.*plan\.json: missing.*Import these"):
        write_comparison(tmp_path, EXPERIMENTS, tmp_path / "comparison.html")


def test_a_run_whose_records_are_gone(make_bench, tmp_path):
    bench = make_bench(tmp_path)
    next(bench.results.glob("runs/*/*/rep1/run.json")).unlink()
    with pytest.raises(TrialwattError, match="the records of this run are gone"):
        write_page(bench.results, EXPERIMENTS, bench.results / "page.html", processes=1)
    assert not (bench.results / "page.html").exists()


def test_nothing_was_made_yet(tmp_path):
    output = write_page(tmp_path, EXPERIMENTS, tmp_path / "page.html")
    assert "No runs yet." in output.read_text()
    assert [each["runs"] for each in content_of(output)["experiments"]] == [[], [], []]


def test_the_curves_of_a_loss_are_told_with_their_direction():
    runs, _, curves = search_tables(offered={"plain": ("grid",)})
    shown = [
        [list(here[name]) for name in ("job_energy_kwh", "time_ms", "oc", "score")]
        for _, here in as_losses(runs, curves)[1].groupby("folder")
    ]
    found = _curve_scales(shown, as_losses(runs)[0])
    first = sorted(curve[3][0] for curve in shown)
    assert (found["score"], found["sign"], found["goals"]) == ("loss", -1, [-0.93])
    assert found["first"] == first[1]
