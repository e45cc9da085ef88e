"""What a run creates: as it was agreed (golden files), valid, restricted, and not more."""

import json
from pathlib import Path

import pytest

from trialwatt.platforms.base import Role
from trialwatt.platforms.kubernetes import manifests
from trialwatt.platforms.kubernetes.options import Kubernetes

GOLDEN = Path(__file__).parent / "golden"

SECTION = Kubernetes.model_validate(
    {
        "image": "registry.example/trialwatt-worker:1",
        "node_selector": {"pool": "cpu"},
        "tolerations": [{"key": "measuring", "operator": "Exists"}],
        "accelerators": {
            "gpu": {
                "resource": "nvidia.com/gpu",
                "node_selector": {"accelerator": "l4"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            },
            "tpu": {
                "resource": "google.com/tpu",
                "count": 4,
                "node_selector": {"cloud.google.com/gke-tpu-topology": "2x2"},
            },
        },
        "image_pull_secret_env": "REGISTRY",
    }
)
OWNER = "0123456789abcdef"
PLACE = manifests.Place("abc-r1-000000", OWNER, "trialwatt-abc-r1-000000", SECTION, 5.0, 3600)
WORKER = Role(
    name="worker",
    kind="worker",
    command=("@python@", "-m", "trialwatt.lifecycle.worker", "$(HOME)"),
    cpu=0.5,
    memory_mb=512,
    index=3,
    environment={"TRIALWATT_INDEX": "3", "SERVER": "10.1.2.3:7077", "COST": "$(HOME)"},
    secrets={"PASSWORD": "hush"},
)


def of(accelerator: str) -> Role:
    keys = {key: getattr(WORKER, key) for key in ("name", "kind", "command", "cpu", "memory_mb")}
    return Role(**keys, accelerator=accelerator)


def pod(role: Role, **keys) -> dict:
    life = f"{role.component}-1"
    variables = {"TRIALWATT_DATA": "{}"}
    return manifests.component_pod(PLACE, role, life, "http://10.1.2.3:8080", variables, **keys)


OBJECTS = {
    "namespace": manifests.namespace(PLACE, '{"pid": 1}', "1700000000"),
    "quota": manifests.quota(PLACE, [WORKER, of("gpu"), of("tpu")]),
    "policy": manifests.policies(PLACE)[0],
    "policy-hub": manifests.policies(PLACE)[1],
    "secret": manifests.secret(PLACE.labels, "worker-3-1", {"PASSWORD": "hush"}),
    "pull-secret": manifests.pull_secret(PLACE.labels, "{}"),
    "hub": manifests.hub_pod(PLACE),
    "worker": pod(WORKER, secrets=("dataset",), node="node-a"),
    "worker-gpu": pod(of("gpu")),
    "worker-tpu": pod(of("tpu")),
}
PODS = [name for name, each in OBJECTS.items() if each["kind"] == "Pod"]


@pytest.mark.parametrize("name", OBJECTS)
def test_it_is_as_it_was_agreed(name):
    """After a change that is meant: delete the folder golden, run this twice, read the diff."""
    path = GOLDEN / f"{name}.json"
    text = json.dumps(OBJECTS[name], indent=1, sort_keys=True) + "\n"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        pytest.fail(f"{path.name} was missing and is there now")
    assert json.loads(path.read_text()) == OBJECTS[name]


@pytest.mark.parametrize("name", OBJECTS)
def test_the_official_models_know_every_field_of_it(name):
    from kubernetes import client

    made = OBJECTS[name]
    api = client.ApiClient(client.Configuration())
    model = api.deserialize(json.dumps(made), f"V1{made['kind']}", "application/json")
    back = json.loads(json.dumps(api.sanitize_for_serialization(model)))
    assert without_empty(back) == without_empty(made)


@pytest.mark.parametrize("version", ["1.29.0", "1.32.0", "1.37.0"])
@pytest.mark.parametrize("name", OBJECTS)
def test_the_schema_of_kubernetes_takes_it(name, version):
    """Strictly: with no field that the OpenAPI schema of that version does not have."""
    validator = pytest.importorskip("kubernetes_validate")
    validator.validate(OBJECTS[name], version, strict=True)


def test_the_schema_refuses_what_is_none_of_it():
    validator = pytest.importorskip("kubernetes_validate")
    wrong = json.loads(json.dumps(OBJECTS["worker"]))
    wrong["spec"]["restartPolice"] = "Never"
    with pytest.raises(validator.ValidationError):
        validator.validate(wrong, "1.32.0", strict=True)


def without_empty(value):
    if isinstance(value, dict):
        kept = {key: without_empty(each) for key, each in value.items()}
        # An empty selector says "all", which is not the same as none.
        return {
            k: v for k, v in kept.items() if v not in (None, []) and (v != {} or k == "podSelector")
        }
    if isinstance(value, list):
        return [without_empty(each) for each in value]
    return value


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_restricted_and_has_no_rights(name):
    spec = OBJECTS[name]["spec"]
    [container] = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["activeDeadlineSeconds"] == 3600
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"] == container["resources"]["limits"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
    assert {"emptyDir"} == {kind for v in spec["volumes"] for kind in v.keys() - {"name"}}


def test_accelerators_come_by_resource_and_selector():
    gpu, tpu, cpu = (OBJECTS[name]["spec"] for name in ("worker-gpu", "worker-tpu", "worker"))
    assert gpu["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert tpu["containers"][0]["resources"]["limits"]["google.com/tpu"] == "4"
    assert gpu["nodeSelector"] == {"pool": "cpu", "accelerator": "l4"}
    assert not cpu["containers"][0]["resources"]["limits"].keys() & {"nvidia.com/gpu"}
    driver = Role("driver", "service", ("true",), 1, 512, accelerator="gpu")
    assert "nvidia.com/gpu" not in manifests.role_limits(SECTION, driver)


def test_the_quota_is_the_sum_of_the_pods():
    hard = OBJECTS["quota"]["spec"]["hard"]
    assert hard["limits.cpu"] == f"{3 * 500 + 250}m"
    assert hard["requests.memory"] == f"{3 * 512 + 256}Mi"
    assert hard["pods"] == "4"
    assert hard["requests.nvidia.com/gpu"] == "1"
    assert hard["requests.google.com/tpu"] == "4"


def test_secrets_stand_in_secrets_alone():
    for name, made in OBJECTS.items():
        assert ("hush" in json.dumps(made)) == (name == "secret")


def test_what_looks_like_a_variable_of_kubernetes_is_none():
    [container] = OBJECTS["worker"]["spec"]["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["COST"] == "$$(HOME)"
    assert container["args"][-1] == "$$(HOME)"


def test_threads_follow_the_cores():
    role = Role("worker", "worker", ("true",), 2.7, 512)
    env = {each["name"]: each.get("value") for each in pod(role)["spec"]["containers"][0]["env"]}
    assert env["OMP_NUM_THREADS"] == "2"
    [container] = OBJECTS["worker"]["spec"]["containers"]
    assert {"name": "OMP_NUM_THREADS", "value": "1"} in container["env"]
