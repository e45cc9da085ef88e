"""Settings as Snakemake really hands them over: merged, read as YAML 1.1, with --config values."""

import os
import subprocess
import sys

import pytest

SNAKEFILE = """
from trialwatt.config.planner import load_plan

configfile: "config/config.yaml"
plan = load_plan(config, files=workflow.configfiles)
print("lr:", {run.workload.fixed["lr"] for run in plan.runs.values()})

rule all:
    output: "done.txt"
    priority: lambda wildcards: plan.order_priority(next(iter(plan.runs)), 1)
    shell: "touch {output}"
"""


@pytest.fixture
def snakemake(project):
    project.edit("spaces/four.yaml", "lr", to=None)
    text = (project.root / "config/config.yaml").read_text()
    project.write("config.yaml", text + "set: {fixed.lr: 1e-4}\n")
    project.write("more.yaml", "repetitions: 0\nset: {fixed.lr: 1e-3}\n")
    (project.root / "Snakefile").write_text(SNAKEFILE)

    def run(*arguments):
        command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", *arguments]
        site = project.root.parent / "site"
        environment = {**os.environ, "PYTHONPATH": str(site)}
        done = subprocess.run(
            command, cwd=project.root, env=environment, capture_output=True, text=True, timeout=300
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_numbers_are_numbers_and_priorities_are_taken(snakemake):
    code, text = snakemake()
    assert code == 0, text
    assert "lr: {0.0001}" in text


def test_the_file_and_the_command_line_are_told_apart(snakemake):
    code, text = snakemake("--configfile", "config/more.yaml", "--config", "seed=-1")
    assert code == 1
    assert "config/more.yaml: repetitions: must be at least 1 (got 0)" in text
    assert "command line: seed: must be at least 0 (got -1)" in text
    assert "2 errors; nothing was started." in text


def test_values_within_a_value_of_the_command_line_have_their_types(snakemake):
    code, text = snakemake("--config", "set={fixed.lr: 1e-2}")
    assert code == 0, text
    assert "lr: {0.01}" in text
