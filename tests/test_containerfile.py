"""The worker image as it is written down: from the lock, without root, and with all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trialwatt import __version__
from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import image, manifests

ROOT = Path(__file__).resolve().parents[1]


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of envs/Containerfile, with its continued lines joined."""
    text = (ROOT / image.FILE).read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def arguments(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


def test_it_is_made_from_the_locks_and_nothing_else():
    parts = [part.split() for run in arguments("RUN") for part in run.split("&&")]
    installs = [words for words in parts if "install" in words and "pip" in words]
    assert ["envs/install.sh", "python", "--no-compile"] in parts
    assert installs
    for words in installs:
        words = words[words.index("install") + 1 :]
        words.remove("--no-compile")  # what pip compiles holds the time of the build
        itself = words[-1] == "." and {"--no-deps", "--no-build-isolation"} <= set(words)
        builds_only = set(words) == {'"setuptools>=80"', "wheel"}
        assert itself or builds_only, words


def test_every_install_is_from_the_locks_and_checks_hashes():
    script = (ROOT / "envs" / "install.sh").read_text()
    assert script.count("pip install") == 1
    assert "pip install --require-hashes" in script
    for name in ("Makefile", "envs/trialwatt.post-deploy.sh"):
        assert "envs/install.sh" in (ROOT / name).read_text(), name


def test_its_python_and_its_version_are_those_of_the_lock():
    (base,) = [one for one in arguments("ARG") if one.startswith("BASE=")]
    assert re.search(r"python:3\.11\.\d+-slim-", base), "pinned to a version"
    lock = (ROOT / "envs" / "requirements.lock").read_text()
    assert "Python 3.11." in lock.splitlines()[0]
    assert f"VERSION={__version__}" in arguments("ARG")
    assert image.TAG.endswith(f":{__version__}")


def test_it_is_not_roots():
    (user,) = arguments("USER")
    assert user == f"{manifests.USER}:{manifests.USER}"
    assert f"--uid {manifests.USER}" in " ".join(arguments("RUN"))  # initdb wants a name for it


@pytest.mark.parametrize("package", ["openjdk-17-jre-headless", "postgresql"])
def test_what_the_suts_need_beside_python_is_in_it(package):
    assert package in " ".join(arguments("RUN")).split()


def test_the_variables_of_a_read_only_image_are_set():
    assert "PYTHONDONTWRITEBYTECODE=1" in " ".join(arguments("ENV"))


def test_what_it_copies_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    for copy in arguments("COPY"):
        if "--from" in copy:
            continue
        for source in copy.split()[:-1]:
            assert source in allowed
            assert (ROOT / source).exists()


def test_no_registry_of_packages_is_named():
    text = (ROOT / image.FILE).read_text()
    assert not re.search(r"https?://", text)


# --- the rule that builds it ----------------------------------------------------------------------


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH with these programs and no others; each notes what it was told to do.

    code: of what it does; answers: of `version`, by which it is seen whether it works.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(*names: str, code: int = 0, answers: int = 0) -> Path:
        for name in names:
            program = folder / name
            program.write_text(
                "#!/bin/sh\n"
                f'[ "$1" = version ] && {{ echo "no daemon of {name}" >&2; exit {answers}; }}\n'
                f'echo "{name} $*" >> {tmp_path}/called\n'
                f"exit {code}\n"
            )
            program.chmod(0o755)
        return tmp_path / "called"

    return make


def test_docker_goes_before_podman(tools, tmp_path, capfd):
    called = tools("podman", "docker")
    image.build(tmp_path, ["--platform=linux/arm64"])
    (call,) = called.read_text().splitlines()
    assert call.startswith(f"docker build --file {tmp_path}/envs/Containerfile --tag {image.TAG}")
    assert call.endswith(f"--platform=linux/arm64 {tmp_path}")
    said = capfd.readouterr().err
    assert f"kind load docker-image {image.TAG}" in said
    assert f"export TRIALWATT_IMAGE={image.TAG}" in said
    assert "podman save" not in said


def test_podman_alone_will_do(tools, tmp_path, capfd):
    called = tools("podman")
    image.build(tmp_path)
    assert called.read_text().startswith("podman build")
    said = capfd.readouterr().err
    # podman's own name for it, and none of the commands that look into docker's images
    assert f"podman save --output trialwatt-worker.tar localhost/{image.TAG}" in said
    assert "kind load image-archive trialwatt-worker.tar" in said
    assert f"export TRIALWATT_IMAGE=localhost/{image.TAG}" in said
    assert not re.search(r"docker-image|docker (tag|push|save)", said)


def test_docker_without_its_daemon_is_passed_over(tools, tmp_path):
    tools("docker", answers=1)
    called = tools("podman")
    image.build(tmp_path)
    assert called.read_text().startswith("podman build")


def test_docker_without_its_daemon_alone_is_an_error_in_its_own_words(tools, tmp_path):
    called = tools("docker", answers=1)
    with pytest.raises(TrialwattError, match=r"docker .* does not work: no daemon of docker"):
        image.build(tmp_path)
    assert not called.exists()


def test_the_command_can_be_copied(tools, tmp_path, capfd):
    tools("docker")
    image.build(tmp_path, ["--build-arg", "PIP_EXTRA_INDEX_URL=one two"])
    assert "'PIP_EXTRA_INDEX_URL=one two'" in capfd.readouterr().err


def test_a_failed_build_is_an_error(tools, tmp_path):
    tools("docker", code=3)
    with pytest.raises(TrialwattError, match=r"docker could not build .* \(exit code 3\)"):
        image.build(tmp_path)


def test_without_a_builder_it_says_what_is_missing(tools, tmp_path):
    with pytest.raises(TrialwattError, match="neither docker nor podman is installed here"):
        image.build(tmp_path)
