import subprocess
import sys
from pathlib import Path

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.figures import figures_of
from trialwatt.review.sandbox import BLOCKED
from trialwatt.review.verify import remake_command


def derived(results: Path) -> dict[str, bytes]:
    return {
        file.relative_to(results).as_posix(): file.read_bytes()
        for folder in ("metrics", "tables", "figures", "sweeps", "report.html", "page.html")
        for file in [results / folder, *(results / folder).rglob("*")]
        if file.is_file()
    }


def test_the_same_bytes_in_another_folder_locale_and_time_zone(
    archive, project, tmp_path, monkeypatch
):
    for name, value in {"LC_ALL": "C", "LANG": "C", "TZ": "Asia/Kathmandu"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    said = remake_command(archive, Path("again"))
    count = len(figures_of(["workers.cpu"]))
    assert said == f"{count} figures, all metrics and tables, and the paper: again/results"
    assert derived(tmp_path / "again/results") == derived(project.results)
    assert not (tmp_path / "again/results/runs").exists()
    with pytest.raises(TrialwattError, match="is there already"):
        remake_command(archive, Path("again"))


def test_what_cannot_be_made_is_named(unpacked, tmp_path):
    for record in (unpacked / "results/runs").rglob("harness.jsonl"):
        record.write_text("{")
    with pytest.raises(TrialwattError, match=r"(?s)not everything.*more-cpu: .*is no whole run"):
        remake_command(unpacked.folder, tmp_path / "again")


def confined(code: str) -> subprocess.CompletedProcess:
    start = (
        "from trialwatt.review.sandbox import Limits, confine\n"
        "confine(Limits(seconds=60, memory_bytes=4 << 30, file_bytes=1 << 30))\n"
    )
    command = [sys.executable, "-I", "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", BLOCKED)
def test_a_verification_cannot_import_what_measures(name):
    done = confined(f"import {name}")
    assert done.returncode == 1
    assert "is not to be had in a verification" in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
    ],
)
def test_a_verification_starts_no_program_and_no_connection(code):
    done = confined(code)
    assert done.returncode == 1 and "PermissionError" in done.stderr
