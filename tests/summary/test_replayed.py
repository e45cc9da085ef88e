"""What is told of a replayed experiment, and that all of it says that it is replayed."""

import pandas as pd
import pytest
from tests.replay.replaying import Replaying, asked_of

from trialwatt.figures import REPLAY_FIGURES, REPLAY_TABLES
from trialwatt.figures.replay_answers import make_replay_answers, replay_tables
from trialwatt.figures.replayed import make_replayed
from trialwatt.page.replayed import replayed as on_the_page
from trialwatt.page.report import write_report
from trialwatt.provenance.trace import trace
from trialwatt.summary.replayed import read_replays

STRATEGIES = (("plain", "grid"), ("plain", "random"), ("optuna", "random"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    made = Replaying(tmp_path_factory.mktemp("replayed") / "project", seeds=6)
    asked = asked_of(made.table, STRATEGIES, searches=40)
    made.search(asked)
    made.live(place=1, count=30)
    made.check()
    made.sensitivity(asked)
    make_replayed(made.described, made.results)
    make_replay_answers(made.described, made.results)
    return made


@pytest.fixture(scope="module")
def summary(project):
    (found,) = read_replays(project.results, ["s-sam"])
    return found


def test_it_begins_with_its_answer(summary):
    assert summary.lead.startswith(
        "Replayed, with 6 measured seeds and 40 searches of each strategy on test: energy until "
        "the goal was reached is least for plain under "
    )
    assert " is next" in summary.lead and "that of a whole job is least" in summary.lead


def test_fewer_seeds_than_a_comparison_needs_compare_nothing(tmp_path):
    made = Replaying(tmp_path / "few")
    made.search(asked_of(made.table, STRATEGIES[:2], searches=10))
    made.live(place=1, count=5)
    made.check()
    (found,) = read_replays(made.results, ["s-sam"])
    assert "nothing is compared, for it takes 5 measured seeds" in found.lead


def test_everything_says_replayed(project, summary):
    assert "replayed" in summary.heading and summary.lead.startswith("Replayed")
    assert all("replayed" in one.lower() for one in summary.findings if "Check" not in one)
    assert all("Replayed" in caption for caption in REPLAY_FIGURES.values())
    for table in (summary.comparison, summary.equal_score, summary.sensitivity):
        assert "replayed" in table.title and "Replayed, not run" in table.note
    for name in REPLAY_FIGURES:
        text = summary.figure_stem(name).with_suffix(".json").read_text()
        assert "replay" in text
    for name in REPLAY_TABLES:
        shown = project.results / "tables" / f"replay-{name}" / "s-sam.md"
        assert "replayed" in shown.read_text() and "Replayed, not run" in shown.read_text()


def test_the_check_is_counted(summary):
    said = "\n".join(summary.findings)
    assert "Check: of 4 comparisons with live searches 4 hold." in said
    assert "Check: 2 of 3 replayed strategies have no live searches beside them." in said


def test_it_is_said_whether_assumptions_change_the_answer(summary):
    (said,) = [one for one in summary.findings if "other assumptions" in one]
    assert said.startswith("plain in replayed s-sam (test): with 40 searches of each strategy")
    tidy = summary.sensitivity.tidy
    assert {"number of workers", "length of trials"} < set(tidy["assumption"])
    assert not set(tidy["assumption"]) & {"power model", "cost of the framework"}


def test_figures_and_tables_lead_to_the_runs_of_the_trial_table(project, summary):
    files = [summary.figure_stem(name).with_suffix(".svg") for name in summary.figures]
    files += [project.results / f"tables/replay-{n}/s-sam.csv" for n in REPLAY_TABLES]
    for file in files:
        runs = {run.folder for run in trace(file, project.results).chain.runs}
        assert {one.folder for one in project.table.facts.sources} <= runs, file


def test_a_seed_is_a_row_of_its_table(project):
    rows = pd.read_csv(project.results / "tables/replay-seeds/s-sam.csv")
    assert (rows.loc[rows["runs"] > 0, "n"] == 6).all() and (rows["runs"] > 0).sum() == 3


def test_answers_take_every_experiment_as_one_table(project):
    found = replay_tables(project.results, ["s-sam"])
    assert list(found) == ["as recorded"] and len(found["as recorded"]) == 18
    assert set(found["as recorded"]["experiment"]) == {"replayed s-sam"}


def test_report_and_page_have_a_section(project, summary, tmp_path):
    text = write_report(project.results, [], tmp_path / "report.html", ["s-sam"]).read_text()
    for part in (summary.heading, summary.lead, *summary.findings, "What the answers hang on"):
        assert part.replace("÷", "÷") in text or part.replace("'", "&#39;") in text
    assert text.count("data:image/svg+xml") == len(summary.figures)
    section = on_the_page(summary, "", tmp_path / "page.html")
    assert section["id"] == "replay-s-sam" and section["lead"] == summary.lead
    assert len(section["replayed"]["figures"]) == len(summary.figures)
    assert all(data.startswith("data:image/svg+xml") for _, data in section["replayed"]["figures"])
