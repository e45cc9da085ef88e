"""`snakemake --report`: captions, categories and the workflow graph, with no network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from trialwatt.figures import FIGURES
from trialwatt.figures.replayed import CAPTION
from trialwatt.figures.workflow import drawn, layers, taken

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = dict.fromkeys(
    ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://[::1]:9"
)


def snakemake(folder: Path, *arguments: str) -> str:
    program = Path(sys.executable).parent / "snakemake"
    done = subprocess.run(
        [program, "--profile", "local", *arguments],
        cwd=folder,
        env=os.environ | OFFLINE | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def copy(project, tmp_path) -> Path:
    """The project as if the workflow had just ended."""
    folder = Path(shutil.copytree(project.root, tmp_path / "copy"))
    data = folder / "results/data/digits.safetensors"
    data.parent.mkdir()
    data.touch()
    (folder / "results/metrics/more-cpu/complete.json").write_text("{}\n")
    (folder / "results/page.html").write_text("<!doctype html>\n")
    return folder


def test_it_shows_figures_tables_and_the_graph_without_a_network(copy):
    snakemake(copy, "--touch", "all", "paper")
    snakemake(copy, "--report", "workflow.html", "all", "paper")
    text = (copy / "workflow.html").read_text(encoding="utf-8")
    for name in ("resource", "wr", "lifecycle"):
        assert " ".join(FIGURES[name].caption.split())[:60] in text, name
    for part in ("more-cpu", "Figures", "Tables", "Answers", "best treatments", "paper.pdf"):
        assert part in text, part
    for rule in ("metrics", "answers", "warm_up"):
        assert re.search(rf'"rule": ?"{rule}"', text), rule
    assert not re.search(r'<(script|link|img)[^>]*(src|href)="https?:', text)


def test_the_captions_are_those_of_the_figures():
    assert (ROOT / "captions/replayed.rst").read_text("utf-8") == f"{CAPTION}\n"
    for name, entry in FIGURES.items():
        assert (ROOT / f"captions/{name}.rst").read_text("utf-8") == f"{entry.caption}\n", name


def test_the_drawn_graph_is_the_one_of_the_rules(copy):
    """Of the rules whose files a finished workflow needs."""
    dot = snakemake(copy, "archive", "--rulegraph")
    dot = dot[dot.index("digraph") :]
    labels = dict(re.findall(r'(\d+)\[label = "([^"\\]+)', dot))
    named = {at: re.sub(r"^(figures|table)_of_.*", r"\1", name) for at, name in labels.items()}
    edges = {(named[a], named[b]) for a, b in re.findall(r"(\d+) -> (\d+)", dot)}
    arrows = {(one, name) for name, product in drawn().items() for one in taken(product)}
    assert len(edges) > 15
    assert {edge for edge in edges if edge[1] in drawn()} - arrows - _beside() == set()
    assert set(named.values()) <= set(drawn())
    assert {edge for edge in arrows - edges if "scout" not in edge} == set()  # no sweep needs them


def _beside() -> set[tuple[str, str]]:
    """Files that a rule takes from before the one that it takes anyway."""
    return {
        (one, "archive") for one in ("metrics", "figures", "table", "answers", "sweep", "move")
    } | {("metrics", "answers"), ("move", "metrics"), ("move", "run"), ("move", "move")}


def test_a_rule_stands_below_all_that_it_takes_from():
    rows = {name: number for number, row in enumerate(layers()) for name in row}
    assert rows.keys() == drawn().keys()
    assert all(rows[one] < rows[name] for name in drawn() for one in taken(drawn()[name]))
