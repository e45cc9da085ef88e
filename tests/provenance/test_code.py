import shutil
import subprocess

import pytest

from trialwatt.provenance.chain import code_version

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    names = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *names, "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@needs_git
def test_commit_and_whether_there_is_more_than_it(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    found = code_version(tmp_path)
    assert found["commit"] == git(tmp_path, "rev-parse", "HEAD")
    assert found["dirty"] is False and found["version"]
    (tmp_path / "a").write_text("2")
    assert code_version(tmp_path)["dirty"] is True


@needs_git
def test_a_repository_without_a_commit(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    found = code_version(tmp_path)
    assert found["commit"] is None and found["dirty"] is None


@needs_git
def test_a_repository_around_us_says_nothing_about_us(tmp_path):
    git(tmp_path, "init", "-q")
    inside = tmp_path / "unpacked"
    inside.mkdir()
    assert code_version(inside)["commit"] is None


def test_without_git_there_is_the_version_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    found = code_version(tmp_path)
    assert found["version"] and found["commit"] is None and found["dirty"] is None
