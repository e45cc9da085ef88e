import html.parser
import re

import pandas as pd
import pytest
from tests.figures.conftest import synthetic, write_project

from trialwatt.figures import figures_of
from trialwatt.figures.make import make_figures, make_table
from trialwatt.figures.notes import cores_said
from trialwatt.page.report import write_report

EXPERIMENT = {
    "id": "r-node",
    "title": "R-Node: <how many> workers",
    "varied": ["workers.count"],
}


class Page(html.parser.HTMLParser):
    """Collects links and sources, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "br", "!doctype"})

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.sources, self.ids = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.links += [found["href"]] if "href" in found else []
        self.sources += [found["src"]] if "src" in found else []
        self.ids += [found["id"]] if "id" in found else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def source(tmp_path):
    runs, trials = synthetic(values=(2, 4))
    runs.loc[0, "flags"] = "fewer than 60 samples"
    runs.loc[1, "notes"] = "worker-0 was replaced & went on"
    runs.loc[2, ["status", "reason"]] = ["infeasible", "memory"]
    return write_project(tmp_path, runs, trials)


def written(source, experiments=(EXPERIMENT,)) -> str:
    output = write_report(source.results, experiments, source.results / "report.html")
    return output.read_text(encoding="utf-8")


def test_the_whole_page(source):
    make_figures(["resource"], source)
    make_figures(["lifecycle"], source)
    make_table(source)
    text = written(source)
    page = Page(text)
    for part in (
        "R-Node: &lt;how many&gt; workers by number of workers",
        "modelled, not measured",
        "Testbed: local",
        "12 runs: 11 completed, 1 infeasible; n = 2–3",
        "Host: Synthetic CPU, 2 cores, 8,000 MB, Linux 6.1.",
        "EPT (mWh, modelled)",
        "Best treatment by energy",
        "fewer than 60 samples",
        "worker-0 was replaced &amp; went on",
        "infeasible: memory",
        "The figure “wr” has not been made.",
        "trialwatt trace figures/r-node/resource.svg",
        "prefers-color-scheme: dark",
        'name="viewport"',
    ):
        assert part in text, part
    assert len(page.sources) == 2
    assert all(src.startswith("data:image/svg+xml;base64,") for src in page.sources)
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (source.results / link).is_file(), link
    assert {"tables/r-node.csv", "tables/r-node.tex", "tables/best/r-node.md"} <= set(page.links)
    assert "figures/r-node/lifecycle.pdf" in page.links


def test_nothing_is_loaded_from_elsewhere(source):
    make_figures(["resource"], source)
    text = written(source)
    assert not re.search(r'(src|href)="(https?:)?//', text) and "@import" not in text
    assert "<script" not in text and str(source.results) not in text


def test_the_same_results_give_the_same_bytes(source):
    make_figures(["resource"], source)
    make_table(source)
    assert written(source) == written(source)


def test_what_is_not_there_yet_is_said(source):
    text = written(source, [EXPERIMENT, {"id": "r-mem"}])
    Page(text)
    assert "r-mem" in text
    assert "No data: this experiment has no runs yet." in text
    names = [*figures_of(EXPERIMENT["varied"]), *figures_of([])]
    assert text.count("has not been made") == len(names)


def test_an_unremarkable_experiment_says_so(tmp_path):
    source = write_project(tmp_path, *synthetic(values=(4,)))
    assert "None: no run was flagged" in written(source)


def test_flags_may_be_a_list(source):
    runs = pd.read_parquet(source.tables[0])
    runs["flags"] = [["gap of 7 %", "few samples"]] + [[]] * (len(runs) - 1)
    runs.to_parquet(source.tables[0])
    assert "gap of 7 %; few samples" in written(source)


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ({"cores": 2}, "2 cores"),
        ({"cores": 1.25, "nodes": 2}, "1.25 cores reserved on 2 nodes"),
        ({"cores": 1.25, "nodes": 1}, "1.25 cores reserved on 1 node"),
        ({"nodes": 2}, ""),
    ],
)
def test_what_is_only_a_part_of_some_nodes_is_not_told_as_a_machine(host, said):
    assert cores_said(host) == said
