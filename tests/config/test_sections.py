"""Sections of a testbed that a SUT or a platform of another package brings along."""

from __future__ import annotations

import json

import pytest

from trialwatt.config.identity import hash_of, run_hash, run_of, run_text
from trialwatt.config.models import AS_RECORDED, RunConfig, Testbed
from trialwatt.config.schema import schemas
from trialwatt.errors import ConfigError

BENCH = "testbeds/bench.yaml"
RACK = {"address": "r1", "row": "b"}


def said(project) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem).removeprefix(f"config/{BENCH}: ") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("key", "section", "sentence"),
    [
        ("rack", {}, "rack.address: is missing"),
        ("rack", {"address": 1}, "rack.address: must be text (got 1)"),
        ("rack", ["r1"], 'rack: must hold keys (got ["r1"])'),
        ("rack", RACK | {"rwo": "a"}, 'rack.rwo: unknown key; did you mean "row"?'),
        (
            "rack",
            RACK | {"doors": [{}, {"code": "1"}]},
            'rack.doors[1].code: must be a whole number (got "1")',
        ),
        ("rack", RACK | {"address": "r 1"}, "rack.address: must be one word (got 'r 1')"),
        ("rack", RACK | {"row": "c"}, "platform: row c of r1 has no power"),
        ("quota", {"trials": 3}, "quota.trials: alpha: a search needs four trials"),
        ("rakc", RACK, 'rakc: unknown key; did you mean "rack"?'),
        (
            "lost",
            {"any": 1},
            "lost: no_such_module:Lost cannot be loaded: No module named 'no_such_module'",
        ),
    ],
)
def test_one_fault_is_one_exact_sentence(project, key, section, sentence):
    project.edit("config.yaml", "experiments", to=["baseline"])
    project.edit(BENCH, key, to=section)
    assert said(project) == [sentence]


def test_all_faults_are_said_at_once_whosever_they_are(project):
    project.edit(BENCH, "rack", to={"address": "r 1", "row": 2})
    project.edit(BENCH, "quota", to={"trials": 3})
    project.edit(BENCH, "sample_hz", to=100)
    project.edit("experiments/baseline.yaml", "base", to="large")
    found = said(project)
    assert "rack.row: must be text (got 2)" in found
    assert "sample_hz: must be at most 50 (got 100)" in found
    assert any("there is no config/workloads/large.yaml" in one for one in found)


def test_a_section_may_look_at_the_whole_testbed(project):
    project.edit(BENCH, "platform", to="local")
    project.edit(BENCH, "rack", to=RACK)
    assert "rack: only bench has racks" in said(project)


def test_a_section_that_is_null_is_not_given(project):
    (project.root / "config" / BENCH).write_text("platform: bench\ncpu_per_vcpu: 0.25\nrack:\n")
    assert project.plan().testbed == Testbed(platform="bench", cpu_per_vcpu=0.25)


def test_what_the_environment_has_for_a_section(project, monkeypatch):
    project.edit(BENCH, "rack", to=RACK)
    monkeypatch.setenv("RACK", "r9")
    assert project.plan().testbed.sections["rack"].address == "r9"


# --- a run ----------------------------------------------------------------------------------------


def racked(run_config, **keys) -> RunConfig:
    return run_config(testbed={"rack": RACK | keys})


def test_a_run_without_a_section_does_not_know_that_there_is_one(project, run_config):
    assert list(run_config().testbed.model_dump())[:2] == ["platform", "cpu_per_vcpu"]
    assert list(racked(run_config).testbed.model_dump())[:2] == ["platform", "rack"]


def test_how_something_is_reached_redoes_no_run(project, run_config, tmp_path):
    run, moved = racked(run_config), racked(run_config, address="r2")
    assert run_hash(run) == run_hash(moved) != run_hash(racked(run_config, row="a"))
    assert hash_of(run.model_dump(mode="json")) == run_hash(run)
    assert run_text(run) == run_text(moved)
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"testbed": moved.testbed.model_dump(mode="json")}))
    assert run_of(run_text(run), record) == moved


@pytest.mark.parametrize("key", ["tower", "lost"])
def test_a_record_is_read_where_the_part_is_not_installed(project, run_config, key):
    """A lab that has not the package, or not whole, can still make figures of the records."""
    testbed = {"platform": "bench", key: {"floors": [1, 2.5]}}
    record = run_config().model_dump(mode="json") | {"testbed": testbed}
    with pytest.raises(ValueError, match=key):
        RunConfig.model_validate(record)
    run = RunConfig.model_validate(record, context=AS_RECORDED)
    assert run.model_dump(mode="json")["testbed"][key] == testbed[key]
    assert run.testbed.sections == {key: testbed[key]}


def test_the_schema_has_the_sections_of_all_that_is_installed(project):
    testbed = schemas()["testbed"]
    assert {"rack", "quota", "kubernetes", "prometheus", "storage"} <= testbed["properties"].keys()
    assert testbed["$defs"]["Rack"]["required"] == ["address"]
    assert testbed["additionalProperties"] is False
