import subprocess
import sys
from pathlib import Path

import pytest

TRIALWATT = Path(sys.executable).parent / "trialwatt"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "gone.zip"], "gone.zip: there is no such file"),
        (["verify", "."], "neither an unpacked archive"),
        (["remake", "other.zip", "--output", "x"], "other.zip: damaged or cut off"),
        (["import", "other.zip", "--name", "lab"], "other.zip: damaged or cut off"),
        (["import", "other.zip", "--name", "../lab"], "must be made of lower-case letters"),
    ],
)
def test_what_cannot_be_used_is_said_without_a_traceback(tmp_path, arguments, said):
    (tmp_path / "other.zip").write_text("no zip file")
    done = subprocess.run(
        [TRIALWATT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()
