"""`trialwatt show` prints a file of a run as it was, sealed or not."""

import subprocess
import sys
from pathlib import Path

import pytest

from trialwatt.records.sealed import seal

TRIALWATT = Path(sys.executable).parent / "trialwatt"


def show(path):
    return subprocess.run([TRIALWATT, "show", path], capture_output=True, check=False)


@pytest.fixture
def run(tmp_path) -> Path:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "usage.csv").write_bytes(b"t,m\n1,2\n\x1b[1m")
    return tmp_path


def test_a_file_is_printed_byte_by_byte(run):
    plain = show(run / "samples" / "usage.csv")
    assert (plain.returncode, plain.stdout) == (0, b"t,m\n1,2\n\x1b[1m")
    seal(run)
    assert show(run / "samples" / "usage.csv").stdout == plain.stdout


def test_what_is_not_there_is_said_in_words(run, tmp_path_factory):
    seal(run)
    done = show(run / "samples" / "power-model.csv")
    assert done.returncode == 1
    assert done.stderr.endswith(b"there is no such file, plain or sealed\n")
    done = show(tmp_path_factory.mktemp("other") / "usage.csv")
    assert done.returncode == 1 and b"lies in no run's folder" in done.stderr
