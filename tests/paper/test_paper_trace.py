"""From a number of the paper back to its rows, runs and records."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

from trialwatt.errors import TrialwattError
from trialwatt.paper.constants import PLACES, constants
from trialwatt.paper.lineage import origin
from trialwatt.paper.names import find, read_numbers
from trialwatt.paper.trace import trace_number
from trialwatt.provenance.render import render_json, render_text
from trialwatt.provenance.trace import trace, trace_command

PDF, NUMBERS = Path("results/paper/paper.pdf"), Path("results/paper/numbers.json")
CELL = "experiments.more-cpu.table.rows[0]"
TABLE = "metrics/more-cpu/runs.parquet"


@pytest.fixture
def copy(made, tmp_path) -> Path:
    """The results, to be changed at will."""
    return Path(shutil.copytree(made.root, tmp_path / "copy"), "results")


def column(head: str) -> int:
    heads = read_numbers(NUMBERS)["experiments"]["more-cpu"]["table"]["heads"]
    return next(place for place, one in enumerate(heads) if one.startswith(head))


def test_a_cell_of_a_table_is_the_median_of_its_runs(made, capsys):
    name = f"{CELL}[{column('EPT')}]"
    found = trace_number(PDF, name)
    assert found.ok and found.number.tables == {TABLE} and found.number.methods == ("modelled",)
    runs = pd.read_parquet(f"results/{TABLE}")
    own = runs[runs["treatment_value"] == runs["treatment_value"].min()]
    assert found.number.folders == set(own["folder"]) == {r.folder for r in found.chain.runs}
    assert len(own) < len(runs)
    assert f"{own['ept_kwh'].iloc[0]:.6g}" in found.number.made_of[1]
    assert {check.part for check in found.checks} == {"config", "table", "manifest", "record"}
    text = render_text(found)
    for part in (
        f"{found.number.name}: {found.number.value}",
        "row 1 (plain on lab, ",
        "of tables/more-cpu.csv: `ept_kwh_median`",
        f"{own['folder'].iloc[0]}  completed",
        "records/worker-0.jsonl  sha256 ",
        "config/experiments/more-cpu.yaml  sha256 ",
        "paper/main.typ  sha256 ",
        "energy: modelled (meter: model)",
        "The chain holds",
    ):
        assert part in text, part
    said = json.loads(render_json(found))["number"]
    assert said["value"] == found.number.value and said["runs"] == sorted(own["folder"])


def test_every_number_has_an_origin(made):
    numbers = read_numbers(NUMBERS)
    leaves = [one for one in _names(numbers) if one.split(".")[0] not in ("generator", "format")]
    assert len(leaves) > 100
    for name in leaves:
        of = origin(Path("results"), numbers, find(numbers, name))
        result = name.split(".")[0] in ("runs", "setup", "answers", "tests", "best")
        assert of.said and (not result or len(of.runs) or name.startswith("answers")), name
        assert all((Path("results") / table).is_file() for table in of.tables), name


def _names(value, path=""):
    if not isinstance(value, dict | list):
        yield path
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inner:
        yield from _names(one, f"{path}.{key}" if path else str(key))


def test_what_the_method_fixes_is_traced_to_the_code(made):
    assert PLACES.keys() == constants().keys()
    for place in PLACES.values():
        module, _, name = place.rpartition(".")
        assert hasattr(import_module(module), name)
    assert trace_number(PDF, "constants.strong").number.made_of[0].endswith("evidence.STRONG")


def test_an_unknown_number_is_told_with_those_that_are_near(made, capsys):
    with pytest.raises(TrialwattError, match=r"no number 'runs\.totl'; near[\s\S]*runs\.total"):
        trace_number(NUMBERS, "runs.totl")
    with pytest.raises(TrialwattError, match=r"group of numbers; name one of:\n  runs\.total"):
        trace_number(NUMBERS, "runs")
    with pytest.raises(TrialwattError, match="no number ''"):
        trace_number(NUMBERS, "")
    assert trace_command(PDF, traced=lambda: trace_number(PDF, "zzz")) == 1
    assert "the paper has no number 'zzz'" in capsys.readouterr().err


def test_a_reader_may_name_what_is_printed(made):
    value = read_numbers(NUMBERS)["experiments"]["more-cpu"]["table"]["rows"][0][column("EPT")]
    try:
        assert trace_number(PDF, value).number.value == value
    except TrialwattError as several:
        assert CELL.replace("[0]", ".0") in str(several)


def test_a_number_whose_records_are_gone(made, copy):
    shutil.rmtree(copy / "runs")
    found = trace_number(copy / "paper/paper.pdf", "runs.total")
    assert not found.ok
    assert {c.state for c in found.checks if c.part in ("record", "manifest")} == {"missing"}
    shutil.rmtree(copy / "metrics")
    with pytest.raises(TrialwattError, match="not those of the paper, or gone"):
        trace_number(copy / "paper/paper.pdf", "runs.total")


def test_a_number_that_was_edited_breaks_the_chain(made, copy):
    numbers = copy / "paper/numbers.json"
    numbers.write_text(numbers.read_text("utf-8").replace('"total": "', '"total": "9'), "utf-8")
    found = trace_number(numbers, "runs.total")
    assert found.number.value.startswith("9") and not found.ok
    assert "numbers.json: its checksum is not the one in paper.json" in found.problems


def test_the_paper_the_numbers_and_the_sidecar_are_traced_as_a_whole(made, copy):
    for name in ("paper.pdf", "numbers.json", "paper.json"):
        found = trace(copy / "paper" / name)
        assert found.ok and len(found.chain.runs) == 2, (name, found.problems)
    (copy / "paper/numbers.json").unlink()
    assert (
        "numbers.json: missing, though paper.json names it"
        in trace(copy / "paper/paper.json").problems[0]
    )
    with pytest.raises(TrialwattError, match=r"numbers\.json: missing or damaged"):
        trace_number(copy / "paper/paper.pdf", "runs.total")


def test_only_the_paper_has_numbers(made):
    with pytest.raises(TrialwattError, match="not the paper"):
        trace_number(Path("results/tables/more-cpu.csv"), "runs.total")


@pytest.mark.parametrize("text", ["{", "[]", '{"experiments": []}', "[" * 100_000])
def test_damaged_numbers_of_a_stranger(made, copy, text):
    (copy / "paper/numbers.json").write_text(text)
    with pytest.raises(TrialwattError, match=r"numbers\.json: "):
        trace_number(copy / "paper/paper.pdf", "runs.total")
