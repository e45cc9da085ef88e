"""What components say of their versions reaches run.json, also from processes that do not speak."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from trialwatt.lifecycle.inventory import Inventory, OtherVersions
from trialwatt.lifecycle.jobs import environment, write_job
from trialwatt.lifecycle.trials import trials_here
from trialwatt.metrics import versions
from trialwatt.records.installation import INSTALLED, code_sha256, differences, here
from trialwatt.records.manifest import check_shape
from trialwatt.records.writer import EventWriter
from trialwatt.suts.base import Job

NAMES = ("trialwatt", "pydantic")
OTHER = "ab" * 32


@pytest.fixture
def job(tmp_path, run_config):
    """One whose testbed does not allow other versions."""
    made = Job("r1", run_config(), 1, 7, str(tmp_path), "data", 1, 0.5, packages=NAMES)
    write_job(made)
    return made


def allowing(job):
    testbed = job.config.testbed.model_copy(update={"allow_other_versions": True})
    return replace(job, config=job.config.model_copy(update={"testbed": testbed}))


def facts(inventory):
    code = {"version": "1", "commit": "c0ffee", "dirty": False}
    found = inventory.facts(code, here(NAMES)["packages"] | {"snakemake": "9"})
    check_shape({"format": 1} | found, "run.json")
    return found


def test_a_run_of_one_state_has_the_coordinators_commit_and_no_flag(job):
    inventory = Inventory(job, "build it")
    for component in ("worker-1", "worker-0"):
        inventory.take(component, here(NAMES))
    found = facts(inventory)
    assert found["packages"] == here(NAMES)["packages"]
    assert found["code"]["commit"] == "c0ffee"
    assert found["installed"] == [{"components": ["worker-0", "worker-1"]} | here(NAMES)]
    assert versions.flags(found) == []


def test_what_differs_is_on_record_with_no_commit_and_flagged(job):
    inventory = Inventory(allowing(job), "build it")
    inventory.take("worker-0", here(NAMES))
    packages = here(NAMES)["packages"]
    other = {"code_sha256": OTHER, "packages": packages | {"pydantic": "0.1"}}
    inventory.take("worker-1", here(NAMES) | other)
    found = facts(inventory)
    assert found["packages"]["pydantic"] == f"0.1/{packages['pydantic']}"
    assert found["code"]["commit"] is None
    assert found["code"]["sha256"] == "/".join(sorted([OTHER, code_sha256()]))
    assert found["coordinator"]["code"]["commit"] == "c0ffee"
    assert [each["components"] for each in found["installed"]] == [["worker-0"], ["worker-1"]]
    [flag] = versions.flags(found)
    assert flag.startswith("worker-1: other versions than the coordinator's: pydantic 0.1 (not ")
    assert versions.flags({}) == []  # records of before


def test_a_process_that_does_not_speak_writes_it_once(job, monkeypatch):
    for name, value in environment(job).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRIALWATT_COMPONENT", "worker-0")
    trials_here()
    writer = EventWriter(job.path(), "r1", "worker-0")
    writer.write("trial", trial="worker-0/0", status="start", number=0, phi={})
    trials_here()
    written = (job.path() / "records" / "worker-0.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in written]
    assert kinds == [INSTALLED, "trial"]
    inventory = Inventory(job, "build it")
    inventory.read(job.path(), ["worker-0", "worker-1"])
    assert facts(inventory)["installed"] == [{"components": ["worker-0"]} | here(NAMES)]


def test_a_trial_process_of_other_code_is_found_in_its_records(job):
    writer = EventWriter(job.path(), "r1", "worker-0")
    writer.write(INSTALLED, **(here(NAMES) | {"code_sha256": OTHER}))
    with pytest.raises(OtherVersions, match="worker-0 is not of the coordinator's versions"):
        Inventory(job, "build it").read(job.path(), ["worker-0"])
    Inventory(allowing(job), "build it").read(job.path(), ["worker-0"])


def test_the_hash_is_that_of_all_sources(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.py").write_text("x = 1\n")
    (tmp_path / "c.py").write_text("")
    seen = {code_sha256(tmp_path)}
    for change in (
        lambda: (tmp_path / "a" / "b.py").write_text("x = 2\n"),
        lambda: (tmp_path / "a" / "b.py").rename(tmp_path / "b.py"),
        lambda: (tmp_path / "d.py").write_text(""),
    ):
        change()
        code_sha256.cache_clear()
        seen.add(code_sha256(tmp_path))
    assert len(seen) == 4
    (tmp_path / "d.pyc").write_text("compiled")
    code_sha256.cache_clear()
    assert code_sha256(tmp_path) in seen


def test_builds_of_one_version_are_one_version():
    own = {"packages": {"torch": "2.6.0+cpu"}, "code_sha256": OTHER}
    assert differences(own, {"packages": {"torch": "2.6.0"}, "code_sha256": OTHER}) == []
    assert differences(own, {}) == [
        "torch is missing (not 2.6.0+cpu)",
        "the code of trialwatt, SHA-256 unknown (not abababababab)",
    ]


def test_saying_it_imports_nothing_of_it():
    code = "import sys, trialwatt.records.installation as i; i.here(['torch', 'numpy']); " + (
        "print(*{'torch', 'numpy', 'pandas', 'pyarrow'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
