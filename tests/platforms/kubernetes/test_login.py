"""Credentials that change while they are used: what is read again, when, and what is said."""

import base64
import contextlib
import json
import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.platforms.kubernetes.cluster import FakeCluster
from tests.platforms.processes import wait_until

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import login
from trialwatt.platforms.kubernetes.access import ApiFault, connect
from trialwatt.platforms.kubernetes.login import load
from trialwatt.platforms.kubernetes.watch import Watch

PODS = "/api/v1/namespaces/one/pods"


@pytest.fixture
def cluster(tmp_path):
    made = FakeCluster(tmp_path / "pods")
    made.runs_pods = False
    yield made
    made.close()


@pytest.fixture
def config(tmp_path, monkeypatch, cluster):
    """Write a kubeconfig with this user, and name it in KUBECONFIG."""

    def write(user: dict, server: str = f"http://127.0.0.1:{cluster.port}", **more) -> None:
        content = {
            "current-context": "one",
            "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server} | more}],
            "users": [{"name": "u", "user": user}],
        }
        (tmp_path / "kubeconfig").write_text(yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    return write


def jwt(ends_in_s: float) -> str:
    claims = json.dumps({"exp": time.time() + ends_in_s}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


# --- a token in a file ------------------------------------------------------------------------


def test_a_token_that_was_replaced_in_its_file_is_read_again(config, cluster, tmp_path):
    (tmp_path / "token").write_text("old\n")
    config({"tokenFile": "token"})  # relative to the kubeconfig
    cluster.token = "old"
    api = connect()
    assert api.get("/version")
    (tmp_path / "token").write_text("new\n")
    cluster.token = "new"
    assert api.get("/version")
    assert cluster.logins[-2:] == ["Bearer old", "Bearer new"]
    api.close()


def test_it_is_read_again_before_it_runs_out(config, cluster, tmp_path):
    old, new = jwt(login.AGAIN_S / 2), jwt(3600)
    (tmp_path / "token").write_text(old)
    config({"tokenFile": "token"})
    cluster.token = new
    api = connect()
    (tmp_path / "token").write_text(new)
    assert api.get("/version")
    assert cluster.logins == [f"Bearer {new}"]  # the old one was never sent
    api.close()


def test_it_is_read_again_once_a_minute_at_most(config, cluster, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("old")
    config({"tokenFile": "token"})
    cluster.token = "new"
    api, loads = connect(), []
    monkeypatch.setattr(api._login, "_load", lambda: loads.append(1) or load("one"))
    for _ in range(5):
        with pytest.raises(ApiFault, match="401"):
            api.call("GET", "/version", outage_s=0)
    assert len(loads) == 1
    (tmp_path / "token").write_text("new")
    monkeypatch.setattr(api._login, "_again_at", 0)  # a minute later
    assert api.get("/version")
    api.close()


def test_what_was_good_before_is_asked_for_until_there_is_a_new_token(
    config, cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(login, "AGAIN_S", 0.5)
    (tmp_path / "token").write_text("old")
    config({"tokenFile": "token"})
    cluster.token = "old"
    api = connect()
    api.get("/version")
    cluster.token = "new"
    answers = []
    thread = threading.Thread(target=lambda: answers.append(api.get("/version")))
    thread.start()
    assert wait_until(lambda: cluster.logins.count("Bearer old") > 3)
    (tmp_path / "token").write_text("new")
    thread.join(60)
    assert answers[0]["gitVersion"]
    api.close()


def test_a_watch_goes_on_with_the_new_token(config, cluster, tmp_path):
    (tmp_path / "token").write_text("old")
    config({"tokenFile": "token"})
    cluster.token = "old"
    api, seen, lost = connect(), [], []
    watch = Watch(api, PODS, lambda pod: seen.append(pod["metadata"]["name"]), print, lost.append)
    watch.start()
    cluster.store(f"{PODS}/a", {"kind": "Pod", "metadata": {"name": "a"}}, "ADDED")
    assert wait_until(lambda: seen == ["a"])
    (tmp_path / "token").write_text("new")
    cluster.token = "new"
    cluster.cut_watches()
    cluster.store(f"{PODS}/b", {"kind": "Pod", "metadata": {"name": "b"}}, "ADDED")
    assert wait_until(lambda: seen == ["a", "b"])
    assert not lost
    watch.stop()
    api.close()


def test_one_that_nobody_replaces_is_named_with_what_to_do(config, cluster, tmp_path):
    (tmp_path / "token").write_text(jwt(-3600))
    config({"tokenFile": "token"})
    cluster.token = "new"
    api = connect()
    with pytest.raises(ApiFault) as caught:
        api.get("/version")
    said = str(caught.value)
    assert f"the token in {tmp_path}/token ran out at 20" in said
    assert "has to write a new one" in said
    assert (tmp_path / "token").read_text() not in said
    api.close()


def test_another_current_context_is_not_followed(config, cluster, tmp_path):
    config({"token": "old"})
    cluster.token = "old"
    api = connect()
    assert api.get("/version")
    config({"token": "new"}, server="http://127.0.0.1:1")
    cluster.token = "new"
    with pytest.raises(ApiFault, match=r"names another server by now, http://127.0.0.1:1"):
        api.call("GET", "/version", outage_s=0)
    api.close()


# --- a program that gives them ----------------------------------------------------------------

PLUGIN = """#!/bin/sh
echo run >> "$COUNT"
printf %s "$KUBERNETES_EXEC_INFO" > "$COUNT.asked"
cat "$ANSWER" || { echo "please log in first" >&2; exit 3; }
"""


@pytest.fixture
def plugin(config, tmp_path):
    """A program that prints what stands in `answer`; returns a function that writes it."""
    path = tmp_path / "plugin"
    path.write_text(PLUGIN)
    path.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    named = [("COUNT", tmp_path / "count"), ("ANSWER", tmp_path / "answer")]
    environment = [{"name": name, "value": str(value)} for name, value in named]
    told = {"apiVersion": version, "command": "./plugin", "env": environment}
    config({"exec": told | {"provideClusterInfo": True, "interactiveMode": "Never"}})

    def answer(**status) -> None:
        made = {"apiVersion": version, "kind": "ExecCredential", "status": status}
        (tmp_path / "answer").write_text(json.dumps(made))

    return answer


def runs(tmp_path) -> int:
    return (tmp_path / "count").read_text().count("run")


def test_a_program_gives_the_token_and_is_run_again_where_that_is_refused(
    plugin, cluster, tmp_path
):
    plugin(token="old", expirationTimestamp="2999-01-01T00:00:00Z")
    cluster.token = "old"
    api = connect()
    for _ in range(3):
        assert api.get("/version")
    assert runs(tmp_path) == 1
    asked = json.loads((tmp_path / "count.asked").read_text())
    assert asked["kind"] == "ExecCredential"
    assert asked["spec"]["cluster"]["server"] == f"http://127.0.0.1:{cluster.port}"
    plugin(token="new")
    cluster.token = "new"
    assert api.get("/version")
    assert runs(tmp_path) == 2
    api.close()


def test_it_is_run_again_before_its_token_runs_out(plugin, cluster, tmp_path):
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + login.AGAIN_S / 2))
    plugin(token="old", expirationTimestamp=soon)
    cluster.token = "new"
    api = connect()
    plugin(token="new")
    assert api.get("/version")
    assert cluster.logins == ["Bearer new"]
    assert runs(tmp_path) == 2
    api.close()


def test_a_program_that_fails_is_named_with_its_words(plugin, cluster, tmp_path):
    with pytest.raises(TrialwattError, match=r"(?s)plugin ended with 3: .*please log in first"):
        connect()
    plugin(token="old")
    cluster.token = "old"
    api = connect()
    api.get("/version")
    (tmp_path / "answer").unlink()
    cluster.token = "new"
    with pytest.raises(ApiFault) as caught:
        api.call("GET", "/version", outage_s=0)
    said = str(caught.value)
    assert "could not be renewed" in said and "please log in first" in said
    assert "log in again as it wants it" in said
    api.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "prints no ExecCredential"),
        ("[]", "prints no ExecCredential"),
        ('{"status": null}', "prints no ExecCredential"),
        ('{"status": {}}', "gives neither a token nor a certificate"),
        ('{"status": {"token": "x", "expirationTimestamp": "soon"}}', "cannot be used"),
        ('{"status": {"clientCertificateData": "no"}}', "no PEM certificate"),
    ],
)
def test_what_is_no_answer_of_a_program_is_said(plugin, tmp_path, text, said):
    (tmp_path / "answer").write_text(text)
    with pytest.raises(TrialwattError, match=said):
        connect()


