"""The rights that are asked for are those that k8s/rights.yaml grants, and no others."""

from __future__ import annotations

from pathlib import Path

import yaml
from tests.platforms.kubernetes.fakecluster import FakeCluster

from trialwatt.platforms.kubernetes import access, rights

FILE = Path(__file__).resolve().parents[3] / "k8s" / "rights.yaml"


def granted() -> set[tuple[str, str, str, str]]:
    """(verb, group, resource or resource/subresource, name) of each."""
    documents = {one["kind"]: one for one in yaml.safe_load_all(FILE.read_text())}
    return {
        (verb, group, resource, name)
        for rule in documents["ClusterRole"]["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def test_the_file_grants_what_is_needed_and_no_more():
    needed = {
        (r.verb, r.group, f"{r.resource}/{r.subresource}".rstrip("/"), r.name)
        for r in rights.NEEDED
    }
    assert granted() == needed


def test_nothing_is_granted_for_everything():
    assert not [right for right in granted() if "*" in right]
    assert ("get", "", "secrets", "") not in granted()


def test_each_missing_right_is_named(tmp_path, monkeypatch):
    with FakeCluster() as fake:
        monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig(tmp_path / "config")))
        api = access.connect()
        assert rights.missing(api) == []
        fake.denied = {("create", "networkpolicies"), ("get", "pods/log"), ("get", "secrets")}
        said = rights.sentence(rights.missing(api))
        api.close()
    assert "create networkpolicies.networking.k8s.io" in said
    assert "get pods/log" in said
    assert "get secrets (trialwatt-shared)" in said
