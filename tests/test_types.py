"""The types of the strict packages (pyproject.toml, [tool.mypy]) hold."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def mypy(cache: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(cache), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_strict_packages_have_no_error_of_types(tmp_path):
    done = mypy(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_silences_the_check_without_saying_of_what():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert settings["strict"]
    for place in settings["files"]:
        for file in (ROOT / place).rglob("*.py"):
            assert "# type: ignore\n" not in file.read_text(), f"{file}: name the error it ignores"
            assert "# mypy:" not in file.read_text(), file
