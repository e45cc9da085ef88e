"""What is wrong with a kubeconfig is said before a cluster is asked."""

import base64
import datetime
import shutil
import subprocess

import pytest
import yaml

from trialwatt.platforms.kubernetes.kubeconfig import problems, validity

ONE = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Write a kubeconfig and name it in KUBECONFIG."""

    def write(content, name: str = "config"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


def test_a_good_one_has_no_problems(config):
    config(ONE)
    assert problems(None) == []
    assert problems("a") == []


def test_none_is_said_with_the_place_that_was_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    (said,) = problems(None)
    assert "there is no kubeconfig (KUBECONFIG names" in said
    assert "nowhere" in said
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    (said,) = problems(None)
    assert "(looked for ~/.kube/config)" in said


def test_an_unknown_context_is_said_with_those_that_there_are(config):
    config(ONE)
    assert problems("b") == ['the kubeconfig has no context "b" (there are: a)']
    config(ONE | {"current-context": "gone"})
    assert problems(None) == [
        'the kubeconfig has no context "gone" (its current context, there are: a)'
    ]
    config(ONE | {"current-context": ""})
    assert "has no current context" in problems(None)[0]


def test_a_context_whose_parts_are_missing(config):
    config(ONE | {"users": []})
    assert problems("a") == ['the kubeconfig has no user "u", which its context "a" names']


@pytest.mark.parametrize("content", ["", "- a", "a: [", "contexts: [{}]"])
def test_a_file_that_is_none_is_said(config, content):
    config(content)
    (said,) = problems(None)
    assert "the kubeconfig (" in said


def test_several_files_are_merged_and_the_first_counts(config, tmp_path, monkeypatch):
    first = config({"contexts": [], "current-context": "a"}, "first")
    second = config(ONE | {"current-context": "other"}, "second")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path}/none:{second}")
    assert problems(None) == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> bytes:
    """A real client certificate that holds for ten days from now."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 10"
    command += f" -subj /O=group/CN=me -keyout {folder}/key.pem -out {folder}/cert.pem"
    subprocess.run(command.split(), check=True, capture_output=True)
    return (folder / "cert.pem").read_bytes()


def test_the_validity_of_a_certificate_is_read(certificate):
    first, last = validity(certificate)
    now = datetime.datetime.now(datetime.UTC)
    assert abs((now - first).total_seconds()) < 600
    assert last - first == datetime.timedelta(days=10)


def test_an_expired_certificate_is_named(config, certificate, tmp_path):
    data = base64.b64encode(certificate).decode()
    config(ONE | {"users": [{"name": "u", "user": {"client-certificate-data": data}}]})
    now = datetime.datetime.now(datetime.UTC)
    assert problems(None, now) == []
    (said,) = problems(None, now + datetime.timedelta(days=11))
    assert said.startswith('the client certificate of context "a" expired on ')
    (said,) = problems(None, now - datetime.timedelta(days=1))
    assert "holds from" in said
    (tmp_path / "me.crt").write_bytes(certificate)
    config(ONE | {"users": [{"name": "u", "user": {"client-certificate": "me.crt"}}]})
    assert len(problems(None, now + datetime.timedelta(days=11))) == 1


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate_is_refused(config, pem):
    data = base64.b64encode(pem).decode() or "IA=="
    config(ONE | {"users": [{"name": "u", "user": {"client-certificate-data": data}}]})
    (said,) = problems(None)
    assert 'the client certificate of context "a" is none' in said
