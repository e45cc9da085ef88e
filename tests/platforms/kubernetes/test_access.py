"""What the API server answers, and when it does not: the sentence that a person reads."""

import json
import time

import pytest
from tests.platforms.kubernetes.cluster import FakeCluster

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import access
from trialwatt.platforms.kubernetes.access import ApiFault, connect

PODS = "/api/v1/namespaces/one/pods"
POD = {"kind": "Pod", "metadata": {"name": "a"}}


@pytest.fixture
def cluster(tmp_path):
    made = FakeCluster(tmp_path)
    made.runs_pods = False
    yield made
    made.close()


@pytest.fixture
def api(cluster):
    made = cluster.api()
    yield made
    made.close()


def test_an_object_is_made_changed_and_deleted(api):
    made = api.post(PODS, dict(POD))
    assert made["metadata"]["resourceVersion"]
    api.patch(f"{PODS}/a", {"metadata": {"annotations": {"x": "y"}}})
    assert api.get(f"{PODS}/a")["metadata"]["annotations"] == {"x": "y"}
    api.delete(f"{PODS}/a", gracePeriodSeconds=0)
    api.delete(f"{PODS}/a")  # one that is not there is none
    with pytest.raises(ApiFault) as caught:
        api.get(f"{PODS}/a")
    assert (caught.value.status, caught.value.reason) == (404, "NotFound")


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_an_answer_that_passes_is_asked_for_again(api, cluster, status):
    cluster.fail("GET .*version", status, "not now", times=2)
    assert api.get("/version")["gitVersion"]


def test_a_name_that_is_taken_is_a_fault_unless_we_took_it(api, cluster):
    api.post(PODS, dict(POD))
    with pytest.raises(ApiFault, match="409 AlreadyExists"):
        api.post(PODS, dict(POD))
    cluster.fail("POST .*pods", 0)  # done, and the answer lost
    api.post(PODS, {"kind": "Pod", "metadata": {"name": "b"}})
    assert len([asked for asked in cluster.asked if asked.startswith("POST")]) == 4


def test_a_refusal_is_told_at_once_with_its_sentence(api, cluster):
    text = 'User "me" cannot create resource "pods" in the namespace "one"'
    cluster.fail("POST .*pods", 403, {"reason": "Forbidden", "message": text})
    begin = time.monotonic()
    with pytest.raises(ApiFault, match=r"POST .*pods: the API server says 403 Forbidden: .*me"):
        api.post(PODS, dict(POD))
    assert time.monotonic() - begin < 2


def test_what_was_allowed_is_asked_for_again_from_when_the_server_is_there(monkeypatch):
    monkeypatch.setattr(access, "REFUSED_S", 0.2)
    gone = ApiFault(0, "", "connection refused", "GET /")
    refused = ApiFault(403, "Forbidden", 'User "me" cannot get resource "x"', "GET /", True)
    quota = ApiFault(403, "Forbidden", "exceeded quota: mine, requested: cpu=2", "POST /", True)
    patience = access.Patience(60)
    assert not patience.is_over(gone)
    time.sleep(0.3)
    assert not patience.is_over(refused)
    assert patience.is_over(refused, pause_s=0.3)
    time.sleep(0.3)
    assert patience.is_over(refused)
    assert not patience.is_over(gone)
    assert patience.is_over(quota)


def test_an_answer_that_is_no_json_is_told_as_it_is(api, cluster):
    cluster.fail("GET .*version", 418, "I'm a teapot")
    with pytest.raises(ApiFault, match="418 I'm a Teapot: I'm a teapot"):
        api.get("/version")


def test_where_nobody_answers_it_ends_in_time(api, cluster):
    cluster.hang_up()
    begin = time.monotonic()
    with pytest.raises(ApiFault, match="does not answer") as caught:
        api.call("GET", "/version", outage_s=1)
    assert caught.value.status == 0
    assert 0.5 < time.monotonic() - begin < 5


def config(tmp_path, monkeypatch, **keys):
    path = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    } | keys
    path.write_text(json.dumps(content))
    monkeypatch.setenv("KUBECONFIG", str(path))


def test_an_unknown_context_is_named_with_those_that_there_are(tmp_path, monkeypatch):
    config(tmp_path, monkeypatch)
    with pytest.raises(TrialwattError, match=r'"two" \(there are: one\)'):
        connect("two")


def test_without_a_kubeconfig_it_says_what_to_set(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(TrialwattError, match="set KUBECONFIG"):
        connect()


def test_a_login_goes_with_each_request_and_into_no_message(tmp_path, monkeypatch, cluster):
    server = {"server": f"http://127.0.0.1:{cluster.port}"}
    config(
        tmp_path,
        monkeypatch,
        clusters=[{"name": "c", "cluster": server}],
        users=[{"name": "u", "user": {"token": "a-secret-token"}}],
    )
    api = connect()
    cluster.fail("GET .*version", 401, {"reason": "Unauthorized"}, times=2)
    with pytest.raises(ApiFault, match="401") as caught:
        api.get("/version")
    assert "a-secret-token" not in str(caught.value)
    assert cluster.logins[-1] == "Bearer a-secret-token"
    api.close()
