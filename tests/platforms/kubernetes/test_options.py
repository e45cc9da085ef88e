"""The testbed's section `kubernetes`: what is wrong is said with its key; what it changes."""

from __future__ import annotations

import json

import pytest

from trialwatt.config.identity import hash_of, run_hash, run_of, run_text
from trialwatt.config.models import TESTBED_KEYS_OF_WAITING, RunConfig
from trialwatt.errors import ConfigError
from trialwatt.platforms.kubernetes.options import IMAGE, Kubernetes

BENCH = "testbeds/bench.yaml"


def said(project) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"kubernetes": {"namespace_prefix": "Trial_watt"}},
            "kubernetes.namespace_prefix: must be a DNS label (lower-case letters, digits and "
            "dashes, none of these at either end) of at most 30 characters (got 'Trial_watt')",
        ),
        (
            {"kubernetes": {"namespace_prefix": "a" * 31}},
            "kubernetes.namespace_prefix: must be a DNS label (lower-case letters, digits and "
            f"dashes, none of these at either end) of at most 30 characters (got '{'a' * 31}')",
        ),
        (
            {"kubernetes": {"namespace_prefix": "a-"}},
            "kubernetes.namespace_prefix: must be a DNS label (lower-case letters, digits and "
            "dashes, none of these at either end) of at most 30 characters (got 'a-')",
        ),
        (
            {"kubernetes": {"contxt": "a"}},
            'kubernetes.contxt: unknown key; did you mean "context"?',
        ),
        (
            {"kubernetes": {"node_selector": {"pool": True}}},
            "kubernetes.node_selector.pool: must be text (got true)",
        ),
        (
            {"kubernetes": {"node_selector": {"pool": "a b"}}},
            "kubernetes.node_selector.pool: must be as a value of Kubernetes' labels (got 'a b')",
        ),
        (
            {"kubernetes": {"tolerations": [{"effect": "NoSchedule"}]}},
            "kubernetes.tolerations[0]: without `key` the operator must be Exists",
        ),
        (
            {"kubernetes": {"accelerators": {"gpu": {"count": 1}}}},
            "kubernetes.accelerators.gpu.resource: is missing",
        ),
        (
            {"kubernetes": {"hub": {"cpu": 0.0005}}},
            "kubernetes.hub.cpu: must be at least 0.001 (got 0.0005)",
        ),
        (
            {"kubernetes": {"image_pull_policy": "Sometimes"}},
            "kubernetes.image_pull_policy: must be 'IfNotPresent', 'Always' or 'Never' "
            '(got "Sometimes")',
        ),
        (
            {"kubernetes": {"image_pull_secret_env": '{"auths": 1}'}},
            "kubernetes.image_pull_secret_env: must be the name of an environment variable that "
            "holds it",
        ),
        ({"kubernetes": {}}, 'kubernetes: only the platform kubernetes reads it, not "bench"'),
    ],
)
def test_one_fault_is_one_exact_sentence(project, keys, sentence):
    for key, value in keys.items():
        project.edit(BENCH, key, to=value)
    assert said(project) == [f"config/{BENCH}: {sentence}"]


def test_what_makes_no_sense_on_a_cluster_is_said_at_once(project):
    project.edit(BENCH, "platform", to="kubernetes")
    project.edit(BENCH, "meters", to=["rapl", "nvml", "model"])
    project.edit(BENCH, "enforcement", to="soft")
    project.edit(BENCH, "allow_oversubscription", to=True)
    project.edit(BENCH, "service", to={"cpu": 0.0001})
    there = "would read the machine of the coordinator; a cluster has: prometheus, model"
    expected = [
        "kubernetes: is missing; `kubernetes: {}` takes the current context",
        f'meters[0]: "rapl" {there}',
        f'meters[1]: "nvml" {there}',
        "enforcement: a cluster's nodes enforce the limits in their own way: leave it out",
        "allow_oversubscription: a cluster gives no pod what its nodes do not have: leave it out",
        "service.cpu: must be at least a millicore (got 0.0001)",
    ]
    found = said(project)
    assert [one for one in expected if f"config/{BENCH}: {one}" not in found] == []


