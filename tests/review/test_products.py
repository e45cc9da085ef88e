"""A product is an entry of one table: rules, remake, the archive's list and the graph go by it."""

import inspect
from importlib import import_module
from pathlib import Path

from trialwatt.figures.products import PARTS, PRODUCTS, Product
from trialwatt.figures.workflow import graph_svg
from trialwatt.review.remake import remake
from trialwatt.review.tree import made_of, made_of_all, made_of_replays, tree_of

GIVEN = {"results", "output", "paper", "processes", "folders", "ends", "compiled", "elsewhere"}
"""What a function is given beside parts of the plan."""


def test_each_stands_after_what_it_takes():
    names = list(PRODUCTS)
    for name, product in PRODUCTS.items():
        assert all(names.index(one) < names.index(name) for one in product.takes), name


def test_each_function_is_given_what_it_needs_and_needs_what_it_is_given():
    for name, product in PRODUCTS.items():
        if product.function:
            module, function = product.function.split(":")
            wanted = inspect.signature(getattr(import_module(module), function)).parameters
            assert set(product.of_plan) <= wanted.keys() & PARTS.keys(), name
            needed = {key for key, one in wanted.items() if one.default is one.empty}
            assert needed <= GIVEN | {*product.of_plan}, name


def test_each_file_is_of_one_product(project):
    experiments = project.plan.experiments.values()
    files = [file for one in PRODUCTS.values() for file in one.files_in(project.plan)]
    assert len(files) == len(set(files)) > 40
    assert not made_of_replays(project.plan)
    replayed = [file for one in PRODUCTS.values() for file in one.files_of(experiments)]
    assert len(replayed) == len(set(replayed)) > len(files)
    made = [*made_of_all(), *(file for one in experiments for file in made_of(one))]
    paper = set(PRODUCTS["paper"].files_of(experiments))
    others = {"comparison.html", *paper}
    assert {file.removeprefix("results/") for file in made} == set(files) - others


def write_poster(experiments, results: Path, output: Path) -> None:
    rows = sum(1 for _ in (results / "metrics" / experiments[0]["id"]).glob("*.parquet"))
    output.write_text(f"{experiments[0]['title']}, {rows} tables\n")


def test_a_new_one_is_an_entry_here(project, tmp_path, monkeypatch):
    """With its rule it is all that there is to add."""
    poster = Product(
        "to be hung up", ("metrics",), ("poster.txt",), f"{__name__}:write_poster", ("experiments",)
    )
    monkeypatch.setitem(PRODUCTS, "poster", poster)
    assert "results/poster.txt" in made_of_all()
    assert "to be hung up" in graph_svg() and "poster takes from metrics" in graph_svg()
    made = remake(tree_of(project.results), tmp_path, paper=False)
    assert not made.failed
    assert (made.work.results / "poster.txt").read_text() == "More CPU, 2 tables\n"