def test_a_program_that_does_not_come_to_an_end_is_given_up(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(login, "PLUGIN_S", 0.5)
    (tmp_path / "plugin").write_text("#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(TrialwattError, match=r"plugin took longer than 0.5 s"):
        connect()


def test_a_program_that_is_not_there_is_said_with_its_hint(config):
    version = "client.authentication.k8s.io/v1"
    told = {"apiVersion": version, "command": "no-such-program", "installHint": "get it from X"}
    config({"exec": told})
    with pytest.raises(TrialwattError, match=r"there is no no-such-program; get it from X"):
        connect()


# --- a client certificate ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A function that makes a certificate of a name, with its key; the server's is "server"."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificates")

    def make(name: str) -> tuple[str, str]:
        key, pem = str(folder / f"{name}.key"), str(folder / f"{name}.crt")
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days"
        command += f" 10 -subj /CN={name} -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out"
        subprocess.run([*command.split(), pem], check=True, capture_output=True)
        return pem, key

    return make


@contextlib.contextmanager
def served(pem: str, key: str, trusted: list[str], accepted: list[str]):
    """A server that answers 401 to certificates but those whose CN is accepted; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            subject = dict(part for (part,) in (self.connection.getpeercert() or {})["subject"])
            good = subject["commonName"] in accepted
            body = b'{"gitVersion": "v1"}' if good else b'{"reason": "Unauthorized"}'
            self.send_response(200 if good else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_): ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key)
    context.verify_mode = ssl.CERT_REQUIRED
    for file in trusted:
        context.load_verify_locations(file)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_certificate_that_was_replaced_is_shown_from_then_on(config, certificates, tmp_path):
    own, old, new = (certificates(name) for name in ("server", "old", "new"))
    accepted = ["old"]
    with served(*own, [old[0], new[0]], accepted) as url:
        me = (tmp_path / "me.crt", tmp_path / "me.key")
        for source, target in zip(old, me, strict=True):
            shutil.copyfile(source, target)
        user = {"client-certificate": "me.crt", "client-key": "me.key"}
        config(user, url, **{"certificate-authority": own[0]})
        api = connect()
        assert api.get("/version")["gitVersion"] == "v1"
        accepted[:] = ["new"]
        for source, target in zip(new, me, strict=True):
            shutil.copyfile(source, target)
        assert api.get("/version")["gitVersion"] == "v1"
        accepted[:] = []
        with pytest.raises(ApiFault, match=r"the client certificate of the kubeconfig may have"):
            api.call("GET", "/version", outage_s=0)
        api.close()


def test_a_program_may_give_a_certificate(plugin, config, certificates, tmp_path):
    own, mine = certificates("server"), certificates("mine")
    pem, key = (Path(file).read_text() for file in mine)
    plugin(clientCertificateData=pem, clientKeyData=key)
    with served(*own, [mine[0]], ["mine"]) as url:
        content = yaml.safe_load((tmp_path / "kubeconfig").read_text())
        [user] = content["users"]
        config(user["user"], url, **{"certificate-authority": own[0]})
        api = connect()
        assert api.get("/version")["gitVersion"] == "v1"
        until = api._login.current().until
        assert abs(until - time.time() - 10 * 24 * 3600) < 600
        api.close()


# --- when a token ends ------------------------------------------------------------------------


@given(st.text(max_size=100))
def test_no_text_that_is_taken_for_a_token_does_harm(text):
    login._end_of(text)


@given(st.floats(0, 1e11))
def test_a_token_says_when_it_ends(moment):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": moment}).encode()).decode().rstrip("=")
    assert login._end_of(f"a.{claims}.b") == moment
