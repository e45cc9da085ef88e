"""One experiment is worded once: ends of sweeps, absent parts, runs to know about, answers."""

import json

import pytest
from tests.figures.conftest import synthetic

from trialwatt.analysis.answers import STATEMENTS
from trialwatt.errors import TrialwattError
from trialwatt.metrics.tables import read_runs
from trialwatt.summary.answers import answers_of
from trialwatt.summary.experiment import read_summary, together

EXPERIMENT = {"id": "mine", "title": "Mine", "varied": ["workers.count"]}
END = {
    **{"sut": "plain", "sampler": "grid", "testbed": "here", "state": "converged"},
    **{"converged_value": 2.0, "best_value": 4.0, "reason": "2 is it", "demonstration": True},
}
LACKING = {"sut": "plain", "treatment": "search.sampler=tpe", "reason": 'plain has no "tpe".'}


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "metrics" / "mine"
    folder.mkdir(parents=True)
    runs, _ = synthetic(values=(2, 4))
    runs.loc[1, ["status", "reason"]] = ["failed", "the disk was full"]
    runs.loc[2, "flags"] = "few samples"
    runs.to_parquet(folder / "runs.parquet")
    (folder / "convergence.json").write_text(json.dumps({"sweeps": [END]}))
    (folder / "unavailable.json").write_text(json.dumps({"unavailable": [LACKING]}))
    return tmp_path


def test_each_part_in_its_words(results):
    found = read_summary(results, EXPERIMENT)
    assert found.heading == "Mine by number of workers" and found.n == "n = 2–3"
    assert found.ended == ["plain (grid): demonstration only: converged: 2 is it."]
    assert found.absent[0].startswith("1 run failed and is not counted. plain, ")
    assert found.absent[1:] == ["Not available here. plain has no tpe."]
    assert list(found.remarks.values()) == [["failed: the disk was full"], ["few samples"]]
    folders = set(read_runs(results / "metrics/mine/runs.parquet")["folder"])
    assert set(found.remarks) <= folders
    assert found.results.rows and found.best.rows
    assert found.lead.startswith("Flagged: 1 of ") and "2 of the 5 blocks" in found.lead
    assert found.figures == ["resource", "lifecycle", "overhead", "wr"] and found.not_shown == []


def test_a_figure_that_was_made_and_has_nothing_to_show_is_left_out_with_its_reason(results):
    sidecar = results / "figures/mine/overhead.json"
    sidecar.parent.mkdir(parents=True)
    absent = {"provenance": {"absent": "no control ran."}, "outputs": {}}
    sidecar.write_text(json.dumps(absent))
    found = read_summary(results, EXPERIMENT)
    assert found.figures == ["resource", "lifecycle", "wr"]
    assert found.not_shown == ["No figure of overhead: no control ran."]
    assert read_summary(results, EXPERIMENT | {"figures": []}).figures == []


def test_several_testbeds_are_told_apart(results):
    here = read_summary(results, EXPERIMENT)
    there = read_summary(results, EXPERIMENT | {"title": "Theirs"})
    there.ends[0]["testbed"] = "there"
    both = together([here, there])
    assert both.title == "Mine" and len(both.runs) == 2 * len(here.runs)
    assert [end.partition(":")[0] for end in both.ended] == [
        "plain (grid; here)",
        "plain (grid; there)",
    ]


def test_what_was_not_made_is_empty(tmp_path):
    found = read_summary(tmp_path, {"id": "mine"})
    assert found.title == found.heading == "mine" and found.n == "n = 0"
    assert found.absent == found.ended == found.findings() == [] and found.remarks == {}
    assert found.results.rows == found.best.rows == [] and answers_of(tmp_path) == []


def test_answers_in_one_order_with_one_that_was_not_asked(tmp_path):
    file = tmp_path / "tables" / "answers.csv"
    file.parent.mkdir()
    rows = "H1,plain in mine,not supported,Not it.\nH1,all,demonstration only: undecided: few,So.\n"
    file.write_text(f"hypothesis,scope,verdict,sentence\n{rows}")
    first, second = answers_of(tmp_path)
    assert first.whole.words == "undecided (few; demonstration only)" and first.name == "H1"
    assert [one.words for one in first.scopes] == ["not supported"]
    assert second.statement == STATEMENTS["H2"] and second.scopes == ()
    assert second.whole.sentence == "H2: undecided: not asked."
    file.write_text("hypothesis,scope\nH1,all\n")
    with pytest.raises(TrialwattError, match=r"answers\.csv: damaged"):
        answers_of(tmp_path)