# --- identity -------------------------------------------------------------------------------------


def cluster(run_config, **kubernetes) -> RunConfig:
    keys = {"platform": "kubernetes", "kubernetes": {"image": "x:1"} | kubernetes}
    return run_config(testbed=keys)


def test_how_a_cluster_is_reached_is_no_part_of_a_run(run_config):
    one = cluster(run_config)
    for keys in (
        {"context": "other"},
        {"image": "x:2", "image_pull_policy": "Always", "image_pull_secret_env": "A"},
        {"namespace_prefix": "other", "schedule_s": 9, "start_s": 9, "undeploy_s": 9},
    ):
        assert run_hash(cluster(run_config, **keys)) == run_hash(one)
    for keys in ({"node_selector": {"a": "b"}}, {"hub": {"cpu": 1}}, {"ephemeral_mb": 64}):
        assert run_hash(cluster(run_config, **keys)) != run_hash(one)


def test_a_review_finds_the_same_hash_in_a_record(run_config):
    for run in (run_config(), cluster(run_config, context="a", node_selector={"a": "b"})):
        assert hash_of(run.model_dump(mode="json")) == run_hash(run)


def test_a_rule_gets_the_access_from_the_testbeds_record(run_config, tmp_path):
    run = cluster(run_config, context="a", node_selector={"a": "b"})
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"testbed": run.testbed.model_dump(mode="json")}))
    assert run_text(run) == run_text(cluster(run_config, context="b", node_selector={"a": "b"}))
    assert "x:1" not in run_text(run)
    assert run_of(run_text(run), record) == run
    local = run_config()
    waits = {"testbed": TESTBED_KEYS_OF_WAITING}
    # another text would redo every run
    assert run_text(local) == local.model_dump_json(exclude=waits)
    record.write_text(json.dumps({"testbed": local.testbed.model_dump(mode="json")}))
    assert run_of(run_text(local), record) == local


# --- what comes from the environment --------------------------------------------------------------


def test_the_image_may_come_from_the_environment(project, monkeypatch):
    monkeypatch.setenv(IMAGE, "from/environment:1")
    assert project.plan().testbed.sections == {}
    project.edit(BENCH, "platform", to="kubernetes")
    for image, expected in ((None, "from/environment:1"), ("own:1", "own:1")):
        project.edit(BENCH, "kubernetes", to={"image": image})
        assert project.plan(ask_platform=False).testbed.options(Kubernetes).image == expected


# --- what the platform is asked -------------------------------------------------------------------


def test_the_platform_hears_which_accelerators_the_roles_hold(project, monkeypatch):
    from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

    asked = []

    def problems(testbed, roles):
        asked.extend((role.component, role.accelerator) for role in roles)
        return []

    monkeypatch.setattr(KubernetesPlatform, "problems", problems)
    monkeypatch.setattr(KubernetesPlatform, "accelerator_problem", lambda testbed, kind: "")
    project.edit(BENCH, "platform", to="kubernetes")
    project.edit(BENCH, "kubernetes", to={"image": "x:1"})
    project.edit("workloads/small.yaml", "workers", to={"count": 2, "accelerator": "gpu"})
    project.plan()
    assert {("worker-0", "gpu"), ("worker-1", "gpu")} <= set(asked)


def test_what_a_sut_needs_is_not_looked_for_on_this_machine_but_in_the_image(project, monkeypatch):
    from trialwatt.platforms.kubernetes.platform import KubernetesPlatform

    monkeypatch.setattr(KubernetesPlatform, "problems", lambda testbed, roles: [])
    project.edit("experiments/baseline.yaml", "suts", to=["alpha", "absent"])
    assert any("java is not installed" in one for one in said(project))
    project.edit(BENCH, "platform", to="kubernetes")
    project.edit(BENCH, "kubernetes", to={"image": "x:1"})
    plan = project.plan()
    runs = plan.experiments["baseline"].runs
    assert {plan.run(run.folder).sut for run in runs} == {"alpha", "absent"}
