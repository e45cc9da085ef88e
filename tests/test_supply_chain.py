"""What comes from elsewhere is named by its digest, and looked up among known vulnerabilities."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_named_by_commit_and_images_by_digest(file):
    jobs = yaml.safe_load(file.read_text())["jobs"].values()
    for step in (step for job in jobs for step in job["steps"]):
        if used := step.get("uses"):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", used), used
    for job in jobs:
        for image in (job.get("container"), *job.get("services", {}).values()):
            assert image is None or "@sha256:" in str(image)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_checks_have_no_more_rights_than_to_read(file):
    assert yaml.safe_load(file.read_text())["permissions"] == {"contents": "read"}


def test_the_base_of_the_image_is_named_by_its_digest():
    (base,) = re.findall(r"^ARG BASE=(\S+)$", (ROOT / "envs/Containerfile").read_text(), re.M)
    assert re.search("@sha256:[0-9a-f]{64}$", base)


def test_every_lock_is_looked_up():
    (job,) = yaml.safe_load((ROOT / ".github/workflows/audit.yaml").read_text())["jobs"].values()
    locks = {file.name for file in (ROOT / "envs").glob("*.lock")}
    # PyPI knows nothing of local versions (+cpu); the same torch stands in the first.
    assert {*job["strategy"]["matrix"]["lock"], "torch-cpu.lock"} == locks
