"""A run that fails for another reason than its treatment: once more, then a hole."""

import json
import re

import pytest
from tests.lifecycle import faulty

from trialwatt.contract.reading import manifest
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.announce import write_summary
from trialwatt.lifecycle.evidence import RunFailed
from trialwatt.lifecycle.execute import attempt, execute
from trialwatt.lifecycle.script import user_errors
from trialwatt.platforms.local import LocalPlatform


@pytest.fixture(autouse=True)
def installed(tmp_path, monkeypatch):
    """The faulty SUTs, here and in every component."""
    site = tmp_path / "site"
    faulty.install(site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))


def test_a_run_that_fails_twice_is_kept_as_a_hole(
    tmp_path, digits, testbed_facts, run_config, capfd
):
    results = tmp_path / "results"
    config = run_config("faulty", epochs=1)
    folder = attempt(config, 1, str(digits), str(testbed_facts), str(results))
    run = manifest(folder)
    assert run["status"] == "failed"
    assert "the framework lost its results" in run["reason"]
    told = capfd.readouterr().err
    assert "it is tried once more" in told
    assert "failed: " in told and f"its records and logs are in {folder}" in told
    assert len(list((results / "failed").iterdir())) == 1  # the first attempt, to be looked at
    assert (folder / "records.zst").is_file()
    assert not list((results / ".partial").iterdir())

    with pytest.raises(TrialwattError) as caught:
        write_summary([folder], tmp_path / "complete.json")
    assert "1 of 1 runs failed twice" in str(caught.value)
    assert str(folder) in str(caught.value)
    assert not (tmp_path / "complete.json").exists()


@pytest.mark.parametrize(
    ("sut", "said"),
    [
        (
            "lacking",
            r"worker-0 failed to start 2 times: error, exit code 1\n(.*\n)*"
            "ModuleNotFoundError: No module named 'a_module_that_is_not_installed'",
        ),
        (
            "outside",
            r"no trial completed.* all \d ended with an error; the first one, worker-0/0: "
            "ValueError: φ is not in the search space",
        ),
    ],
)
def test_a_fault_of_the_surroundings_is_tried_again_and_is_no_observation(
    sut, said, tmp_path, digits, testbed_facts, run_config
):
    config = run_config(sut, epochs=1, workers={"count": 1, "cpu": 1, "memory_mb": 1024})
    results = tmp_path / "results"
    with pytest.raises(RunFailed, match=said):
        execute(config, 1, str(digits), str(testbed_facts), str(results))
    assert len(list((results / "failed").iterdir())) == 1
    hole = execute(config, 1, str(digits), str(testbed_facts), str(results), failure_is_result=True)
    run = manifest(hole)
    assert run["status"] == "failed"
    assert re.search(said, run["reason"])


def test_what_went_wrong_first_is_told_and_not_that_the_clean_up_failed_too(
    tmp_path, monkeypatch, digits, testbed_facts, run_config, capfd
):
    remove = LocalPlatform.remove

    def removes_and_fails(platform):
        remove(platform)
        raise TrialwattError("DELETE /namespaces: 401")

    monkeypatch.setattr(LocalPlatform, "remove", removes_and_fails)
    told = {}
    for kept in (False, True):
        with pytest.raises(SystemExit), user_errors(str(tmp_path / "log")):
            execute(
                run_config("faulty", epochs=1),
                1,
                str(digits),
                str(testbed_facts),
                str(tmp_path / "results"),
                failure_is_result=kept,
            )
        told[kept] = capfd.readouterr().err
    for said in told.values():
        first, left = "the framework lost its results", "what was made is left: DELETE /namespaces"
        assert first in said and left in said, said
        assert said.index(first) < said.index(left)
        assert said.count(left) == 1


def test_runs_without_holes_are_summed_up(run_folder, tmp_path):
    write_summary([run_folder], tmp_path / "complete.json")
    assert json.loads((tmp_path / "complete.json").read_text()) == {"runs": 1, "failed": 0}
