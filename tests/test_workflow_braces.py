"""Braces in what a user has named or written: the workflow's files are named by patterns."""

import pytest
import yaml
from tests.workflows import copied, snakemake

from trialwatt.config.planner import load_plan
from trialwatt.errors import ConfigError

SMALL = """
testbed: local
experiments: [baseline]
base: digits-ff
suts: [plain]
repetitions: 1
"""
WHY = "Snakemake takes the braces in it for a pattern: give it another name"


def refused(said: tuple[int, str], *sentences: str) -> None:
    code, text = said
    assert code == 1
    for sentence in sentences:
        assert f"{sentence}: {WHY}\n" in text
    assert f"{len(sentences)} error" in text


def test_files_of_the_workflow_that_would_be_patterns_are_refused(tmp_path):
    project, more = copied(tmp_path / "project", SMALL), tmp_path / "more {lr}.yaml"
    series = project / "{0}.csv"
    series.write_text("utc_start,g_per_kwh\n2020-01-01T00:00:00Z,300\n2040-01-01T00:00:00Z,300\n")
    bed = project / "config" / "testbeds" / "local.yaml"
    bed.write_text(bed.read_text() + 'carbon_series: "{0}.csv"\n')
    more.write_text('results: "x/{y"\n')
    refused(
        snakemake(project, "-n", "--configfile", str(more)),
        f'"{more}"',
        'config/testbeds/local.yaml: carbon_series: "{0}.csv"',
        f'{more}: results: "x/{{y"',
    )
    assert not (project / "x").exists()


def test_a_folder_that_would_be_a_pattern_is_refused(tmp_path):
    project = copied(tmp_path / "a {1} b", SMALL)
    refused(snakemake(project, "-n"), f'"{project}"')


def test_a_workflow_in_such_a_folder_is_refused_from_elsewhere(tmp_path):
    project, workflow = copied(tmp_path / "project", SMALL), tmp_path / "{braces}"
    workflow.mkdir()
    with pytest.raises(ConfigError) as caught:
        load_plan(yaml.safe_load(SMALL), project, ask_platform=False, workflow=workflow)
    assert str(caught.value) == f'"{workflow}": {WHY}\n1 error; nothing was started.'


def test_what_is_no_file_of_the_workflow_may_hold_braces(tmp_path):
    project, data = copied(tmp_path / "project", SMALL), tmp_path / "{data} {0}"
    data.mkdir()
    bed = project / "config" / "testbeds" / "local.yaml"
    board = {"kind": "gpu", "devices": 1, "watts": 350, "source": "data {sheet} {0}"}
    keys = {"accelerator_board_w": board}
    bed.write_text(yaml.safe_dump(yaml.safe_load(bed.read_text()) | keys))
    baseline = project / "config" / "experiments" / "baseline.yaml"
    baseline.write_text(baseline.read_text().replace("title: ", "title: a {lr} {0} "))
    config = project / "config" / "config.yaml"
    config.write_text(config.read_text() + f'data: "{data}"\n')

    code, said = snakemake(project, "-n", "--", "all", "archive")
    assert code == 0, said
    assert "This was a dry-run" in said
