"""`snakemake --profile k8s` against an API server without a cluster: its plan, image, undeploy."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from functools import partial
from pathlib import Path

import pytest
from tests.platforms.kubernetes import fakecluster
from tests.platforms.kubernetes.fakecluster import FakeCluster, node
from tests.workflows import ONE_JOB, ROOT, copied, start
from tests.workflows import snakemake as snakemake_with

from trialwatt.lifecycle.installed import image_facts
from trialwatt.platforms.kubernetes import owners
from trialwatt.platforms.kubernetes.claims import Claim, claims_of


@pytest.fixture
def project(tmp_path) -> Path:
    return copied(tmp_path, ONE_JOB)


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with FakeCluster() as fake:
        fake.put_nodes(node("one", cpu="8"))
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "kubeconfig")))
        monkeypatch.setenv("TRIALWATT_IMAGE", "trialwatt-worker:test")
        yield fake


snakemake = partial(snakemake_with, profile="k8s")


def test_it_takes_a_testbed_of_a_cluster_and_plans_with_it(project, cluster):
    code, said = snakemake(project, "-n", "--quiet", "host")
    assert code == 0, said
    line = next(line for line in said.splitlines() if line.startswith("baseline"))
    assert line.split()[1:4] == ["plain", "1", "1"]
    for rule in ("shared_data", "results/testbeds/k8s-local.json", "results/runs/k8s-local/plain-"):
        assert rule in said
    assert ("GET", "/api/v1/nodes") in cluster.asked
    assert not cluster.names("namespaces")


def test_what_is_missing_is_said_at_once_and_nothing_is_made(project, cluster, monkeypatch):
    monkeypatch.delenv("TRIALWATT_IMAGE")
    cluster.denied = {("create", "namespaces")}
    cluster.put_nodes(node("one", cpu="1"))
    code, said = snakemake(project)
    assert code != 0
    assert "config/testbeds/k8s-local.yaml: platform: the cluster does not allow" in said
    assert "snakemake --profile k8s image" in said
    assert "minikube image load" in said
    assert "plain: 0 of 5 pods fit" in said or "pods fit (worker-0" in said
    assert "errors; nothing was started." in said
    assert not (project / "results" / "runs").exists()
    assert not cluster.names("namespaces")


def test_a_second_configuration_still_runs_on_the_cluster(project, cluster):
    more = ("--configfile", "config/mnist.yaml", "--config", "repetitions=2")
    code, said = snakemake(project, "-n", "--quiet", "host", *more)
    assert code == 0, said
    assert "results/runs/k8s-local/plain-mnist" in said


def test_a_testbed_that_is_described_again_keeps_no_run_from_being_made(
    project, cluster, monkeypatch
):
    cluster.on_pod = fakecluster.ended
    facts = image_facts() | {"suts_lacking": {}}
    cluster.logs["probe"] = json.dumps(facts)
    record = "results/testbeds/k8s-local.json"
    code, said = snakemake(project, record)
    assert code == 0, said
    # another image: the testbed is looked at again, by its parameters
    monkeypatch.setenv("TRIALWATT_IMAGE", "trialwatt-worker:other")
    code, said = snakemake(project, "-n", "--quiet", "host", "--", "runs")
    assert code == 0, said
    assert {"rule testbed:", "rule shared_data:", "rule run:"} <= set(said.splitlines())


def test_a_refusal_ends_with_its_sentence(project, cluster):
    cluster.on_pod = fakecluster.ended
    cluster.logs["probe"] = json.dumps(image_facts() | {"code_sha256": "ab" * 32})
    code, said = snakemake(project, "results/testbeds/k8s-local.json")
    print(said)
    assert code == 1
    assert "the worker image is not of the versions here: the code of trialwatt" in said
    for noise in ("RuleException", "CalledProcessError", ".snakemake/scripts", "Traceback"):
        assert noise not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("undeploy",),
        ("undeploy", "--config", "testbed=k8s-gke-gpu"),
        ("--config", "testbed=k8s-gke-gpu", "--", "undeploy"),
    ],
    ids=" ".join,
)
def test_undeploying_needs_no_image_and_leaves_nothing(project, cluster, monkeypatch, arguments):
    monkeypatch.delenv("TRIALWATT_IMAGE")
    labels = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/part": "shared"}
    space = "/api/v1/namespaces/trialwatt-shared"
    cluster.objects[space] = {"metadata": {"name": "trialwatt-shared", "labels": labels}}
    note = project / "results" / "shared" / "k8s-local" / "digits.json"
    note.parent.mkdir(parents=True)
    note.write_text("{}")
    code, said = snakemake(project, *arguments)
    assert code == 0, said
    assert "removed the namespace trialwatt-shared" in said
    assert not cluster.names("namespaces")
    assert note.exists()  # without it, what was measured would count as out of date


def test_undeploying_leaves_what_another_coordinator_uses(project, cluster):
    who = owners.own_facts() | {"host": "elsewhere"}
    now_s = time.time()
    theirs = Claim(owners.owner_label(who), "data-theirs", who, now_s, now_s)
    labels = {"app.kubernetes.io/managed-by": "trialwatt", "trialwatt/part": "shared"}
    metadata = {"name": "trialwatt-shared", "labels": labels}
    metadata["annotations"] = {theirs.key: theirs.text}
    space = "/api/v1/namespaces/trialwatt-shared"
    cluster.objects[space] = {"metadata": metadata}
    code, said = snakemake(project, "undeploy")
    assert code == 0, said
    assert f"keeps what living coordinators use: {theirs.owner} (on elsewhere, since" in said
    assert cluster.objects[space]["metadata"]["annotations"] == {theirs.key: theirs.text}


@pytest.mark.slow
def test_a_coordinator_is_its_workflow_whatever_its_scripts(project, cluster):
    def on_pod(made: dict) -> None:
        is_probe = made["metadata"]["labels"]["trialwatt/component"] == "probe"
        (fakecluster.ended if is_probe else fakecluster.running)(made)

    cluster.on_pod = on_pod
    cluster.logs["probe"] = json.dumps(image_facts() | {"suts_lacking": {}})
    process = start(project, "results/shared/k8s-local/digits.safetensors.json", profile="k8s")
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, said
    [claim] = claims_of(cluster.objects["/api/v1/namespaces/trialwatt-shared"])
    assert claim.who["pid"] == process.pid
    assert not claim.lives(time.time())
    code, said = snakemake(project, "undeploy")
    assert code == 0, said
    assert "removed the namespace trialwatt-shared" in said


def test_in_no_documented_command_a_target_follows_config():
    """Snakemake would take it for a setting, and end in a ValueError."""
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("*/profile.yaml")]
    texts += [*(ROOT / "config").glob("*.yaml"), *(ROOT / "config/testbeds").glob("*.yaml")]
    commands = [
        each
        for file in texts
        for each in re.findall(r"snakemake [^`\n]*--config ([^`\n#]*)", file.read_text())
    ]
    assert len(commands) > 4
    for settings in commands:
        words = shlex.split(settings.partition(" -- ")[0])
        until = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
        assert all("=" in word for word in words[:until]), settings


def test_the_image_is_built_without_a_cluster(project, tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("TRIALWATT_BUILD", "--platform=linux/arm64")
    tools = tmp_path / "tools"
    tools.mkdir()
    docker = tools / "docker"
    docker.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/called\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    code, said = snakemake(project, "image")
    assert code == 0, said
    called = (tmp_path / "called").read_text()
    assert called.startswith("build --file envs/Containerfile --tag trialwatt-worker:")
    assert "--platform=linux/arm64" in called
    assert "kind load docker-image" in said
